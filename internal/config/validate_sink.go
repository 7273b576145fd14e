package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"
)

func (k *checker) sink(key string, s *Sink) {
	k.sinkName(key+".name", s.Name)
	k.word(key+".type", s.Type, SinkTypes())
	k.wordOrNone(key+".format", s.Format, Formats())
	k.wordOrNone(key+".filter.severity", s.Filter.Severity, Severities())
	k.words(key+".filter.events", s.Filter.Events, Events())
	k.options(key+".options", s)
	k.between(key+".batch", int64(s.Batch), 0, 100000)
	if s.Timeout > time.Hour {
		k.fail(key+".timeout", "is at most 1h")
	}
	k.tls(key+".tls", &s.TLS)
	if s.Proxy != "" && s.Proxy != "environment" {
		k.link(key+".proxy", s.Proxy, "http", "https", "socks5")
	}
	k.strange(key, s)
	switch s.Type {
	case "file":
		k.required(key+".file.path", s.File.Path)
	case "syslog":
		k.syslog(key+".syslog", &s.Syslog)
	case "splunk", "elastic", "webhook":
		k.http(key+".http", &s.HTTP, s.Type)
	case "kafka":
		k.kafka(key+".kafka", &s.Kafka)
	case "nats":
		k.link(key+".nats.url", s.NATS.URL, "nats", "tls", "ws", "wss")
		k.required(key+".nats.subject", s.NATS.Subject)
	}
}

// options tells what is written wrong, and what is for another format: it would do nothing.
func (k *checker) options(key string, s *Sink) {
	o := &s.Options
	if o.MaxBytes != 0 {
		k.between(key+".max-bytes", int64(o.MaxBytes), 2048, 1<<20)
	}
	k.wordOrNone(key+".leef", o.LEEF, []string{"2.0", "1.0"})
	if len(o.Delimiter) > 1 && o.Delimiter != "tab" {
		k.fail(key+".delimiter", "%q is not one character, and not tab", o.Delimiter)
	}
	if o.Delimiter != "" && o.LEEF == "1.0" {
		k.fail(key+".delimiter", "leef 1.0 always has a tab")
	}
	if s.Format != "leef" && (o.LEEF != "" || o.Delimiter != "") {
		k.fail(key, "leef and delimiter are for the format leef")
	}
	if s.Format != "syslog" && (s.Format != "" || s.Type != "syslog") && o.Enterprise != 0 {
		k.fail(key+".enterprise", "is for the format syslog")
	}
	if s.Format != "hec" && s.Type != "splunk" && (o.Source != "" || o.Sourcetype != "") {
		k.fail(key, "source and sourcetype are for the format hec")
	}
	if s.Type == "syslog" && o.MaxBytes != 0 {
		k.fail(key+".max-bytes", "is syslog.max-bytes for this type")
	}
}

func (k *checker) sinkName(key, name string) {
	k.required(key, name)
	other := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
	}
	if strings.ContainsFunc(name, other) || len(name) > 32 {
		k.fail(key, "%q: a name is at most 32 lower-case letters, digits and hyphens", name)
	}
}

// strange tells sections that are for a sink of another type: they would do nothing.
func (k *checker) strange(key string, s *Sink) {
	for name, section := range map[string]any{"file": s.File, "syslog": s.Syslog, "http": s.HTTP, "kafka": s.Kafka, "nats": s.NATS} {
		own := name == s.Type || name == "http" && (s.Type == "splunk" || s.Type == "elastic" || s.Type == "webhook")
		if !own && slices.Contains(SinkTypes(), s.Type) && !reflect.ValueOf(section).IsZero() {
			k.fail(key+"."+name, "is not for a sink of type %s", s.Type)
		}
	}
}

func (k *checker) tls(key string, t *TLS) {
	if (t.Cert == "") != (t.Key == "") {
		k.fail(key, "cert and key go together")
	}
	if t.Insecure && t.CA != "" {
		k.fail(key+".insecure", "with it nothing is done with ca")
	}
}

func (k *checker) syslog(key string, s *Syslog) {
	k.word(key+".network", s.Network, networks())
	k.hostPort(key+".address", s.Address, false)
	k.wordOrNone(key+".framing", s.Framing, framings())
	k.wordOrNone(key+".facility", s.Facility, Facilities()[1:]) // the kernel's own is nobody else's
	if s.Network == "udp" && s.Framing != "" {
		k.fail(key+".framing", "a datagram has none")
	} else if s.Network != "tcp" && s.Framing == "newline" {
		k.fail(key+".framing", "newline is for tcp alone") // over TLS it is octet counting, RFC 5425; RELP has its own
	}
	if s.MaxBytes != 0 {
		k.between(key+".max-bytes", int64(s.MaxBytes), 480, 1<<20) // 480: what every receiver takes, RFC 5424 section 6.1
	}
	k.between(key+".resend", int64(s.Resend), 0, 100000)
}

func (k *checker) http(key string, h *HTTP, sink string) {
	k.link(key+".url", h.URL, "https", "http")
	for name := range h.Headers {
		switch strings.ToLower(name) {
		case "authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token":
			k.fail(key+".headers", "%s holds a secret: use token, or user and password", name)
		case "content-length", "host", "transfer-encoding", "connection":
			k.fail(key+".headers", "%s is not yours to set", name)
		}
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !token(r) }) ||
			strings.ContainsFunc(h.Headers[name], func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			k.fail(key+".headers", "%q is no header", name)
		}
	}
	if h.Token != "" && h.User != "" {
		k.fail(key+".user", "there is a token already")
	}
	if h.Password != "" && h.User == "" {
		k.fail(key+".user", "is missing beside a password")
	}
	if h.Token == "" && sink == "splunk" {
		k.fail(key+".token", "is missing")
	}
	if h.Ack && sink != "splunk" {
		k.fail(key+".ack", "is for splunk")
	}
	if h.HMACKey != "" && sink != "webhook" {
		k.fail(key+".hmac-key", "is for webhook")
	}
	if h.Index != "" && sink == "webhook" {
		k.fail(key+".index", "is for splunk and elastic")
	}
}

// token tells the characters of a header's name (RFC 9110 section 5.6.2).
func token(r rune) bool {
	return r > ' ' && r < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

func (k *checker) kafka(key string, s *Kafka) {
	if len(s.Brokers) == 0 {
		k.fail(key+".brokers", "is missing")
	}
	for i, b := range s.Brokers {
		k.hostPort(fmt.Sprintf("%s.brokers[%d]", key, i), b, false)
	}
	k.required(key+".topic", s.Topic)
	k.wordOrNone(key+".sasl", s.SASL, mechanisms())
	if s.SASL != "" && (s.User == "" || s.Password == "") {
		k.fail(key+".sasl", "wants user and password")
	}
	if s.SASL == "" && (s.User != "" || s.Password != "") {
		k.fail(key+".sasl", "is missing beside user or password")
	}
}

// Warnings are what is allowed and should be known, one sentence each: checks of certificates that are switched off,
// secrets and alerts that pass a network in the clear, files of secrets that everybody can read.
func (c *Config) Warnings() []string {
	var out []string
	warn := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if c.Spool.NATSTLS.Insecure {
		warn("spool.nats-tls: the server's certificate is not checked: anybody on the way can read and take alerts")
	}
	if host, _, err := net.SplitHostPort(c.Listen.Address); err == nil && !loopback(host) {
		warn("listen.address %s: metrics and health are told to everybody who can reach it", c.Listen.Address)
	}
	for i := range c.Sinks {
		s := &c.Sinks[i]
		if s.TLS.Insecure {
			warn("sink %s: the server's certificate is not checked: anybody on the way can read and take alerts", s.Name)
		}
		if s.bare() {
			warn("sink %s: alerts, and the secret if there is one, pass the network in the clear", s.Name)
		}
	}
	for key, reference := range c.references {
		path, ok := strings.CutPrefix(reference, "file:")
		if st, err := os.Stat(path); ok && err == nil && st.Mode().Perm()&0o004 != 0 {
			warn("%s: everybody on this machine can read %s", key, path)
		}
	}
	return out
}

// bare says whether what the sink sends can be read on the way. For NATS and Kafka, which are often on a network of their
// own, the secret decides.
func (s *Sink) bare() bool {
	var host string
	switch s.Type {
	case "syslog":
		host, _, _ = net.SplitHostPort(s.Syslog.Address)
		return !strings.HasSuffix(s.Syslog.Network, "tls") && !loopback(host)
	case "splunk", "elastic", "webhook":
		u, err := url.Parse(s.HTTP.URL)
		return err == nil && u.Scheme == "http" && !loopback(u.Hostname())
	case "kafka":
		return !s.Kafka.TLS && s.Kafka.Password != ""
	}
	return false
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
