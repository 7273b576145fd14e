// Package report is the model of a report and its forms: text, JSON, JSON lines and CSV; and the JSON lines of observe.
// What a run came to goes in, documents come out.
package report

// Schema names the form of the JSON report (OUTPUT.md). It changes only when a field changes its meaning.
const Schema = "avbeacon/report/1"

// Report is one run's result. Its JSON form is the machine-readable output: a value that is absent is left out, a list is
// always there, and text is UTF-8.
type Report struct {
	Schema    string      `json:"schema"`
	Version   string      `json:"version"`
	Generated Time        `json:"generated"`
	Catalog   Catalog     `json:"catalog"`
	PlaceData []PlaceData `json:"place_data"`
	Policy    string      `json:"policy"`
	Inputs    []Input     `json:"inputs"`
	Findings  []Finding   `json:"findings"`
	Coverage  Coverage    `json:"coverage"`
	Remarks   []Remark    `json:"remarks,omitempty"`
	Notes     []string    `json:"notes,omitempty"`
}

// Catalog says which catalogue judged.
type Catalog struct {
	Date    string `json:"date"`
	SHA256  string `json:"sha256"`
	Entries int    `json:"entries"`
}

// PlaceData is one place database.
type PlaceData struct {
	Database    string `json:"database"`
	Date        string `json:"date,omitempty"`
	Maker       string `json:"maker,omitempty"`
	File        string `json:"file,omitempty"`
	Attribution string `json:"attribution,omitempty"`
}

// Input is one file.
type Input struct {
	File      string `json:"file"`
	SHA256    string `json:"sha256,omitempty"`
	Packets   uint64 `json:"packets"`
	Bytes     uint64 `json:"bytes"`
	First     Time   `json:"first,omitzero"`
	Last      Time   `json:"last,omitzero"`
	Truncated bool   `json:"truncated,omitempty"`
	Error     string `json:"error,omitempty"`
}

// Finding is a classify.Finding as OUTPUT.md writes it.
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
	HostRoles      []string      `json:"host_roles"`
	Behind         *Behind       `json:"behind,omitempty"`
	OEM            *OEM          `json:"oem,omitempty"`
	Verdict        string        `json:"verdict"`
	State          string        `json:"state"`
	Concern        bool          `json:"concern"`
	ConcernWhy     string        `json:"concern_why,omitempty"`
	FirstSeen      Time          `json:"first_seen"`
	LastSeen       Time          `json:"last_seen"`
	Contacts       uint64        `json:"contacts"`
	Lookups        uint64        `json:"lookups"`
	Destinations   []Destination `json:"destinations"`
	Beacon         []Beacon      `json:"beacon"`
	Evidence       []Evidence    `json:"evidence"`
	Reasons        []string      `json:"reasons"`
	Dropped        uint64        `json:"dropped,omitempty"`
}

// Host is who a finding speaks of.
type Host struct {
	Address   string    `json:"address,omitempty"`
	Addresses []Address `json:"addresses"`
	MAC       string    `json:"mac,omitempty"`
	Name      string    `json:"name,omitempty"`
	VLAN      []uint16  `json:"vlan"`
}

// Address is a time in which a host had an address.
type Address struct {
	Address string `json:"address"`
	From    Time   `json:"from"`
	To      Time   `json:"to"`
}

// Behind estimates how many machines a host stands for.
type Behind struct {
	Estimate int    `json:"estimate,omitempty"`
	AtLeast  int    `json:"at_least"`
	Words    string `json:"words"`
}

// OEM names the engine in another product.
type OEM struct {
	Engine string `json:"engine"`
	In     string `json:"in"`
	Source string `json:"source,omitempty"`
}

// Destination is one address and port that was called.
type Destination struct {
	Address  string   `json:"address"`
	Port     uint16   `json:"port"`
	Names    []string `json:"names"`
	ASN      uint32   `json:"asn,omitempty"`
	Owner    string   `json:"owner,omitempty"`
	RTT      float64  `json:"rtt_ms,omitempty"`
	Contacts uint64   `json:"contacts"`
	Failed   uint64   `json:"failed,omitempty"`
	Proxy    bool     `json:"proxy,omitempty"`
	Place    *Place   `json:"place,omitempty"`
}

// Place is where a destination is, graded.
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

// Refutation says what makes a place impossible.
type Refutation struct {
	By    string  `json:"by"`
	RTT   float64 `json:"rtt_ms"`
	MaxKM float64 `json:"max_km"`
}

// Vote is what one database says.
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

// Beacon says how regular the calls of one role are.
type Beacon struct {
	Role     string   `json:"role"`
	Score    *float64 `json:"score,omitempty"`
	PeriodS  float64  `json:"period_s,omitempty"`
	Sessions int      `json:"sessions"`
	Words    string   `json:"words"`
}

// Evidence is one sign.
type Evidence struct {
	Kind     string  `json:"kind"`
	Value    string  `json:"value"`
	Role     string  `json:"role"`
	Strength string  `json:"strength"`
	Supports bool    `json:"supports"`
	Weight   float64 `json:"weight"`
	Count    uint64  `json:"count"`
	First    Time    `json:"first"`
	Last     Time    `json:"last"`
	Frames   []Frame `json:"frames"`
	Pattern  string  `json:"pattern,omitempty"`
	Entry    string  `json:"entry,omitempty"` // file and line of the catalogue
	Note     string  `json:"note,omitempty"`  // the catalogue's
	Source   string  `json:"source,omitempty"`
	Date     string  `json:"date,omitempty"`
	Why      string  `json:"why"`
}

// Frame names one packet record.
type Frame struct {
	Input int32  `json:"input"`
	Frame uint64 `json:"frame"`
}
