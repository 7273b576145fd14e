package main

import (
	"bufio"
	"crypto/tls"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
)

// Where the vendors' names lead to: addresses of their own networks, which the test's servers have.
var servers = []struct{ name, address string }{
	{"dnl-01.geo.kaspersky.com", "77.74.181.40"},
	{"ds.kaspersky.com", "77.74.178.32"},
	{"update.drweb.com", "194.85.20.10"},
	{"update.eset.com", "91.228.166.13"},
	{"i1.c.eset.com", "91.228.167.43"},
	{"shepherd.ff.avast.com", "5.45.59.30"},
	{"www.example.org", "203.0.113.10"},
	{"activation-v2.kaspersky.com", "185.201.0.21"},
	{"definitionupdates.microsoft.com", "20.50.88.19"},
}

// liveSite is a site whose servers answer, but for those of the last two names: nobody listens at the one, and OpenSSL,
// where it is installed, at the other.
func liveSite(t *testing.T, wrap func([]byte) []byte) (*liveNet, *openSSL) {
	s := newLiveNet(t, 4, wrap)
	for _, x := range servers {
		s.server(x.name, x.address)
	}
	s.resolve()
	for _, x := range servers[:len(servers)-2] {
		s.serve(x.address, 5000)
	}
	o := s.openSSL()
	if o != nil {
		o.serve(servers[len(servers)-1].address)
	}
	return s, o
}

// work makes the site's traffic: products that call home by HTTP, TLS (two libraries, two versions) and QUIC, with and
// without DNS queries, with and without a server name, refused connections, and traffic that is of no concern.
func work(t *testing.T, s *liveNet, o *openSSL) {
	t.Helper()
	visit := func(client int, name string, do func()) {
		require.NotEmpty(t, s.lookup(client, name))
		do()
	}
	for range 3 {
		visit(0, "dnl-01.geo.kaspersky.com", func() {
			s.fetch(0, "dnl-01.geo.kaspersky.com", "/index/u0607g.xml.klz",
				"User-Agent: *A1B2AAQAexampleexampleexampleexampleexampleexampleexampleexampleAA")
		})
		visit(0, "ds.kaspersky.com", func() { s.fetchTLS(0, "ds.kaspersky.com", tls.VersionTLS13, false) })
	}
	s.fetchTLS(0, "ds.kaspersky.com", tls.VersionTLS12, true) // its name is what it was looked up by
	visit(1, "update.drweb.com", func() {
		s.fetch(1, "update.drweb.com", "/x64/600/av/windows/version.lst", "User-Agent: DrWebUpdate-12.0.56.02100 (windows: 10.0.19045)",
			"X-DrWeb-KeyNumber: 0010000042", "X-DrWeb-SysHash: 00112233445566778899AABBCCDDEEFF")
	})
	visit(2, "i1.c.eset.com", func() { s.fetchQUIC(2, "i1.c.eset.com") })
	s.fetchTLS(2, "i1.c.eset.com", tls.VersionTLS12, false)
	visit(2, "update.eset.com", func() { s.fetch(2, "update.eset.com", "/eset_upd/ep12/update.ver") })
	for range 4 {
		visit(3, "activation-v2.kaspersky.com", func() { s.refused(3, "activation-v2.kaspersky.com", 443) })
	}
	require.Empty(t, s.lookup(3, "s13.upd.kaspersky.com"))
	visit(3, "www.example.org", func() { s.fetchTLS(3, "www.example.org", tls.VersionTLS13, false) })
	s.fetchQUIC(3, "www.example.org")
	s.fetchTLS(3, "shepherd.ff.avast.com", tls.VersionTLS12, false)
	if o != nil {
		visit(1, "definitionupdates.microsoft.com", func() { s.fetchTLS(1, "definitionupdates.microsoft.com", tls.VersionTLS13, false) })
		o.fetch(1, "shepherd.ff.avast.com", "-tls1_2")
		o.fetch(2, "definitionupdates.microsoft.com")
		o.fetch(0, "dnl-01.geo.kaspersky.com")
	}
}

// dump runs tcpdump on a tap until stop is called.
func dump(t *testing.T, s *liveNet, tap, file string) (stop func()) {
	t.Helper()
	cmd := exec.Command("tcpdump", "-i", tap, "-Z", "root", "--immediate-mode", "--time-stamp-precision=nano", "-s", "262144", "-B", "65536", "-w", file)
	said, err := cmd.StderrPipe()
	require.NoError(t, err)
	s.tap.Do(cmd.Start)
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening on") {
	}
	return func() {
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		for lines.Scan() {
		}
		require.NoError(t, cmd.Wait())
	}
}

// What the daemon finds at a mirror is what analyze finds in a capture that tcpdump took there at the same time, through
// whatever the mirror's packets are wrapped in.
func TestMonitorFindsWhatAnalyzeFinds(t *testing.T) {
	childBinary(t)
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	near := testkit.Host{MAC: [6]byte{2, 0, 0x5e, 0, 0x53, 200}, Addr: netip.MustParseAddr("10.255.0.1")}
	far := testkit.Host{MAC: [6]byte{2, 0, 0x5e, 0, 0x53, 201}, Addr: netip.MustParseAddr("10.255.0.2")}
	for _, c := range []struct {
		name    string
		wrap    func([]byte) []byte
		workers string
		vlan    []int
	}{
		{name: "bridge", workers: "2"},
		{name: "one worker", workers: "1"},
		{name: "VLAN", wrap: testkit.Tag(42), workers: "2", vlan: []int{42}},
		{name: "two VLANs", wrap: testkit.QinQ(100, 20), workers: "1", vlan: []int{100}},
		{name: "VXLAN", wrap: testkit.VXLAN(near, far, 5001), workers: "2"},
		{name: "GRE", wrap: testkit.GRE(near, far), workers: "2"},
		{name: "ERSPAN", wrap: testkit.ERSPAN(near, far, 7), workers: "2"},
		{name: "GRE with frames, in a VLAN", wrap: testkit.Nested(testkit.GRETap(near, far), testkit.Tag(9)), workers: "1", vlan: []int{9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, o := liveSite(t, c.wrap)
			compareAtTheTap(t, s, o, tapEnd, c.workers, c.vlan)
		})
	}
	t.Run("VXLAN of the kernel's", func(t *testing.T) {
		t.Parallel()
		s, o := liveSite(t, nil)
		tap := s.mirrorVXLAN(77)
		if tap == "" {
			t.Skip("this kernel has no VXLAN devices")
		}
		compareAtTheTap(t, s, o, tap, "2", nil)
	})
}

func compareAtTheTap(t *testing.T, s *liveNet, o *openSSL, tap, workers string, vlan []int) {
	if o == nil {
		t.Log("openssl is not installed: Go's TLS alone was used")
	}
	dir := openFolder(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("key"), []byte("a key that both go by"), 0o644))
	d := startChild(t, childOptions{in: s.tap, args: []string{"monitor", "-c", writeConfig(t, dir, ""), "-i", tap, "--db", at("a.db"), "--sensor", "tap",
		"--id-key", at("key"), "--workers", workers, "--user", "nobody", "--ring", "16MiB"}})
	d.await("watching", 1)
	stop := dump(t, s, tap, at("a.pcap"))
	work(t, s, o)
	time.Sleep(300 * time.Millisecond) // neither has a sign that it has all
	stop()
	require.NoError(t, d.stop())

	want := findingsOf(t, once(t, "analyze", "--quiet", "--format", "json", "--sensor", "tap", "--id-key", at("key"), at("a.pcap")))
	got := findingsOf(t, once(t, "report", "--format", "json", "--db", at("a.db")))
	found := map[string]string{}
	for _, f := range want {
		found[f.Host.Address+" "+f.Vendor] = f.Verdict + " " + f.State
		require.ElementsMatch(t, vlan, f.Host.VLAN)
	}
	require.Equal(t, want, got)
	for who, what := range map[string]string{"192.168.77.11 kaspersky": "installed active", "192.168.77.12 drweb": "installed active",
		"192.168.77.13 eset": "installed active", "192.168.77.14 kaspersky": "likely blocked", "192.168.77.14 avast": "likely active"} {
		require.Equal(t, what, found[who], "%s of %v", who, found)
	}
}
