package siem

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/samples"
)

// fuzzed is newAlert with text from the wire in every place that it can come to.
func fuzzed(text, name string) *alert.Alert {
	a := samples.New()
	a.Message, a.Why, a.Note, a.Rule, a.Sensor, a.Version = text, text, text, text, text, name
	a.Host.Name, a.Host.MAC = name, name
	a.Vendor.Name, a.Vendor.Product, a.Vendor.ProductVersion = name, text, name
	a.Destinations[0].Names, a.Destinations[0].Owner, a.Destinations[0].City, a.Destinations[0].Where = []string{name, text}, text, text, text
	a.Evidence[0].Value, a.Evidence[0].Why, a.Evidence[0].Kind = text, name, name
	a.Beacons[0].Words, a.Reasons, a.Hosts = text, []string{text, name}, []string{name, text}
	return a
}

// probe is a field in which a reader must find the clean text: a path of names and numbers (-1 is the last) in JSON, the key
// elsewhere.
type probe struct {
	field string
	name  bool // it is the name that was fuzzed, not the text
	size  int
}

func probes(name string) []probe {
	switch name {
	case "ecs":
		return []probe{{"message", false, 1024}, {"event.reason", false, 1024}, {"source.domain", true, 255}, {"observer.name", false, 1024},
			{"avbeacon.vendor.name", true, 128}, {"avbeacon.evidence.0.value", false, 1024}, {"avbeacon.note", false, 1024}}
	case "ocsf":
		return []probe{{"message", false, 1024}, {"finding_info.desc", false, 1024}, {"device.hostname", true, 255},
			{"unmapped.avbeacon.evidence.0.value", false, 1024}}
	case "eve":
		return []probe{{"alert.metadata.message.0", false, 1024}, {"alert.metadata.host_name.0", true, 1024}}
	case "hec":
		return []probe{{"event.description", false, 1024}, {"event.src_host", true, 255}, {"event.avbeacon.concern_why", false, 1024}}
	case "stix":
		return []probe{{"objects.-1.description", false, 1024}, {"objects.-1.x_avbeacon_why", false, 1024}}
	case "cef":
		return []probe{{"msg", false, 1023}, {"reason", false, 1023}, {"shost", true, 1023}, {"cs1", true, 1024}}
	case "leef":
		return []probe{{"message", false, 1023}, {"why", false, 1023}, {"identHostName", true, 255}, {"vendor", true, 128}}
	case "syslog":
		return []probe{{"text", false, 1024}, {"why", false, 1024}, {"shost", true, 1024}, {"vendor", true, 1024}, {"note", false, 1024}}
	}
	return nil
}

// FuzzEncode writes text in every name, in plenty of room and in the least, reads it back with the strict readers and
// the schemas, and compares it with the clean text.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "plain", "\\=|^\"]'", "a=b c=d", "\x00\x1f\x7f\u0085\u009b\u202e\u2066\u2028\ufeff\U000e0041", "\xff\xfe\xc0\x80",
		"буратино", " ends with blanks ", "\\u{202e}\\255", strings.Repeat("\u202e", 300), strings.Repeat("\\", 1100), "^", "::ffff:1.2.3.4%x", "x" + strings.Repeat("é", 600)} {
		f.Add(s, "host.example")
		f.Add("text", s)
	}
	schemas := map[string]*jsonschema.Schema{}
	for _, name := range Formats() {
		if jsonFormat(name) {
			schemas[name] = schema(f, name)
		}
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		a := fuzzed(text, name)
		for _, f := range formats() {
			line := record(t, f.Name, a, format.Options{MaxBytes: 1 << 20})
			require.NoError(t, readable(f.Name, line), line)
			if s, ok := schemas[f.Name]; ok {
				value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
				require.NoError(t, err)
				require.NoError(t, s.Validate(value), line)
			}
			for _, p := range probes(f.Name) {
				want := text
				if p.name {
					want = name
				}
				require.Equal(t, expected(f.Name, want, p.size), fieldOf(t, f.Name, line, p.field), "%s of %s", p.field, f.Name)
			}
			require.NoError(t, readable(f.Name, record(t, f.Name, a, format.Options{MaxBytes: f.Least})))
		}
	})
}

// expected is what a reader of the name is to get of a text.
func expected(name, s string, size int) string {
	switch name {
	case "leef":
		s = strings.Trim(strings.ReplaceAll(s, "^", " "), " ")
	case "cef":
		s = strings.Trim(s, " ")
	}
	return format.Clean(s, size)
}

// fieldOf reads a field with the strict readers; "" where it is not there.
func fieldOf(t *testing.T, name, line, field string) string {
	t.Helper()
	var fields map[string]string
	var err error
	switch name {
	case "cef":
		fields, err = readCEF(line)
	case "leef":
		fields, err = readLEEF(line)
	case "syslog":
		m, err := readSyslog(line)
		require.NoError(t, err)
		if field == "text" {
			return m.text
		}
		return strings.Join(m.data[field], "")
	default:
		var value any
		require.NoError(t, json.Unmarshal([]byte(line), &value))
		return walk(value, strings.Split(field, "."))
	}
	require.NoError(t, err)
	return fields[field]
}

func walk(value any, path []string) string {
	for _, step := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if i < 0 {
				i += len(v)
			}
			if err != nil || i >= len(v) {
				return ""
			}
			value = v[i]
		}
	}
	s, _ := value.(string)
	return s
}
