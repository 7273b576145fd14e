package capture

// Reason says why a packet (or what is inside a tunnel) could not be decoded. The zero value says that it could.
type Reason uint8

// The reasons.
const (
	ReasonNone Reason = iota
	ReasonLinkType
	ReasonCut
	ReasonShort
	ReasonNotIP
	ReasonIPVersion
	ReasonIPHeader
	ReasonIPLength
	ReasonExtension
	ReasonTCPHeader
	ReasonFragmentWaiting
	ReasonFragmentCut
	ReasonFragmentBad
	ReasonWiFiEncrypted
	ReasonWiFiNoData
	ReasonWiFiFragment
	ReasonMACsec
	ReasonPPPCompressed
	ReasonTunnelHeader
	ReasonDepth
	reasonCount
)

// String is what reports call r: lower case, never empty.
func (r Reason) String() string {
	if r >= reasonCount {
		return "unknown"
	}
	return [reasonCount]string{
		ReasonNone:            "decoded",
		ReasonLinkType:        "link type not understood",
		ReasonCut:             "header cut by the snap length",
		ReasonShort:           "packet too short for its headers",
		ReasonNotIP:           "neither IP nor ARP",
		ReasonIPVersion:       "wrong IP version",
		ReasonIPHeader:        "bad IP header length",
		ReasonIPLength:        "bad IP total length",
		ReasonExtension:       "bad or too many IPv6 extension headers",
		ReasonTCPHeader:       "bad TCP header length",
		ReasonFragmentWaiting: "fragment of a datagram that is not complete",
		ReasonFragmentCut:     "fragment cut by the snap length",
		ReasonFragmentBad:     "impossible fragment",
		ReasonWiFiEncrypted:   "encrypted 802.11",
		ReasonWiFiNoData:      "802.11 without data",
		ReasonWiFiFragment:    "fragment of an 802.11 frame",
		ReasonMACsec:          "MACsec",
		ReasonPPPCompressed:   "compressed or encrypted PPP",
		ReasonTunnelHeader:    "bad tunnel header",
		ReasonDepth:           "too many tunnels in tunnels",
	}[r]
}

// ReasonCounts counts packets by Reason: index it with one.
type ReasonCounts [reasonCount]uint64

// Each calls visit for every reason that was counted, in the order of the constants.
func (c *ReasonCounts) Each(visit func(Reason, uint64)) {
	for r, n := range c {
		if n > 0 {
			visit(Reason(r), n)
		}
	}
}

// DecodeStats are a Decoder's counters since it was made.
type DecodeStats struct {
	Packets uint64
	// Cut packets are shorter in the capture than they were on the wire.
	Cut uint64
	// Undecoded packets gave LayerNone.
	Undecoded ReasonCounts
	// Opaque tunnels hold what could not be decoded: the packet around them was given instead.
	Opaque ReasonCounts
	// Depth counts tunnels that were left closed because too many lay around them (each is in Opaque or Undecoded too).
	Depth uint64
	// ESP packets hide what they carry (RFC 4303).
	ESP uint64
	// WiFiFurther counts MSDUs of an A-MSDU beside the one that was decoded.
	WiFiFurther uint64
	// LinkTypes counts packets of link types that are not understood.
	LinkTypes map[LinkType]uint64
	Fragments FragmentStats
}

// FragmentStats count what became of IPv4 and IPv6 fragments. Pieces are packets, the others are datagrams unless said.
type FragmentStats struct {
	Pieces      uint64
	Joined      uint64
	Pending     int    // now
	Memory      int    // bytes that pending datagrams hold now, their bookkeeping included
	TimedOut    uint64 // never complete within DecoderOptions.MaxFragmentAge
	Dropped     uint64 // given up because memory was full
	Overlapping uint64 // pieces that covered bytes which were there already, or lay behind the end
	Duplicate   uint64 // pieces that were there already, byte for byte
	Cut         uint64 // pieces that the capture holds in part only
	Bad         uint64 // pieces that no datagram can have
	HandedOut   uint64 // incomplete datagrams whose first fragment Flush handed out
}

// Stats is what a run came to, or has come to so far.
type Stats struct {
	Decode   DecodeStats
	Observer ObserverStats
	Panics   uint64 // packets that made us panic, and were left out
}

// ObserverStats counts what an Observer could not make sense of, and what hid itself.
type ObserverStats struct {
	Flows          uint64 // flows begun
	FlowsOpen      int
	FlowsEvicted   uint64 // gone early because the table was full
	OneSided       uint64
	Waiting        int    // stream bytes waiting
	WaitingEvicted uint64 // directions that lost waiting bytes because the total was reached
	WaitingFull    uint64 // directions over their own limit
	StreamGaps     uint64 // places where stream bytes were missing before a message was whole
	MalformedDNS   uint64
	MalformedTLS   uint64
	MalformedQUIC  uint64
	MalformedOther uint64
	HellosECH      uint64 // hellos with encrypted_client_hello: offered or GREASE
	HellosUnnamed  uint64 // hellos without SNI
	FlowsDoT       uint64 // TLS on TCP 853
	FlowsDoQ       uint64 // QUIC on UDP 853 or 784
}

// Add adds t to s.
func (s *ObserverStats) Add(t *ObserverStats) {
	s.Flows += t.Flows
	s.FlowsOpen += t.FlowsOpen
	s.FlowsEvicted += t.FlowsEvicted
	s.OneSided += t.OneSided
	s.Waiting += t.Waiting
	s.WaitingEvicted += t.WaitingEvicted
	s.WaitingFull += t.WaitingFull
	s.StreamGaps += t.StreamGaps
	s.MalformedDNS += t.MalformedDNS
	s.MalformedTLS += t.MalformedTLS
	s.MalformedQUIC += t.MalformedQUIC
	s.MalformedOther += t.MalformedOther
	s.HellosECH += t.HellosECH
	s.HellosUnnamed += t.HellosUnnamed
	s.FlowsDoT += t.FlowsDoT
	s.FlowsDoQ += t.FlowsDoQ
}
