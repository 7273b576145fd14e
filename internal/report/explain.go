package report

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
)

// About returns the findings of one host, named by an address it had, its MAC, or its name (with or without domain).
func (r *Report) About(host string) []*Finding {
	var out []*Finding
	for i := range r.Findings {
		if r.Findings[i].Host.is(host) {
			out = append(out, &r.Findings[i])
		}
	}
	return out
}

// is reports whether a user means this host. An address is compared with all that the host had; a name with and without its domain, in
// any case, because users copy it from elsewhere.
func (h *Host) is(what string) bool {
	if a, err := netip.ParseAddr(what); err == nil {
		for i := range h.Addresses {
			if h.Addresses[i].Address == a.Unmap().String() {
				return true
			}
		}
		return h.Address == a.Unmap().String()
	}
	if m, err := net.ParseMAC(what); err == nil && h.MAC == m.String() {
		return true
	}
	name, _, _ := strings.Cut(h.Name, ".")
	return what != "" && (strings.EqualFold(h.Name, what) || strings.EqualFold(name, what))
}

// WriteExplanation writes everything known about one host: each piece of evidence with its weight and catalogue entry, what does not
// count, and each destination with every database's vote.
func (r *Report) WriteExplanation(w io.Writer, host string, opt TextOptions) error {
	t := newWriter(w, opt)
	list := r.About(host)
	if len(list) == 0 {
		t.nobody(r, host)
	}
	for i, f := range list {
		if i > 0 {
			t.line("")
		}
		t.explain(r, f)
	}
	t.remarks(r, r.hostsOf(host))
	t.coverage(r)
	t.sources(r)
	return t.err
}

// nobody writes that the host has no findings, and which hosts have.
func (t *writer) nobody(r *Report, host string) {
	t.para(0, "No findings for %s: nothing in the catalogue matched its traffic, or it is not in the capture.", Clean(host))
	const most = 20
	var names []string
	seen := map[string]bool{}
	for i := range r.Findings {
		if s := hostText(&r.Findings[i], " "); !seen[s] {
			names, seen[s] = append(names, s), true
		}
	}
	if len(names) == 0 {
		return
	}
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	t.para(0, "Hosts with findings: %s%s.", strings.Join(names, ", "), more)
}

// explain writes one finding in full. Unlike finding, it has no limits and does not group: what it leaves out, nobody sees.
func (t *writer) explain(r *Report, f *Finding) {
	t.title(fmt.Sprintf("%s: %s", hostText(f, " "), f.VendorName))
	t.host(f)
	t.line("  Verdict: %s, state %s, seen %s to %s, %s and %s", t.verdict(f), f.State, stamp(f.FirstSeen), stamp(f.LastSeen),
		plural(f.Contacts, "connection"), queries(f.Lookups))
	if f.Product != "" {
		t.para(2, "Product: %s", strings.TrimSpace(Clean(f.Product)+" "+Clean(f.ProductVersion)))
	}
	if f.ConcernWhy != "" {
		t.para(2, "Of concern: %s", Clean(f.ConcernWhy))
	}
	if f.OEM != nil {
		t.para(2, "Engine by %s inside %s; source: %s", Clean(f.OEM.Engine), Clean(f.OEM.In), Clean(f.OEM.Source))
	}
	t.line("  Why:")
	for _, s := range f.Reasons {
		t.para(4, "%s", Clean(s))
	}
	t.pieces(r, f, true, "Evidence that counts:")
	t.pieces(r, f, false, "Evidence that does not count, or counts against it:")
	if f.Dropped > 0 {
		t.line("    %d more pieces of evidence or destinations were over the limit and not kept", f.Dropped)
	}
	t.places(f)
	for i := range f.Beacon {
		t.beat(&f.Beacon[i])
	}
}

func (t *writer) host(f *Finding) {
	for i := range f.Host.Addresses {
		a := &f.Host.Addresses[i]
		t.line("  Address %s, %s to %s", a.Address, stamp(a.From), stamp(a.To))
	}
	if f.Host.MAC != "" {
		t.line("  MAC %s", f.Host.MAC)
	}
	role := "unknown (too little traffic)"
	if len(f.HostRoles) > 0 {
		role = strings.Join(f.HostRoles, ", ")
	}
	t.para(2, "Host role: %s", role)
	if b := f.Behind; b != nil {
		s := fmt.Sprintf("Machines behind it: at least %d", b.AtLeast)
		if b.Estimate > 0 {
			s += fmt.Sprintf(", about %d", b.Estimate)
		}
		t.para(2, "%s; it %s", s, Clean(b.Words))
	}
}

// pieces writes the evidence that supports the finding, or the evidence that does not.
func (t *writer) pieces(r *Report, f *Finding, supports bool, head string) {
	for i := range f.Evidence {
		e := &f.Evidence[i]
		if e.Supports != supports {
			continue
		}
		if head != "" {
			t.line("  %s", head)
			head = ""
		}
		t.piece(r, e)
	}
}

func (t *writer) piece(r *Report, e *Evidence) {
	if e.Value == e.Why { // evidence of behaviour: the sentence is all there is
		t.para(4, "- %s", Clean(e.Why))
		return
	}
	t.para(4, "%.2f %s %s  [%s, %s, x%d]", e.Weight, strings.ReplaceAll(e.Kind, "_", " "), Clean(e.Value), e.Role, e.Strength, e.Count)
	t.para(9, "%s", Clean(e.Why))
	if e.Pattern != "" {
		t.para(9, "catalogue: %s; source: %s (%s)", Clean(e.Pattern), Clean(e.Source), cmp.Or(e.Date, "undated"))
		if e.Entry != "" {
			t.para(9, "entry: %s", Clean(e.Entry))
		}
		if e.Note != "" {
			t.para(9, "note: %s", Clean(e.Note))
		}
	}
	s := stamp(e.First)
	if e.Count > 1 {
		s += " to " + stamp(e.Last)
	}
	if frames := framesText(r, e.Frames, len(e.Frames)); frames != "" {
		s += ", " + frames
		if uint64(len(e.Frames)) < e.Count {
			s += " (first ones only)"
		}
	}
	t.para(9, "%s", s)
}

// places writes every destination with every database's vote.
func (t *writer) places(f *Finding) {
	if len(f.Destinations) > 0 {
		t.line("  Destinations:")
	}
	for _, d := range byPlace(f.Destinations) {
		s := destinationText(d, 0)
		if d.RTT > 0 {
			s += fmt.Sprintf("; round trip %g ms", d.RTT)
		}
		t.para(4, "%s", s)
		if d.ASN != 0 {
			t.para(9, "network AS%d %s", d.ASN, Clean(d.Owner))
		}
		t.para(9, "%s", placeLine(d))
		if d.Place == nil {
			continue
		}
		if x := d.Place.Refuted; x != nil {
			t.para(9, "%s, as the databases say, is refuted by %s: %g ms is %.0f km at most", d.Place.Claimed, x.By, x.RTT, x.MaxKM)
		}
		for i := range d.Place.By {
			t.para(9, "vote: %s", voteText(&d.Place.By[i]))
		}
	}
}

func voteText(v *Vote) string {
	s := Clean(v.Database) + " of " + cmp.Or(v.Date, "an unknown date") + ": "
	switch {
	case v.NotRussia:
		s += "not in Russia (no record)"
	case v.City != "":
		s += Clean(v.Country) + ", " + Clean(v.City)
	default:
		s += cmp.Or(Clean(v.Country), "no country") + ", no city"
	}
	if v.RadiusKM > 0 {
		s += fmt.Sprintf(" within %d km", v.RadiusKM)
	}
	if !v.Counted {
		s += " (not counted: another database of the same maker is)"
	}
	return s
}

// beat writes how regular the sessions of one service are. There is no score where there were too few sessions.
func (t *writer) beat(b *Beacon) {
	score := "not scored"
	if b.Score != nil {
		score = fmt.Sprintf("score %.2f", *b.Score)
	}
	t.para(2, "Rhythm, %s: %s (%s)", b.Role, Clean(b.Words), score)
}
