package main

import (
	"crypto/tls"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
)

// harmless is what machines without any antivirus say, by every protocol that is read and in every tunnel that is opened.
func harmless(t *testing.T) [][]byte {
	t.Helper()
	client := testkit.Host{MAC: [6]byte{2, 0, 0x5e, 0, 0x53, 9}, Addr: netip.MustParseAddr("10.9.9.9"), TTL: 128}
	server := testkit.Host{MAC: [6]byte{2, 0, 0x5e, 0, 0x53, 1}, Addr: netip.MustParseAddr("203.0.113.10"), RTT: time.Millisecond, TTL: 50}
	near := testkit.Host{MAC: [6]byte{2, 0, 0x5e, 0, 0x53, 200}, Addr: netip.MustParseAddr("10.255.0.1")}
	far := testkit.Host{MAC: [6]byte{2, 0, 0x5e, 0, 0x53, 201}, Addr: netip.MustParseAddr("10.255.0.2")}
	at := time.Unix(1_790_000_000, 0)
	talk := func(c *testkit.Capture) {
		c.Lookup(at, client, server, "www.example.org", dns.TypeA, testkit.Reply{Records: []string{"www.example.org. 60 IN CNAME a.example.org.", "a.example.org. 60 IN A 203.0.113.10"}})
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			flights, err := testkit.TLS{Name: "www.example.org", Version: version, Seed: 1, Ask: 100, Answer: 3000}.Record()
			require.NoError(t, err)
			c.Open(at, client, server, 443).Play(flights)
		}
		conn := c.Open(at, client, server, 80)
		conn.Send(testkit.HTTPRequest("GET /index.html", "Host: www.example.org", "User-Agent: Mozilla/5.0"))
		conn.Reply(testkit.HTTPResponse("200 OK", "text/html", make([]byte, 3000)))
		for _, v := range []string{"v1", "v2"} {
			flights, err := testkit.RecordedQUIC(v)
			require.NoError(t, err)
			c.QUIC(at, client, server, flights)
		}
		c.DHCP(at, client, server, false)
		c.ARP(at, client, server)
		c.NTP(at, client, server)
		c.Announce(at, client, "pc.local. 120 IN A 10.9.9.9")
	}
	var all [][]byte
	for _, wrap := range []func([]byte) []byte{nil, testkit.Tag(5), testkit.QinQ(1, 2), testkit.GRE(near, far), testkit.GRETap(near, far), testkit.VXLAN(near, far, 1),
		testkit.Geneve(near, far, 2), testkit.IPinIP(near, far), testkit.ERSPAN(near, far, 3)} {
		c := testkit.NewCapture(7)
		c.Through = wrap
		talk(c)
		for _, f := range c.Frames() {
			all = append(all, f.Data)
		}
	}
	deep := all[0] // tunnels in tunnels, deeper than anybody opens them
	for range 20 {
		deep = testkit.Nested(testkit.VXLAN(near, far, 9), testkit.GRE(far, near))(deep)
		all = append(all, deep)
	}
	for id, f := range all[:40] { // pieces that never become whole, and such as lie over each other
		if binary.BigEndian.Uint16(f[12:]) == 0x0800 && len(f) > 150 {
			pieces := testkit.Fragments(f, 64, uint16(id))
			all = append(all, pieces[1:]...)
			all = append(all, pieces[len(pieces)/2], testkit.Fragments(f, 72, uint16(id))[1])
		}
	}
	return all
}

// spoil makes n bad frames of good ones: bytes changed, a field set to an extreme, cut anywhere, filled up, two put together.
func spoil(r *rand.Rand, good [][]byte, n int) (bad [][]byte) {
	for range n {
		f := append([]byte(nil), good[r.IntN(len(good))]...)
		switch r.IntN(6) {
		case 0:
			f = f[:14+r.IntN(max(len(f)-14, 1))]
		case 1:
			for range 1 + r.IntN(8) {
				f[12+r.IntN(len(f)-12)] = byte(r.Uint32())
			}
		case 2:
			at := 12 + r.IntN(len(f)-13)
			binary.BigEndian.PutUint16(f[at:], []uint16{0, 1, 0x7fff, 0x8000, 0xffff, 0xc00c}[r.IntN(6)])
		case 3:
			at := 14 + r.IntN(len(f)-14)
			for i := at; i < len(f); i++ {
				f[i] = byte(r.Uint32())
			}
		case 4:
			f = append(f, make([]byte, r.IntN(2000))...)
		case 5:
			f = append(f[:14+r.IntN(max(len(f)-14, 1))], good[r.IntN(len(good))]...)
		}
		bad = append(bad, f)
	}
	return bad
}

// compressionLoops are answers whose names point at themselves, at each other, and forward.
func compressionLoops(client, server testkit.Host) [][]byte {
	c := testkit.NewCapture(1)
	for _, name := range [][]byte{{0xc0, 12}, {0xc0, 14, 0xc0, 12}, {1, 'a', 0xc0, 12}, {0xc0, 0xff}, {63}, {0xff, 0xff}} {
		for _, counts := range [][]byte{{0, 1, 0, 1, 0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
			message := append([]byte{1, 2, 0x81, 0x80}, counts...)
			for range 40 {
				message = append(append(message, name...), 0, 1, 0, 1)
			}
			c.UDP(time.Unix(1, 0), server, 53, client, 4000, message)
		}
	}
	var all [][]byte
	for _, f := range c.Frames() {
		all = append(all, f.Data)
	}
	return all
}

// cutTag says that a frame ends within its first VLAN tag: the kernel drops it before anybody listens.
func cutTag(f []byte) bool {
	kind := binary.BigEndian.Uint16(f[12:])
	return (kind == 0x8100 || kind == 0x88a8) && len(f) < 20
}

// Broken, hostile and meaningless packets change only counters: there is no finding, no alert and no panic, and traffic that
// follows is detected as usual.
func TestHostilePacketsChangeNothing(t *testing.T) {
	t.Parallel()
	many, halfOpen := 40_000, 80_000
	if testing.Short() {
		many, halfOpen = 10_000, 20_000
	}
	w := newWire(t)
	dir := t.TempDir()
	alerts := filepath.Join(dir, "alerts.ndjson")
	d := startChild(t, childOptions{in: w.here, args: []string{"monitor", "-c", writeConfig(t, dir, "listen: {address: '127.0.0.1:9477'}\nlimits: {flows: 16384}\n"+
		"sinks: [{name: soc, type: file, format: ecs, file: {path: "+alerts+"}}]\n"), "-i", "tap0", "--db", filepath.Join(dir, "a.db")}})
	d.await("watching", 1)
	r := rand.New(rand.NewPCG(1, 2))
	good := harmless(t)
	client, server := crowdHost(1), testkit.Host{Addr: netip.MustParseAddr("203.0.113.11"), MAC: [6]byte{2, 0, 0, 0, 0, 1}}
	bad := append(append(good, spoil(r, good, many)...), compressionLoops(client, server)...)
	bad = slices.DeleteFunc(bad, cutTag)
	w.send(bad)
	sent := len(bad)
	c := testkit.NewCapture(3)
	c.Open(time.Unix(1, 0), client, server, 443)
	syn := c.Frames()[0].Data
	for i := range halfOpen { // one system call each: some 200,000 a second
		binary.BigEndian.PutUint32(syn[26:], 10<<24|uint32(i))
		binary.BigEndian.PutUint16(syn[34:], uint16(r.Uint32()))
		w.out.Send(syn)
	}
	sent += halfOpen
	drops := func() float64 { return w.metric(`avbeacon_capture_drops_total{interface="tap0",place="kernel"}`) }
	packets := func() float64 { return w.metric(`avbeacon_capture_packets_total{interface="tap0"}`) }
	require.Eventually(t, func() bool { return packets()+drops() == float64(sent) }, time.Minute, 50*time.Millisecond)
	_, text := get(t, w.here, "/metrics")
	for _, name := range []string{`avbeacon_malformed_messages_total{protocol="dns"}`, `avbeacon_malformed_messages_total{protocol="tls"}`,
		`avbeacon_table_evictions_total{table="flows"}`} {
		require.Positive(t, metric(t, text, name), name)
	}
	require.Contains(t, text, "avbeacon_undecoded_packets_total{")
	require.Zero(t, metric(t, text, "avbeacon_panics_total"))
	require.NotContains(t, text, "avbeacon_findings{", "nothing is found")
	require.NoFileExists(t, alerts, "nothing is told")
	code, health := get(t, w.here, "/healthz")
	require.Equal(t, 200, code, health)

	frames := framesOf(t, "office.pcap")
	w.send(frames)
	require.Eventually(t, func() bool { return packets()+drops() == float64(sent+len(frames)) }, time.Minute, 50*time.Millisecond)
	require.NoError(t, d.stop())
	pairs := func(list []finding) map[string]bool {
		all := map[string]bool{}
		for _, f := range list {
			all[f.Host.Address+" "+f.Vendor] = true
		}
		return all
	}
	want := pairs(findingsOf(t, once(t, "analyze", "--quiet", "--format", "json", "../../testdata/pcap/office.pcap")))
	got := pairs(findingsOf(t, once(t, "report", "--format", "json", "--db", filepath.Join(dir, "a.db"))))
	require.Equal(t, want, got)
	if told, err := os.ReadFile(alerts); err == nil {
		require.NotContains(t, string(told), "10.9.9.9")
	}
}
