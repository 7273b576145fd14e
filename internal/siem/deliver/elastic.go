package deliver

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
)

// Bounds of one request to the bulk API, where the configuration sets none.
const (
	elasticBatch = 500
	elasticBytes = 4 << 20
)

// elasticIndex is the data stream where the configuration names none: type, dataset and name space.
const elasticIndex = "logs-avbeacon.alert-default"

//go:embed share/elastic-index-template.json
var elasticTemplate []byte

// ElasticTemplate is the index template that is to be installed before the first alert: the mapping of the data stream.
func ElasticTemplate() []byte { return bytes.Clone(elasticTemplate) }

// Elastic is the bulk API of Elasticsearch, OpenSearch, or what is compatible with it.
type Elastic HTTP

// Check reports what is wrong with the section.
func (w *Elastic) Check(k setting.Check) { (*HTTP)(w).check(k, "elastic") }

// Plain reports whether requests can be read on the path.
func (w *Elastic) Plain() bool { return (*HTTP)(w).Plain() }

// elastic sends alerts to a bulk API. Each is created under its own id, so that a second delivery finds it there (409),
// which is success. The line for an alert in the answer decides what becomes of it.
type elastic struct {
	courier
	http  *httpClient
	to    *url.URL
	index string
}

// Open makes the sink; the first delivery connects.
func (w *Elastic) Open(s Setup) (alert.Sink, error) {
	if s.Format.Text {
		return nil, fmt.Errorf("format: %q is not JSON, which this receiver requires; the default is ecs", s.Format.Name)
	}
	encode, err := s.encoder()
	if err != nil {
		return nil, err
	}
	client, err := (*HTTP)(w).client(s, "ApiKey", nil)
	if err != nil {
		return nil, err
	}
	e := &elastic{http: client, to: client.at("_bulk"), index: cmp.Or(w.Index, elasticIndex)}
	query := e.to.Query()
	query.Set("filter_path", "errors,error,items.*.status,items.*.error") // the whole answer to a large batch is large
	e.to.RawQuery = query.Encode()
	e.courier = courier{encode: encode, most: cmp.Or(s.Batch, elasticBatch), limit: elasticBytes, send: e.post, end: client.close}
	return e, nil
}

func (e *elastic) post(ctx context.Context, part []item) (int, []alert.Rejection, error) {
	body, err := e.lines(part)
	if err != nil {
		return 0, nil, err
	}
	answer, err := e.http.post(ctx, e.to, http.Header{"Content-Type": {"application/x-ndjson"}}, body)
	if err != nil {
		return 0, nil, err
	}
	if err := e.http.judge(answer); err != nil {
		return 0, nil, err
	}
	return e.read(part, answer)
}

// lines is the request: before each document the line that creates it under its id.
func (e *elastic) lines(part []item) ([]byte, error) {
	type create struct {
		Index string `json:"_index"`
		ID    string `json:"_id"`
	}
	var body []byte
	for _, one := range part {
		line, err := json.Marshal(map[string]create{"create": {Index: e.index, ID: one.id}})
		if err != nil {
			return nil, err
		}
		body = append(append(body, line...), '\n')
		body = append(append(body, one.body...), '\n')
	}
	return body, nil
}

// bulkAnswer is what is read of the answer.
type bulkAnswer struct {
	Errors *bool                   `json:"errors"`
	Items  []map[string]bulkResult `json:"items"`
}

type bulkResult struct {
	Status int             `json:"status"`
	Error  json.RawMessage `json:"error"`
}

// read goes through the lines of a 200, which alone says nothing yet, up to the first alert that has to come again.
func (e *elastic) read(part []item, r reply) (int, []alert.Rejection, error) {
	var answer bulkAnswer
	if r.cut {
		return 0, nil, fmt.Errorf("%s: the answer is longer than %d bytes", e.http.base.Host, maxReply)
	}
	if err := json.Unmarshal(r.body, &answer); err != nil || answer.Errors == nil {
		return 0, nil, fmt.Errorf("%s: this is not an answer of a bulk API", e.http.said(r))
	}
	if len(answer.Items) != len(part) {
		return 0, nil, fmt.Errorf("%s: answers for %d of %d alerts", e.http.base.Host, len(answer.Items), len(part))
	}
	var rejected []alert.Rejection
	for i, one := range part {
		err := e.result(answer.Items[i]["create"], r)
		var bad *partRejected
		switch {
		case errors.As(err, &bad):
			rejected = append(rejected, reject(one.index, bad.reason))
		case err != nil:
			return i, rejected, err
		}
	}
	return len(part), rejected, nil
}

// result judges one alert's line. Status 409 says that the id is there already. Errors about the index, our
// permissions or a full disk are not the alert's fault.
func (e *elastic) result(b bulkResult, r reply) error {
	if b.Status >= 200 && b.Status < 300 || b.Status == http.StatusConflict {
		return nil
	}
	var cause struct{ Type, Reason string }
	_ = json.Unmarshal(b.Error, &cause) // an error in another form is shown as it is
	said := fmt.Errorf("%s answers %d for an alert: %s", e.http.base.Host, b.Status, e.http.words(string(b.Error)))
	switch {
	case b.Status == http.StatusTooManyRequests, b.Status >= 500, cause.Type == "cluster_block_exception":
		return &Busy{After: pauseAsked(r.header), Err: said}
	case b.Status == http.StatusUnauthorized, b.Status == http.StatusForbidden, cause.Type == "index_not_found_exception":
		return &Denied{said}
	case b.Status >= 400:
		return &partRejected{at: -1, reason: said.Error()}
	}
	return said // no status that the protocol knows
}
