package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// A NetBIOS datagram's message types that carry names (RFC 1002 4.4.1) and its header's length before the
// names.
const (
	nbDatagramDirect    = 0x10
	nbDatagramBroadcast = 0x12
	nbDatagramLen       = 14
)

// ParseNetBIOSDatagram reads the sender of a packet of the NetBIOS datagram service (UDP 138), which browsing and logons
// use: the source name and the address that the sender states (RFC 1002 4.4.2). Op is "datagram". Errors and queries, which
// have no source name, and later fragments are ErrMalformed.
func ParseNetBIOSDatagram(b []byte) (NBNS, error) {
	if len(b) < nbDatagramLen+2+nbEncodedLen {
		return NBNS{}, fmt.Errorf("%w: netbios datagram of %d bytes", ErrTruncated, len(b))
	}
	if b[0] < nbDatagramDirect || b[0] > nbDatagramBroadcast {
		return NBNS{}, fmt.Errorf("%w: netbios datagram of type %d", ErrMalformed, b[0])
	}
	if binary.BigEndian.Uint16(b[12:]) != 0 { // packet offset
		return NBNS{}, fmt.Errorf("%w: netbios datagram's later fragment", ErrMalformed)
	}
	p := nbParser{b: b}
	n, err := p.encoded(nbDatagramLen)
	if err != nil {
		return NBNS{}, err
	}
	n.Op = "datagram"
	if a := netip.AddrFrom4([4]byte(b[4:8])); !a.IsUnspecified() {
		n.Addr = a
	}
	return n, nil
}
