package testkit

import (
	"encoding/binary"
	"slices"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// UDP ports of tunnels (RFC 7348 5, RFC 8926 3.3).
const (
	portVXLAN  = 4789
	portGeneve = 6081
)

// packet returns the network packet in a frame, without its Ethernet header and tags.
func packet(frame []byte) (kind uint16, b []byte) {
	at := 12
	for kind = binary.BigEndian.Uint16(frame[at:]); kind == 0x8100 || kind == 0x88a8; kind = binary.BigEndian.Uint16(frame[at:]) {
		at += 4
	}
	return kind, frame[at+2:]
}

// GRE wraps packets in generic routing encapsulation between two hosts (RFC 2784).
func GRE(from, to Host) func([]byte) []byte {
	return func(frame []byte) []byte {
		kind, inner := packet(frame)
		head := binary.BigEndian.AppendUint16([]byte{0, 0}, kind)
		return from.around(to, layers.IPProtocolGRE, append(head, inner...))
	}
}

// VXLAN wraps frames in a virtual LAN between two hosts (RFC 7348).
func VXLAN(from, to Host, id uint32) func([]byte) []byte {
	return func(frame []byte) []byte {
		head := binary.BigEndian.AppendUint32([]byte{0x08, 0, 0, 0}, id<<8)
		return from.datagram(to, portVXLAN, append(head, frame...))
	}
}

// Geneve wraps frames in a virtual network between two hosts, with one option of 4 bytes (RFC 8926).
func Geneve(from, to Host, id uint32) func([]byte) []byte {
	return func(frame []byte) []byte {
		head := binary.BigEndian.AppendUint32([]byte{2, 0, 0x65, 0x58}, id<<8)
		head = append(head, 0x01, 0x02, 0x80, 1, 0xde, 0xad, 0xbe, 0xef)
		return from.datagram(to, portGeneve, append(head, frame...))
	}
}

// IPinIP wraps packets in plain IPv4 (RFC 2003; of IPv6: RFC 4213).
func IPinIP(from, to Host) func([]byte) []byte {
	return func(frame []byte) []byte {
		kind, inner := packet(frame)
		if kind == uint16(layers.EthernetTypeIPv6) {
			return from.around(to, layers.IPProtocolIPv6, inner)
		}
		return from.around(to, layers.IPProtocolIPv4, inner)
	}
}

// Tag puts a tag into frames (IEEE 802.1Q).
func Tag(vlan uint16) func([]byte) []byte { return tagged(0x8100, vlan) }

// QinQ puts two tags into frames (IEEE 802.1ad), the outer one being the service provider's.
func QinQ(outer, inner uint16) func([]byte) []byte {
	return Nested(Tag(inner), tagged(0x88a8, outer))
}

// tagged puts a tag of a type behind the hardware addresses.
func tagged(kind, vlan uint16) func([]byte) []byte {
	return func(frame []byte) []byte {
		tag := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, kind), vlan)
		return slices.Insert(slices.Clone(frame), 12, tag...)
	}
}

// Nested passes frames through several wrappers, the innermost first.
func Nested(wrap ...func([]byte) []byte) func([]byte) []byte {
	return func(frame []byte) []byte {
		for _, w := range wrap {
			frame = w(frame)
		}
		return frame
	}
}

func (h Host) around(to Host, proto layers.IPProtocol, payload []byte) []byte {
	return h.frame(to, h.header(to, proto).(gopacket.SerializableLayer), gopacket.Payload(payload))
}

// datagram is an outer UDP packet. Real tunnels hash the inner flow into the source port.
func (h Host) datagram(to Host, port uint16, payload []byte) []byte {
	s := Segment{From: h, To: to, Sport: 57000, Dport: port, Payload: payload}
	return s.Frame()
}

// Fragments cuts the IPv4 packet in an untagged frame into fragments of at most size payload bytes, a multiple of 8
// (RFC 791 3.2). A frame whose payload is no longer than that is returned alone.
func Fragments(frame []byte, size int, id uint16) [][]byte {
	const headers = 14 + 20
	payload := frame[headers:]
	var out [][]byte
	for at := 0; at < len(payload); at += size {
		part := payload[at:min(at+size, len(payload))]
		f := append(append([]byte(nil), frame[:headers]...), part...)
		ip := f[14:]
		binary.BigEndian.PutUint16(ip[2:], uint16(20+len(part)))
		binary.BigEndian.PutUint16(ip[4:], id)
		flags := uint16(at / 8)
		if at+len(part) < len(payload) {
			flags |= 0x2000
		}
		binary.BigEndian.PutUint16(ip[6:], flags)
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], checksum(ip[:20]))
		out = append(out, f)
	}
	return out
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
