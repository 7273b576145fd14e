package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOptionsOfFormats(t *testing.T) {
	parse := func(sink string) error {
		_, err := Parse("a.yaml", []byte("capture: {interfaces: [eth0]}\nsinks: [{name: a, "+sink+"}]\n"))
		return err
	}
	for _, good := range []string{
		`type: stdout, format: leef, options: {leef: "1.0"}`,
		`type: stdout, format: leef, options: {delimiter: "|", hostname: tap, max-bytes: 4096}`,
		`type: stdout, format: leef, options: {delimiter: tab}`,
		`type: syslog, options: {enterprise: 64512}, syslog: {network: tcp, address: "127.0.0.1:514"}`,
		`type: splunk, format: cef, options: {source: tap, sourcetype: cef}, http: {url: "https://splunk.example.org", token: "${PATH}"}`,
	} {
		require.NoError(t, parse(good), good)
	}
	for bad, want := range map[string]string{
		`type: stdout, format: leef, options: {leef: "3.0"}`:                                         `"3.0" is not one of 2.0, 1.0`,
		`type: stdout, format: leef, options: {delimiter: "||"}`:                                     "is neither one character",
		`type: stdout, format: leef, options: {leef: "1.0", delimiter: "|"}`:                         "always uses a tab",
		`type: stdout, format: cef, options: {delimiter: "|"}`:                                       "are for the format leef",
		`type: stdout, format: cef, options: {enterprise: 64512}`:                                    "is for the format syslog",
		`type: stdout, format: cef, options: {source: tap}`:                                          "are for the format hec",
		`type: stdout, options: {max-bytes: 100}`:                                                    "100 is too small: at least 2048",
		`type: syslog, options: {max-bytes: 4096}, syslog: {network: tcp, address: "127.0.0.1:514"}`: "write it as syslog.max-bytes",
	} {
		require.ErrorContains(t, parse(bad), want, bad)
	}
}
