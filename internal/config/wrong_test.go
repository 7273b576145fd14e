package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func sinkOf(text string) string { return "sinks:\n- {name: a, " + text + "}\n" }

func TestRejectedConfigurations(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"capture:\n  intefaces: [a]\n", "x.yaml:2:3: capture.intefaces: unknown key (did you mean interfaces?)"},
		{"sinks:\n- {name: a, type: file, file: {path: x}}\n- {name: b, type: file, file: {path: x}}\n", `sinks[1].file.path: "x" is already the file of sinks[0]`},
		{"interfaces: [a]\n", "x.yaml:1:1: interfaces: unknown key (did you mean capture.interfaces?)"},
		{"no_embedded_geo: true\n", "x.yaml:1:1: no_embedded_geo: unknown key"},
		{"knowledge: {no_embedded_geo: true}\n", "x.yaml:1:13: knowledge.no_embedded_geo: unknown key (did you mean no-embedded-geo?)"},
		{"store:\n  detail: 90d\n  detail: 1d\n", "x.yaml:3:3: store.detail: the key is there twice, first in line 2"},
		{"sensor: 42\n", `x.yaml:1:9: sensor: expected a text, got a number: write "42" with its quotes`},
		{"sensor: [a]\n", "x.yaml:1:9: sensor: expected a text, got a list"},
		{"sensor:\n", "sensor: expected a text, got nothing"},
		{"capture:\n  workers: '2'\n", "x.yaml:2:12: capture.workers: expected a whole number, got a text"},
		{"capture:\n  workers: 0x2\n", "x.yaml:2:12: capture.workers: expected a whole number up to 2147483647, got 0x2"},
		{"capture:\n  workers: 2.5\n", "got 2.5"},
		{"capture:\n  promiscuous: yes\n", "x.yaml:2:16: capture.promiscuous: expected true or false, got a text"},
		{"capture:\n  promiscuous: 1\n", "expected true or false, got a number"},
		{"capture:\n  interfaces: eth0\n", "x.yaml:2:15: capture.interfaces: expected a list, got a text"},
		{"capture: [eth0]\n", "x.yaml:1:10: capture: expected keys with values, got a list"},
		{"capture:\n  ring: 64 MB\n  workers: 1000\n", "x.yaml:3:12: capture.workers: 1000 is too large: at most 256"},
		{"capture:\n  ring: 1.5GiB\n", `x.yaml:2:9: capture.ring: expected a size, as 64MiB, 10GB or a number of bytes: "1.5GiB" is not a size`},
		{"capture:\n  ring: 4096\n", "capture.ring: 4KiB is too small: at least 256KiB"},
		{"capture:\n  ring: -1\n", "x.yaml:2:9: capture.ring: expected a size"},
		{"capture:\n  snap-length: -1\n", "x.yaml:2:16: capture.snap-length: must not be negative"},
		{"capture:\n  interfaces: [eth0, eth0]\n", `x.yaml:2:22: capture.interfaces[1]: "eth0" is listed twice`},
		{"capture:\n  interfaces: [any]\n", `capture.interfaces[0]: "any" is not the name of an interface`},
		{"capture:\n  read: x\n  watch: y\n", "x.yaml:2:3: capture: use interfaces, or one of read and watch"},
		{"site: {home: [0.0.0.0/0]}\n", "x.yaml:1:15: site.home[0]: all addresses cannot be the site's own"},
		{"site: {home: [private]}\n", `site.home[0]: "private" is not a network`},
		{"site: {location: Frankfurt}\n", `site.location: "Frankfurt" is not LAT,LON`},
		{"site: {location: '91,0'}\n", `site.location: "91,0" is not LAT,LON`},
		{"site: {location: 'NaN,0'}\n", `site.location: "NaN,0" is not LAT,LON`},
		{"policy: ''\n", "x.yaml:1:9: policy: is missing"},
		{"store: {detail: 90}\n", `store.detail: expected a duration, as 30s, 15m, 24h or 90d: "90" is not a duration`},
		{"store: {detail: -1h}\n", `"-1h" is not a duration`},
		{"store: {detail: 1d-1h}\n", `"1d-1h" is not a duration`},
		{"alerts: {tell: [new, test]}\n", `x.yaml:1:22: alerts.tell[1]: unknown event "test"; write one of`},
		{"alerts: {at-least: likly}\n", `alerts.at-least: unknown verdict "likly"`},
		{"alerts: {repeat: 1s}\n", "alerts.repeat: 1s is too often"},
		{"alerts: {removal: {by: 31.12.2026}}\n", `alerts.removal.by: "31.12.2026" is not a date`},
		{"alerts: {group: {over: 1, within: 0s}}\n", "alerts.group.within: is missing"},
		{"alerts: {quiet-hours: [{from: '24:00', to: '6:00'}]}\n", `alerts.quiet-hours[0].from: "24:00" is not a time of day`},
		{"alerts: {quiet-hours: [{from: '06:00', to: '06:00'}]}\n", "alerts.quiet-hours[0].to: is the same as from"},
		{"alerts: {quiet-hours: [{from: '06:00', to: '07:00', zone: Mars/Base}]}\n", `"Mars/Base" is not a time zone`},
		{"alerts: {quiet-hours: [{from: '06:00', to: '07:00', days: [monday]}]}\n", `alerts.quiet-hours[0].days: "monday" is not a day`},
		{"alerts: {maintenance: [{from: 2026-12-02, to: 2026-12-01}]}\n", `alerts.maintenance[0]: to must be later than from`},
		{"alerts: {maintenance: [{from: soon, to: 2026-12-01}]}\n", `"soon" is not a time`},
		{"alerts: {suppress: [{id: a, author: b, domains: [.]}]}\n", "alerts.suppress[0].reason: is missing"},
		{"alerts: {suppress: [{id: a, author: b, reason: c}]}\n", "alerts.suppress[0]: it names no hosts, vendors"},
		{"alerts: {suppress: [{id: a, author: b, reason: c, domains: ['*.x']}]}\n", `alerts.suppress[0].domains[0]: "*.x": write x`},
		{"store: {alerts: 1KiB}\n", "store.alerts: 1KiB is too small: at least 1MiB"},
		{"spool: {size: 16MiB}\n", "spool: was removed: alerts now wait in the store: store.file names it, store.alerts replaces spool.size"},
		{"listen: {address: localhost}\n", `listen.address: "localhost" is not host:port`},
		{"listen: {drops: 1.1}\n", "listen.drops: must be a share from 0 to 1"},
		{"listen: {drops: .nan}\n", "listen.drops: expected a number"},
		{"log: {level: warning}\n", "x.yaml:1:14: log.level: \"warning\" is not one of debug"},
		{"limits: {drain: 0s}\n", "limits.drain: 0s is too small"},
		{"limits: {user: \"a\\nb\"}\n", "limits.user: contains control characters"},
		{"a: &x 1\n", "a: unknown key"},
		{"sensor: &x a\n", "anchors, aliases, tags and merges are not allowed"},
		{"sensor: !!str a\n", "anchors, aliases, tags and merges are not allowed"},
		{"1: 2\n", "a key is a plain word"},
		{"sensor: a\n---\nsensor: b\n", "expected exactly one YAML document, got several"},
		{"- a\n", "x.yaml:1:1: expected keys with values, got a list"},
		{"sensor: \"a\n", "x.yaml:1:9: "},
		{"sensor: \xff\n", "x.yaml: the file is not UTF-8"},
		{strings.Repeat("[", 60), "x.yaml: more than 50 levels are open"},
		{sinkOf("type: stdin"), `sinks[0].type: "stdin" is not one of file, stdout`},
		{sinkOf("type: stdout, name: b"), "the key is there twice"},
		{"sinks: [{name: A_b, type: stdout}]\n", `sinks[0].name: "A_b": a name is at most 32 lower-case letters`},
		{"sinks: [{type: stdout}]\n", "sinks[0].name: is missing"},
		{sinkOf("type: stdout, format: xml"), `sinks[0].format: "xml" is not one of ecs`},
		{sinkOf("type: file"), "sinks[0].file.path: is missing"},
		{sinkOf("type: stdout, file: {path: x}"), "sinks[0].file: is not for a sink of type stdout"},
		{sinkOf("type: stdout, filter: {severity: grave}"), `sinks[0].filter.severity: "grave" is not one of info`},
		{sinkOf("type: stdout, timeout: 2h"), "sinks[0].timeout: 2h is too large: at most 1h"},
		{sinkOf("type: stdout, proxy: 'http://u:hunter2@x'"), "sinks[0].proxy: must not contain a user or password"},
		{sinkOf("type: syslog, syslog: {network: udp, address: x, framing: newline}"), "sinks[0].syslog.framing: datagrams have no framing"},
		{sinkOf("type: syslog, syslog: {network: tcp, address: 'x:514', facility: local9}"), `"local9" is not one of user`},
		{sinkOf("type: splunk, http: {url: 'https://x'}"), "sinks[0].http.token: is missing"},
		{sinkOf("type: splunk, http: {url: 'https://u:hunter2@x'}"), "sinks[0].http.url: must not contain a user or password"},
		{sinkOf("type: webhook, http: {url: 'https://x', token: hunter2}"), "sinks[0].http.token: a secret must not be written in plain text"},
		{sinkOf("type: webhook, http: {url: 'https://x', token: 12345}"), "sinks[0].http.token: expected ${NAME}"},
		{sinkOf("type: webhook, http: {url: 'https://x', token: '${NONE}'}"), "the environment variable NONE is not set"},
		{sinkOf("type: webhook, http: {url: 'https://x', token: 'file:/none'}"), "read the secret: file does not exist"},
		{sinkOf("type: webhook, http: {url: 'https://x', headers: {Authorization: x}}"), "Authorization holds a secret"},
		{sinkOf("type: webhook, http: {url: 'https://x', headers: {'a b': x}}"), `"a b" is not a valid header`},
		{sinkOf("type: webhook, http: {url: 'https://x', ack: true}"), "sinks[0].http.ack: is for splunk"},
		{sinkOf("type: elastic, http: {url: 'https://x', password: '${TOKEN}'}"), "sinks[0].http.user: is missing beside a password"},
		{sinkOf("type: kafka, kafka: {brokers: [x], topic: t}"), `sinks[0].kafka.brokers[0]: "x" is not host:port`},
		{sinkOf("type: kafka, kafka: {brokers: ['x:1'], topic: t, sasl: plain}"), "sinks[0].kafka.sasl: needs user and password"},
		{sinkOf("type: nats, nats: {url: 'nats://x'}"), "sinks[0].nats.subject: is missing"},
	} {
		_, err := parse("x.yaml", []byte(c.text), fake())
		require.Error(t, err, c.text)
		require.Contains(t, err.Error(), c.want, c.text)
		require.NotContains(t, err.Error(), "hunter2", c.text)
		for line := range strings.Lines(err.Error()) {
			require.True(t, strings.HasPrefix(line, "x.yaml:"), line)
		}
	}
}

func TestProblemsAreTold(t *testing.T) {
	_, err := Parse("x.yaml", []byte(strings.Repeat("z: 1\n", 30)))
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 21)
	require.Equal(t, "and 10 more", lines[20])
	_, err = Parse("x.yaml", []byte("log: {level: loud}\nsensor: 1\n"))
	require.Regexp(t, `(?s)^x.yaml:1:14: .*\nx.yaml:2:9: `, err.Error(), "in the order of the file")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("sinks:\n- {name: a, type: webhook, http: {url: 'https://x', token: '${TOKEN}', headers: {}}}\n"))
	f.Add([]byte("sensor: &a [*a]\n<<: {x: 1}\n? [a]\n: b\n"))
	f.Add([]byte("alerts:\n  quiet-hours: [{from: 22:00, to: 6:00}]\n  suppress:\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parse("x.yaml", data, fake())
		if err != nil {
			return
		}
		var out strings.Builder
		require.NoError(t, c.Print(&out))
		again, err := parse("print.yaml", []byte(out.String()), fake())
		require.NoError(t, err, out.String())
		require.Equal(t, c, again)
	})
}
