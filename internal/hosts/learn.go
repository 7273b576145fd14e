package hosts

import (
	"cmp"
	"net"
	"net/netip"
	"strings"

	"avbeacon/capture"
	"avbeacon/capture/wire"
)

// learn takes the evidence of an Observation on who has which address.
func (h *Hosts) learn(obs *capture.Observation, at int64) {
	h.onLink(obs, at)
	switch {
	case obs.Kind == capture.Identity && obs.ID != nil:
		h.identity(obs, at)
	case obs.Kind == capture.Answer && (obs.Proto == capture.MDNS || obs.Proto == capture.LLMNR) && obs.DNS != nil:
		h.announced(obs, at)
	}
}

// onLink learns from packets that no router forwards, whose source MAC address is therefore the source's own:
// those from a link-local address, or to a link-local multicast or broadcast address (RFC 4291 2.5.6, RFC 5771 4, RFC 4007 9).
// An interface identifier that is made of a MAC address (RFC 4291 appendix A) shows it wherever it is seen.
func (h *Hosts) onLink(obs *capture.Observation, at int64) {
	src := obs.Src.Addr()
	if obs.HasSrcMAC && (src.Is6() && src.IsLinkLocalUnicast() || staysOnLink(obs.Dst.Addr())) {
		h.bind(src, claim{mac: packMAC(obs.SrcMAC), how: bySight, vlan: vlanOf(obs), at: at})
	}
	if a := obs.Host.Addr; a.Is6() {
		if mac, universal, ok := ofIdentifier(a); ok && (universal || mac == macOf(&obs.Host)) {
			h.bind(a, claim{mac: mac, how: bySight, vlan: int32(obs.Host.VLAN), at: at})
		}
	}
}

// staysOnLink reports whether no router forwards packets to an address.
func staysOnLink(a netip.Addr) bool {
	return a.IsLinkLocalMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// vlanOf is the network of an Observation's source: the packet's.
func vlanOf(obs *capture.Observation) int32 { return int32(obs.Host.VLAN) }

// ofIdentifier returns the MAC address that an IPv6 interface identifier was made of: ff:fe in its middle, and the
// universal bit inverted. One in 65,536 random identifiers, which are not universal (RFC 4941 3.2.1), looks so too.
func ofIdentifier(a netip.Addr) (mac uint64, universal, ok bool) {
	p := a.As16()
	if !a.Is6() || p[11] != 0xff || p[12] != 0xfe || p[0] == 0xff {
		return 0, false, false
	}
	return packMAC([6]byte{p[8] ^ 2, p[9], p[10], p[13], p[14], p[15]}), p[8]&2 != 0, true
}

func (h *Hosts) identity(obs *capture.Observation, at int64) {
	switch id := obs.ID; {
	case id.ARP != nil:
		h.arp(obs, id.ARP, claim{mac: packMAC(id.ARP.SenderMAC), how: bySight, vlan: vlanOf(obs), at: at})
	case id.NDP != nil:
		h.ndp(obs, id.NDP, claim{how: bySight, vlan: vlanOf(obs), at: at})
	case id.DHCP != nil:
		h.dhcp(id.DHCP, at)
	case id.NBNS != nil:
		h.nbns(obs, id.NBNS, at)
	case id.SMB != nil:
		h.signedIn(obs, id.SMB, at)
	}
}

// signedIn learns the name that a machine sends over SMB. Routers forward SMB, so an address with several names is shared by several
// machines: the first name stays.
func (h *Hosts) signedIn(obs *capture.Observation, n *wire.ComputerName, at int64) {
	a := obs.Src.Addr()
	if !bindable(a) {
		return
	}
	b := h.address(a.As16(), at).inVLAN(vlanOf(obs))
	if b.surety >= bySMB && b.name != n.Name && at-b.named <= renamed {
		return
	}
	h.call(a, b, n.Name, bySMB, at)
}

// arp trusts requests and gratuitous announcements. A reply, and what another station sends, may be a proxy's.
func (h *Hosts) arp(obs *capture.Observation, a *wire.ARP, c claim) {
	if a.Reply && a.Sender != a.Target || obs.HasSrcMAC && obs.SrcMAC != a.SenderMAC {
		c.how = byReply
	}
	h.bind(a.Sender, c)
}

// ndp trusts a solicitation's source, the tentative address of duplicate address detection (RFC 4862 5.4), and an
// advertisement from the address that it is about: a proxy sends from its own.
func (h *Hosts) ndp(obs *capture.Observation, n *wire.NDP, c claim) {
	src, subject := obs.Src.Addr(), obs.Src.Addr()
	c.mac = packMAC(n.MAC)
	if !n.Advertisement && src.IsUnspecified() {
		subject = n.Target
	}
	if !n.HasMAC && obs.HasSrcMAC {
		c.mac = packMAC(obs.SrcMAC)
	}
	if n.Advertisement && src != n.Target {
		return
	}
	h.bind(subject, c)
}

// dhcp learns a name for a MAC address, and which address it has for how long.
func (h *Hosts) dhcp(d *wire.DHCP, at int64) {
	parsed, err := net.ParseMAC(d.MAC)
	if err != nil || len(parsed) != 6 {
		return
	}
	mac := packMAC([6]byte(parsed))
	if shared(mac) || mac>>40&1 != 0 {
		return
	}
	dev := h.device(mac, at)
	if name := clean(cmp.Or(firstLabel(d.FQDN), d.Hostname)); name != "" {
		dev.name, dev.surety = name, byDHCP
	}
	c := claim{mac: mac, how: bySight, vlan: noVLAN, at: at}
	switch strings.ToUpper(d.Message) {
	case "ACK", "REPLY":
		c.till = leaseEnd(at, d.Lease)
	case "REQUEST", "INFORM", "RENEW", "REBIND":
		c.asked = true
	case "RELEASE", "DECLINE":
		h.release(d.Address, mac, at)
		return
	default:
		return
	}
	h.bind(d.Address, c)
	if x := h.addrs.get(d.Address.As16()); x != nil && dev.name != "" {
		if b := x.binding(0, mac); b.own != notOwn && b.mac == mac {
			h.call(d.Address, b, dev.name, byDHCP, at)
		}
	}
}

// release ends a binding, if the machine that has the address releases it.
func (h *Hosts) release(a netip.Addr, mac uint64, at int64) {
	x := h.addrs.get(a.As16())
	if x == nil {
		return
	}
	if b := x.binding(0, mac); b.own != notOwn && b.mac == mac {
		b.end(at)
	}
}

func firstLabel(fqdn string) string {
	label, _, _ := strings.Cut(fqdn, ".")
	return label
}

// NetBIOS name suffixes of a machine (RFC 1001 and Microsoft's list): workstation and file server.
const (
	suffixWorkstation = 0x00
	suffixServer      = 0x20
)

func (h *Hosts) nbns(obs *capture.Observation, n *wire.NBNS, at int64) {
	if n.Suffix != suffixWorkstation && n.Suffix != suffixServer {
		return
	}
	a := obs.Src.Addr()
	switch n.Op {
	case "registration", "refresh", "datagram":
		if n.Addr.IsValid() && n.Addr != a || n.Response {
			return // a group's or another's
		}
	case "response":
		if !n.Addr.IsValid() {
			return
		}
		a = n.Addr
	default:
		return
	}
	if !bindable(a) {
		return
	}
	b := h.address(a.As16(), at).inVLAN(vlanOf(obs))
	if n.Suffix == suffixWorkstation && n.Op != "response" && b.surety >= byNBNS {
		if b.name == n.Name {
			b.named = at
		}
		return // the workgroup's name has the same suffix
	}
	h.call(a, b, n.Name, byNBNS, at)
}

// announced learns the name that a machine announces for its own addresses, and that they are one machine's.
func (h *Hosts) announced(obs *capture.Observation, at int64) {
	how := byMDNS
	if obs.Proto == capture.LLMNR {
		how = byLLMNR
	}
	src, all := obs.Src.Addr(), obs.DNS.Answers
	for i := range all {
		r := &all[i]
		if !bindable(r.Addr) || !announces(r.Name, r.Addr, src, all) || how == byMDNS && !strings.HasSuffix(r.Name, ".local") {
			continue
		}
		if obs.HasSrcMAC && how == byMDNS && staysOnLink(obs.Dst.Addr()) {
			h.bind(r.Addr, claim{mac: packMAC(obs.SrcMAC), how: bySight, vlan: vlanOf(obs), at: at})
		}
		b := h.address(r.Addr.As16(), at).inVLAN(vlanOf(obs))
		h.call(r.Addr, b, r.Name, how, at)
		if b.own == notOwn && b.machine == 0 { // other addresses of the name in this message may have one
			b.machine = h.sister(r.Name, all, obs)
		}
	}
}

// announces reports whether an address of a name is the sender's own, or is in one message under one name with it.
func announces(name string, a, src netip.Addr, all []wire.DNSRecord) bool {
	if a == src {
		return true
	}
	for i := range all {
		if all[i].Addr == src && all[i].Name == name {
			return true
		}
	}
	return false
}

// sister returns the machine of another address of the same name in one message, 0 if none is known.
func (h *Hosts) sister(name string, all []wire.DNSRecord, obs *capture.Observation) capture.Machine {
	for i := range all {
		if r := &all[i]; r.Addr.IsValid() && r.Name == name {
			if m := h.Machine(r.Addr, obs.Host.VLAN); m != 0 {
				return m
			}
		}
	}
	return 0
}
