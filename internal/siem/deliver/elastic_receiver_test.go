package deliver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"time"
)

// elastic is a strict bulk API: only creation into a data stream, and documents that fit the index template.
func (r *httpReceiver) elastic(w http.ResponseWriter, q *http.Request) {
	switch {
	case q.Header.Get("Authorization") != "ApiKey "+elasticKey:
		answer(w, http.StatusUnauthorized, `{"error":{"type":"security_exception","reason":"invalid api key"},"status":401}`)
		return
	case !strings.HasSuffix(q.URL.Path, "/_bulk"), q.Header.Get("Content-Type") != "application/x-ndjson":
		r.t.Errorf("%s %s", q.URL.Path, q.Header.Get("Content-Type"))
	case q.URL.Query().Get("filter_path") != "errors,error,items.*.status,items.*.error":
		r.t.Errorf("query %s", q.URL.RawQuery)
	}
	body := r.body(q)
	if len(body) == 0 || body[len(body)-1] != '\n' {
		answer(w, http.StatusBadRequest, `{"error":{"type":"illegal_argument_exception","reason":"The bulk request must be terminated by a newline [\\n]"}}`)
		return
	}
	lines := bytes.Split(body[:len(body)-1], []byte("\n"))
	var items []any
	errors := false
	for i := 0; i+1 < len(lines); i += 2 {
		status, cause := r.create(lines[i], lines[i+1])
		result := map[string]any{"status": status}
		if cause != nil {
			errors = true
			result["error"] = cause
		}
		items = append(items, map[string]any{"create": result})
	}
	text, _ := json.Marshal(map[string]any{"errors": errors, "items": items})
	answer(w, http.StatusOK, string(text))
}

// create takes one document, and gives its status and the error's object.
func (r *httpReceiver) create(action, document []byte) (int, map[string]string) {
	var act struct {
		Create struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		} `json:"create"`
	}
	d := json.NewDecoder(bytes.NewReader(action))
	d.DisallowUnknownFields()
	if err := d.Decode(&act); err != nil || act.Create.ID == "" {
		r.t.Errorf("action %s: %v", action, err)
		return 400, map[string]string{"type": "illegal_argument_exception", "reason": "bad action"}
	}
	template := readTemplate()
	if ok, _ := path.Match(template.Patterns[0], act.Create.Index); !ok {
		r.t.Errorf("data stream %s does not fit the template", act.Create.Index)
	}
	if r.rejects(act.Create.ID) {
		return 400, map[string]string{"type": "document_parsing_exception", "reason": "failed to parse field [source.ip]"}
	}
	var source map[string]any
	if err := json.Unmarshal(document, &source); err != nil {
		return 400, map[string]string{"type": "document_parsing_exception", "reason": err.Error()}
	}
	if _, ok := source["@timestamp"]; !ok {
		return 400, map[string]string{"type": "illegal_argument_exception", "reason": "data stream timestamp field [@timestamp] is missing"}
	}
	if err := template.Template.Mappings.fits("", source, false); err != nil {
		r.t.Errorf("%v", err)
		return 400, map[string]string{"type": "strict_dynamic_mapping_exception", "reason": err.Error()}
	}
	if r.has(act.Create.ID) {
		return 409, map[string]string{"type": "version_conflict_engine_exception", "reason": "document already exists"}
	}
	r.put(act.Create.ID)
	return 201, nil
}

// indexTemplate is what is read of the template.
type indexTemplate struct {
	Patterns   []string        `json:"index_patterns"`
	DataStream json.RawMessage `json:"data_stream"`
	Template   struct{ Mappings mapping }
}

type mapping struct {
	Type       string
	Dynamic    any
	Properties map[string]mapping
}

func readTemplate() indexTemplate {
	var t indexTemplate
	if err := json.Unmarshal(ElasticTemplate(), &t); err != nil {
		panic(err)
	}
	return t
}

// fits reports whether a value can be indexed. strict is inherited; it makes an unmapped field an error, as Elasticsearch
// does. Here every unmapped field is an error, because it could not be searched.
func (m mapping) fits(name string, value any, strict bool) error {
	strict = strict || m.Dynamic == "strict"
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			field, ok := m.Properties[key]
			if !ok {
				return fmt.Errorf("[%s.%s] is not mapped (strict: %v)", name, key, strict)
			}
			if err := field.fits(name+"."+key, inner, strict); err != nil {
				return err
			}
		}
		return nil
	case []any:
		for _, inner := range v {
			if err := m.fits(name, inner, strict); err != nil {
				return err
			}
		}
		return nil
	}
	if !m.holds(value) {
		return fmt.Errorf("[%s] of type %q cannot hold %v", name, m.Type, value)
	}
	return nil
}

func (m mapping) holds(value any) bool {
	text, isText := value.(string)
	number, isNumber := value.(float64)
	_, isFlag := value.(bool)
	switch m.Type {
	case "keyword", "text":
		return isText && text != ""
	case "ip":
		_, err := netip.ParseAddr(text)
		return err == nil && !strings.Contains(text, "%")
	case "long":
		return isNumber && number == float64(int64(number))
	case "double":
		return isNumber
	case "boolean":
		return isFlag
	case "date", "date_nanos":
		_, err := time.Parse(time.RFC3339Nano, text)
		return err == nil
	}
	return false
}
