package feeds

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Explanation is what the catalogue says about one value, as `feeds explain` prints it.
type Explanation struct {
	Query   string      `json:"query"`
	Matches []Explained `json:"matches"`           // never nil; the deciding ones first
	Vendors []string    `json:"vendors,omitempty"` // keys of the vendors that the query names, where nothing matches
}

// Explained is one entry that matches, with the reason.
type Explained struct {
	Vendor     string `json:"vendor,omitempty"` // key; "" for a mark
	Name       string `json:"name,omitempty"`
	Mark       string `json:"mark,omitempty"`
	Product    string `json:"product,omitempty"`
	Signal     string `json:"signal"`
	Pattern    string `json:"pattern"`
	Match      string `json:"match"` // exact, suffix, regexp or prefix
	Role       string `json:"role"`
	Strength   string `json:"strength"`
	Part       bool   `json:"part,omitempty"` // the query is a part of the pattern, and matches nothing
	Decides    bool   `json:"decides"`        // false where a more specific entry decides, or where a need is not shown
	Needs      string `json:"needs,omitempty"`
	OEM        string `json:"oem,omitempty"`
	Builtin    bool   `json:"builtin,omitempty"`
	Country    string `json:"country,omitempty"` // of the maker, or of this entry where it differs
	ASN        uint32 `json:"asn,omitempty"`
	Owner      string `json:"owner,omitempty"`
	Confidence string `json:"confidence"`
	Source     string `json:"source"`
	Licence    string `json:"licence,omitempty"`
	Date       string `json:"date"`
	Note       string `json:"note,omitempty"`
	Why        string `json:"why"`
	File       string `json:"file"`
	Line       int    `json:"line"`

	Entry *Entry `json:"-"`
}

// Explain returns every entry that matches a value, with the reason: an address, an autonomous system (AS64500), a port
// (tcp 13000, or the number), a network, a URL or path, a host name, or else a User-Agent, header name, certificate issuer or
// payload. If nothing matches, it returns the vendors that the query names, or else the names that it is a part of.
func (c *Catalog) Explain(query string) Explanation {
	x := explainer{catalog: c, out: Explanation{Query: query, Matches: []Explained{}}}
	q := strings.TrimSpace(query)
	if a, err := netip.ParseAddr(q); err == nil {
		x.address(a)
		return x.out
	}
	if p, err := netip.ParsePrefix(q); err == nil {
		x.network(p.Masked())
		return x.out
	}
	x.asn(q)
	x.port(q)
	if rest, path, ok := splitURL(q); ok {
		x.url(rest, path)
	} else if name := strings.TrimSuffix(strings.ToLower(q), "."); badName(name) == "" {
		x.name(name)
	}
	x.text(q)
	if len(x.out.Matches) > 0 {
		return x.out
	}
	for _, v := range c.FindVendors(q) {
		x.out.Vendors = append(x.out.Vendors, v.Key)
	}
	if len(x.out.Vendors) == 0 {
		x.part(strings.ToLower(q))
	}
	return x.out
}

// FindVendors returns the vendors whose key or display name is the text, whatever its case, or else those whose key or name
// contains it.
func (c *Catalog) FindVendors(text string) []*Vendor {
	text = strings.ToLower(strings.TrimSpace(text))
	var same, part []*Vendor
	for _, v := range c.vendors {
		name := strings.ToLower(v.Name)
		if text == v.Key || text == name {
			same = append(same, v)
		}
		if len(text) >= minPart && (strings.Contains(v.Key, text) || strings.Contains(name, text)) {
			part = append(part, v)
		}
	}
	if len(same) > 0 {
		return same
	}
	return part
}

// minPart is the least length of a part that is looked for, in bytes: fewer are in too many patterns.
const minPart = 4

// part finds names by a part of their pattern, without what an expression escapes, or of their sample.
func (x *explainer) part(q string) {
	for _, e := range x.catalog.entries {
		if e.Signal != SignalName {
			continue
		}
		if text := strings.ReplaceAll(e.Pattern, `\`, "") + "\n" + e.Sample; len(q) >= minPart && strings.Contains(strings.ToLower(text), q) {
			x.add(e, false, fmt.Sprintf("the pattern or its sample contains %s", q))
			x.out.Matches[len(x.out.Matches)-1].Part = true
		}
	}
}

// network explains every entry that has a prefix in common with p.
func (x *explainer) network(p netip.Prefix) {
	for _, e := range x.catalog.entries {
		for _, own := range e.Prefixes {
			if own.Overlaps(p) {
				x.add(e, true, fmt.Sprintf("%s and %s overlap", p, own))
				break
			}
		}
	}
}

// splitURL parts a URL or a path into host and the rest from "/" on. ok is false where q is neither.
func splitURL(q string) (host, path string, ok bool) {
	if strings.HasPrefix(q, "/") {
		return "", q, true
	}
	_, rest, ok := strings.Cut(q, "://")
	if !ok {
		return "", "", false
	}
	host, path, _ = strings.Cut(rest, "/")
	return host, "/" + path, true
}

type explainer struct {
	catalog *Catalog
	out     Explanation
}

func (x *explainer) add(e *Entry, decides bool, why string) {
	m := Explained{Mark: e.Mark, Product: e.Product, Signal: e.Signal.String(), Pattern: e.Pattern, Match: e.Match.String(),
		Role: e.Role.String(), Strength: e.Strength.String(), Decides: decides, OEM: e.OEM, Builtin: e.Builtin,
		Country: e.Country, ASN: e.ASN, Owner: e.Owner, Confidence: e.Confidence.String(), Source: e.Source,
		Licence: e.Licence, Date: e.Date, Note: e.Note, Why: why, File: e.File, Line: e.Line, Entry: e}
	if len(e.Prefixes) > 0 {
		m.Match = "prefix"
	}
	if e.Need != NeedNothing {
		m.Needs = strings.TrimSpace(e.Need.String() + " " + strings.Join(e.Hosts, ", "))
	}
	if v := e.Vendor; v != nil {
		m.Vendor, m.Name, m.Country = v.Key, v.Name, cmp.Or(e.Country, v.Country)
	}
	x.out.Matches = append(x.out.Matches, m)
}

func (x *explainer) address(a netip.Addr) {
	for i, e := range x.catalog.MatchAddr(a) {
		x.add(e, i == 0, addressWhy(e, a.Unmap()))
	}
	for _, v := range x.catalog.vendors {
		for i, f := range v.Fallback {
			if f == a.Unmap() && len(x.out.Matches) > 0 {
				m := &x.out.Matches[0]
				m.Why += fmt.Sprintf("; %s products fall back to it, as number %d of %d", v.Name, i+1, len(v.Fallback))
			}
		}
	}
}

func addressWhy(e *Entry, a netip.Addr) string {
	for _, p := range e.Prefixes {
		if !p.Contains(a) {
			continue
		}
		if e.Signal == SignalASN {
			return fmt.Sprintf("%s is in %s of %s (%s)", a, p, e.Pattern, e.Owner)
		}
		return fmt.Sprintf("%s is in %s", a, p)
	}
	return ""
}

func (x *explainer) asn(q string) {
	for _, e := range x.catalog.entries {
		if e.Signal == SignalASN && strings.EqualFold(e.Pattern, q) {
			x.add(e, true, fmt.Sprintf("%s is registered to %s, with %d prefixes here", e.Pattern, e.Owner, len(e.Prefixes)))
		}
	}
}

// port explains "tcp 13000" or "tcp/13000", in any case, or "13000" for both protocols.
func (x *explainer) port(q string) {
	proto, number, _ := strings.Cut(strings.Replace(strings.ToLower(q), "/", " ", 1), " ")
	if number == "" {
		proto, number = "", proto
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || proto != "tcp" && proto != "udp" && proto != "" {
		return
	}
	for _, e := range x.catalog.ports {
		listed := proto != "tcp" && e.UDP || proto != "udp" && e.TCP
		if listed && e.FirstPort <= uint16(port) && uint16(port) <= e.LastPort {
			where := "on the Internet"
			if e.Signal == SignalLANPort {
				where = "inside the site"
			}
			x.add(e, e.Need == NeedNothing, strings.Join(strings.Fields(fmt.Sprintf("port %s %d %s", proto, port, where)), " "))
		}
	}
}

func (x *explainer) name(name string) {
	deciding := x.catalog.MatchName(name)
	for i, e := range x.catalog.MatchNameAll(name) {
		why := fmt.Sprintf("the name is exactly %s", e.Pattern)
		switch {
		case e.Match == Suffix && name == e.Pattern:
			why = fmt.Sprintf("the name is %s", e.Pattern)
		case e.Match == Suffix:
			why = fmt.Sprintf("the name is under %s", e.Pattern)
		case e.Match == Regexp:
			why = fmt.Sprintf("the name matches %s", e.Pattern)
		}
		decides := i < len(deciding)
		if !decides {
			why += "; a more specific entry decides"
		}
		x.add(e, decides, why)
	}
}

// url explains a host (with or without a port, maybe an address) and the path and query asked of it.
func (x *explainer) url(host, target string) {
	peer := Peer{Name: strings.ToLower(host)}
	if ap, err := netip.ParseAddrPort(host); err == nil {
		peer = Peer{Addr: ap.Addr()}
	} else if a, err := netip.ParseAddr(host); err == nil {
		peer = Peer{Addr: a}
	} else if name, _, ok := strings.Cut(peer.Name, ":"); ok {
		peer.Name = name
	}
	if peer.Addr.IsValid() {
		x.address(peer.Addr)
	} else if peer.Name != "" {
		x.name(strings.TrimSuffix(peer.Name, "."))
	}
	path, query, _ := strings.Cut(target, "?")
	for _, e := range x.catalog.matching(SignalPath, path) {
		x.add(e, x.catalog.Applies(e, peer), fmt.Sprintf("the path matches %s", e.Pattern))
	}
	for _, e := range x.catalog.matching(SignalQuery, query) {
		x.add(e, x.catalog.Applies(e, peer), fmt.Sprintf("the query matches %s", e.Pattern))
	}
}

// text tries the kinds of entries that any text may match.
func (x *explainer) text(q string) {
	for _, e := range x.catalog.headers[strings.ToLower(q)] {
		x.add(e, e.Need == NeedNothing, fmt.Sprintf("a request header is named %s", e.Pattern))
	}
	kinds := []struct {
		signal Signal
		words  string
	}{{SignalUserAgent, "the User-Agent matches"}, {SignalIssuer, "the issuer matches"}, {SignalBody, "the body begins as"},
		{SignalPayload, "the payload begins as"}, {SignalQuery, "the query matches"}}
	for _, k := range kinds {
		if k.signal == SignalQuery && strings.ContainsAny(q, "/ ") {
			continue
		}
		for _, e := range x.catalog.matching(k.signal, q) {
			x.add(e, e.Need == NeedNothing, k.words+" "+e.Pattern)
		}
	}
}
