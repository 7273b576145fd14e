// Package watch keeps what a later catalogue may want to know. Observations go in, beside the classifier; names and addresses that
// look like an antivirus vendor's and match no entry of today's catalogue go to the store, and Past applies a later catalogue to
// them. Start reading at Watch.
package watch

import (
	"net/netip"
	"slices"

	"golang.org/x/net/publicsuffix"

	"avbeacon/capture"
	"avbeacon/feeds"
	"avbeacon/internal/store"
)

// Watch keeps what looks like an antivirus and matches no entry, so that a later catalogue can be applied to it. Observers ask it
// what is of interest: the catalogue's Interest, and names and contacts of these two kinds. Then it sees every Observation.
//
// A name is vendor-like if one of its labels, up to its first hyphen or digit, is in words, or if the name is under a registered domain
// in which the catalogue has names. A contact is nameless if a TLS, DTLS or QUIC flow had no server name, or if a flow of an unknown
// protocol was answered, and its server is outside the site and in no network of the catalogue.
type Watch struct {
	catalog *feeds.Catalog
	domains map[string]bool // registered domains of vendors
	store   *store.Store
	home    func(netip.Addr) bool
	days    map[hostDay]int // distinct values of a host and day, so that they are bounded
	seen    map[value]bool
	day     int64            // newest
	flows   map[flowKey]bool // see followed
}

// Bounds of what is kept: distinct values of a host and day, hosts of a day, and bytes of a value. What comes later is left out.
const (
	valuesOfDay = 64
	hostsOfDay  = 4096
	maxValue    = 255
)

// The two kinds of store.Unmatched.
const (
	kindName    = "name"
	kindContact = "contact"
)

type hostDay struct {
	host netip.Addr
	kind string
}

type value struct {
	host        netip.Addr
	kind, value string
}

// words are the labels of update and cloud servers of antivirus products; those of updates are everybody's, which is why
// little is kept of each host.
var words = map[string]bool{"av": true, "antivirus": true, "antivir": true, "antimalware": true, "virus": true, "malware": true, "avupdate": true,
	"upd": true, "update": true, "updates": true, "updater": true, "liveupdate": true, "sigs": true, "signatures": true, "virusdb": true,
	"defs": true, "definitions": true, "edr": true, "xdr": true, "epp": true, "endpoint": true, "threat": true, "safebrowsing": true, "cloudscan": true}

// New makes a Watch that keeps in a store. home says which addresses are the site's.
func New(s *store.Store, c *feeds.Catalog, home func(netip.Addr) bool) *Watch {
	w := &Watch{catalog: c, domains: map[string]bool{}, store: s, home: home, days: map[hostDay]int{}, seen: map[value]bool{},
		flows: map[flowKey]bool{}}
	for e := range c.Entries() {
		if e.Vendor == nil || e.Signal != feeds.SignalName || e.Match == feeds.Regexp || e.Role == feeds.RoleCDN {
			continue
		}
		if d, err := publicsuffix.EffectiveTLDPlusOne(e.Pattern); err == nil {
			w.domains[d] = true
		}
	}
	return w
}

// Name is part of capture.Interest.
func (w *Watch) Name(name []byte) bool { return w.catalog.Name(name) || w.like(name) }

// Addr is part of capture.Interest.
func (w *Watch) Addr(a netip.Addr) bool { return w.catalog.Addr(a) }

// Flow is part of capture.Interest.
func (w *Watch) Flow(udp bool, port uint16, out, in []byte) bool {
	return w.catalog.Flow(udp, port, out, in)
}

// HeaderNames returns the HTTP request headers that the catalogue mentions; see capture.Options.Interest.
func (w *Watch) HeaderNames() []string { return w.catalog.HeaderNames() }

// maxLabels is how many labels of a name are looked at, from the left.
const maxLabels = 12

// like says that a name looks like a vendor's. It allocates nothing.
func (w *Watch) like(name []byte) bool {
	for n := 0; n < maxLabels && len(name) > 0; n++ {
		if w.domains[string(name)] {
			return true
		}
		at := slices.Index(name, '.')
		if at < 0 {
			return false // the last label is no host's
		}
		if words[string(stem(name[:at]))] {
			return true
		}
		name = name[at+1:]
	}
	return false
}

// stem is a label up to its first hyphen or digit.
func stem(label []byte) []byte {
	for i, b := range label {
		if b == '-' || b == '_' || b >= '0' && b <= '9' {
			return label[:i]
		}
	}
	return label
}

// Take notes an Observation that nobody else would have been shown, and says true of it. What else came in another form
// because of the Watch is given the form that it has without one: the findings are the same with a Watch as without.
func (w *Watch) Take(obs *capture.Observation) bool {
	switch obs.Kind {
	case capture.Lookup:
		if obs.Proto == capture.DNS && w.mine(obs.Name) {
			w.note(obs, kindName, obs.Name)
			return true
		}
	case capture.Answer:
		if obs.Proto == capture.DNS && obs.DNS != nil && obs.Name != "" && !w.answers(obs) {
			obs.Name, obs.DNS = "", nil
			obs.Marks |= capture.Plain
			return len(obs.Addrs) == 0
		}
	case capture.Hello:
		if w.mine(obs.Name) && !w.catalog.Addr(obs.Dst.Addr()) {
			w.note(obs, kindName, obs.Name)
			w.followed(keyOf(obs.Src, obs.Dst))
			return true
		}
	case capture.Cert, capture.ServerHello:
		return w.flows[keyOf(obs.Dst, obs.Src)]
	case capture.Contact:
		w.plain(obs)
	}
	return false
}

// mine says that only the Watch has interest in a name.
func (w *Watch) mine(name string) bool {
	b := []byte(name)
	return name != "" && !w.catalog.Name(b) && w.like(b)
}

// answers says that an answer is of interest to the catalogue, by the name in the query or one in the answer.
func (w *Watch) answers(obs *capture.Observation) bool {
	if w.catalog.Name([]byte(obs.Name)) {
		return true
	}
	for i := range obs.DNS.Answers {
		rr := &obs.DNS.Answers[i]
		if w.catalog.Name([]byte(rr.Name)) || w.catalog.Name([]byte(rr.Target)) {
			return true
		}
	}
	return false
}

// plain takes the name off a flow's record that only the Watch had interest in. HTTP is of interest to everybody, and so is
// a flow to an address that the catalogue has.
func (w *Watch) plain(obs *capture.Observation) {
	if !w.mine(obs.Name) || obs.Flow == nil {
		return
	}
	to, udp := obs.Dst.Addr(), obs.Transport == capture.UDP
	switch {
	case obs.Flow.Proto == capture.HTTP:
		obs.Name = ""
	case !w.catalog.Addr(to):
		obs.Name = ""
		if !w.catalog.Flow(udp, obs.Dst.Port(), nil, nil) {
			obs.Marks |= capture.Plain
		}
	}
	if obs.Flow.Final {
		delete(w.flows, keyOf(obs.Src, obs.Dst))
	}
}

type flowKey struct{ client, server netip.AddrPort }

func keyOf(client, server netip.AddrPort) flowKey { return flowKey{client, server} }

// followed remembers a flow that is followed for the Watch's sake alone. When there are too many all are forgotten: their
// certificates are then judged.
func (w *Watch) followed(k flowKey) {
	if len(w.flows) >= hostsOfDay {
		clear(w.flows)
	}
	w.flows[k] = true
}

// Note notes requests and nameless contacts that match nothing.
func (w *Watch) Note(obs *capture.Observation) {
	switch obs.Kind {
	case capture.Request:
		if obs.Marks&capture.BareAddress == 0 && w.mine(obs.Name) {
			w.note(obs, kindName, obs.Name)
		}
	case capture.Contact:
		w.contact(obs)
	}
}

func (w *Watch) contact(obs *capture.Observation) {
	r := obs.Flow
	if r == nil || !r.Final || obs.Name != "" || w.home(obs.Dst.Addr()) || obs.Dst.Addr().IsMulticast() || r.Outcome != capture.Established {
		return
	}
	switch r.Proto {
	case capture.ProtoNone:
		if r.InHeadLen == 0 {
			return
		}
	case capture.TLS, capture.QUIC, capture.DTLS:
		if obs.Marks&capture.NoName == 0 {
			return
		}
	default:
		return
	}
	if w.catalog.Addr(obs.Dst.Addr()) {
		return
	}
	transport := "tcp "
	if obs.Transport == capture.UDP {
		transport = "udp "
	}
	w.note(obs, kindContact, transport+obs.Dst.String())
}

// note counts one, within the bounds of the host and day.
func (w *Watch) note(obs *capture.Observation, kind, text string) {
	host := obs.Host.Addr
	if !host.IsValid() || !w.home(host) || len(text) > maxValue {
		return
	}
	day := store.DayOf(obs.Time)
	if day > w.day {
		w.day = day
		clear(w.days)
		clear(w.seen)
	}
	if k := (value{host, kind, text}); !w.seen[k] {
		h := hostDay{host, kind}
		if n, known := w.days[h]; n >= valuesOfDay || !known && len(w.days) >= 2*hostsOfDay {
			return
		}
		w.days[h]++
		w.seen[k] = true
	}
	w.store.KeepUnmatched(store.Unmatched{Host: host, Day: day, Kind: kind, Value: text}, obs.Time)
}
