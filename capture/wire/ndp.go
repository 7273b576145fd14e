package wire

import (
	"fmt"
	"net/netip"
)

// ICMPv6 types of neighbour discovery that bind an address to a hardware address (RFC 4861 4.3, 4.4), the length of
// their target, and the options with the sender's and the target's address (RFC 4861 4.6.1).
const (
	NDPSolicitation  = 135
	NDPAdvertisement = 136

	ndpTargetLen    = 16
	ndpOptSourceMAC = 1
	ndpOptTargetMAC = 2
)

// NDP is one neighbour solicitation or advertisement.
type NDP struct {
	Advertisement bool
	Target        netip.Addr
	MAC           [6]byte // solicitation: of the sender; advertisement: of the target; valid iff HasMAC
	HasMAC        bool
}

// ParseNDP reads a solicitation or an advertisement. kind is the ICMPv6 type, b is what follows the message's first 8
// bytes: the target and the options. A broken option ends the reading. It does not allocate if it succeeds.
func ParseNDP(kind uint8, b []byte) (NDP, error) {
	if kind != NDPSolicitation && kind != NDPAdvertisement {
		return NDP{}, fmt.Errorf("%w: icmpv6 type %d is not neighbour discovery", ErrMalformed, kind)
	}
	if len(b) < ndpTargetLen {
		return NDP{}, fmt.Errorf("%w: neighbour discovery of %d bytes", ErrTruncated, len(b))
	}
	n := NDP{Advertisement: kind == NDPAdvertisement, Target: netip.AddrFrom16([16]byte(b[:ndpTargetLen]))}
	if n.Target.IsMulticast() {
		return NDP{}, fmt.Errorf("%w: neighbour discovery of a multicast target", ErrMalformed)
	}
	wanted := byte(ndpOptSourceMAC)
	if n.Advertisement {
		wanted = ndpOptTargetMAC
	}
	n.MAC, n.HasMAC = ndpMAC(b[ndpTargetLen:], wanted)
	return n, nil
}

// ndpMAC finds the option with an Ethernet address; an option's length counts units of 8 bytes (RFC 4861 4.6).
func ndpMAC(b []byte, wanted byte) (mac [6]byte, ok bool) {
	for len(b) >= 8 {
		size := int(b[1]) * 8
		if size == 0 || size > len(b) {
			return mac, false
		}
		if b[0] == wanted && size == 8 {
			return [6]byte(b[2:8]), true
		}
		b = b[size:]
	}
	return mac, false
}
