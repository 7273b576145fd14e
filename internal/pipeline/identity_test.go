package pipeline

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/hosts"
)

// lan is a network on whose machines hosts and classify agree.
type lan struct {
	h  *hosts.Hosts
	c  *classify.Classifier
	at time.Time
}

func newLAN(cat *feeds.Catalog, most int) *lan {
	l := &lan{h: hosts.New(hosts.Options{MaxHosts: most}), at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	l.c = classify.New(classify.Options{Catalog: cat, IDKey: []byte("test"), Recall: l.h.Recall})
	return l
}

func (l *lan) see(o capture.Observation) {
	l.at = l.at.Add(time.Second)
	o.Time = l.at
	l.h.Stamp(&o)
	l.c.Observe(&o)
}

func (l *lan) arp(a netip.Addr, mac byte) {
	m := [6]byte{2, 0, 0, 0, 0, mac}
	l.see(capture.Observation{Kind: capture.Identity, ID: &capture.IdentityDetail{ARP: &wire.ARP{Sender: a, SenderMAC: m}}, Src: netip.AddrPortFrom(a, 0),
		Host: capture.Host{Addr: a, MAC: m, HasMAC: true}, SrcMAC: m, HasSrcMAC: true})
}

// named sends the machine's name to a network behind a router: without its MAC address.
func (l *lan) named(a netip.Addr, name string) {
	l.see(capture.Observation{Kind: capture.Identity, ID: &capture.IdentityDetail{NBNS: &wire.NBNS{Name: name, Op: "registration"}},
		Src: netip.AddrPortFrom(a, 137), Host: capture.Host{Addr: a}})
}

func (l *lan) hello(a netip.Addr) {
	l.see(capture.Observation{Kind: capture.Hello, Proto: capture.TLS, Transport: capture.TCP, Name: "ds.kaspersky.com", FromClient: true,
		Src: netip.AddrPortFrom(a, uint16(50000+l.at.Unix()%1000)), Dst: netip.MustParseAddrPort("203.0.113.7:443"), Hello: &wire.ClientHello{SNI: "ds.kaspersky.com"}, Host: capture.Host{Addr: a}})
}

// A machine is one host to classify at whatever address, after internal/hosts forgot it, and in a later run.
func TestMachineIsOneHost(t *testing.T) {
	cat, err := feeds.Embedded()
	require.NoError(t, err)
	one, two, three := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6"), netip.MustParseAddr("10.0.0.7")
	l := newLAN(cat, 16)
	l.arp(one, 1)
	l.hello(one)
	want := l.c.Findings()
	require.Len(t, want, 1)
	same := func(title string) {
		t.Helper()
		var ids []string
		for _, f := range l.c.Findings() {
			ids = append(ids, f.ID)
		}
		require.Equal(t, []string{want[0].ID}, ids, title)
	}
	for i := range 100 {
		l.arp(netip.MustParseAddr(fmt.Sprintf("10.0.1.%d", i)), byte(100+i))
	}
	require.Zero(t, l.h.Machine(one, 0), "forgotten")
	l.arp(two, 1)
	l.hello(two)
	same("it returned at another address")

	next := newLAN(cat, 16)
	r := next.c.Restore(l.c.Pieces())
	require.NoError(t, r.Err)
	next.at, l = l.at, next
	l.named(two, "ALPHA")
	l.hello(two)
	same("a later run, in which nothing shows its MAC address")
	l.arp(three, 1)
	l.hello(three)
	same("another address in the later run")
	require.NotZero(t, l.h.Machine(two, 0))
	require.Equal(t, l.h.Machine(two, 0), l.h.Machine(three, 0))
	l.arp(two, 2)
	l.hello(two)
	require.Len(t, l.c.Findings(), 2, "another machine has its former address")
}
