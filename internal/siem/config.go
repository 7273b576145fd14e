package siem

import (
	"net"
	"net/url"
	"reflect"
	"strings"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
)

// Sink is one entry of the configuration's sinks: a receiver. The tag about is what --print-config shows above a key.
type Sink struct {
	Name    string        `yaml:"name" about:"unique name; lower-case letters, digits and hyphens"`
	Type    string        `yaml:"type" about:"file, stdout, syslog, splunk, elastic, webhook, kafka, nats"`
	Format  string        `yaml:"format" about:"ecs, ocsf, cef, leef, eve, hec, syslog, stix; empty: the type's own"`
	Options Format        `yaml:"options" about:"details of the format, for receivers that need them"`
	Filter  alert.Filter  `yaml:"filter" about:"which alerts it gets; an empty list lets all through"`
	Batch   int           `yaml:"batch" about:"most alerts in one delivery; 0: the type's own number"`
	Timeout time.Duration `yaml:"timeout" about:"of one delivery; 0s: 30s"`
	TLS     TLS           `yaml:"tls" about:"whom to trust, and our own certificate"`
	Proxy   string        `yaml:"proxy" about:"URL of a proxy; environment: as HTTPS_PROXY says; empty: none"`
	File    File          `yaml:"file" about:"for type file"`
	Syslog  Syslog        `yaml:"syslog" about:"for type syslog, RFC 5424"`
	HTTP    HTTP          `yaml:"http" about:"for types splunk, elastic and webhook"`
	Kafka   Kafka         `yaml:"kafka" about:"for type kafka"`
	NATS    NATS          `yaml:"nats" about:"for type nats, JetStream"`
}

// Format holds details of the formats.
type Format struct {
	Hostname   string `yaml:"hostname" about:"of the sender, in syslog headers and records; empty: the machine's"`
	MaxBytes   int    `yaml:"max-bytes" about:"largest record; 0: 8192 for cef, leef, syslog and hec, 32768 for the others"`
	LEEF       string `yaml:"leef" about:"version of leef: 2.0 or 1.0; empty: 2.0"`
	Delimiter  string `yaml:"delimiter" about:"between the attributes of leef 2.0: one character, or tab; empty: ^"`
	Enterprise int    `yaml:"enterprise" about:"private enterprise number of syslog's structured data; 0: 32473, IANA's for examples"`
	Source     string `yaml:"source" about:"of splunk's events; empty: avbeacon"`
	Sourcetype string `yaml:"sourcetype" about:"of splunk's events; empty: avbeacon:alert, or avbeacon:FORMAT"`
}

// TLS says whom to trust, and who we are.
type TLS struct {
	CA         string `yaml:"ca" about:"file with the trusted authorities; empty: the system's"`
	Cert       string `yaml:"cert" about:"file with our certificate"`
	Key        string `yaml:"key" about:"file with its key"`
	ServerName string `yaml:"server-name" about:"name that the server's certificate must have; empty: the one in the address"`
	Insecure   bool   `yaml:"insecure" about:"do not check the server's certificate; logged as a warning at every start"`
}

// File is a file that alerts are appended to.
type File struct {
	Path  string        `yaml:"path" about:"the file that alerts are appended to"`
	Size  setting.Size  `yaml:"size" about:"rotate at this size; 0: never"`
	Every time.Duration `yaml:"every" about:"rotate after this time; 0s: never"`
	Keep  int           `yaml:"keep" about:"rotated files to keep; 0: all"`
	Gzip  bool          `yaml:"gzip" about:"compress rotated files"`
	Sync  bool          `yaml:"sync" about:"fsync before a batch counts as delivered"`
}

// Syslog is a receiver of RFC 5424 messages.
type Syslog struct {
	Network  string `yaml:"network" about:"udp, tcp, tls, relp, relp-tls; only RELP is acknowledged"`
	Address  string `yaml:"address" about:"host:port"`
	Framing  string `yaml:"framing" about:"octet-counting or newline (tcp only); empty: octet-counting"`
	Facility string `yaml:"facility" about:"user, mail, daemon, auth, syslog, authpriv, local0 ... local7; empty: local4"`
	MaxBytes int    `yaml:"max-bytes" about:"largest message; 0: 8192"`
	Resend   int    `yaml:"resend" about:"messages to send again, with the same ids, after a broken connection; 0: 1000; not for RELP"`
}

// HTTP is a receiver behind a URL.
type HTTP struct {
	URL      string            `yaml:"url" about:"where to send, without user and password"`
	Token    setting.Secret    `yaml:"token" about:"${NAME} or file:PATH. splunk: HEC token; elastic: API key; webhook: bearer token"`
	User     string            `yaml:"user" about:"for basic authentication"`
	Password setting.Secret    `yaml:"password" about:"${NAME} or file:PATH"`
	HMACKey  setting.Secret    `yaml:"hmac-key" about:"${NAME} or file:PATH. webhook: signs the body with HMAC-SHA-256"`
	Headers  map[string]string `yaml:"headers" about:"further headers, none of them secret"`
	Index    string            `yaml:"index" about:"splunk: index; elastic: data stream"`
	Ack      bool              `yaml:"ack" about:"splunk: wait for the indexer's acknowledgement"`
	Gzip     bool              `yaml:"gzip" about:"compress requests"`
}

// Kafka is a topic.
type Kafka struct {
	Brokers  []string       `yaml:"brokers" about:"host:port of some brokers"`
	Topic    string         `yaml:"topic" about:"topic"`
	TLS      bool           `yaml:"tls" about:"use TLS"`
	SASL     string         `yaml:"sasl" about:"plain, scram-sha-256, scram-sha-512; empty: none"`
	User     string         `yaml:"user" about:"for SASL"`
	Password setting.Secret `yaml:"password" about:"${NAME} or file:PATH, for SASL"`
}

// NATS is a JetStream subject.
type NATS struct {
	URL     string `yaml:"url" about:"of the server, without user and password"`
	Subject string `yaml:"subject" about:"subject that a stream on the server captures"`
	Creds   string `yaml:"creds" about:"file with credentials"`
}

func facilities() []string {
	return []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
}

// Check reports what is wrong with the sink.
func (s *Sink) Check(k setting.Check) {
	k.At("name").Required(s.Name)
	other := func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') }
	if strings.ContainsFunc(s.Name, other) || len(s.Name) > 32 {
		k.At("name").Fail("%q: a name is at most 32 lower-case letters, digits and hyphens", s.Name)
	}
	k.At("type").Word(s.Type, Types()...)
	k.At("format").WordOrNone(s.Format, Formats()...)
	s.Filter.Check(k.At("filter"))
	s.checkOptions(k.At("options"))
	setting.Range(k.At("batch"), s.Batch, 0, 100000)
	setting.Range(k.At("timeout"), s.Timeout, 0, time.Hour)
	s.TLS.Check(k.At("tls"))
	if s.Proxy != "" && s.Proxy != "environment" {
		k.At("proxy").URL(s.Proxy, "http", "https", "socks5")
	}
	sections := map[string]any{"file": s.File, "syslog": s.Syslog, "http": s.HTTP, "kafka": s.Kafka, "nats": s.NATS}
	own := s.Type
	switch s.Type {
	case "file":
		k.At("file").At("path").Required(s.File.Path)
	case "syslog":
		s.Syslog.Check(k.At("syslog"))
	case "splunk", "elastic", "webhook":
		own = "http"
		s.HTTP.Check(k.At("http"), s.Type)
	case "kafka":
		s.Kafka.Check(k.At("kafka"))
	case "nats":
		k.At("nats").At("url").URL(s.NATS.URL, "nats", "tls", "ws", "wss")
		k.At("nats").At("subject").Required(s.NATS.Subject)
	case "stdout":
	default:
		return
	}
	for name, section := range sections {
		if name != own && !reflect.ValueOf(section).IsZero() {
			k.At(name).Fail("is not for a sink of type %s", s.Type)
		}
	}
}

// checkOptions reports options that are wrong, and those of another format: they would do nothing.
func (s *Sink) checkOptions(k setting.Check) {
	o := &s.Options
	if o.MaxBytes != 0 {
		setting.Range(k.At("max-bytes"), o.MaxBytes, 2048, 1<<20)
	}
	k.At("leef").WordOrNone(o.LEEF, "2.0", "1.0")
	if len(o.Delimiter) > 1 && o.Delimiter != "tab" {
		k.At("delimiter").Fail("%q is neither one character nor tab", o.Delimiter)
	}
	if o.Delimiter != "" && o.LEEF == "1.0" {
		k.At("delimiter").Fail("leef 1.0 always uses a tab")
	}
	if s.Format != "leef" && (o.LEEF != "" || o.Delimiter != "") {
		k.Fail("leef and delimiter are for the format leef")
	}
	if s.Format != "syslog" && (s.Format != "" || s.Type != "syslog") && o.Enterprise != 0 {
		k.At("enterprise").Fail("is for the format syslog")
	}
	if s.Format != "hec" && s.Type != "splunk" && (o.Source != "" || o.Sourcetype != "") {
		k.Fail("source and sourcetype are for the format hec")
	}
	if s.Type == "syslog" && o.MaxBytes != 0 {
		k.At("max-bytes").Fail("write it as syslog.max-bytes for this type")
	}
}

// Check reports what is wrong with the section.
func (t *TLS) Check(k setting.Check) {
	if (t.Cert == "") != (t.Key == "") {
		k.Fail("cert and key go together")
	}
	if t.Insecure && t.CA != "" {
		k.At("insecure").Fail("makes ca useless: set one of the two")
	}
}

// Check reports what is wrong with the section.
func (s *Syslog) Check(k setting.Check) {
	k.At("network").Word(s.Network, "udp", "tcp", "tls", "relp", "relp-tls")
	k.At("address").HostPort(s.Address, false)
	k.At("framing").WordOrNone(s.Framing, "octet-counting", "newline")
	k.At("facility").WordOrNone(s.Facility, facilities()[1:]...) // kern is for the kernel alone
	if s.Network == "udp" && s.Framing != "" {
		k.At("framing").Fail("datagrams have no framing")
	} else if s.Network != "tcp" && s.Framing == "newline" {
		k.At("framing").Fail("newline is for tcp only") // TLS uses octet counting (RFC 5425), RELP a framing of its own
	}
	if s.MaxBytes != 0 {
		setting.Range(k.At("max-bytes"), s.MaxBytes, 480, 1<<20) // 480: what every receiver accepts, RFC 5424 section 6.1
	}
	setting.Range(k.At("resend"), s.Resend, 0, 100000)
}

// Check reports what is wrong with the section, for a type of sink.
func (h *HTTP) Check(k setting.Check, kind string) {
	k.At("url").URL(h.URL, "https", "http")
	for name, value := range h.Headers {
		at := k.At("headers")
		switch strings.ToLower(name) {
		case "authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token":
			at.Fail("%s holds a secret: use token, or user and password", name)
		case "content-length", "host", "transfer-encoding", "connection":
			at.Fail("%s must not be set", name)
		}
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !token(r) }) ||
			strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			at.Fail("%q is not a valid header", name)
		}
	}
	for _, c := range []struct {
		bad       bool
		key, text string
	}{
		{h.Token != "" && h.User != "", "user", "is for a sink without a token"},
		{h.Password != "" && h.User == "", "user", "is missing beside a password"},
		{h.Token == "" && kind == "splunk", "token", "is missing"},
		{h.Ack && kind != "splunk", "ack", "is for splunk"},
		{h.HMACKey != "" && kind != "webhook", "hmac-key", "is for webhook"},
		{h.Index != "" && kind == "webhook", "index", "is for splunk and elastic"},
	} {
		if c.bad {
			k.At(c.key).Fail("%s", c.text)
		}
	}
}

// token tells the characters of a header's name (RFC 9110 section 5.6.2).
func token(r rune) bool {
	return r > ' ' && r < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// Check reports what is wrong with the section.
func (c *Kafka) Check(k setting.Check) {
	if len(c.Brokers) == 0 {
		k.At("brokers").Fail("is missing")
	}
	for i, b := range c.Brokers {
		k.At("brokers").Index(i).HostPort(b, false)
	}
	k.At("topic").Required(c.Topic)
	k.At("sasl").WordOrNone(c.SASL, "plain", "scram-sha-256", "scram-sha-512")
	if c.SASL != "" && (c.User == "" || c.Password == "") {
		k.At("sasl").Fail("needs user and password")
	}
	if c.SASL == "" && (c.User != "" || c.Password != "") {
		k.At("sasl").Fail("is missing beside user or password")
	}
}

// Warnings are settings that are allowed but risky, one sentence each.
func (s *Sink) Warnings() (out []string) {
	if s.TLS.Insecure {
		out = append(out, "sink "+s.Name+": the server's certificate is not checked: anybody on the path can read and take alerts")
	}
	if s.plain() {
		out = append(out, "sink "+s.Name+": alerts, and the secret if there is one, cross the network unencrypted")
	}
	return out
}

// plain reports whether what the sink sends can be read on the path. Kafka is often on a network of its own: there the
// secret decides.
func (s *Sink) plain() bool {
	switch s.Type {
	case "syslog":
		host, _, _ := net.SplitHostPort(s.Syslog.Address)
		return !strings.HasSuffix(s.Syslog.Network, "tls") && !setting.Loopback(host)
	case "splunk", "elastic", "webhook":
		u, err := url.Parse(s.HTTP.URL)
		return err == nil && u.Scheme == "http" && !setting.Loopback(u.Hostname())
	case "kafka":
		return !s.Kafka.TLS && s.Kafka.Password != ""
	}
	return false
}
