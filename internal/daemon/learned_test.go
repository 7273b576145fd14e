package daemon

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
)

// A connection that shows no name is recognised by its host's DNS query from before the daemon's restart.
func TestQueryBeforeRestartNamesFlowAfterIt(t *testing.T) {
	client := testkit.Host{MAC: [6]byte{2, 0, 0x5e, 0, 0x53, 9}, Addr: netip.MustParseAddr("10.9.9.9"), TTL: 128}
	resolver := testkit.Host{MAC: [6]byte{2, 0, 0x5e, 0, 0x53, 2}, Addr: netip.MustParseAddr("10.9.9.2"), RTT: time.Millisecond}
	server := testkit.Host{MAC: [6]byte{2, 0, 0x5e, 0, 0x53, 1}, Addr: netip.MustParseAddr("203.0.113.10"), RTT: time.Millisecond, TTL: 50}
	at := time.Now().Add(-time.Hour)
	looked, went := testkit.NewCapture(1), testkit.NewCapture(2)
	looked.Lookup(at, client, resolver, "ds.kaspersky.com", dns.TypeA, testkit.Reply{Records: []string{"ds.kaspersky.com. 300 IN A 203.0.113.10"}})
	conn := went.Open(at.Add(time.Minute), client, server, 4433)
	conn.Send([]byte("a protocol of its own"))
	conn.Reply([]byte("that nobody knows"))
	conn.Close()

	db := filepath.Join(t.TempDir(), "a.db")
	run := func(c *testkit.Capture) *one {
		var file bytes.Buffer
		require.NoError(t, c.WritePcap(&file))
		o := newOne(t)
		o.Config.Store.File, o.Config.Capture.Read, o.Stdin = db, "-", &file
		o.run(t)
		return o
	}
	require.NotContains(t, run(looked).out.text(), "203.0.113.10")
	second := run(went)
	require.Contains(t, second.out.text(), "203.0.113.10")
	require.Contains(t, second.out.text(), "ds.kaspersky.com")
	require.Contains(t, second.out.text(), `"verdict":"installed"`, "a look-up and a flow, in two sessions")
}
