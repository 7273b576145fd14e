package classify

import (
	"net/netip"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/feeds"

	"github.com/stretchr/testify/require"
)

// drawn makes an Observation out of bytes: any kind, with and without the detail that its kind promises.
func drawn(b []byte, at time.Time) capture.Observation {
	names := []string{"", "ds.kaspersky.com", "www.kaspersky.com", "update.geo.drweb.com", "www.example.org", "wdcp.microsoft.com", "\\255.x", "com", "."}
	agents := []string{"", "curl/8.5.0", "DrWebUpdate-12.0.56.02100 (windows: 6.1.7601)", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"}
	uris := []string{"", "/", "/updaters/updater.xml", "http://", "http://x?act-pid=kis", "*", "/?act-pcid=ABCDEF&x", "?"}
	addr := func(x byte) netip.AddrPort {
		if x == 0 {
			return netip.AddrPort{}
		}
		if x&1 == 0 {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{77, 74, 178, x % 8}), []uint16{443, 53, 23100, 13000}[x>>6])
		}
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, x % 8}), []uint16{443, 53, 13111, 13000}[x>>6])
	}
	o := capture.Observation{Time: at, Frame: 1, Kind: capture.Kind(b[0] % 12), Proto: capture.Proto(b[1] % 16), Transport: capture.TCP,
		FromClient: b[2]&1 != 0, Marks: capture.Marks(b[3]), Src: addr(b[4]), Dst: addr(b[5]), Name: names[int(b[6])%len(names)]}
	o.Host = capture.Host{Addr: o.Dst.Addr(), HasMAC: b[2]&2 != 0, Own: b[2]&4 != 0, Machine: capture.Machine(b[2]&4) * capture.Machine(1+b[7]&3), MAC: [6]byte{2, 0, 0, 0, 0, b[7] & 3}, VLAN: uint16(b[7])}
	if o.FromClient {
		o.Host.Addr = o.Src.Addr()
	}
	if b[2]&8 != 0 {
		return o
	}
	o.DNS = &wire.DNS{ID: uint16(b[8] & 3), AA: b[8]&4 != 0, RA: b[8]&8 != 0, RCode: "NXDOMAIN"}
	if b[8]&16 != 0 {
		o.DNS.Questions = []wire.DNSQuestion{{Name: o.Name, QType: []string{"A", "TXT", "", "DS"}[b[8]>>6]}}
	}
	o.Cert = &wire.Certificate{Index: int(b[9] & 1), SubjectCN: o.Name, IssuerCN: "Sophos MCS Root CA3"}
	o.Req = &wire.Request{Method: "GET", URI: uris[int(b[10])%len(uris)], Host: o.Name, UserAgent: agents[int(b[11])%len(agents)],
		Headers: []wire.Header{{Name: "X-DrWeb-KeyNumber", Value: "1"}, {}}}
	o.Resp = &wire.Response{Body: []byte("KLD2")[:b[9]&3]}
	o.Flow = &capture.FlowRecord{First: at.Add(-time.Duration(b[12]) * time.Minute), Outcome: capture.Outcome(b[13] % 6), Final: b[13]&8 != 0,
		Proto: capture.Proto(b[14] % 16), TTL: b[15], TLSAlert: b[13] & 16, OutHead: [8]byte{'N', 'O', 'S', 'A'}, OutHeadLen: b[15], InHeadLen: b[14]}
	return o
}

const drawnLength = 17

func FuzzObserve(f *testing.F) {
	f.Add([]byte("the quick brown fox jumps over the lazy dog and then over another one, and so on until the end"))
	f.Add(make([]byte, 4*drawnLength))
	cat, err := feeds.Embedded()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		c := New(Options{Catalog: cat, MaxHosts: 4, MaxFlows: 3, MaxPending: 2, MaxEvidence: 6, MaxDestinations: 2})
		at := day
		for len(b) >= drawnLength {
			at = at.Add(time.Duration(int8(b[16])) * time.Duration(b[15]) * time.Second)
			o := drawn(b, at)
			c.Observe(&o)
			b = b[drawnLength:]
		}
		for _, x := range c.Findings() {
			require.NotEqual(t, NoVerdict, x.Verdict)
			require.False(t, x.LastSeen.Before(x.FirstSeen))
			require.LessOrEqual(t, len(x.Evidence), 6+2)
			require.True(t, x.Host.Address.IsValid())
		}
		require.LessOrEqual(t, len(c.hosts.list), 4)
		require.LessOrEqual(t, len(c.flows.flows), 3)
	})
}

// The same Observations give the same findings, word for word.
func TestDeterminism(t *testing.T) {
	run := func() string {
		c := New(Options{Catalog: embedded(t), MaxHosts: 6})
		b := uint32(1)
		for i := range 4000 {
			var raw [drawnLength]byte
			for j := range raw {
				b = b*1664525 + 1013904223
				raw[j] = byte(b >> 24)
			}
			o := drawn(raw[:], day.Add(time.Duration(i)*time.Second))
			c.Observe(&o)
		}
		return show(c.Findings())
	}
	first := run()
	require.NotEmpty(t, first)
	require.Equal(t, first, run())
}
