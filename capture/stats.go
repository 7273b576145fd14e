package capture

// Reason is why a packet (or the inside of a tunnel) could not be decoded. The zero value means that it was decoded.
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

// String returns the name of r in reports: lower case, never empty.
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

// ReasonCounts counts packets; the index is a Reason.
type ReasonCounts [reasonCount]uint64

// Each calls visit for every reason that occurred, in the order of the constants.
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
	// Undecoded counts packets for which Decode returned LayerNone.
	Undecoded ReasonCounts
	// Opaque counts tunnels whose inside could not be decoded; the packet around them was used instead.
	Opaque ReasonCounts
	// Depth counts tunnels that were not opened because they are nested too deep (each is in Opaque or Undecoded too).
	Depth uint64
	// ESP packets hide what they carry (RFC 4303).
	ESP uint64
	// WiFiFurther counts MSDUs of an A-MSDU beside the one that was decoded.
	WiFiFurther uint64
	// LinkTypes counts packets of link types that are not understood.
	LinkTypes map[LinkType]uint64
	Fragments FragmentStats
}

// FragmentStats counts what became of IPv4 and IPv6 fragments. Pieces are packets; the others are datagrams unless noted.
type FragmentStats struct {
	Pieces      uint64
	Joined      uint64
	Pending     int    // now
	Memory      int    // bytes that pending datagrams occupy now, with their bookkeeping
	TimedOut    uint64 // incomplete after decode.Options.MaxFragmentAge
	Dropped     uint64 // given up because memory was full
	Overlapping uint64 // pieces that cover bytes which are there already, or lie after the end
	Duplicate   uint64 // pieces that are there already, byte for byte
	Cut         uint64 // pieces that the capture cut
	Bad         uint64 // pieces that no valid datagram has
	HandedOut   uint64 // incomplete datagrams whose beginning Flush handed out
}

// Stats are the counters of a run, final or so far.
type Stats struct {
	Decode   DecodeStats
	Observer ObserverStats
	Panics   uint64 // packets that were left out because reading them panicked
}

// ObserverStats counts flows, and messages that could not be read or hide their names.
type ObserverStats struct {
	Flows          uint64 // flows seen
	FlowsOpen      int
	FlowsEvicted   uint64 // ended early because the table was full
	OneSided       uint64
	Waiting        int    // stream bytes waiting
	WaitingEvicted uint64 // directions that lost their waiting bytes because the total limit was reached
	WaitingFull    uint64 // directions that reached their own limit
	StreamGaps     uint64 // holes in a stream within a message
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
