package siem

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a receiver wants otherwise of a format is written so.
func TestFormatOptions(t *testing.T) {
	said := func(format string, o Format) string {
		var out strings.Builder
		s := opened(t, Sink{Type: "stdout", Format: format, Options: o}, Options{Stdout: &out, Hostname: "machine"})
		delivered(t, s, numbered(0, 1))
		return out.String()
	}
	require.Contains(t, said("leef", Format{}), "LEEF:2.0|Avbeacon|avbeacon|")
	require.Contains(t, said("leef", Format{Delimiter: "|"}), "|x7C|")
	one := said("leef", Format{LEEF: "1.0"})
	require.True(t, strings.HasPrefix(one, "LEEF:1.0|"))
	require.Contains(t, one, "\tsrc=")
	require.Contains(t, said("leef", Format{Delimiter: "tab"}), "\tsrc=")
	require.Contains(t, said("syslog", Format{Enterprise: 64512, Hostname: "tap.example.org"}), " tap.example.org avbeacon ")
	require.Contains(t, said("syslog", Format{Enterprise: 64512}), "[avbeacon@64512 ")
	require.Contains(t, said("syslog", Format{}), " machine avbeacon ")
	require.LessOrEqual(t, len(said("cef", Format{MaxBytes: 2048})), 2049)
	hec := said("hec", Format{Source: "tap", Sourcetype: "ids:av"})
	require.Contains(t, hec, `"source":"tap","sourcetype":"ids:av"`)

	encode, err := eventEncoder(Sink{Format: "cef", Options: Format{Source: "tap", Sourcetype: "cef"}}, Options{})
	require.NoError(t, err)
	b, err := encode.Append(nil, numbered(0, 1)[0])
	require.NoError(t, err)
	var event struct{ Source, Sourcetype string }
	require.NoError(t, json.Unmarshal(b, &event))
	require.Equal(t, "tap", event.Source)
	require.Equal(t, "cef", event.Sourcetype)

	_, err = Open(Sink{Name: "a", Type: "stdout", Format: "leef", Options: Format{Delimiter: "="}}, Options{})
	require.ErrorContains(t, err, "LEEF delimiter '='")
}
