package testkit

import (
	"encoding/binary"

	"github.com/google/gopacket/layers"
)

// ERSPAN wraps frames as a switch does that mirrors over the network: type II (draft-foschiano-erspan-03 4.2), GRE with a
// sequence number, and a header with the session.
func ERSPAN(from, to Host, session uint16) func([]byte) []byte {
	number := uint32(0)
	return func(frame []byte) []byte {
		head := binary.BigEndian.AppendUint32([]byte{0x10, 0, 0x88, 0xbe}, number)
		number++
		head = binary.BigEndian.AppendUint16(head, 1<<12)
		head = binary.BigEndian.AppendUint16(head, session&0x3ff)
		head = binary.BigEndian.AppendUint32(head, 0)
		return from.around(to, layers.IPProtocolGRE, append(head, frame...))
	}
}

// GRETap wraps whole frames in generic routing encapsulation (RFC 7637 3.2 without its key).
func GRETap(from, to Host) func([]byte) []byte {
	return func(frame []byte) []byte {
		return from.around(to, layers.IPProtocolGRE, append([]byte{0, 0, 0x65, 0x58}, frame...))
	}
}
