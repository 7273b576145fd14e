// Package classify turns Observations into Findings: which host runs whose antivirus, how sure that is and why. It does
// no I/O, starts nothing and knows no time but the packets'.
package classify

import (
	"net/netip"
	"time"

	"avbeacon/classify/place"
	"avbeacon/feeds"
)

// Verdict returns how sure it is that the host itself runs the vendor's product. Greater is surer.
type Verdict uint8

// The verdicts.
const (
	NoVerdict Verdict = iota // weak signs alone: no finding
	Visit                    // only what a person with a browser causes
	Possible
	Likely
	Installed
)

// State returns how the contact goes now, at the end of what was seen.
type State uint8

// The states.
const (
	Active   State = iota
	Blocked        // no success among the last 24 active hours, at least 3 failed attempts
	Quiet          // no contact for 24 h and 6 expected periods in which the host was otherwise seen
	Returned       // contact after a quiet time of 48 h or more, for 7 days
)

// HostRole is what a host does on the network.
type HostRole uint8

// The roles of hosts, in the order in which one leads: the first that matches is Finding.HostRole.
const (
	HostUnknown HostRole = iota
	HostResolver
	HostProxy
	HostManagement
	HostNAT
	HostServer
	HostEndpoint
)

// Kind is what kind of sign a piece of evidence is. Two kinds in one session weigh more than one sign twice.
type Kind uint8

// The kinds of evidence. Lookup, SNI, HTTPHost, Connect and Derived all show a name: together they are one kind of sign.
const (
	KindNone        Kind = iota
	KindLookup           // a DNS question for the name
	KindSNI              // TLS or QUIC server name
	KindHTTPHost         // HTTP Host
	KindConnect          // target of an HTTP CONNECT
	KindDerived          // name that this host last resolved to the address
	KindOther            // name that another host resolved to the address
	KindCertificate      // common name of a leaf where no server name was seen
	KindIssuer           // issuer of a server's certificate
	KindPath             // path of an HTTP request
	KindQuery            // query of an HTTP request
	KindUserAgent
	KindHeader  // name of an HTTP request header
	KindBody    // first bytes of an HTTP response's body
	KindPayload // first bytes of a nameless flow
	KindPort    // port on the Internet
	KindLANPort // port inside the site
	KindNetwork // address in a vendor's network

	// What the host did over time: made of the signs above, and shown beside them (behaviour.go).
	KindRoles    // several roles of one vendor
	KindPool     // several members of a numbered pool
	KindBeat     // regular contact
	KindNight    // contact by day and by night
	KindFailed   // attempts that failed
	KindPlace    // where the destinations are
	KindFallback // the vendor's fallback resolvers, in the documented order after a failure

	KindAgainst // what speaks against the host itself (Supports is false)
)

// Finding reports whether a host runs a vendor's product, or why it only looks so. It is keyed by host and vendor. A Finding
// handed out is a snapshot: the caller owns it, and it aliases only the immutable catalogue.
type Finding struct {
	ID             string        // stable for the same packets: hash of sensor, host key and vendor, hex
	Vendor         *feeds.Vendor // never nil
	Product        string        // "" where nothing tells it
	ProductVersion string        // "" where nothing tells it

	Host      FindingHost
	HostRole  HostRole   // leading role
	HostRoles []HostRole // all of them, leading first; empty if unknown
	Behind    *Behind    // nil if the host speaks for itself
	OEM       *OEM       // nil if the product is the vendor's own

	Verdict Verdict
	State   State

	FirstSeen, LastSeen time.Time
	Contacts            uint64 // flows and attempts
	Lookups             uint64 // DNS questions, counted apart

	Destinations []Destination // by contacts, most first; then by address and port
	Beacons      []Beacon      // by role
	Evidence     []Evidence    // strongest first
	Reasons      []string      // whole sentences
	// Dropped counts what did not fit: pieces of evidence and destinations beyond the limits.
	Dropped uint64
}

// FindingHost is the host that a finding speaks of.
type FindingHost struct {
	Address   netip.Addr    // the latest
	Addresses []AddressSpan // all of them, oldest first
	MAC       [6]byte       // valid iff HasMAC
	HasMAC    bool
	Name      string   // "" if unknown
	VLANs     []uint16 // sorted
}

// AddressSpan is a time in which the host was seen at an address.
type AddressSpan struct {
	Address  netip.Addr
	From, To time.Time
}

// Behind estimates how many machines stand behind the host.
type Behind struct {
	Estimate int // 0 if no estimate can be made
	AtLeast  int
	Words    string
}

// OEM reports whether the vendor's engine is part of another product.
type OEM struct {
	Engine string // vendor key of the engine
	In     string // the product it is built into
	Source string
}

// Destination is one address and port that the host called for the vendor.
type Destination struct {
	Address  netip.Addr
	Port     uint16
	Names    []string // sorted, identifiers hidden
	ASN      uint32   // 0 if unknown
	Owner    string
	RTT      time.Duration // least SYN to SYN-ACK time, 0 if not seen
	Contacts uint64
	Failed   uint64 // of the contacts: no answer, refused, reset or alert
	Proxy    bool   // the address is a proxy's, not the vendor's
	Place    place.Location
}

// Beacon returns how regularly the host calls in one role.
type Beacon struct {
	Role     feeds.Role
	Score    float64       // 0 to 1; valid iff Scored
	Scored   bool          // enough sessions to say
	Period   time.Duration // median interval of session starts, 0 if there are less than two
	Sessions int
	Words    string
}

// Evidence is one kind of sign with one value, however often it was seen.
type Evidence struct {
	Kind        Kind
	Value       string // identifiers hidden
	Role        feeds.Role
	Strength    feeds.Strength // of one sighting, after what speaks against it
	Supports    bool           // false: it speaks against the host itself
	Weight      float64        // of one sighting, see weights.go
	Count       uint64
	First, Last time.Time
	Frames      []FrameRef // the first few
	Source      string     // where the catalogue has it from
	Date        string     // when that source was read
	Pattern     string     // the catalogue entry's pattern
	File        string     // where that entry stands; "" where the evidence is of no one entry
	Line        int
	Note        string // what the catalogue remarks on it
	Why         string // one sentence
}

// FrameRef names one packet record.
type FrameRef struct {
	Input int32
	Frame uint64
}

// String returns the verdict in the report's words; "" for NoVerdict.
func (v Verdict) String() string {
	return [...]string{"", "visit", "possible", "likely", "installed"}[min(v, Installed)]
}

// String returns the state in the report's words.
func (s State) String() string {
	return [...]string{"active", "blocked", "quiet", "returned"}[min(s, Returned)]
}

// String returns the role in the report's words.
func (r HostRole) String() string {
	return [...]string{"unknown", "resolver", "proxy", "management", "nat", "server", "endpoint"}[min(r, HostEndpoint)]
}

var kindWords = [...]string{"", "dns", "sni", "http_host", "connect", "derived_name", "other_host_name", "certificate", "issuer",
	"path", "query", "user_agent", "header", "body", "payload", "port", "lan_port", "network", "several_roles",
	"pool", "cadence", "day_and_night", "failed_attempts", "place", "resolver_fallback", "against"}

// String returns the kind in the report's words.
func (k Kind) String() string { return kindWords[min(k, KindAgainst)] }
