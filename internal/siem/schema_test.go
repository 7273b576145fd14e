package siem

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
)

// schema compiles testdata/schema/NAME.json. Each says where what it asks for is written.
func schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(filepath.Join("testdata", "schema", name+".json"))
	require.NoError(t, err)
	return s
}

func TestRecordsFitTheirSchemas(t *testing.T) {
	for _, format := range Formats() {
		if !jsonFormat(format) {
			continue
		}
		fits := schema(t, format)
		for _, s := range samples() {
			record, err := encoding(t, format).Append(nil, s.alert)
			require.NoError(t, err)
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(record))
			require.NoError(t, err)
			require.NoError(t, fits.Validate(value), "%s of %s", format, s.name)
		}
	}
}

// TestSchemasRefuse makes sure that the schemas say no: to a field too many, a wrong time, a missing id, an empty text.
func TestSchemasRefuse(t *testing.T) {
	edits := map[string][][2]string{
		"ecs":  {{`"message":`, `"massage":`}, {`"category":["network"`, `"category":["net"`}, {`.123Z"`, `.123456Z"`}, {`"mac":"02-00`, `"mac":"02:00`}},
		"ocsf": {{`"class_uid":2004`, `"class_uid":2003`}, {`"time":1795`, `"time":"1795`}, {`"uid":"a3f1`, `"uid":"","x":"a3f1`}},
		"eve":  {{`+0000"`, `Z"`}, {`"signature_id":39`, `"signature_id":19`}, {`"rule":["russian-vendors"]`, `"rule":"russian-vendors"`}},
		"hec":  {{`"time":1795428904`, `"time":1795428904123`}, {`"dest_port":443`, `"dest_port":0`}},
		"stix": {{`"spec_version":"2.1"`, `"spec_version":"2.0"`}, {`"count":110`, `"count":0`}, {`sighting--`, `sighted--`}},
	}
	for format, list := range edits {
		record, err := encoding(t, format).Append(nil, newAlert())
		require.NoError(t, err)
		for _, edit := range list {
			wrong := strings.Replace(string(record), edit[0], edit[1], 1)
			require.NotEqual(t, string(record), wrong, "%s has no %s", format, edit[0])
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
			if err == nil {
				err = schema(t, format).Validate(value)
			}
			require.Error(t, err, "%s with %s", format, edit[1])
		}
	}
}

// TestBundle puts all samples in one bundle: every object once, every reference to one that is there.
func TestBundle(t *testing.T) {
	var alerts []*alert.Alert
	for _, s := range samples() {
		alerts = append(alerts, s.alert)
	}
	bundle, err := AppendBundle([]byte("before"), append(alerts, alerts[0]), EncodeOptions{Hostname: "sensor7.example"})
	require.NoError(t, err)
	bundle = bytes.TrimPrefix(bundle, []byte("before"))
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(bundle))
	require.NoError(t, err)
	require.NoError(t, schema(t, "stix").Validate(value))
	var read struct{ Objects []map[string]any }
	require.NoError(t, json.Unmarshal(bundle, &read))
	ids := map[string]bool{}
	for _, o := range read.Objects {
		id := o["id"].(string)
		require.False(t, ids[id], "%s twice", id)
		ids[id] = true
	}
	for _, o := range read.Objects {
		for _, ref := range references(o) {
			require.True(t, ids[ref], "%s speaks of %s, which is not there", o["id"], ref)
		}
	}
	_, err = AppendBundle(nil, nil, EncodeOptions{})
	require.Error(t, err)
	_, err = AppendBundle(nil, alerts, EncodeOptions{Facility: 99})
	require.Error(t, err)
}

// references gives what an object speaks of: the members that end in _ref or _refs.
func references(o map[string]any) []string {
	var list []string
	for name, v := range o {
		switch v := v.(type) {
		case string:
			if strings.HasSuffix(name, "_ref") {
				list = append(list, v)
			}
		case []any:
			for _, one := range v {
				if strings.HasSuffix(name, "_refs") {
					list = append(list, one.(string))
				}
			}
		}
	}
	return list
}

// TestObservableIDs compares ids with those that the published guidance (STIX 2.1 best practices) and other producers have.
func TestObservableIDs(t *testing.T) {
	require.Equal(t, "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4", observableID("ipv4-addr", `{"value":"198.51.100.3"}`))
	require.Equal(t, "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7", observableID("domain-name", `{"value":"example.com"}`))
	require.Equal(t, "2ed6657d-e927-568b-95e1-2665a8aea6a2", uuid5("6ba7b8109dad11d180b400c04fd430c8", "www.example.com")) // RFC 9562 A.4
}

func TestGoldenFilesAreWhole(t *testing.T) {
	files, err := os.ReadDir(filepath.Join("testdata", "golden"))
	require.NoError(t, err)
	require.Len(t, files, len(Formats())*len(samples()), "a golden file of a format or sample that is gone")
}
