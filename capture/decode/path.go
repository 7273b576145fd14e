package decode

import (
	"encoding/binary"
	"net/netip"

	"avbeacon/capture"
)

// wrap is a type of layer around the innermost packet.
type wrap uint8

// The kinds; those after wrapPPPoE have outer addresses.
const (
	wrapVLAN wrap = iota
	wrapMPLS
	wrapPPPoE
	wrapGRE
	wrapERSPAN
	wrapEoIP
	wrapVXLAN
	wrapGeneve
	wrapIPIP
	wrap6in4
	wrap4in6
	wrap6in6
	wrapEtherIP
	wrapMPLSinIP
	wrapGTPU
	wrapTeredo
	wrapL2TP
	wrapAYIYA
	wrapCount
)

// String returns the Tunnel.Type of w.
func (w wrap) String() string {
	return [wrapCount]string{
		"vlan", "mpls", "pppoe", "gre", "erspan", "eoip", "vxlan", "geneve", "ipip", "6in4", "4in6", "ip6ip6", "etherip", "mpls-in-ip",
		"gtpu", "teredo", "l2tp", "ayiya",
	}[w]
}

func (w wrap) hasAddresses() bool { return w > wrapPPPoE }

// A path is the layers around a packet, outermost first, as bytes: kind, then for a VLAN its id in 2 bytes, else Tunnel.ID in
// 4 bytes and, where the kind has them, outer source and destination in 16 bytes each.

// addVLAN appends a tag to the path. The id 0 is a priority tag and no VLAN (IEEE 802.1Q 9.6).
func (d *Decoder) addVLAN(out *Headers, tci uint16) {
	id := tci & 0xfff
	if id == 0 {
		return
	}
	if out.VLAN == 0 {
		out.VLAN = id
	}
	d.path = append(d.path, byte(wrapVLAN), byte(id>>8), byte(id))
}

// addTunnel appends a tunnel whose outer addresses are those of out.
func (d *Decoder) addTunnel(out *Headers, w wrap, id uint32) {
	d.path = append(d.path, byte(w))
	d.path = binary.BigEndian.AppendUint32(d.path, id)
	if w.hasAddresses() {
		d.path = append(d.path, out.Src[:]...)
		d.path = append(d.path, out.Dst[:]...)
	}
}

// maxLinks bounds the Links that are kept for later packets of the same path. When it is reached, all are forgotten.
const maxLinks = 4096

// linkTable gives all packets of a path the same Link, so that only the first one allocates.
type linkTable struct {
	vlans  [4096]*capture.Link // paths of one VLAN
	others map[string]*capture.Link
}

// find returns the Link of a path that is not empty.
func (t *linkTable) find(path []byte) *capture.Link {
	if len(path) == 3 {
		at := &t.vlans[binary.BigEndian.Uint16(path[1:])&0xfff]
		if *at == nil {
			*at = newLink(path)
		}
		return *at
	}
	if l, ok := t.others[string(path)]; ok {
		return l
	}
	if t.others == nil || len(t.others) >= maxLinks {
		t.others = make(map[string]*capture.Link)
	}
	l := newLink(path)
	t.others[string(path)] = l
	return l
}

// newLink decodes a path.
func newLink(path []byte) *capture.Link {
	l := &capture.Link{}
	for len(path) > 0 {
		w := wrap(path[0])
		if w == wrapVLAN {
			l.VLANs = append(l.VLANs, be16(path[1:]))
			path = path[3:]
			continue
		}
		t := capture.Tunnel{Type: w.String(), ID: be32(path[1:])}
		path = path[5:]
		if w.hasAddresses() {
			t.Src, t.Dst = netipOf(path), netipOf(path[16:])
			path = path[32:]
		}
		l.Tunnels = append(l.Tunnels, t)
	}
	return l
}

func netipOf(b []byte) netip.Addr { return capture.Addr16(b[:16]).Netip(false) }
