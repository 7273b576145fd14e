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
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/format/stix"
	"avbeacon/internal/siem/samples"
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
	for _, name := range Formats() {
		if !jsonFormat(name) {
			continue
		}
		fits := schema(t, name)
		for _, s := range samples.All() {
			record, err := encoding(t, name).Append(nil, s.Alert)
			require.NoError(t, err)
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(record))
			require.NoError(t, err)
			require.NoError(t, fits.Validate(value), "%s of %s", name, s.Name)
		}
	}
}

// TestSchemasReject makes sure that the schemas say no: to a field too many, a wrong time, a missing id, an empty text.
func TestSchemasReject(t *testing.T) {
	edits := map[string][][2]string{
		"ecs":  {{`"message":`, `"massage":`}, {`"category":["network"`, `"category":["net"`}, {`.123Z"`, `.123456Z"`}, {`"mac":"02-00`, `"mac":"02:00`}},
		"ocsf": {{`"class_uid":2004`, `"class_uid":2003`}, {`"time":1795`, `"time":"1795`}, {`"uid":"a3f1`, `"uid":"","x":"a3f1`}},
		"eve":  {{`+0000"`, `Z"`}, {`"signature_id":39`, `"signature_id":19`}, {`"rule":["russian-vendors"]`, `"rule":"russian-vendors"`}},
		"hec":  {{`"time":1795428904`, `"time":1795428904123`}, {`"dest_port":443`, `"dest_port":0`}},
		"stix": {{`"spec_version":"2.1"`, `"spec_version":"2.0"`}, {`"count":110`, `"count":0`}, {`sighting--`, `sighted--`}},
	}
	for name, list := range edits {
		record, err := encoding(t, name).Append(nil, samples.New())
		require.NoError(t, err)
		for _, edit := range list {
			wrong := strings.Replace(string(record), edit[0], edit[1], 1)
			require.NotEqual(t, string(record), wrong, "%s has no %s", name, edit[0])
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
			if err == nil {
				err = schema(t, name).Validate(value)
			}
			require.Error(t, err, "%s with %s", name, edit[1])
		}
	}
}

// TestBundle puts all samples in one bundle: every object once, every reference to one that is there.
func TestBundle(t *testing.T) {
	var alerts []*alert.Alert
	for _, s := range samples.All() {
		alerts = append(alerts, s.Alert)
	}
	bundle, err := stix.AppendBundle([]byte("before"), append(alerts, alerts[0]), format.Options{Hostname: "sensor7.example"})
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
	_, err = stix.AppendBundle(nil, nil, format.Options{})
	require.Error(t, err)
}

// references returns the objects that an object refers to: the members that end in _ref or _refs.
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

func TestGoldenFilesAreWhole(t *testing.T) {
	files, err := os.ReadDir(filepath.Join("testdata", "golden"))
	require.NoError(t, err)
	require.Len(t, files, len(Formats())*len(samples.All()), "a golden file of a name or sample that is gone")
}
