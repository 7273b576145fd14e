package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/classify"
)

func nine() Time { return at(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)) }

// found makes a finding with so many pieces of evidence of one kind and destinations.
func found(address, verdict string, concern bool, n int) Finding {
	f := Finding{ID: address, Vendor: "kaspersky", VendorName: "Kaspersky", Verdict: verdict, State: "active", HostRole: "endpoint",
		HostRoles: []string{"endpoint"}, Concern: concern, FirstSeen: nine(), LastSeen: nine(), Contacts: uint64(n),
		Host:    Host{Address: address, MAC: "00:00:5e:00:53:01", Name: "PC.example", Addresses: []Address{{Address: address}, {Address: "10.0.0.77"}}},
		Reasons: []string{"There is one strong flow."}}
	for i := range n {
		f.Evidence = append(f.Evidence, Evidence{Kind: "sni", Value: fmt.Sprintf("n%d.example", i), Role: "update", Strength: "strong", Supports: true,
			Weight: 0.85, Count: 2, First: nine(), Last: nine(), Frames: []Frame{{Input: 0, Frame: uint64(100 - i)}, {Input: 1, Frame: 3}},
			Pattern: "example", Source: "a page", Date: "2026-01-01", Why: "the host opened TLS with it"})
		f.Destinations = append(f.Destinations, Destination{Address: fmt.Sprintf("192.0.2.%d", i), Port: 443, Contacts: 1,
			Place: &Place{Level: "M2", Words: "Moscow per one", By: []Vote{{Database: "one", Date: "2026-01-01", Country: "RU", City: "Moscow", Counted: true}}}})
	}
	return f
}

func sample() *Report {
	r := &Report{Policy: "moscow", Inputs: []Input{{File: "d/a.pcap", First: nine(), Last: nine()}, {File: "b.pcap", Error: "b.pcap: cut"}},
		Findings: []Finding{found("10.0.0.1", "visit", false, 1), found("10.0.0.2", "possible", true, 1), found("10.0.0.3", "installed", false, 1),
			found("10.0.0.4", "installed", true, 12)}, Coverage: Coverage{Packets: 9}}
	against := found("10.0.0.4", "installed", true, 1).Evidence[0]
	against.Supports, against.Weight, against.Value, against.Why = false, 0, "wget.example", "sent by Wget, a tool"
	r.Findings[3].Evidence = append(r.Findings[3].Evidence, against)
	return r
}

func TestOrder(t *testing.T) {
	require.Equal(t, []int{3, 1, 2, 0}, sample().order())
}

func TestTextGroupsAndBounds(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, sample().WriteText(&out, TextOptions{}))
	s := out.String()
	require.Contains(t, s, "9 packets in 2 inputs (1 not read to the end), 2026-03-02 09:00:00Z to 2026-03-02 09:00:00Z\n")
	require.Contains(t, s, "1 host runs a product of concern (policy moscow); 4 findings in all, 2 of concern\n")
	require.Contains(t, s, "  + sni n0.example, n1.example, n2.example and 9 more  [update, strong, x24]")
	require.Contains(t, s, "packets a.pcap:89, a.pcap:90,", "frames in order, with their file")
	require.Contains(t, s, "  - sni wget.example  [update, strong, x2]")
	require.Contains(t, s, "sent by Wget, a tool")
	require.Contains(t, s, "  ... and 4 more (--explain 10.0.0.4 shows all)", "destinations beyond eight")
	require.Equal(t, 4, strings.Count(s, "  > M2: Moscow per one\n"), "a place once a finding")
	require.NotContains(t, s, "\x1b")
	require.Less(t, strings.Index(s, "Of concern"), strings.Index(s, "Not of concern"))
}

// Lines fit the terminal, whatever its width; names and addresses as long as they can be do not break the table.
func TestTextFits(t *testing.T) {
	r := sample()
	long := found("2001:db8:1111:2222:3333:4444:5555:6666", "likely", true, 2)
	long.Host.Name, long.Product = "日本語のとても長い名前のコンピュータ.example.internal", "Endpoint Security Cloud Plus"
	long.LastSeen, long.State, long.HostRole = at(long.FirstSeen.AddDate(0, 0, 9)), "blocked", "management"
	long.Contacts, long.Lookups = 0, 123456
	r.Findings = append(r.Findings, long)
	for _, width := range []int{60, 80, 100, 120, 149, 150, 200} {
		var out bytes.Buffer
		require.NoError(t, r.WriteText(&out, TextOptions{Width: width, Color: true}))
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, text.StringWidthWithoutEscSequences(strings.TrimSuffix(line, "\n")), width, "%d: %s", width, line)
		}
		require.Contains(t, out.String(), "\x1b[31;1minstalled\x1b[0m")
	}
}

func TestExplanation(t *testing.T) {
	r := sample()
	for _, host := range []string{"10.0.0.4", "::ffff:10.0.0.4"} {
		require.Len(t, r.About(host), 1, host)
	}
	for _, host := range []string{"10.0.0.77", "00-00-5E-00-53-01", "pc.example", "PC"} {
		require.Len(t, r.About(host), 4, host)
	}
	for _, host := range []string{"", "10.0.0.9", "P", "00:00:5e:00:53:02"} {
		require.Empty(t, r.About(host), host)
	}
	var out bytes.Buffer
	require.NoError(t, r.WriteExplanation(&out, "10.0.0.4", TextOptions{}))
	s := out.String()
	for i := range 12 {
		require.Contains(t, s, fmt.Sprintf("0.85 sni n%d.example  [update, strong, x2]", i))
		require.Contains(t, s, fmt.Sprintf("192.0.2.%d port 443", i))
	}
	require.Contains(t, s, "catalogue: example; source: a page (2026-01-01)")
	require.Contains(t, s, "vote: one of 2026-01-01: RU, Moscow")
	require.Contains(t, s, "Evidence that does not count, or counts against it:\n    0.00 sni wget.example")
	out.Reset()
	require.NoError(t, r.WriteExplanation(&out, "nobody\x1b", TextOptions{}))
	require.Contains(t, out.String(), `No findings for nobody\027`)
	require.Contains(t, out.String(), "Hosts with findings: 10.0.0.1 PC.example, 10.0.0.2 PC.example")
}

func TestCSV(t *testing.T) {
	r := sample()
	r.Findings[0].Host.Name, r.Findings[0].Product = "=cmd|'/c calc'!A1", "\tx\n\x1b[2J"
	r.Findings[3].Destinations = r.Findings[3].Destinations[:3]
	r.Findings[3].Destinations[0].Place = &Place{Level: "X"}
	r.Findings[3].Destinations[1].Place = &Place{Level: "N"}
	r.Findings[3].Destinations[2].Place = &Place{Level: "M2", Country: "RU"}
	var out bytes.Buffer
	require.NoError(t, r.WriteCSV(&out))
	rows, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 5)
	require.Equal(t, csvHeader(), rows[0])
	require.Equal(t, "'=cmd|'/c calc'!A1", rows[1][2])
	require.Equal(t, `\009x\010\027[2J`, rows[1][7])
	require.Equal(t, "X; N; M2 RU", rows[4][17], "a place without a country is its step alone")
	for in, want := range map[string]string{"+1": "'+1", "-1": "'-1", "@a": "'@a", "a=1": "a=1", "": ""} {
		require.Equal(t, want, noFormula(in))
	}
}

func TestWritersReportErrors(t *testing.T) {
	for name, write := range map[string]func(*Report) error{
		"text": func(r *Report) error { return r.WriteText(full{}, TextOptions{}) },
		"json": func(r *Report) error { return r.WriteJSON(full{}) }, "jsonl": func(r *Report) error { return r.WriteJSONL(full{}) },
		"csv":         func(r *Report) error { return r.WriteCSV(full{}) },
		"explanation": func(r *Report) error { return r.WriteExplanation(full{}, "10.0.0.4", TextOptions{}) },
	} {
		require.ErrorIs(t, write(sample()), errFull, name)
	}
}

var errFull = errors.New("full")

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestCoverageWords(t *testing.T) {
	f := &Facts{Inputs: []capture.Input{{Name: "a", Bytes: 7, Drops: 1}, {Name: "b\xff", Bytes: 5, Err: errors.New("b\xff: cut")}}, HiddenDoH: 2}
	f.Stats.Decode.Packets, f.Stats.Decode.Cut = 10, 3
	f.Stats.Decode.Undecoded[capture.ReasonNotIP] = 4
	f.Stats.Observer.Flows, f.Stats.Observer.OneSided, f.Stats.Observer.HellosECH, f.Stats.Observer.FlowsDoT = 9, 2, 1, 1
	f.Judged = classify.Stats{InboundIgnored: 6, EvidenceDropped: 1}
	c := newCoverage(f)
	require.Equal(t, uint64(12), c.Bytes)
	require.Equal(t, map[string]uint64{"neither IP nor ARP": 4}, c.Undecoded)
	require.Equal(t, map[string]uint64{"pieces of evidence beyond the limit of one finding": 1}, c.Lost)
	require.Equal(t, []string{
		"1 packet dropped by the capturing system: connections may be missing.",
		"3 packets of 10 cut by the snap length: names after the cut are missing.",
		"2 flows of 9 in one direction only: requests or answers are missing from the capture.",
		"4 packets not decoded to a flow; reasons below.",
		"1 hello with encrypted_client_hello: the visible name may be a cover name (GREASE looks the same).",
		"3 flows of encrypted DNS (DoH 2, DoT 1, DoQ 0): the queries inside are not visible.",
		"6 inbound flows were ignored: only outbound traffic is judged.",
		"1 item lost to damage or to a limit; details below.",
		`Not read to the end: b\255: cut`,
	}, c.Words)
	empty := newCoverage(&Facts{})
	require.Equal(t, []string{"No packets were read."}, empty.Words)
	require.NotNil(t, empty.Undecoded)
}
