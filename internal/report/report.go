// Package report turns the result of a run (Facts: findings, remarks, counters, sources) into a Report and writes it as text, JSON,
// JSON lines or CSV. It also encodes Observations as the JSON lines of observe (Lines).
//
// Start with Report, which is the JSON form field by field, and New, which fills it. paper.go holds the text form from the top;
// explain.go is the text for one host.
package report

// Schema identifies the JSON report's schema. It changes only when the meaning of a field does; new fields do not change it.
const Schema = "avbeacon/report/1"

// Report is the result of one run. Its JSON form is the machine-readable output: absent values are left out, lists are always
// present, and text is UTF-8.
type Report struct {
	Schema    string      `json:"schema"`
	Version   string      `json:"version"`
	Generated Time        `json:"generated"`
	Catalog   Catalog     `json:"catalog"`
	PlaceData []PlaceData `json:"place_data"`
	Policy    string      `json:"policy"`
	Inputs    []Input     `json:"inputs"` // Frame.Input is an index in it
	Findings  []Finding   `json:"findings"`
	Coverage  Coverage    `json:"coverage"`
	Remarks   []Remark    `json:"remarks,omitempty"`
	Notes     []string    `json:"notes,omitempty"`
}

// Catalog identifies the catalogue that the findings rest on.
type Catalog struct {
	Date    string `json:"date"`
	SHA256  string `json:"sha256"`
	Entries int    `json:"entries"`
}

// PlaceData is one place database that was in use.
type PlaceData struct {
	Database    string `json:"database"`
	Date        string `json:"date,omitempty"`
	Maker       string `json:"maker,omitempty"`
	File        string `json:"file,omitempty"`
	Attribution string `json:"attribution,omitempty"`
}

// Input is one file that was read, or one interface.
type Input struct {
	File      string `json:"file"`
	SHA256    string `json:"sha256,omitempty"`
	Packets   uint64 `json:"packets"`
	Bytes     uint64 `json:"bytes"`          // captured packet bytes, not the size of the file
	First     Time   `json:"first,omitzero"` // absent without packets
	Last      Time   `json:"last,omitzero"`
	Truncated bool   `json:"truncated,omitempty"` // the last record is incomplete
	Error     string `json:"error,omitempty"`     // why reading stopped early
}

// Finding is a classify.Finding with every value as text or number, and the policy's decision.
type Finding struct {
	Type           string        `json:"type,omitempty"` // "finding" in JSON lines
	ID             string        `json:"id"`
	Vendor         string        `json:"vendor"`
	VendorName     string        `json:"vendor_name"`
	VendorCountry  string        `json:"vendor_country,omitempty"`
	Product        string        `json:"product,omitempty"`
	ProductVersion string        `json:"product_version,omitempty"`
	Host           Host          `json:"host"`
	HostRole       string        `json:"host_role"`
	HostRoles      []string      `json:"host_roles"`       // HostRole first
	Behind         *Behind       `json:"behind,omitempty"` // nil if the host acts for itself
	OEM            *OEM          `json:"oem,omitempty"`    // nil if the product is the vendor's own
	Verdict        string        `json:"verdict"`
	State          string        `json:"state"`
	Concern        bool          `json:"concern"`
	ConcernWhy     string        `json:"concern_why,omitempty"`
	FirstSeen      Time          `json:"first_seen"`
	LastSeen       Time          `json:"last_seen"`
	Contacts       uint64        `json:"contacts"` // connections and attempts
	Lookups        uint64        `json:"lookups"`  // DNS queries
	Destinations   []Destination `json:"destinations"`
	Beacon         []Beacon      `json:"beacon"`
	Evidence       []Evidence    `json:"evidence"`
	Reasons        []string      `json:"reasons"`
	Dropped        uint64        `json:"dropped,omitempty"` // evidence and destinations over the limits of one finding
}

// Host is the host that a finding is about.
type Host struct {
	Address   string    `json:"address,omitempty"`
	Addresses []Address `json:"addresses"`
	MAC       string    `json:"mac,omitempty"`
	Name      string    `json:"name,omitempty"`
	VLAN      []uint16  `json:"vlan"`
}

// Address is a span of time in which the host had an address.
type Address struct {
	Address string `json:"address"`
	From    Time   `json:"from"`
	To      Time   `json:"to"`
}

// Behind estimates how many machines share the host's address.
type Behind struct {
	Estimate int    `json:"estimate,omitempty"`
	AtLeast  int    `json:"at_least"`
	Words    string `json:"words"`
}

// OEM names an engine that is part of another maker's product.
type OEM struct {
	Engine string `json:"engine"`
	In     string `json:"in"`
	Source string `json:"source,omitempty"`
}

// Destination is one address and port that the host connected to.
type Destination struct {
	Address  string   `json:"address"`
	Port     uint16   `json:"port"`
	Names    []string `json:"names"`
	ASN      uint32   `json:"asn,omitempty"`
	Owner    string   `json:"owner,omitempty"`
	RTT      float64  `json:"rtt_ms,omitempty"` // least SYN to SYN-ACK time
	Contacts uint64   `json:"contacts"`
	Failed   uint64   `json:"failed,omitempty"` // of Contacts: no answer, refused, reset or alert
	Proxy    bool     `json:"proxy,omitempty"`  // the address is a proxy's, not the vendor's
	Place    *Place   `json:"place,omitempty"`  // nil if no database was asked
}

// Place is where a destination is, as a level of the ladder with the votes it rests on.
type Place struct {
	Level      string      `json:"level"`
	Claimed    string      `json:"claimed_level,omitempty"`
	Refuted    *Refutation `json:"refuted,omitempty"`
	Words      string      `json:"words"`
	Country    string      `json:"country,omitempty"`
	City       string      `json:"city,omitempty"`
	Registered string      `json:"registered_country,omitempty"`
	By         []Vote      `json:"by"`
}

// Refutation is the measurement that makes the claimed place impossible.
type Refutation struct {
	By    string  `json:"by"`
	RTT   float64 `json:"rtt_ms"`
	MaxKM float64 `json:"max_km"`
}

// Vote is one database's answer. Counted is false where a newer build of the same maker votes.
type Vote struct {
	Database  string `json:"database"`
	Date      string `json:"date,omitempty"`
	Maker     string `json:"maker,omitempty"`
	Country   string `json:"country,omitempty"`
	City      string `json:"city,omitempty"`
	GeonameID uint32 `json:"geoname_id,omitempty"`
	RadiusKM  uint16 `json:"radius_km,omitempty"`
	NotRussia bool   `json:"not_russia,omitempty"`
	Counted   bool   `json:"counted"`
}

// Beacon describes how regular the sessions of one service are. Score is nil if there are too few to score.
type Beacon struct {
	Role     string   `json:"role"`
	Score    *float64 `json:"score,omitempty"`
	PeriodS  float64  `json:"period_s,omitempty"`
	Sessions int      `json:"sessions"`
	Words    string   `json:"words"`
}

// Evidence is one piece of evidence: what was seen, how often, and the catalogue entry that it matched.
type Evidence struct {
	Kind     string  `json:"kind"`
	Value    string  `json:"value"`
	Role     string  `json:"role"`
	Strength string  `json:"strength"`
	Supports bool    `json:"supports"` // false: it counts against the finding
	Weight   float64 `json:"weight"`   // of one sighting, 0 to 1
	Count    uint64  `json:"count"`
	First    Time    `json:"first"`
	Last     Time    `json:"last"`
	Frames   []Frame `json:"frames"` // the first few of Count
	Pattern  string  `json:"pattern,omitempty"`
	Entry    string  `json:"entry,omitempty"` // file and line of the catalogue
	Note     string  `json:"note,omitempty"`  // the catalogue's
	Source   string  `json:"source,omitempty"`
	Date     string  `json:"date,omitempty"`
	Why      string  `json:"why"`
}

// Frame names one packet record.
type Frame struct {
	Input int32  `json:"input"` // index in Report.Inputs
	Frame uint64 `json:"frame"` // from 1, as Wireshark counts
}
