// Package feeds holds what is known about antivirus vendors and about places. YAML files and place databases go in; immutable
// snapshots come out, which answer whose name, address, path, port or User-Agent something is (Catalog), and where in the world an
// address is (Places).
//
// Start with Entry, one fact of the catalogue, and Catalog. load.go and parse.go read the files, snapshot.go their quick form; geo.go
// opens place databases and geo_schema.go understands the schemas of their makers.
package feeds

import "net/netip"

// Role is the service that a name or another sign belongs to.
type Role uint8

// The roles, in the words of the catalogue.
const (
	RoleUnknown Role = iota // never counts as a second role
	RoleUpdate
	RoleReputation
	RoleTelemetry
	RoleLicensing
	RolePush
	RoleManagement
	RoleCrash
	RoleWeb
	RoleDownload
	RoleCDN
)

// Strength is how much one single sighting says about an installed product.
type Strength uint8

// The strengths.
const (
	None   Strength = iota
	Weak            // a person, a web page, a CDN, a CA
	Medium          // the product, or a person or admin
	Strong          // hardly anything but the product
)

// Signal is the kind of thing that an entry matches.
type Signal uint8

// The signals.
const (
	SignalName      Signal = iota // host name: DNS, SNI, HTTP Host, certificate
	SignalPath                    // HTTP request target's path
	SignalQuery                   // HTTP query string
	SignalUserAgent               // HTTP User-Agent
	SignalHeader                  // HTTP request header's name
	SignalBody                    // first bytes of an HTTP response's body
	SignalPayload                 // first bytes of a flow without a known protocol
	SignalIssuer                  // issuer common name of a server's certificate
	SignalPort                    // TCP or UDP port on the Internet
	SignalLANPort                 // TCP or UDP port inside the site
	SignalAddress                 // address range within no autonomous system of the vendor
	SignalASN                     // a vendor's own network
	SignalResolver                // a public resolver's address
)

// Match is how a pattern is compared.
type Match uint8

// The ways to match.
const (
	Exact  Match = iota
	Suffix       // the name itself and every subdomain, label by label
	Regexp       // RE2, anchored as written
)

// Vendor is one maker of antivirus products.
type Vendor struct {
	Key     string // lower-case letters and digits; the catalogue file's name
	Name    string // for display
	Country string // ISO 3166 alpha-2 of the maker's home; several with "/"
	Group   string // key of the group it belongs to, "" where none
	Note    string
	// Fallback holds the public resolvers that the vendor's products ask, in this order, when the system's own resolver
	// fails; nil where none are documented.
	Fallback []netip.Addr
}

// Need is what else must be true before an entry's sign counts.
type Need uint8

// The needs. NeedHost is met by a host name under one of Entry.Hosts; NeedNetwork by an address in the vendor's own
// network; NeedNameOrNetwork by such an address, a name under Entry.Hosts, or any name of the same vendor.
const (
	NeedNothing Need = iota
	NeedHost
	NeedNetwork
	NeedNameOrNetwork
)

// Confidence is how well the source supports the entry.
type Confidence uint8

// The confidences.
const (
	Low    Confidence = iota // recollection or one weak source: such an entry is never strong
	Middle                   // seen in DNS, the role inferred from the name
	High                     // a vendor's page, or a family that two sources name
)

// Entry is one line of the catalogue. Entries are immutable and shared. The tags name the keys of a file, and its sections that
// have them.
type Entry struct {
	Vendor   *Vendor  // nil for a mark (resolver, proxy, OEM trap): marked, never found
	Signal   Signal   `yaml:"kind" in:"signals networks"`
	Pattern  string   `yaml:"pattern"`
	Match    Match    `yaml:"match" in:"names"`
	Role     Role     `yaml:"role"`
	Strength Strength `yaml:"strength"`
	Product  string   `yaml:"product"`         // "" where the sign is of no one product
	Mark     string   `yaml:"mark"`            // valid iff Vendor is nil: doh, dot, proxy, threat-intel, oem, ...
	OEM      string   `yaml:"oem"`             // another maker's product with this vendor's engine, or ""
	Builtin  bool     `yaml:"builtin"`         // part of an operating system (Defender's names): possible at most without more
	Pool     bool     `yaml:"pool" in:"names"` // member of a numbered pool
	TXT      bool     `yaml:"txt" in:"names"`  // the product queries for TXT records too; else only resolvers and servers do
	// Installation is for an entry that hides the whole value: the value is the id of one installation or machine, so that two
	// of them behind one address are two machines. Other hidden values may change each time.
	Installation bool `yaml:"installation" in:"signals"`
	// Mask names what of the value identifies a person or machine and must be hidden: "" nothing, "label" the first label,
	// "value" the whole value, or a regular expression whose first group is hidden.
	Mask   string `yaml:"mask"`
	Source string `yaml:"source"`
	Date   string `yaml:"date"` // YYYY-MM-DD when the source was read
	Note   string `yaml:"note"`
	File   string // catalogue file and line, for explain
	Line   int

	Licence    string     `yaml:"licence"` // of the source, "" where only a fact was taken
	Confidence Confidence `yaml:"confidence"`
	Country    string     `yaml:"country"`                   // ISO 3166 alpha-2 where this entry's differs from the vendor's, else ""
	Wire       string     `yaml:"wire"`                      // ports and protocols as the source writes them, for display
	Sample     string     `yaml:"sample" in:"names signals"` // a value that Pattern matches; always set where Match is Regexp and Signal is SignalName
	Need       Need       `yaml:"need" in:"signals"`
	Hosts      []string   `yaml:"hosts" in:"signals"` // names (each with its subdomains) that NeedHost and NeedNameOrNetwork mean

	ASN      uint32         `yaml:"asn" in:"networks"`      // valid iff Signal is SignalASN
	Owner    string         `yaml:"owner" in:"networks"`    // the registrant's name; valid iff Signal is SignalASN
	Prefixes []netip.Prefix `yaml:"prefixes" in:"networks"` // valid iff Signal is SignalASN, SignalAddress or SignalResolver

	TCP, UDP            bool   // valid iff Signal is SignalPort or SignalLANPort
	FirstPort, LastPort uint16 // valid iff TCP or UDP; a range, both ends included

	re    *expression // Pattern; nil where Match is not Regexp
	end   string      // the plain labels that Pattern ends with; valid iff Match is Regexp and Signal is SignalName
	quick             // of a sign's expression
	mask  *expression // Mask; nil where Mask is no expression
}
