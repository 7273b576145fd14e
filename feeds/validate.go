package feeds

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

const (
	dateLayout  = "2006-01-02"
	maxNameText = 253 // bytes of a host name as text (RFC 1035, 3.1)
	maxLabel    = 63
)

// finish completes an entry from its source, checks it on its own and adds it to the file.
func (p *fileParser) finish(e *located) {
	e.Vendor, e.File = p.file.vendor, p.file.name
	e.Line, e.col, _ = p.Position(e.key)
	p.resolveSource(e)
	p.checkWords(e)
	if reason := e.check(); reason != "" {
		p.failAt(e, "pattern", "%s", reason)
	}
	if reason := e.checkMask(); reason != "" {
		p.failAt(e, "mask", "%s", reason)
	}
	p.file.entries = append(p.file.entries, e)
}

// resolveSource puts a source's text in the place of its short word. A source of several words stands for itself.
func (p *fileParser) resolveSource(e *located) {
	if isWord(e.Source) {
		s, ok := p.sources[e.Source]
		if !ok {
			p.failAt(e, "source", "source %q is not declared", e.Source)
			return
		}
		e.Source = s.Text
		if e.Date == "" {
			e.Date = s.Date
		}
		if e.Licence == "" {
			e.Licence = s.Licence
		}
	}
	if e.Source == "" {
		p.FailKey(e.key, "the entry has no source")
	}
	if e.Date == "" {
		p.FailKey(e.key, "the entry has no date")
	}
}

func (p *fileParser) checkWords(e *located) {
	mark := p.file.vendor == nil
	for _, required := range []string{"role", "strength"} {
		if _, ok := p.place(e, required); !ok && !mark {
			p.FailKey(e.key, "the entry has no %s", required)
		}
	}
	switch {
	case mark && !isWord(e.Mark):
		p.FailKey(e.key, "an entry without a vendor needs a mark: one word")
	case !mark && e.Mark != "":
		p.failAt(e, "mark", "only entries without a vendor have a mark")
	}
	if mark && e.Strength > Weak {
		p.FailKey(e.key, "a mark is never %s", e.Strength)
	}
	if e.Confidence == Low && e.Strength == Strong {
		p.FailKey(e.key, "an entry of low confidence is never strong")
	}
	if e.Installation && e.Mask != MaskValue {
		p.failAt(e, "installation", "installation is for entries with mask: value")
	}
	if _, ok := p.place(e, "kind"); e.section == "signals" && !ok {
		p.FailKey(e.key, "the entry has no kind")
	}
}

// badName says why s is no host name in the catalogue's form, "" where it is one: lower case, at least two labels.
func badName(s string) string {
	if s == "" || len(s) > maxNameText {
		return fmt.Sprintf("a name has 1 to %d characters", maxNameText)
	}
	if strings.ToLower(s) != s {
		return "names are written in lower case"
	}
	labels := strings.Split(s, ".")
	if len(labels) < 2 {
		return "a name needs at least two labels"
	}
	for _, l := range labels {
		switch {
		case l == "":
			return "a label is empty"
		case len(l) > maxLabel:
			return fmt.Sprintf("a label is longer than %d characters", maxLabel)
		case strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
			return fmt.Sprintf("label %q has characters that no host name has", l)
		case l[0] == '-' || l[len(l)-1] == '-':
			return fmt.Sprintf("label %q begins or ends with a hyphen", l)
		}
	}
	return ""
}

// badSuffix says why a name may not stand for all its subdomains, "" where it may.
func badSuffix(s string) string {
	if reason := badName(s); reason != "" {
		return reason
	}
	if suffix, _ := publicsuffix.PublicSuffix(s); suffix == s {
		return "is a public suffix: it belongs to everybody"
	}
	return ""
}

func checkDate(s string) error {
	if _, err := time.Parse(dateLayout, s); err != nil {
		return fmt.Errorf("date %q is not of the form YYYY-MM-DD", s)
	}
	return nil
}

// checkCountry wants one or more upper-case ISO 3166 alpha-2 codes with "/" between them.
func checkCountry(s string) error {
	for c := range strings.SplitSeq(s, "/") {
		if len(c) != 2 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return fmt.Errorf("country %q is not of the form XX or XX/YY", s)
		}
	}
	return nil
}

// parsePrefix reads a prefix or a single address, or returns why the text is neither.
func parsePrefix(s string) (pfx netip.Prefix, reason string) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.PrefixFrom(a, a.BitLen()), ""
	}
	pfx, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return pfx, fmt.Sprintf("%q is no prefix", s)
	case pfx.Masked() != pfx:
		return pfx, fmt.Sprintf("prefix %s has bits behind its length; meant is %s", s, pfx.Masked())
	case pfx.Addr().Is4In6():
		return pfx, fmt.Sprintf("prefix %s is an IPv4 address in IPv6 form", s)
	case pfx.Bits() < 8 || pfx.Addr().Is6() && pfx.Bits() < 16:
		return pfx, fmt.Sprintf("prefix %s is too wide", s)
	}
	return pfx, ""
}

// parsePorts reads "tcp 13000", "udp 53", "tcp+udp 53535" or "tcp 23100-23199" into e, and says why it cannot.
func (e *Entry) parsePorts() (reason string) {
	proto, number, ok := strings.Cut(e.Pattern, " ")
	switch proto {
	case "tcp":
		e.TCP = true
	case "udp":
		e.UDP = true
	case "tcp+udp":
		e.TCP, e.UDP = true, true
	default:
		ok = false
	}
	low, high, isRange := strings.Cut(number, "-")
	if !isRange {
		high = low
	}
	first, err1 := strconv.ParseUint(low, 10, 16)
	last, err2 := strconv.ParseUint(high, 10, 16)
	if !ok || err1 != nil || err2 != nil || first == 0 || first > last {
		return fmt.Sprintf("%q is no port (tcp 13000, udp 53, tcp+udp 53535, tcp 23100-23199)", e.Pattern)
	}
	e.FirstPort, e.LastPort = uint16(first), uint16(last)
	return ""
}
