package siem

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/policy"
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/format/ecs"
	"avbeacon/internal/siem/format/syslog"
	"avbeacon/internal/siem/samples"
)

func record(t testing.TB, name string, a *alert.Alert, o format.Options) string {
	t.Helper()
	e, err := Encoding(name, o)
	require.NoError(t, err)
	out, err := e.Append(nil, a)
	require.NoError(t, err)
	return string(out)
}

func TestCEF(t *testing.T) {
	limits := map[string]int{"msg": 1023, "reason": 1023, "shost": 1023, "dhost": 1023, "act": 63, "dvchost": 100, "externalId": 40,
		"cs1": 4000, "cs2": 4000, "cs3": 4000, "cs4": 4000, "cs5": 4000, "cs6": 4000, "flexString1": 1023, "proto": 31, "0": 1, "1": 63, "2": 63, "3": 31, "5": 512}
	for _, s := range samples.All() {
		fields, err := readCEF(record(t, "cef", s.Alert, format.Options{}))
		require.NoError(t, err, s.Name)
		for key, value := range fields {
			if limit, ok := limits[key]; ok {
				require.LessOrEqual(t, len(value), limit, key)
			}
			label, custom := strings.CutSuffix(key, "Label")
			if custom {
				require.Contains(t, fields, label, "%s without its value", key)
			} else if strings.HasPrefix(key, "cs") || strings.HasPrefix(key, "cn") && key != "cnt" || strings.HasPrefix(key, "c6a") || strings.HasPrefix(key, "flex") {
				require.Contains(t, fields, key+"Label")
			}
		}
		for _, key := range []string{"src", "dst"} {
			require.NotContains(t, fields[key], ":", "IPv6 has keys of its own")
		}
	}
	place, err := readCEF(record(t, "cef", samples.Place(), format.Options{}))
	require.NoError(t, err)
	require.Equal(t, "fe80::1:2ff:fe03:4", place["c6a2"])
	require.Equal(t, "2001:db8:77::25", place["c6a3"])
	require.Equal(t, "10", place["6"])
	require.Equal(t, "1795428000500", place["deviceCustomDate1"])
}

func TestLEEFDelimiters(t *testing.T) {
	for _, o := range []format.Options{{}, {LEEF: "1.0"}, {Delimiter: "\t"}, {Delimiter: "|"}, {Delimiter: ";"}} {
		for _, s := range samples.All() {
			fields, err := readLEEF(record(t, "leef", s.Alert, o))
			require.NoError(t, err, "%s with %+v", s.Name, o)
			require.Equal(t, format.Code(s.Alert.Event), fields["4"])
			require.Equal(t, s.Alert.ID, fields["alertId"])
		}
	}
	for _, o := range []format.Options{{LEEF: "3.0"}, {Delimiter: "a"}, {Delimiter: "="}, {Delimiter: "."}} {
		_, err := Encoding("leef", o)
		require.Error(t, err, "%+v", o)
	}
}

// TestSyslog reads the messages with our strict reader and with a parser that others wrote.
func TestSyslog(t *testing.T) {
	theirs := rfc5424.NewParser()
	for _, name := range Formats() {
		f, err := formatOf(name)
		require.NoError(t, err)
		encode, err := syslog.Messages(f, format.Options{Hostname: "tap 7\n", PID: 12, Facility: 16})
		require.NoError(t, err)
		for _, s := range samples.All() {
			line, err := encode.Append([]byte("x"), s.Alert)
			require.NoError(t, err)
			line = line[1:]
			m, err := readSyslog(string(line))
			require.NoError(t, err, "%s", line)
			require.Equal(t, fmt.Sprint(16*8+6-format.Level(s.Alert)), m.priority)
			require.Equal(t, []string{"tap_7_", "avbeacon", "12", format.Code(s.Alert.Event)}, []string{m.host, m.app, m.process, m.id})
			parsed, err := theirs.Parse(line)
			require.NoError(t, err, "%s", line)
			read := parsed.(*rfc5424.SyslogMessage)
			require.Equal(t, m.host, *read.Hostname)
			require.Equal(t, format.Moment(s.Alert).Truncate(1000), read.Timestamp.UTC())
			if name == "syslog" {
				require.Equal(t, m.data["id"][0], (*read.StructuredData)["avbeacon@32473"]["id"])
				require.Equal(t, strings.ContainsFunc(s.Alert.Message, func(r rune) bool { return r > 0x7f }), m.marked)
				continue
			}
			require.Nil(t, read.StructuredData)
			inner := record(t, name, s.Alert, format.Options{Hostname: "tap 7\n", MaxBytes: 8<<10 - 512})
			require.Equal(t, inner, m.text)
			require.False(t, m.marked)
		}
	}
}

// TestSizes lets every format write alerts that are as long as they can be in less and less room: what comes out is read by
// the strict readers, fits, and says that it is not all; the identifiers stay whole.
func TestSizes(t *testing.T) {
	alerts := append(samples.All(), samples.Sample{Name: "longest", Alert: longestAlert(`\`)}, samples.Sample{Name: "longest", Alert: longestAlert("\u202e")}, samples.Sample{Name: "longest", Alert: longestAlert("\xff\"=]'")})
	for _, f := range formats() {
		for _, size := range []int{f.Least, f.Least + 1000, f.Size, f.Size * 2} {
			e, err := Encoding(f.Name, format.Options{MaxBytes: size, Hostname: strings.Repeat("h", 300)})
			require.NoError(t, err)
			for _, s := range alerts {
				out, err := e.Append([]byte("before"), s.Alert)
				require.NoError(t, err, "%s of %s", f.Name, s.Name)
				line := strings.TrimPrefix(string(out), "before")
				require.LessOrEqual(t, len(line), size)
				require.NoError(t, readable(f.Name, line), "%s", line)
				require.Contains(t, line, s.Alert.ID)
				if s.Name == "longest" {
					require.Contains(t, line, "truncated")
				}
			}
		}
		_, err := Encoding(f.Name, format.Options{MaxBytes: f.Least - 1})
		require.Error(t, err)
	}
}

// readable reads a record of any format.
func readable(name, line string) error {
	var err error
	switch name {
	case "cef":
		_, err = readCEF(line)
	case "leef":
		_, err = readLEEF(line)
	case "syslog":
		_, err = readSyslog(line)
	default:
		if err = printable(line); err == nil && !json.Valid([]byte(line)) {
			err = fmt.Errorf("no JSON")
		}
	}
	return err
}

// longestAlert has every text and every list as long as an Alert may have them, of characters that cost most.
func longestAlert(unit string) *alert.Alert {
	long := strings.Repeat(unit, 2000)
	a := samples.Place()
	a.Message, a.Why, a.Note, a.Rule, a.Policy, a.Version, a.Sensor = long, long, long, long, long, long, long
	a.Verdict, a.HostRole, a.FindingState, a.State = long, long, long, alert.State(long)
	a.Vendor = alert.Vendor{Key: long, Name: long, Country: long, Group: long, Product: long, ProductVersion: long}
	a.Host.Name, a.Host.MAC, a.Count, a.Seen = long, "02:00:5e:10:00:2a", 1<<62, 1<<63
	d := alert.Destination{Address: a.Destinations[0].Address, Port: 65535, Transport: long, Names: []string{long, long}, ASN: 1<<32 - 1,
		Owner: long, Level: long, Where: long, Country: long, City: long, Contacts: 1 << 63, Failed: 1 << 63}
	a.Destinations, a.Evidence, a.Beacons, a.Reasons, a.Hosts = nil, nil, nil, nil, nil
	for range alert.MostHosts + 1 {
		a.Destinations = append(a.Destinations, d)
		a.Evidence = append(a.Evidence, alert.Evidence{Kind: long, Value: long, Role: long, Strength: long, Count: 1 << 63,
			First: a.First, Last: a.Last, Source: long, Why: long})
		a.Beacons = append(a.Beacons, alert.Beacon{Role: long, Score: 1, PeriodS: 1e18, Sessions: 1 << 62, Words: long})
		a.Reasons, a.Hosts = append(a.Reasons, long), append(a.Hosts, long)
	}
	return a
}

// TestEvidenceGoesFirst looks at the order in which things are left out.
func TestEvidenceGoesFirst(t *testing.T) {
	a := samples.New()
	for len(a.Evidence) < alert.MostEvidence {
		a.Evidence = append(a.Evidence, a.Evidence[0])
	}
	all := record(t, "ecs", a, format.Options{})
	require.NotContains(t, all, "truncated")
	var read struct {
		Avbeacon struct {
			Evidence, Reasons, Destinations []json.RawMessage
			Truncated                       bool
		}
	}
	require.NoError(t, json.Unmarshal([]byte(record(t, "ecs", a, format.Options{MaxBytes: len(all) - 1})), &read))
	require.True(t, read.Avbeacon.Truncated)
	require.Len(t, read.Avbeacon.Evidence, alert.MostEvidence/2)
	require.Len(t, read.Avbeacon.Reasons, 2)
	require.Len(t, read.Avbeacon.Destinations, 2)
}

func TestTooLong(t *testing.T) {
	e, err := format.Format{Name: "ecs", Append: ecs.Format().Append}.Encoder(format.Options{MaxBytes: 100})
	require.NoError(t, err)
	out, err := e.Append([]byte("before"), samples.New())
	require.ErrorIs(t, err, format.ErrTooLong)
	require.Equal(t, "before", string(out))
}

func TestOptions(t *testing.T) {
	_, err := Encoding("xml", format.Options{})
	require.ErrorContains(t, err, "ecs, ocsf")
	for _, o := range []format.Options{{Facility: 24}, {PID: -1}, {Enterprise: -1}, {MaxBytes: -1}} {
		_, err := Encoding("syslog", o)
		require.Error(t, err, "%+v", o)
		_, err = syslog.Messages(ecs.Format(), o)
		require.Error(t, err, "%+v", o)
	}
	line := record(t, "syslog", samples.New(), format.Options{Enterprise: 4242})
	require.Contains(t, line, "[avbeacon@4242 ")
	require.True(t, strings.HasPrefix(line, "<163>1 2026-11-23T10:15:04.123456Z tap01 avbeacon - avbeacon-new "), line)
	require.Contains(t, record(t, "hec", samples.New(), format.Options{Source: "here", Sourcetype: "mine"}), `"source":"here","sourcetype":"mine","event"`)
}

// TestSameAlertSameBytes also makes sure that an encoder may be used beside itself.
func TestSameAlertSameBytes(t *testing.T) {
	for _, name := range Formats() {
		e := encoding(t, name)
		want, err := e.Append(nil, samples.Hostile())
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) {
			for range 4 {
				t.Run("beside", func(t *testing.T) {
					t.Parallel()
					got, err := e.Append([]byte("x"), samples.Hostile())
					require.NoError(t, err)
					require.Equal(t, "x"+string(want), string(got))
				})
			}
		})
	}
}

// TestUnknownWords: an event, state or verdict that a later version has is passed on, not rejected.
func TestUnknownWords(t *testing.T) {
	a := samples.New()
	a.Event, a.State, a.Verdict, a.Severity = "moved", "parked", "hearsay", policy.Critical+7
	for _, name := range Formats() {
		line := record(t, name, a, format.Options{})
		require.NoError(t, readable(name, line))
		if name != "eve" && name != "stix" {
			require.Contains(t, line, "avbeacon-other", name)
		}
	}
}

// TestSeverities compares the order of the grades with that of the policy's severities.
func TestSeverities(t *testing.T) {
	for s, name := range map[policy.Severity]string{policy.Info: "Informational", policy.Low: "Low", policy.Medium: "Medium",
		policy.High: "High", policy.Critical: "Critical", 200: "Critical"} {
		require.Equal(t, name, format.SeverityName(&alert.Alert{Severity: s}))
	}
}
