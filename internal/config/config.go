// Package config is what the daemon is told in one YAML file: plain data, its defaults and its checks. It opens nothing
// but that file and those of its secrets, and knows none of those who read their part of it.
package config

import "time"

// Config is the whole file. Every key may be left out; Default says what then holds.
type Config struct {
	Sensor    string    `yaml:"sensor"` // name of the tap, part of every id; "" takes the store's, else the host's name
	Capture   Capture   `yaml:"capture"`
	Site      Site      `yaml:"site"`
	Knowledge Knowledge `yaml:"knowledge"`
	Policy    string    `yaml:"policy"` // of policy.Names, or a file
	Store     Store     `yaml:"store"`
	Alerts    Alerts    `yaml:"alerts"`
	Spool     Spool     `yaml:"spool"`
	Sinks     []Sink    `yaml:"sinks"` // none: alerts go to standard output as JSON lines
	Listen    Listen    `yaml:"listen"`
	Log       Log       `yaml:"log"`
	Limits    Limits    `yaml:"limits"`

	references map[string]string // where secrets came from, by key (sinks[0].http.token): what Print shows of them
}

// Capture says where packets come from: interfaces, or one of Read and Watch.
type Capture struct {
	Interfaces  []string `yaml:"interfaces"`
	Read        string   `yaml:"read"`  // a file, or - for standard input, read to its end
	Watch       string   `yaml:"watch"` // a folder that a rotating capture writes into
	Promiscuous bool     `yaml:"promiscuous"`
	Ring        Size     `yaml:"ring"`        // a interface
	SnapLength  int      `yaml:"snap-length"` // bytes of a packet that are kept; 0 for all
	Filter      string   `yaml:"filter"`      // as `tcpdump -ddd` prints it; "" for none
	FilterFile  string   `yaml:"filter-file"` // a file with the same
	Workers     int      `yaml:"workers"`     // 0: one a processor, at most 4
}

// Site says where the tap is, and what is inside.
type Site struct {
	Home     []string `yaml:"home"`     // prefixes, or "default"
	Location string   `yaml:"location"` // LAT,LON in degrees; "" where not known
}

// Knowledge says what is known of vendors and places.
type Knowledge struct {
	Feeds         string   `yaml:"feeds"` // folder that replaces the embedded catalogue; "" for that
	Geo           []string `yaml:"geo"`   // place databases
	NoEmbeddedGeo bool     `yaml:"no-embedded-geo"`
	IDKey         string   `yaml:"id-key"`        // file with the key of identifiers' hashes; "" takes the store's, else a new one
	AcceptShrunk  bool     `yaml:"accept-shrunk"` // a catalogue with less than half of the entries is taken
}

// Store is the memory that outlives the process.
type Store struct {
	File     string        `yaml:"file"`     // "": nothing is kept
	Detail   time.Duration `yaml:"detail"`   // how long hours of contacts and the like are kept; 0 for good
	Findings time.Duration `yaml:"findings"` // how long a finding is kept after it was last seen; 0 for good
	Size     Size          `yaml:"size"`     // the file's limit; 0 for none
}

// Alerts says what is told, and when.
type Alerts struct {
	Tell     []string      `yaml:"tell"`     // events (alert.Event) that are told; none: all
	AtLeast  string        `yaml:"at-least"` // least verdict: visit, possible, likely, installed
	All      bool          `yaml:"all"`      // findings of no concern are told too, with severity info
	Repeat   time.Duration `yaml:"repeat"`   // a finding that goes on is told again after so long; 0 never
	Resolve  time.Duration `yaml:"resolve"`  // a finding without contact for so long is resolved; 0 never
	Removal  Removal       `yaml:"removal"`
	Group    Group         `yaml:"group"`
	Quiet    []Quiet       `yaml:"quiet-hours"`
	Windows  []Window      `yaml:"maintenance"`
	Suppress []Suppression `yaml:"suppress"`
}

// Removal is a date until which products of concern have to be gone.
type Removal struct {
	After time.Duration `yaml:"after"` // so long after a finding was first seen; 0 for no such date
	By    string        `yaml:"by"`    // a date, 2006-01-02, or "" for none
}

// Group makes one summary of many alerts of a vendor.
type Group struct {
	Over   int           `yaml:"over"`   // more than so many within Window; 0 never
	Within time.Duration `yaml:"within"` //
}

// Quiet are hours in which only grave alerts are told; the others wait for their end.
type Quiet struct {
	Days  []string `yaml:"days"`  // mon, tue ...; none: every day
	From  string   `yaml:"from"`  // 15:04
	To    string   `yaml:"to"`    // 15:04; before From: the next day
	Zone  string   `yaml:"zone"`  // of the IANA list; "" is UTC
	Above string   `yaml:"above"` // severity from which on it is told all the same; "" for critical
}

// Window is a maintenance: what happens in it is not told, and counted.
type Window struct {
	From   time.Time `yaml:"from"`
	To     time.Time `yaml:"to"`
	Hosts  []string  `yaml:"hosts"` // addresses, networks, names, MACs; none: all
	Reason string    `yaml:"reason"`
}

// Suppression keeps findings from being told. It fits where every list that is set holds one that fits.
type Suppression struct {
	ID      string    `yaml:"id"`
	Hosts   []string  `yaml:"hosts"`   // addresses, networks, names, MACs
	Vendors []string  `yaml:"vendors"` // keys
	Roles   []string  `yaml:"roles"`   // roles of names, or of hosts
	Domains []string  `yaml:"domains"` // suffixes on label boundaries; "." is every name
	Reason  string    `yaml:"reason"`
	Author  string    `yaml:"author"`
	Expires time.Time `yaml:"expires"` // zero: never
}

// Spool is the durable stream between the daemon and the sinks.
type Spool struct {
	Dir     string `yaml:"dir"`      // "": beside the store; without a store in memory alone
	Size    Size   `yaml:"size"`     // of the stream
	Pending int    `yaml:"pending"`  // alerts that may wait in memory to be written
	NATS    string `yaml:"nats"`     // URL of a server or cluster instead of the embedded one
	NATSTLS TLS    `yaml:"nats-tls"` //
	Copy    string `yaml:"copy"`     // NDJSON file, rotated, that every alert goes to as well; "" for none
	Dead    string `yaml:"dead"`     // dead-letter file; "": in Dir
}

// SpoolDir is the folder of the stream: the store's own beside it where none is named, "" for memory alone or a server
// outside. Two stores in one folder have a stream each: what one told, the other did not.
func (c *Config) SpoolDir() string {
	if c.Spool.Dir == "" && c.Store.File != "" && c.Spool.NATS == "" {
		return c.Store.File + ".spool"
	}
	return c.Spool.Dir
}

// Sink is one receiver.
type Sink struct {
	Name    string        `yaml:"name"`    // unique; letters, digits, hyphens
	Type    string        `yaml:"type"`    // file, stdout, syslog, splunk, elastic, webhook, kafka, nats
	Format  string        `yaml:"format"`  // ecs, ocsf, cef, leef, eve, hec, syslog, stix; "" is the type's own
	Options Format        `yaml:"options"` // of the format
	Filter  Filter        `yaml:"filter"`  //
	Batch   int           `yaml:"batch"`   // alerts at a time at most; 0 is the type's own
	Timeout time.Duration `yaml:"timeout"` // of one delivery; 0 is 30s
	TLS     TLS           `yaml:"tls"`
	Proxy   string        `yaml:"proxy"` // URL; "" none, "environment" as HTTPS_PROXY says
	File    SinkFile      `yaml:"file"`
	Syslog  Syslog        `yaml:"syslog"`
	HTTP    HTTP          `yaml:"http"` // of splunk, elastic, webhook
	Kafka   Kafka         `yaml:"kafka"`
	NATS    SinkNATS      `yaml:"nats"`
}

// Format says how a format is written, where a receiver wants it otherwise.
type Format struct {
	Hostname   string `yaml:"hostname"`   // of the sender, in syslog headers and records; "" is the machine's
	MaxBytes   int    `yaml:"max-bytes"`  // of a record; 0 is the format's own: 8192 of cef, leef, syslog and hec, 32768 of the others
	LEEF       string `yaml:"leef"`       // version of leef: 2.0 or 1.0; "" is 2.0
	Delimiter  string `yaml:"delimiter"`  // between the attributes of leef 2.0: one character, or tab; "" is ^
	Enterprise int    `yaml:"enterprise"` // private enterprise number of syslog's structured data; 0 is 32473, IANA's for examples
	Source     string `yaml:"source"`     // of hec; "" is avbeacon
	Sourcetype string `yaml:"sourcetype"` // of hec; "" is avbeacon:alert
}

// Filter says which alerts a sink gets; an empty list lets all through.
type Filter struct {
	Severity string   `yaml:"severity"` // least: info, low, medium, high, critical
	Events   []string `yaml:"events"`
	Vendors  []string `yaml:"vendors"`
}

// TLS says whom to trust, and who we are.
type TLS struct {
	CA         string `yaml:"ca"`          // file with the authorities that are trusted; "" for the system's
	Cert       string `yaml:"cert"`        // file with our certificate
	Key        string `yaml:"key"`         // file with its key
	ServerName string `yaml:"server-name"` // "" for the one that is dialled
	Insecure   bool   `yaml:"insecure"`    // the server's certificate is not checked: said loudly at every start
}

// SinkFile is a file that alerts are appended to.
type SinkFile struct {
	Path  string        `yaml:"path"`
	Size  Size          `yaml:"size"`  // at which it is rotated; 0 never
	Every time.Duration `yaml:"every"` // after which it is rotated; 0 never
	Keep  int           `yaml:"keep"`  // rotated files; 0 all
	Gzip  bool          `yaml:"gzip"`  // of rotated files
	Sync  bool          `yaml:"sync"`  // fsync before a batch counts as delivered
}

// Syslog is a receiver of RFC 5424 messages.
type Syslog struct {
	Network  string `yaml:"network"`   // udp, tcp, tls, relp, relp-tls
	Address  string `yaml:"address"`   // host:port
	Framing  string `yaml:"framing"`   // octet-counting, newline; "" is octet-counting (TCP)
	Facility string `yaml:"facility"`  // auth, local0 ...; "" is local4
	MaxBytes int    `yaml:"max-bytes"` // of a message; 0 is 8192
	Resend   int    `yaml:"resend"`    // messages that are sent again after a broken connection, with the same ids; 0 is 1000
}

// HTTP is a receiver behind a URL.
type HTTP struct {
	URL      string            `yaml:"url"`
	Token    Secret            `yaml:"token"` // splunk: HEC token; elastic: API key; webhook: bearer token
	User     string            `yaml:"user"`  // basic authentication
	Password Secret            `yaml:"password"`
	HMACKey  Secret            `yaml:"hmac-key"` // webhook: SHA-256 over the body
	Headers  map[string]string `yaml:"headers"`
	Index    string            `yaml:"index"` // splunk: index; elastic: data stream
	Ack      bool              `yaml:"ack"`   // splunk: wait for the indexer
	Gzip     bool              `yaml:"gzip"`
}

// Kafka is a topic.
type Kafka struct {
	Brokers  []string `yaml:"brokers"`
	Topic    string   `yaml:"topic"`
	TLS      bool     `yaml:"tls"`
	SASL     string   `yaml:"sasl"` // "", plain, scram-sha-256, scram-sha-512
	User     string   `yaml:"user"`
	Password Secret   `yaml:"password"`
}

// SinkNATS is a JetStream subject.
type SinkNATS struct {
	URL     string `yaml:"url"`
	Subject string `yaml:"subject"`
	Creds   string `yaml:"creds"` // file
}

// Listen is where metrics and health are told.
type Listen struct {
	Address string        `yaml:"address"` // host:port; "" for nowhere
	Silent  time.Duration `yaml:"silent"`  // not ready when no packet came for so long; 0 never
	Drops   float64       `yaml:"drops"`   // not ready when more than this share of the packets of the last minute was dropped
}

// Log says what the daemon writes to standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // console, json; auto: console on a terminal
}

// Limits bound the daemon.
type Limits struct {
	Memory  Size          `yaml:"memory"` // of the process, as GOMEMLIMIT; 0 is GOMEMLIMIT's, or none
	Flows   int           `yaml:"flows"`
	Hosts   int           `yaml:"hosts"`
	Names   int           `yaml:"names"`
	Drain   time.Duration `yaml:"drain"`   // after SIGTERM
	User    string        `yaml:"user"`    // to become once the sockets are open; "" stays
	Confine bool          `yaml:"confine"` // files that are not named here are out of reach (Landlock)
	Pieces  string        `yaml:"panics"`  // folder for captures of packets that made us panic; "" for none
}

// Size is a number of bytes; in the file with a unit: 64MiB, 10GB.
type Size int64
