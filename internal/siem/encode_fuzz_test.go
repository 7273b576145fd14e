package siem

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
)

// fuzzed is newAlert with text from the wire in every place that it can come to.
func fuzzed(text, name string) *alert.Alert {
	a := newAlert()
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

func probes(format string) []probe {
	switch format {
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

// FuzzEncode writes text in every format, in plenty of room and in the least, reads it back with the strict readers and
// the schemas, and compares it with the clean text.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "plain", "\\=|^\"]'", "a=b c=d", "\x00\x1f\x7f\u0085\u009b\u202e\u2066\u2028\ufeff\U000e0041", "\xff\xfe\xc0\x80",
		"буратино", " ends with blanks ", "\\u{202e}\\255", strings.Repeat("\u202e", 300), strings.Repeat("\\", 1100), "^", "::ffff:1.2.3.4%x", "x" + strings.Repeat("é", 600)} {
		f.Add(s, "host.example")
		f.Add("text", s)
	}
	schemas := map[string]*jsonschema.Schema{}
	for _, format := range Formats() {
		if jsonFormat(format) {
			schemas[format] = schema(f, format)
		}
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		a := fuzzed(text, name)
		for _, format := range formats() {
			line := record(t, format.name, a, EncodeOptions{MaxBytes: 1 << 20})
			require.NoError(t, readable(format.name, line), line)
			if s, ok := schemas[format.name]; ok {
				value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
				require.NoError(t, err)
				require.NoError(t, s.Validate(value), line)
			}
			for _, p := range probes(format.name) {
				want := text
				if p.name {
					want = name
				}
				require.Equal(t, expected(format.name, want, p.size), fieldOf(t, format.name, line, p.field), "%s of %s", p.field, format.name)
			}
			require.NoError(t, readable(format.name, record(t, format.name, a, EncodeOptions{MaxBytes: format.least})))
		}
	})
}

// expected is what a reader of the format is to get of a text.
func expected(format, s string, size int) string {
	switch format {
	case "leef":
		s = strings.Trim(strings.ReplaceAll(s, "^", " "), " ")
	case "cef":
		s = strings.Trim(s, " ")
	}
	return clean(s, size)
}

// fieldOf reads a field with the strict readers; "" where it is not there.
func fieldOf(t *testing.T, format, line, field string) string {
	t.Helper()
	var fields map[string]string
	var err error
	switch format {
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

// FuzzClean looks at what the formats build on: clean text is clean, is not changed by cleaning it again, keeps to its size,
// and is cut at no escape's middle.
func FuzzClean(f *testing.F) {
	f.Add("a\u202eb\xff\x01", 12)
	f.Add("\\u{202E}", 4)
	f.Fuzz(func(t *testing.T, s string, size int) {
		size = 3 + (size%1000+1000)%1000
		whole, cut := appendClean(nil, s, 1<<30)
		require.False(t, cut)
		require.NoError(t, printable(string(whole)))
		require.Equal(t, string(whole), clean(string(whole), 1<<30))
		part, cut := appendClean([]byte("before"), s, size)
		got, ok := strings.CutPrefix(string(part), "before")
		require.True(t, ok)
		require.LessOrEqual(t, len(got), size)
		require.Equal(t, len(whole) > size, cut)
		if !cut {
			require.Equal(t, string(whole), got)
			return
		}
		kept, ok := strings.CutSuffix(got, ellipsis)
		require.True(t, ok)
		rest, ok := strings.CutPrefix(string(whole), kept)
		require.True(t, ok)
		require.True(t, utf8.ValidString(kept))
		require.False(t, strings.HasSuffix(kept, `\`) && strings.HasPrefix(rest, "u{") && !strings.Contains(s, `\`), "cut in the middle of an escape")
	})
}
