package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// arpLen is the length of an ARP packet for IPv4 over Ethernet (RFC 826).
const arpLen = 28

// ParseARP reads an ARP packet. Packets for other networks than IPv4 over Ethernet, and operations other than request and
// reply, are ErrMalformed. It does not allocate if it succeeds.
func ParseARP(b []byte) (ARP, error) {
	if len(b) < arpLen {
		return ARP{}, fmt.Errorf("%w: arp of %d bytes", ErrTruncated, len(b))
	}
	// Hardware type Ethernet, protocol IPv4, address lengths 6 and 4.
	if binary.BigEndian.Uint64(b)>>16 != 0x0001_0800_0604 {
		return ARP{}, fmt.Errorf("%w: arp for %x", ErrMalformed, b[:6])
	}
	op := binary.BigEndian.Uint16(b[6:])
	if op != 1 && op != 2 {
		return ARP{}, fmt.Errorf("%w: arp operation %d", ErrMalformed, op)
	}
	return ARP{
		Reply:     op == 2,
		SenderMAC: [6]byte(b[8:14]),
		Sender:    netip.AddrFrom4([4]byte(b[14:18])),
		TargetMAC: [6]byte(b[18:24]),
		Target:    netip.AddrFrom4([4]byte(b[24:28])),
	}, nil
}
