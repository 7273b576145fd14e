package hosts

import (
	"net/netip"

	"avbeacon/capture"
)

// forClient makes a forwarder's question speak of the client that asked, where EDNS names it: by hardware address (what
// dnsmasq adds), or by a client subnet of one address (RFC 7871 6). The forwarder stays in Src, and ForClient says so.
// Where the client's address is not known its hardware address and its machine alone are told.
func (h *Hosts) forClient(obs *capture.Observation) {
	d := obs.DNS
	who := capture.Host{VLAN: obs.Host.VLAN}
	if s := d.ClientSubnet; s.IsValid() && s.IsSingleIP() && bindable(s.Addr()) {
		who.Addr = s.Addr().Unmap()
	}
	if d.HasClientMAC && d.ClientMAC[0]&1 == 0 && d.ClientMAC != ([6]byte{}) {
		who.MAC, who.HasMAC = d.ClientMAC, true
		h.ofDevice(&who, obs.Time.UnixNano())
	}
	if who.Addr == obs.Src.Addr() || !who.Addr.IsValid() && !who.HasMAC || who.HasMAC && obs.HasSrcMAC && who.MAC == obs.SrcMAC {
		return
	}
	obs.Host = who
	obs.Marks |= capture.ForClient
}

// ofDevice completes a Host of which the hardware address alone is sure.
func (h *Hosts) ofDevice(who *capture.Host, at int64) {
	mac := packMAC(who.MAC)
	h.bind(who.Addr, claim{mac: mac, how: bySight, vlan: noVLAN, at: at})
	d := h.device(mac, at)
	if d.router || shared(mac) {
		who.MAC, who.HasMAC = [6]byte{}, false
		return
	}
	if d.machine == 0 {
		d.machine = h.another()
	}
	who.Own, who.Machine, who.Name = true, d.machine, d.name
	if !who.Addr.IsValid() && d.owns > 0 && d.at != (place{}) {
		who.Addr = netip.AddrFrom16(d.at).Unmap()
	}
}
