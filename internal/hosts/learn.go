package hosts

import (
	"cmp"
	"net"
	"net/netip"
	"strings"

	"avbeacon/capture"
	"avbeacon/internal/wire"
)

// learn takes what an Observation says of who is where.
func (h *Hosts) learn(obs *capture.Observation) {
	switch {
	case obs.Kind == capture.Identity && obs.ID != nil:
		h.identity(obs)
	case obs.Kind == capture.Answer && obs.Proto == capture.MDNS && obs.DNS != nil:
		h.mdns(obs)
	}
}

func (h *Hosts) identity(obs *capture.Observation) {
	switch id := obs.ID; {
	case id.ARP != nil:
		if id.ARP.Sender.IsValid() {
			h.bind(id.ARP.Sender, id.ARP.SenderMAC, obs.Time)
		}
	case id.DHCP != nil:
		h.dhcp(obs, id.DHCP)
	case id.NBNS != nil:
		h.nbns(obs, id.NBNS)
	}
}

// dhcp learns a name for a hardware address, and for the address that the message gives it.
func (h *Hosts) dhcp(obs *capture.Observation, d *wire.DHCP) {
	mac, err := net.ParseMAC(d.MAC)
	if err != nil || len(mac) != 6 {
		return
	}
	dev := h.device([6]byte(mac), obs.Time)
	if name := clean(cmp.Or(firstLabel(d.FQDN), d.Hostname)); name != "" {
		dev.name = name
	}
	switch strings.ToUpper(d.Message) {
	case "ACK", "REQUEST", "INFORM", "REPLY", "RENEW", "REBIND":
		h.bind(d.Address, [6]byte(mac), obs.Time)
		h.call(d.Address, dev.name, byDHCP, obs.Time)
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

func (h *Hosts) nbns(obs *capture.Observation, n *wire.NBNS) {
	if n.Suffix != suffixWorkstation && n.Suffix != suffixServer {
		return
	}
	a := obs.Src.Addr()
	switch n.Op {
	case "registration", "refresh":
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
	if n.Suffix == suffixWorkstation && n.Op != "response" && h.addrs[a] != nil && h.addrs[a].now.surety >= byNBNS {
		return // the workgroup's name bears the same suffix
	}
	h.call(a, n.Name, byNBNS, obs.Time)
}

// mdns learns the name that a machine gives to its own address.
func (h *Hosts) mdns(obs *capture.Observation) {
	src := obs.Src.Addr()
	for i := range obs.DNS.Answers {
		r := &obs.DNS.Answers[i]
		if r.Addr.IsValid() && sameMachine(r.Addr, src, obs.DNS.Answers) && strings.HasSuffix(r.Name, ".local") {
			h.call(r.Addr, r.Name, byMDNS, obs.Time)
		}
	}
}

// sameMachine says that an address is the sender's own, or stands in one message with it.
func sameMachine(a, src netip.Addr, all []wire.DNSRecord) bool {
	if a == src {
		return true
	}
	for i := range all {
		if all[i].Addr == src {
			return true
		}
	}
	return false
}
