package alert

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// message says on one line what runs where, and which destination it contacts.
func message(a *Alert) string {
	what, to := product(a)+" on "+host(a), whereTo(a)
	var s string
	switch a.Event {
	case Raised:
		s = fmt.Sprintf("Raised to %s: %s%s", a.Verdict, what, prefixed("; contacted ", to))
	case Place:
		s = fmt.Sprintf("%s contacted a new location of concern%s", what, prefixed(": ", to))
	case Returned:
		s = fmt.Sprintf("Active again after a quiet time: %s (%s)%s", what, a.Verdict, prefixed("; contacted ", to))
	case Blocked:
		s = fmt.Sprintf("%s keeps trying to call home; all recent attempts failed%s", what, prefixed(": ", to))
	case RemovalDue:
		s = fmt.Sprintf("Removal deadline passed: %s was still active on %s on %s", product(a), host(a), day(a.Last))
	case Repeated:
		s = fmt.Sprintf("Still active: %s (%s), seen %s since %s%s", what, a.Verdict, times(a.Seen), day(a.First), prefixed("; contacted ", to))
	case Resolved:
		s = fmt.Sprintf("Resolved: %s has been quiet since %s", what, day(a.Last))
	case Test:
		s = "Test alert from avbeacon: nothing was found"
	default:
		s = sighting(a) + prefixed("; contacted ", to)
	}
	if rest, ok := strings.CutPrefix(s, "a "); ok { // host or its client at the start
		s = "A " + rest
	}
	return line(s + ".")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// sighting says what the host does, in words as sure as the verdict.
func sighting(a *Alert) string {
	verb := "runs"
	switch a.Verdict {
	case "likely":
		verb = "likely runs"
	case "possible":
		verb = "may run"
	case "visit":
		return host(a) + " visited pages of " + a.Vendor.Name
	}
	return host(a) + " " + verb + " " + product(a)
}

// host names the machine that runs the product. Traffic of a resolver or proxy is that of its clients, and traffic of a NAT
// device or management console is that of other machines.
func host(a *Alert) string {
	switch a.HostRole {
	case "resolver", "proxy":
		return fmt.Sprintf("a client of %s (%s)", who(a), a.HostRole)
	case "nat", "management":
		return fmt.Sprintf("a machine behind %s (%s)", who(a), a.HostRole)
	}
	return who(a)
}

// who identifies the host: by name and address, or by MAC if it has neither.
func who(a *Alert) string {
	address := ""
	if a.Host.Address.IsValid() {
		address = a.Host.Address.String()
	}
	switch {
	case a.Host.Name != "" && address != "":
		return fmt.Sprintf("%s (%s)", a.Host.Name, address)
	case a.Host.Name+address != "":
		return a.Host.Name + address
	case a.Host.MAC != "":
		return a.Host.MAC
	}
	return "a host"
}

// product names the product with its vendor, or the vendor alone if the product is not known.
func product(a *Alert) string {
	v := &a.Vendor
	words := v.Product
	switch {
	case words == "":
		return v.Name
	case !strings.HasPrefix(strings.ToLower(words), strings.ToLower(v.Name)):
		words = v.Name + " " + words
	}
	if v.ProductVersion != "" {
		words += " " + v.ProductVersion
	}
	return words
}

// whereTo names the first destination, which is of concern if any is, and counts the others.
func whereTo(a *Alert) string {
	if len(a.Destinations) == 0 {
		return ""
	}
	s := destination(&a.Destinations[0])
	if n := len(a.Destinations) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

func destination(d *Destination) string {
	s := d.Address.String()
	if len(d.Names) > 0 {
		s = fmt.Sprintf("%s (%s)", d.Names[0], s)
	}
	switch {
	case d.City != "" && d.Country != "":
		s += fmt.Sprintf(" in %s, %s", d.City, d.Country)
	case d.Country != "":
		s += " in " + d.Country
	}
	if d.Level != "" && d.Concern {
		s += fmt.Sprintf(" (%s)", d.Level)
	}
	return s
}

// MostText is the greatest length of a text in an Alert, in bytes; longer ones are cut and end with "…".
const MostText = 1024

// text makes a text from the network valid UTF-8 of bounded length: an invalid byte becomes \DDD, as in reports.
func text(s string) string {
	return escaped(s, func(r rune, size int) bool { return r == utf8.RuneError && size == 1 })
}

// line is text for one line of a terminal: unprintable characters become \DDD or \u{X}.
func line(s string) string {
	return escaped(s, func(r rune, size int) bool { return r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) })
}

func escaped(s string, bad func(r rune, size int) bool) string {
	clean := len(s) <= MostText
	for i := 0; clean && i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		clean = !bad(r, n)
		i += n
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		piece := s[i : i+n]
		switch {
		case n == 1 && bad(r, n):
			piece = fmt.Sprintf(`\%03d`, s[i])
		case bad(r, n):
			piece = fmt.Sprintf(`\u{%X}`, r)
		}
		if b.Len()+len(piece) > MostText-len("…") {
			b.WriteString("…")
			break
		}
		b.WriteString(piece)
		i += n
	}
	return b.String()
}

// plural writes a number with its noun, whose plural ends in s.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
