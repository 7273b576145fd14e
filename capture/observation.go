// Package capture holds the vocabulary of what captures show. A Source hands out Blocks of Packets; what one host was seen to do
// in them is an Observation. Stats and Inputs count what was read, decoded and lost, and Interest says what is worth a look.
//
// The work is done in the packages below, which import this one: files and live are Sources, decode reads headers, observe makes
// Observations (start at observe.Run), flow holds the table of flows and wire the parsers of protocols. To know what this
// program can see at all, read Observation first.
package capture

import (
	"net/netip"
	"time"

	"avbeacon/capture/wire"
)

// Kind is what was seen.
type Kind uint8

// The kinds of Observation.
const (
	KindNone    Kind = iota
	Lookup           // a DNS, mDNS or LLMNR question
	Answer           // a DNS, mDNS or LLMNR response
	Hello            // a TLS, DTLS or QUIC ClientHello
	ServerHello      // a TLS or DTLS ServerHello
	Cert             // one certificate of a server
	Request          // an HTTP request head
	Response         // an HTTP response head
	Identity         // DHCP, ARP, neighbour discovery or a NetBIOS name: who is behind an address
	Contact          // a flow record: at the flow's end, every 10 min while it is open, and at the end of the input
)

// Proto is the protocol that a value was read from.
type Proto uint8

// The protocols.
const (
	ProtoNone Proto = iota
	DNS
	MDNS
	LLMNR
	NBNS
	TLS
	DTLS
	QUIC
	HTTP
	SSDP
	DHCP
	ARP
	TCP
	UDP
	ICMP
)

// Machine is the key of a machine: the same at another address is the same machine, another one at the same address is another
// machine. A machine that was first known by its own MAC address has that as its key, in every run; others have one of this run only.
type Machine uint64

// Host is the machine that an Observation is about, as far as the packet shows it.
type Host struct {
	Addr    netip.Addr
	MAC     [6]byte // hardware address seen beside Addr, as source or destination; valid iff HasMAC
	HasMAC  bool
	Own     bool    // set by internal/hosts: ARP or DHCP showed that MAC belongs to this address and not to a router
	VLAN    uint16  // outermost VLAN id, 0 where untagged
	Machine Machine // set by internal/hosts: the machine behind Addr; 0 if only the address is known
	Name    string  // set by internal/hosts
}

// Observation is one thing that one host did, as seen in the capture. It aliases no packet memory. Size: at most 300 bytes.
//
// Src and Dst are the innermost addresses, in the direction of the packet. FromClient: Src is the side that opened the flow
// (for DNS: the side that asks). Kind says which detail pointer is set; the others are nil.
type Observation struct {
	Time      time.Time // packet time, never the wall clock
	Frame     uint64    // number of the packet that completed the value, from 1 within its input
	Input     int32     // index of the input
	Kind      Kind
	Proto     Proto
	Transport Proto // TCP, UDP or ProtoNone
	// FromClient: valid for all kinds but Identity.
	FromClient bool
	// Marks are facts that need no detail.
	Marks Marks
	Src   netip.AddrPort
	Dst   netip.AddrPort
	// Host is the client's side: Src if FromClient, else Dst. internal/hosts adds its name.
	Host Host
	// SrcMAC is the hardware address seen beside Src; valid iff HasSrcMAC.
	SrcMAC    [6]byte
	HasSrcMAC bool
	// Name is lower case, without trailing dot: the first qname, the SNI, the HTTP host without port, the leaf's common
	// name; "" if hidden or absent. For an Answer of no interest it is empty (Addrs is still set, so that old names of these
	// addresses can be forgotten). For a Contact it is the name in the flow's hello or request, if that is of interest, or
	// the one that internal/names derived (then Marks has NameDerived).
	Name string

	// Addrs is valid iff Kind is Answer: the A and AAAA data of the answer section. It is valid as long as the Observation
	// is.
	Addrs []netip.Addr
	// Link is the VLANs and tunnels around the packet; nil if there are none.
	Link *Link

	DNS    *wire.DNS         // Lookup, Answer; nil for an Answer of no interest
	Hello  *wire.ClientHello // Hello
	Server *wire.ServerHello // ServerHello
	Cert   *wire.Certificate // Cert
	Req    *wire.Request     // Request
	Resp   *wire.Response    // Response
	ID     *IdentityDetail   // Identity
	Flow   *FlowRecord       // Contact; valid as long as the Observation is
}

// Marks is a set of facts about an Observation.
type Marks uint16

// The marks.
const (
	NameDerived  Marks = 1 << iota // Name was not in the packets: internal/names derived it
	NameOther                      // ... from another host's DNS query
	ECHPresent                     // the hello carries encrypted_client_hello: its outer name may be a cover
	BareAddress                    // HTTP Host (or CONNECT target) is an address
	ViaProxy                       // Via, X-Forwarded-For or Forwarded
	ConnectProxy                   // HTTP CONNECT: Name is the target, Dst is the proxy
	NoRecursion                    // DNS question with RD=0
	Plain                          // Contact or Answer of no interest: it only counts for the roles of hosts
	NoName                         // Contact of a TLS, DTLS, QUIC or HTTP flow without a name: its hello has none, or hello and request are missing
	ForClient                      // Lookup by a forwarder (Src) whose EDNS options identify the client: Host is that client (internal/hosts)
)

// IdentityDetail is evidence of who is behind an address. Exactly one of its parts is set.
type IdentityDetail struct {
	DHCP *wire.DHCP
	NBNS *wire.NBNS
	ARP  *wire.ARP
	NDP  *wire.NDP          // only with an Interest; avbeacon observe has no line for it
	SMB  *wire.ComputerName // as NDP: the name of the machine at Src
}

// Link is the layers around the innermost packet. It is shared by all packets of the same path and must not be changed.
type Link struct {
	VLANs   []uint16 // outermost first
	Tunnels []Tunnel // outermost first
}

// Tunnel is one outer layer. Addresses are invalid if the layer has none (mpls, pppoe).
type Tunnel struct {
	Type string // gre, erspan, vxlan, geneve, ipip, 6in4, 4in6, gtpu, teredo, mpls, pppoe, ...
	Src  netip.Addr
	Dst  netip.Addr
	ID   uint32 // VNI, label, TEID, session: as the layer has it
}

// Outcome is how a flow went.
type Outcome uint8

// The outcomes, in OUTPUT.md's words.
const (
	OutcomeNone Outcome = iota
	Established         // both sides sent data (UDP: was answered)
	Refused             // RST or ICMP unreachable in answer to the opening
	NoAnswer            // opened, without an answer
	Midstream           // the opening is not in the capture
	OneSided            // the capture has only one direction of a flow that went on
)

// FlowRecord is a flow's counters and facts. Observation.Src is the side that opened it.
type FlowRecord struct {
	FirstFrame, LastFrame uint64
	FirstInput            int32  // input of the first frame; the last one's is Observation.Input
	Lookups               uint32 // DNS questions in it
	NoRecursion           bool   // one of them had RD=0
	First, Last           time.Time
	PacketsOut            uint64 // by the opener
	PacketsIn             uint64
	BytesOut              uint64 // IP bytes
	BytesIn               uint64
	RTT                   time.Duration // SYN to SYN-ACK as seen here; 0 if not seen
	Outcome               Outcome
	Final                 bool  // false in the records of a flow that is still open
	Proto                 Proto // the protocol that was recognised: TLS, QUIC, HTTP, DNS ...; else ProtoNone
	TTL                   uint8 // IP TTL or hop limit of the opener's first packet, 0 if it sent none
	Reset                 bool  // a RST was seen
	ResetByServer         bool
	TLSAlert              uint8 // description of the first fatal alert in the clear, 0 if none
	TLSAlertFromServer    bool
	OutHead, InHead       [8]byte // first payload bytes each way, zero if none: the only trace of protocols without names
	OutHeadLen, InHeadLen uint8
}
