package classify

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"avbeacon/capture"
	"avbeacon/feeds"
)

// Remark says why something on a host that looks like an antivirus is none, if no finding says it.
type Remark struct {
	Host        netip.Addr
	Vendor      *feeds.Vendor // nil if no vendor's: threat intelligence, a script in web pages
	Kind        RemarkKind
	Words       string // a whole sentence
	Count       uint64
	First, Last time.Time
	Frame       FrameRef // the first
}

// RemarkKind is the kind of look-alike.
type RemarkKind uint8

// The kinds of remarks.
const (
	RemarkCrawler    RemarkKind = iota // an address of a vendor's network connected to the host
	RemarkMark                         // a name that the catalogue marks as not a vendor's
	RemarkRecords                      // DNS query types of resolvers and mail servers
	RemarkSearchList                   // a vendor's domain appended to another name
	RemarkServerName                   // a name server's own name
	RemarkWeak                         // only weak evidence
)

// String returns the kind in the report's words.
func (k RemarkKind) String() string {
	return [...]string{"crawler", "marked_name", "other_records", "search_list", "name_server", "weak_signs"}[min(k, RemarkWeak)]
}

// maxRemarks is how many different remarks a host keeps; further ones are ignored.
const maxRemarks = 16

// remark adds or counts one. It calls words only for the first of its kind and vendor.
func (h *host) remark(k RemarkKind, v *feeds.Vendor, what string, obs *capture.Observation, words func() string) {
	for _, r := range h.remarks {
		if r.Kind == k && r.Vendor == v && r.what == what {
			r.Count++
			r.First, r.Last = earlier(r.First, obs.Time), later(r.Last, obs.Time)
			return
		}
	}
	if len(h.remarks) >= maxRemarks {
		return
	}
	h.remarks = append(h.remarks, &remark{what: what, Remark: Remark{Kind: k, Vendor: v, Words: words(), Count: 1,
		First: obs.Time, Last: obs.Time, Frame: frameOf(obs)}})
}

type remark struct {
	Remark
	what string // distinguishes remarks of one kind: a mark, a query type
}

// crawled notes that a vendor's own network connected to a host of the site.
func (c *Classifier) crawled(obs *capture.Observation) {
	server := obs.Dst.Addr()
	if obs.Src.Addr() == server || !c.home(server) {
		return
	}
	for _, e := range c.opt.Catalog.MatchAddr(obs.Src.Addr()) {
		if e.Vendor != nil && obs.Flow.Final {
			c.hosts.get(server, nil).remark(RemarkCrawler, e.Vendor, "", obs, func() string {
				return fmt.Sprintf("An address of %s connected to this host, as crawlers of %s do. That does not mean the host runs a product.", networkText(e), e.Vendor.Name)
			})
		}
	}
}

// markedName notes a name that the catalogue marks as not a vendor's. DNS over HTTPS is counted elsewhere.
func (h *host) markedName(e *feeds.Entry, obs *capture.Observation) {
	if e.Vendor != nil || e.Mark == "doh" || e.Mark == "resolver" {
		return
	}
	h.remark(RemarkMark, nil, e.Mark+" "+e.Pattern, obs, func() string {
		s := fmt.Sprintf("A name under %s was used; the catalogue marks it as %s, not as an antivirus", e.Pattern, e.Mark)
		if note := cmp.Or(e.OEM, e.Note); note != "" {
			s += ": " + note
		}
		return s + "."
	})
}

// notAsked notes a query for a vendor's name that no product sends.
func (h *host) notAsked(e *feeds.Entry, obs *capture.Observation) {
	qtype := obs.DNS.Questions[0].QType
	switch {
	case searchList(e, obs.Name) != notAppended:
		h.remark(RemarkSearchList, e.Vendor, "", obs, func() string {
			return fmt.Sprintf("DNS queries for names with %s appended, as a resolver's search list or an internal zone makes them. They are no contact with %s.",
				e.Pattern, e.Vendor.Name)
		})
	case serverName(e, obs.Name):
		h.remark(RemarkServerName, e.Vendor, "", obs, func() string {
			return fmt.Sprintf("DNS queries for the address of a name server of %s, as resolvers make them.", e.Vendor.Name)
		})
	default:
		h.remark(RemarkRecords, e.Vendor, qtype, obs, func() string {
			return fmt.Sprintf("DNS queries for %s records of %s, as resolvers and mail servers make them. Products query for addresses.", qtype, e.Vendor.Name)
		})
	}
}

// Remarks returns the look-alikes, sorted by host, vendor and kind. Hosts and vendors with a finding have their reasons there and no
// remark about weak evidence.
func (c *Classifier) Remarks() []Remark {
	var out []Remark
	for _, h := range c.hosts.all() {
		for _, r := range h.remarks {
			r.Host = h.addr
			out = append(out, r.Remark)
		}
		for _, t := range h.tracks {
			if r, ok := c.weakSigns(t); ok {
				out = append(out, r)
			}
		}
	}
	for i := range out {
		out[i].First, out[i].Last = out[i].First.UTC(), out[i].Last.UTC()
	}
	slices.SortFunc(out, func(a, b Remark) int {
		return cmp.Or(a.Host.Compare(b.Host), cmp.Compare(keyOfVendor(a.Vendor), keyOfVendor(b.Vendor)), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Words, b.Words))
	})
	return out
}

func keyOfVendor(v *feeds.Vendor) string {
	if v == nil {
		return ""
	}
	return v.Key
}

// weakSigns returns a remark about a track without a verdict.
func (c *Classifier) weakSigns(t *track) (Remark, bool) {
	if len(t.evidence) == 0 || c.judge(t, c.roles(t.host)).verdict != NoVerdict {
		return Remark{}, false
	}
	e := slices.MaxFunc(t.evidence, func(a, b *Evidence) int { return cmp.Compare(a.Weight, b.Weight) })
	r := Remark{Host: t.host.addr, Vendor: t.vendor, Kind: RemarkWeak, First: t.first, Last: t.last}
	for _, e := range t.evidence {
		r.Count += e.Count
	}
	if len(e.Frames) > 0 {
		r.Frame = e.Frames[0]
	}
	r.Words = fmt.Sprintf("Only weak evidence of %s: %s %s (%s)", t.vendor.Name, word(e.Kind), e.Value, e.Why)
	if e.Note != "" {
		r.Words += "; catalogue note: " + e.Note
	}
	r.Words += "."
	return r, true
}
