package siem

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/deliver"
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/format/cef"
	"avbeacon/internal/siem/format/hec"
	"avbeacon/internal/siem/samples"
)

// What a receiver wants otherwise of a format is written so.
func TestFormatOptions(t *testing.T) {
	said := func(name string, o format.Options) string {
		var out strings.Builder
		s, err := Open(Sink{Name: "a", Type: "stdout", Format: name, Options: o}, Options{Stdout: &out, Hostname: "machine"})
		require.NoError(t, err)
		n, rejected, err := s.Deliver(t.Context(), samples.Numbered(0, 1))
		require.NoError(t, err)
		require.Empty(t, rejected)
		require.Equal(t, 1, n)
		return out.String()
	}
	require.Contains(t, said("leef", format.Options{}), "LEEF:2.0|Avbeacon|avbeacon|")
	require.Contains(t, said("leef", format.Options{Delimiter: "|"}), "|x7C|")
	one := said("leef", format.Options{LEEF: "1.0"})
	require.True(t, strings.HasPrefix(one, "LEEF:1.0|"))
	require.Contains(t, one, "\tsrc=")
	require.Contains(t, said("leef", format.Options{Delimiter: "tab"}), "\tsrc=")
	require.Contains(t, said("syslog", format.Options{Enterprise: 64512, Hostname: "tap.example.org"}), " tap.example.org avbeacon ")
	require.Contains(t, said("syslog", format.Options{Enterprise: 64512}), "[avbeacon@64512 ")
	require.Contains(t, said("syslog", format.Options{}), " machine avbeacon ")
	require.LessOrEqual(t, len(said("cef", format.Options{MaxBytes: 2048})), 2049)
	event := said("hec", format.Options{Source: "tap", Sourcetype: "ids:av"})
	require.Contains(t, event, `"source":"tap","sourcetype":"ids:av"`)

	encode, err := cef.CEF().Encoder(format.Options{})
	require.NoError(t, err)
	encode = hec.Wrap(encode, cef.CEF(), format.Options{Source: "tap", Sourcetype: "cef"})
	b, err := encode.Append(nil, samples.Numbered(0, 1)[0])
	require.NoError(t, err)
	var read struct{ Source, Sourcetype string }
	require.NoError(t, json.Unmarshal(b, &read))
	require.Equal(t, "tap", read.Source)
	require.Equal(t, "cef", read.Sourcetype)

	_, err = Open(Sink{Name: "a", Type: "stdout", Format: "leef", Options: format.Options{Delimiter: "="}}, Options{})
	require.ErrorContains(t, err, `sink a: options.delimiter: "=" may occur in names`)
}

func TestOpenErrorsNameSinkAndKey(t *testing.T) {
	for want, cfg := range map[string]Sink{
		`filter.severity: "urgent" is not one of`: {Type: "stdout", Filter: alert.Filter{Severity: "urgent"}},
		`type: "smoke" is not one of`:             {Type: "smoke"},
		`format: "xml" is not one of`:             {Type: "stdout", Format: "xml"},
		`timeout: must not be negative`:           {Type: "stdout", Timeout: -1},
		`batch: must not be negative`:             {Type: "stdout", Batch: -1},
		`file: is not for a sink of type stdout`:  {Type: "stdout", File: deliver.File{Path: "x"}},
		`file.path: is missing`:                   {Type: "file"},
		`http.token: is missing`:                  {Type: "splunk", HTTP: deliver.HTTP{URL: "https://x"}},
	} {
		cfg.Name = "soc"
		_, err := Open(cfg, Options{})
		require.ErrorContains(t, err, "sink soc: "+want)
	}
	_, err := Open(Sink{Type: "stdout"}, Options{})
	require.ErrorContains(t, err, "name: is missing")
}

// The explanations of the keys list what the table has.
func TestExplanationsListTheTable(t *testing.T) {
	sink := reflect.TypeFor[Sink]()
	for name, words := range map[string][]string{"Type": Types(), "Format": Formats()} {
		f, ok := sink.FieldByName(name)
		require.True(t, ok)
		require.True(t, strings.HasPrefix(f.Tag.Get("about"), strings.Join(words, ", ")), f.Tag.Get("about"))
	}
	sections := map[string]bool{"": true}
	for i := range sink.NumField() {
		sections[sink.Field(i).Tag.Get("yaml")] = true
	}
	for _, r := range receivers() {
		require.True(t, sections[r.section], r.kind)
		_, err := formatOf(r.format)
		require.NoError(t, err, r.kind)
	}
}
