package decode

import "avbeacon/capture"

// TCP flags as in the header (RFC 9293 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Layer is what Decode found.
type Layer uint8

// The layers.
const (
	LayerNone Layer = iota // nothing usable: counted by capture.Reason
	LayerARP               // Payload is the ARP packet
	LayerIP                // innermost IP packet; Proto says what Payload is
)

// Headers is one packet with its headers read. Payload aliases the packet's memory or, for a datagram joined from
// fragments, memory of its own that nobody else writes to.
type Headers struct {
	Time       int64
	Frame      uint64
	Src, Dst   capture.Addr16 // innermost
	Payload    []byte         // what follows the TCP, UDP or ICMP header; the IP payload if Proto is another
	Link       *capture.Link  // nil for a plain packet; shared and immutable
	PayloadLen uint32         // payload bytes on the wire: more than len(Payload) if the capture was cut
	IPLen      uint32         // bytes of the innermost IP packet on the wire (of all its fragments)
	Seq, Ack   uint32         // valid iff TCP
	Input      int32
	SrcPort    uint16 // TCP and UDP; ICMP: type<<8|code in SrcPort
	DstPort    uint16
	VLAN       uint16 // outermost VLAN id, 0 where untagged
	Layer      Layer
	Proto      uint8 // IP protocol number of the transport: 6, 17, 1, 58, 132 ...
	TTL        uint8 // of the innermost IP header
	TCPFlags   uint8
	IPv6       bool
	HasMAC     bool // SrcMAC and DstMAC are valid: the innermost Ethernet (or 802.11, SLL) addresses
	SrcMAC     [6]byte
	DstMAC     [6]byte
}
