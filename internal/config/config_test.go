package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/feeds/yamlfile"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem"
	"avbeacon/internal/siem/deliver"
	"avbeacon/internal/siem/format"
)

// fake are surroundings with one variable, TOKEN, and one file, /secret.
func fake() setting.Sources {
	return setting.Sources{
		Env: func(name string) (string, bool) { return "from the environment", name == "TOKEN" },
		File: func(path string) (string, error) {
			if path == "/secret" {
				return "from a file\n", nil
			}
			return "", fs.ErrNotExist
		},
	}
}

// full is a configuration in which every kind of value is something else than by default.
const full = `
sensor: "tap \"1\" in Frankfurt / ü"
capture:
  interfaces: [eth0, eth1]
  ring: 128MiB
  promiscuous: false
  filter: |
    1
    6 0 0 262144
site: {home: [default, 192.0.2.0/24], location: "50.11,8.68"}
knowledge:
  geo:
  - /var/lib/GeoIP/GeoLite2-City.mmdb
policy: all
store:
  file: /var/lib/avbeacon/store.db
  detail: 1d12h
  size: 10GB
alerts:
  tell: [new]
  quiet-hours:
  - {days: [sat, sun], from: 22:00, to: "06:00", zone: Europe/Berlin, above: high}
  maintenance:
  - {from: 2026-12-01, to: 2026-12-02T03:04:05.5+01:00, reason: "new switch"}
  suppress:
  - {id: lab, hosts: [10.9.0.0/16], reason: test lab, author: mk, expires: 2027-01-01}
  - {id: all, domains: [.], reason: quiet, author: mk}
sinks:
- name: splunk
  type: splunk
  http:
    url: https://hec.example:8088
    token: ${TOKEN}
    headers: {X-Site: "a: b", X-Team: soc}
    ack: true
- name: hook
  type: webhook
  filter: {severity: high, events: [new, resolved], vendors: [kaspersky]}
  timeout: 5s
  http: {url: "https://hook.example/x", user: me, password: "file:/secret", hmac-key: "${TOKEN}"}
- name: log
  type: syslog
  format: cef
  syslog: {network: tls, address: "siem.example:6514", max-bytes: 4096}
- {name: bus, type: kafka, kafka: {brokers: ["k1:9092"], topic: av, tls: true, sasl: scram-sha-512, user: u, password: "${TOKEN}"}}
listen: {drops: 0.5, address: ""}
log: {format: json}
limits: {memory: 2GiB, panics: /var/lib/avbeacon/panics}
`

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	require.NoError(t, c.Validate())
	for _, text := range []string{"", "# nothing\n", "---\n", "sinks:\nalerts:\n# all by default\n"} {
		parsed, err := Parse("x.yaml", []byte(text))
		require.NoError(t, err, "%q", text)
		require.Equal(t, c, parsed, "%q", text)
	}
}

func TestParse(t *testing.T) {
	c, err := parse("x.yaml", []byte(full), fake())
	require.NoError(t, err)
	require.Equal(t, `tap "1" in Frankfurt / ü`, c.Sensor)
	require.Equal(t, Capture{Interfaces: []string{"eth0", "eth1"}, Ring: 128 << 20, Filter: "1\n6 0 0 262144\n"}, c.Capture)
	require.Equal(t, 36*time.Hour, c.Store.Detail)
	require.Equal(t, setting.Size(10e9), c.Store.Size)
	require.Equal(t, Default().Store.Findings, c.Store.Findings, "what is left out keeps its default")
	require.Equal(t, []string{"new"}, c.Alerts.Events, "a list replaces its default")
	require.Equal(t, "22:00", c.Alerts.Quiet[0].From)
	require.Equal(t, time.Date(2026, 12, 2, 2, 4, 5, 5e8, time.UTC), c.Alerts.Windows[0].To)
	require.True(t, c.Alerts.Suppress[1].Expires.IsZero())
	require.Equal(t, "from the environment", c.Sinks[0].HTTP.Token.Reveal())
	require.Equal(t, "from a file", c.Sinks[1].HTTP.Password.Reveal())
	require.Equal(t, map[string]string{"X-Site": "a: b", "X-Team": "soc"}, c.Sinks[0].HTTP.Headers)
	require.Equal(t, 0.5, c.Listen.Drops)
	require.Empty(t, c.Listen.Address)
}

func TestPrintIsParsed(t *testing.T) {
	fromFile, err := parse("x.yaml", []byte(full), fake())
	require.NoError(t, err)
	for _, c := range []Config{Default(), fromFile} {
		var out strings.Builder
		require.NoError(t, c.Print(&out))
		again, err := parse("print.yaml", []byte(out.String()), fake())
		require.NoError(t, err, out.String())
		require.Equal(t, c, again)
		require.NotContains(t, out.String(), "from the environment")
		require.NotContains(t, out.String(), "from a file")
	}
}

// The commented example under an empty list is a valid configuration once the comment signs are removed.
func TestPrintShowsSectionsOfLists(t *testing.T) {
	c := Default()
	var out strings.Builder
	require.NoError(t, c.Print(&out))
	text := strings.NewReplacer("sinks: []\n", "sinks:\n", "quiet-hours: []\n", "quiet-hours:\n",
		"maintenance: []\n", "maintenance:\n", "suppress: []\n", "suppress:\n").Replace(out.String())
	text = strings.ReplaceAll(text, "\n#  ", "\n  ")
	_, err := setting.Decode("x.yaml", []byte(text), &c, fake(), func(setting.Check) {})
	require.NoError(t, err)
	require.Equal(t, []siem.Sink{{}}, c.Sinks)
	require.Len(t, c.Alerts.Quiet, 1)
	require.Len(t, c.Alerts.Windows, 1)
	require.Len(t, c.Alerts.Suppress, 1)
}

func TestEveryKeyIsDocumented(t *testing.T) {
	seen := map[string]bool{}
	var walk func(key string, v reflect.Type)
	walk = func(key string, v reflect.Type) {
		for i := range v.NumField() {
			f := v.Field(i)
			if !f.IsExported() {
				continue
			}
			if v == reflect.TypeFor[format.Options]() && f.Tag.Get("yaml") == "" {
				continue // set by the sink
			}
			require.NotEmpty(t, f.Tag.Get("yaml"), "%s.%s has no key", v.Name(), f.Name)
			name := yamlfile.Under(key, f.Tag.Get("yaml"))
			require.False(t, seen[name], "%s is there twice", name)
			seen[name] = true
			require.NotEmpty(t, f.Tag.Get("about"), "%s is not explained", name)
			inner := f.Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
				walk(name, inner)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	require.Greater(t, len(seen), 100)
}

// What comes from where is checked again after flags have changed it.
func TestValidateNeedsNoFile(t *testing.T) {
	c := Default()
	c.Capture.Interfaces, c.Capture.Read = []string{"eth0"}, "x.pcap"
	c.Store.Detail = -time.Hour
	c.Sinks = []siem.Sink{{Name: "a", Type: "stdout"}, {Name: "a", Type: "stdout"}}
	require.EqualError(t, c.Validate(), "store.detail: must not be negative\n"+
		"capture: use interfaces, or one of read and watch\n"+
		`sinks[1].name: "a" is already the name of sinks[0]`)
}

func TestLoad(t *testing.T) {
	t.Setenv("AVBEACON_TEST_TOKEN", "s3cret")
	file := filepath.Join(t.TempDir(), "avbeacon.yaml")
	secret := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(secret, []byte("k3y\r\n"), 0o644))
	text := "sinks:\n- {name: a, type: webhook, http: {url: 'http://siem.example', token: '${AVBEACON_TEST_TOKEN}', hmac-key: 'file:" + secret + "'}}\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	c, err := Load(file)
	require.NoError(t, err)
	require.Equal(t, "s3cret", c.Sinks[0].HTTP.Token.Reveal())
	require.Equal(t, "k3y", c.Sinks[0].HTTP.HMACKey.Reveal())
	require.Equal(t, []string{"sink a: alerts, and the secret if there is one, cross the network unencrypted",
		"sinks[0].http.hmac-key: everybody on this machine can read " + secret}, c.Warnings())

	_, err = Load(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.WriteFile(file, make([]byte, setting.MaxFile+1), 0o600))
	_, err = Load(file)
	require.ErrorContains(t, err, file+": the file is larger than 1048576 bytes")
}

func TestWarnings(t *testing.T) {
	c := Default()
	require.Empty(t, c.Warnings())
	c.Listen.Address = ":9477"
	c.Sinks = []siem.Sink{
		{Name: "a", Type: "syslog", Syslog: deliver.Syslog{Network: "tcp", Address: "127.0.0.1:514"}},
		{Name: "b", Type: "syslog", Syslog: deliver.Syslog{Network: "udp", Address: "10.0.0.1:514"}},
		{Name: "c", Type: "syslog", Syslog: deliver.Syslog{Network: "tls", Address: "10.0.0.1:6514"}, TLS: deliver.TLS{Insecure: true}},
		{Name: "d", Type: "kafka", Kafka: deliver.Kafka{Password: "x"}},
	}
	text := strings.Join(c.Warnings(), "\n")
	require.Equal(t, 4, strings.Count(text, "\n")+1, text)
	for _, want := range []string{"listen.address", "sink b: alerts", "sink c: the server's", "sink d: alerts"} {
		require.Contains(t, text, want)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	c := Default()
	c.Sinks = []siem.Sink{{HTTP: deliver.HTTP{Token: "hunter2", Password: "hunter2"}, Kafka: deliver.Kafka{Password: "hunter2"}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, c), "hunter2", verb)
		require.NotContains(t, fmt.Sprintf(verb, c), "68756e74657232", verb)
	}
	text, err := setting.Secret("hunter2").MarshalText()
	require.NoError(t, err)
	require.Equal(t, "(secret)", string(text))
	var out strings.Builder
	require.NoError(t, c.Print(&out))
	require.NotContains(t, out.String(), "hunter2")
	require.NotContains(t, errors.Join(c.Validate()).Error(), "hunter2")
}
