// Package classify turns Observations into Findings: which host runs whose antivirus, how sure that is and why. Observations go in
// by Classifier.Observe, with the host already resolved by internal/hosts and names by internal/names; changed Findings come
// out. It does no I/O, starts no goroutine and knows packet time only.
//
// An Observation becomes signs, one for each catalogue entry that it matches (match.go, lookups.go, contact.go). A sign joins the
// track of its host and vendor, in a session (track.go, sign.go). The verdict is read from the sessions (verdict.go), and
// build.go makes the Finding. Read finding.go for what comes out, then Classifier.Observe, then verdict.go.
//
//	finding.go     the vocabulary: Finding, Evidence, kinds, verdicts
//	classifier.go  Options, New, Observe, Tick, Next; memory.go what keeps it small
//	match.go       names, hellos, certificates, HTTP: signs on connections
//	contact.go     flow records: outcomes, ports, payloads; the table of open flows
//	lookups.go     DNS queries and answers; search lists; the table of queries that wait
//	agent.go       what a User-Agent shows: product, version, operating system
//	sign.go        signs and sessions; track.go one vendor on one host
//	verdict.go     verdicts, reasons, weights; build.go Findings and evidence of behaviour
//	host.go        the table of hosts; near.go its index by address; habits.go what a host does, role.go what that makes it
//	remark.go      look-alikes that are not findings; mask.go hides identifiers
//	snapshot*.go   the memory saved and restored
package classify

import (
	"net/netip"
	"time"

	"avbeacon/classify/place"
	"avbeacon/feeds"
)

// Verdict is how sure it is that the host itself runs the vendor's product. A greater value is more certain.
type Verdict uint8

// The verdicts.
const (
	NoVerdict Verdict = iota // only weak evidence: no finding
	Visit                    // only what a person with a browser causes
	Possible
	Likely
	Installed
)

// State is the state of the contact at the end of what was seen.
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

// Kind is the kind of a piece of evidence. Two kinds in one session prove more than one kind twice.
type Kind uint8

// The kinds of evidence. Lookup, SNI, HTTPHost, Connect and Derived all show a name: for counting they are one kind (see family).
const (
	KindNone        Kind = iota
	KindLookup           // a DNS query for the name
	KindSNI              // TLS or QUIC server name
	KindHTTPHost         // HTTP Host
	KindConnect          // target of an HTTP CONNECT
	KindDerived          // name that this host last resolved to the address
	KindOther            // name that another host resolved to the address
	KindCertificate      // common name of a leaf certificate if no server name was seen
	KindIssuer           // issuer of a server's certificate
	KindPath             // path of an HTTP request
	KindQuery            // query of an HTTP request
	KindUserAgent
	KindHeader  // name of an HTTP request header
	KindBody    // first bytes of an HTTP response's body
	KindPayload // first bytes of a connection without a name
	KindPort    // port on the Internet
	KindLANPort // port inside the site
	KindNetwork // address in a vendor's network

	// What the host did over time: derived from the evidence above and shown beside it (build.go).
	KindRoles    // several roles of one vendor
	KindPool     // several members of a numbered pool
	KindBeat     // regular contact
	KindNight    // contact by day and by night
	KindFailed   // attempts that failed
	KindPlace    // where the destinations are
	KindFallback // the vendor's fallback resolvers, in the documented order after a failure

	KindAgainst // evidence against the host itself (Supports is false)
)

// Finding says that a host runs a vendor's product, or why it only looks as if it did. Its key is host and vendor. It is a
// snapshot: the caller owns it, and it aliases only the immutable catalogue.
type Finding struct {
	ID             string        // stable for the same packets: hash of sensor, host key and vendor, hex
	Vendor         *feeds.Vendor // never nil
	Product        string        // "" if unknown
	ProductVersion string        // "" if unknown

	Host      FindingHost
	HostRole  HostRole   // leading role
	HostRoles []HostRole // all of them, leading first; empty if unknown
	Behind    *Behind    // nil if the host acts for itself
	OEM       *OEM       // nil if the product is the vendor's own

	Verdict Verdict
	State   State

	FirstSeen, LastSeen time.Time
	Contacts            uint64 // connections and attempts
	Lookups             uint64 // DNS queries, counted separately

	Destinations []Destination // by contacts, most first; then by address and port
	Beacons      []Beacon      // by role
	Evidence     []Evidence    // strongest first
	Reasons      []string      // whole sentences
	// Dropped counts pieces of evidence and destinations beyond the limits.
	Dropped uint64
}

// FindingHost is the host of a finding.
type FindingHost struct {
	Address   netip.Addr    // the latest
	Addresses []AddressSpan // all of them, oldest first
	MAC       [6]byte       // valid iff HasMAC
	HasMAC    bool
	Name      string   // "" if unknown
	VLANs     []uint16 // sorted
}

// AddressSpan is a period in which the host had an address.
type AddressSpan struct {
	Address  netip.Addr
	From, To time.Time
}

// Behind estimates how many machines are behind the host's address.
type Behind struct {
	Estimate int // 0 if no estimate can be made
	AtLeast  int
	Words    string
}

// OEM says that the vendor's engine is part of another product.
type OEM struct {
	Engine string // vendor key of the engine
	In     string // the product it is built into
	Source string
}

// Destination is one address and port of the vendor that the host connected to.
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

// Beacon is how regular the host's contact for names of one role is.
type Beacon struct {
	Role     feeds.Role
	Score    float64       // 0 to 1; valid iff Scored
	Scored   bool          // there were enough sessions
	Period   time.Duration // median interval of session starts, 0 with fewer than two
	Sessions int
	Words    string
}

// Evidence is one kind with one value, however often it was seen.
type Evidence struct {
	Kind        Kind
	Value       string // identifiers hidden
	Role        feeds.Role
	Strength    feeds.Strength // of one sighting, after what weakens it
	Supports    bool           // false: it is evidence against the host itself
	Weight      float64        // of one sighting, see weight
	Count       uint64
	First, Last time.Time
	Frames      []FrameRef // the first few
	Source      string     // source of the catalogue entry
	Date        string     // when that source was read
	Pattern     string     // the catalogue entry's pattern
	File        string     // file of that entry; "" if the evidence has no single entry
	Line        int
	Note        string // the entry's note
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
