package pipeline

import (
	"net/netip"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/classify"

	"github.com/stretchr/testify/require"
)

// office is a spine and a clock.
type office struct {
	t  *testing.T
	p  *Pipeline
	at time.Time
	n  uint16
}

func newOffice(t *testing.T) *office { return &office{t: t, p: spine(t), at: noon} }

func (o *office) wait(d time.Duration) { o.at = o.at.Add(d) }

func (o *office) take(obs capture.Observation) {
	obs.Time = o.at
	require.NoError(o.t, o.p.Take(&obs))
}

func mac(n byte) [6]byte { return [6]byte{2, 0, 0, 0, 0, n} }

func (o *office) lease(a string, n byte, name string, lease time.Duration) {
	o.take(capture.Observation{Kind: capture.Identity, Proto: capture.DHCP, ID: &capture.IdentityDetail{DHCP: &wire.DHCP{
		IPVersion: 4, Message: "ACK", MAC: text(mac(n)), Hostname: name, Address: netip.MustParseAddr(a), Lease: uint32(lease / time.Second)}}})
}

func (o *office) arp(a string, n byte, vlan uint16) {
	addr := netip.MustParseAddr(a)
	o.take(capture.Observation{Kind: capture.Identity, Proto: capture.ARP, Src: netip.AddrPortFrom(addr, 0), Host: capture.Host{Addr: addr, VLAN: vlan,
		MAC: mac(n), HasMAC: true}, ID: &capture.IdentityDetail{ARP: &wire.ARP{Sender: addr, SenderMAC: mac(n)}}})
}

// calls is a TLS flow of an address to a vendor, with no MAC address beside it.
func (o *office) calls(a, name string, vlan uint16) {
	o.n++
	src := netip.AddrPortFrom(netip.MustParseAddr(a), 30000+o.n)
	obs := capture.Observation{Kind: capture.Hello, Proto: capture.TLS, Transport: capture.TCP, FromClient: true, Src: src,
		Dst: netip.MustParseAddrPort("203.0.113.7:443"), Name: name, Host: capture.Host{Addr: src.Addr(), VLAN: vlan}, Hello: &wire.ClientHello{SNI: name}}
	o.take(obs)
	obs.Kind, obs.Hello = capture.Contact, nil
	obs.Flow = &capture.FlowRecord{First: o.at, Last: o.at, Outcome: capture.Established, Final: true, Proto: capture.TLS, PacketsOut: 5, PacketsIn: 5}
	o.take(obs)
}

// found returns the findings of Kaspersky by the hosts' names.
func (o *office) found() map[string]*classify.Finding {
	out := map[string]*classify.Finding{}
	for _, f := range o.p.Classifier.Findings() {
		require.Equal(o.t, "kaspersky", f.Vendor.Key)
		require.NotContains(o.t, out, f.Host.Name)
		out[f.Host.Name] = f
	}
	return out
}

const vendorName = "dnl-01.geo.kaspersky.com"

func TestOneHostOverDHCPChanges(t *testing.T) {
	o := newOffice(t)
	for day, a := range []string{"10.0.0.5", "10.0.0.17", "10.0.0.5", "10.0.0.99"} {
		o.lease(a, 1, "alpha", 8*time.Hour)
		o.calls(a, vendorName, 0)
		o.wait(24*time.Hour - time.Duration(day)*time.Minute)
	}
	got := o.found()
	require.Len(t, got, 1)
	f := got["alpha"]
	require.Equal(t, uint64(4), f.Contacts)
	require.Equal(t, netip.MustParseAddr("10.0.0.99"), f.Host.Address)
	require.Len(t, f.Host.Addresses, 3)
	require.Equal(t, mac(1), f.Host.MAC)
}

func TestOldEvidenceStaysWithTheOldMachine(t *testing.T) {
	o := newOffice(t)
	o.lease("10.0.0.5", 1, "alpha", 8*time.Hour)
	o.calls("10.0.0.5", vendorName, 0)
	o.wait(time.Hour)
	o.lease("10.0.0.5", 2, "beta", 8*time.Hour)
	o.calls("10.0.0.5", vendorName, 0)
	o.wait(30 * time.Hour) // the lease ended, and nothing shows who is there now
	o.calls("10.0.0.5", vendorName, 0)
	o.wait(time.Hour)
	o.calls("10.0.0.5", vendorName, 0)
	got := o.found()
	require.Len(t, got, 3)
	require.Equal(t, uint64(1), got["alpha"].Contacts)
	require.Equal(t, uint64(1), got["beta"].Contacts)
	require.Equal(t, uint64(2), got[""].Contacts)
	require.False(t, got[""].Host.HasMAC)
	ids := map[string]bool{got["alpha"].ID: true, got["beta"].ID: true, got[""].ID: true}
	require.Len(t, ids, 3)
}

func TestOverlappingNetworks(t *testing.T) {
	o := newOffice(t)
	o.arp("10.0.0.5", 1, 10)
	o.arp("10.0.0.5", 2, 20)
	for range 3 {
		o.wait(time.Hour)
		o.calls("10.0.0.5", vendorName, 10)
	}
	o.calls("10.0.0.5", vendorName, 20)
	by := map[[6]byte]*classify.Finding{}
	for _, f := range o.p.Classifier.Findings() {
		by[f.Host.MAC] = f
	}
	require.Len(t, by, 2)
	require.Equal(t, uint64(3), by[mac(1)].Contacts)
	require.Equal(t, []uint16{10}, by[mac(1)].Host.VLANs)
	require.Equal(t, uint64(1), by[mac(2)].Contacts)
}

func TestBothFamiliesOfOneName(t *testing.T) {
	o := newOffice(t)
	four := netip.MustParseAddr("192.168.1.5")
	o.take(capture.Observation{Kind: capture.Answer, Proto: capture.MDNS, FromClient: true, Src: netip.AddrPortFrom(four, 5353),
		Dst: netip.MustParseAddrPort("224.0.0.251:5353"), Host: capture.Host{Addr: four}, DNS: &wire.DNS{Answers: []wire.DNSRecord{
			{Name: "chips-mac.local", Type: "A", Addr: four}, {Name: "chips-mac.local", Type: "AAAA", Addr: netip.MustParseAddr("fd00::77")}}}})
	o.calls("192.168.1.5", vendorName, 0)
	o.wait(time.Hour)
	o.calls("fd00::77", vendorName, 0)
	got := o.found()
	require.Len(t, got, 1)
	require.Equal(t, uint64(2), got["chips-mac"].Contacts)
	require.Equal(t, classify.Installed, got["chips-mac"].Verdict)
}

func TestForwarderThatNamesItsClients(t *testing.T) {
	o := newOffice(t)
	o.lease("10.0.0.5", 1, "alpha", 0)
	for range 4 {
		for n := byte(1); n <= 2; n++ { // the second client was never seen itself
			o.n++
			src := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.53"), 30000+o.n)
			q := capture.Observation{Kind: capture.Lookup, Proto: capture.DNS, Transport: capture.UDP, FromClient: true, Src: src,
				Dst: netip.MustParseAddrPort("198.51.100.53:53"), Name: vendorName, Host: capture.Host{Addr: src.Addr()},
				DNS: &wire.DNS{ID: o.n, RD: true, ClientMAC: mac(n), HasClientMAC: true, Questions: []wire.DNSQuestion{{Name: vendorName, QType: "A"}}}}
			o.take(q)
		}
		o.wait(time.Hour)
	}
	by := map[[6]byte]*classify.Finding{}
	for _, f := range o.p.Classifier.Findings() {
		by[f.Host.MAC] = f
	}
	require.Len(t, by, 2, "none of the forwarder itself")
	require.Equal(t, "10.0.0.5", by[mac(1)].Host.Address.String())
	require.Equal(t, "10.0.0.53", by[mac(2)].Host.Address.String(), "all that is known of where it is")
	for _, f := range by {
		require.Equal(t, uint64(4), f.Lookups)
		require.Contains(t, f.Evidence[0].Why, "through the forwarder 10.0.0.53")
	}
}
