package format

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"avbeacon/internal/alert"
)

// Clean makes text from the wire safe for a record, as the report on a terminal does: invalid UTF-8 and ASCII control
// characters become \DDD (three decimal digits, as in DNS master files), other control characters and those that
// change the direction of writing, break lines or hide become \u{X}. The result has at most size bytes; longer text is
// cut after a whole character or escape and ends in "...".
func Clean(s string, size int) string {
	if len(s) <= size && plain(s) {
		return s
	}
	b, _ := AppendClean(make([]byte, 0, min(len(s)+16, size)), s, size)
	return string(b)
}

const ellipsis = "..."

// AppendClean appends what Clean returns, and reports whether it was cut. A size below 3 is taken as 3.
func AppendClean(dst []byte, s string, size int) (out []byte, cut bool) {
	if len(s) <= size && plain(s) {
		return append(dst, s...), false
	}
	start, fits := len(dst), len(dst) // fits: up to where there is room for the ellipsis
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, n == 1 && hidden(r):
			dst = append(dst, '\\', '0'+s[i]/100, '0'+s[i]/10%10, '0'+s[i]%10)
		case hidden(r):
			dst = fmt.Appendf(dst, `\u{%X}`, r)
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
		if len(dst)-start <= size-len(ellipsis) {
			fits = len(dst)
		}
		if len(dst)-start > size {
			return append(dst[:fits], ellipsis...), true
		}
	}
	return dst, false
}

// plain reports whether s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// hidden reports the characters that must not reach a screen or a parser unescaped: C0, DEL, C1, line and paragraph
// separators, the bidirectional controls (Unicode UAX 9), those of zero width, the byte order mark, noncharacters.
func hidden(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0, r == 0xad, r == 0x61c, r == 0x180e:
		return true
	case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f:
		return true
	case r == 0xfeff, r >= 0xfff9 && r <= 0xfffb, r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
		return true
	}
	return r >= 0xe0000 && r <= 0xe007f // tags
}

// Escaped puts a backslash before every byte of special in what follows start. That text is clean, so that no
// other escapes are needed.
func Escaped(b []byte, start int, special string) []byte {
	n := 0
	for _, c := range b[start:] {
		if oneOf(c, special) {
			n++
		}
	}
	if n == 0 {
		return b
	}
	from := len(b) - 1
	b = append(b, make([]byte, n)...)
	for to := len(b) - 1; to > from; from, to = from-1, to-1 {
		if b[to] = b[from]; oneOf(b[from], special) {
			to--
			b[to] = '\\'
		}
	}
	return b
}

// oneOf is strings.IndexByte for the two or three bytes that a format escapes; for so few a loop is faster.
func oneOf(c byte, few string) bool {
	for i := range len(few) {
		if few[i] == c {
			return true
		}
	}
	return false
}

// Address is a canonical address: IPv4 that is wrapped in IPv6 is unwrapped, the zone is gone. It may be invalid.
func Address(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// ParseAddress reads an address and returns its canonical form. A text too long for an address is not parsed at all.
func ParseAddress(s string) (netip.Addr, bool) {
	const longest = 64 // an IPv6 address with a zone
	if len(s) > longest {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return Address(a), err == nil
}

// Hardware returns a MAC address in lower case with colons; "" for anything else.
func Hardware(s string) string {
	mac, err := net.ParseMAC(s)
	if err != nil || len(mac) != 6 || !strings.Contains(s, ":") {
		return ""
	}
	return mac.String()
}

// Moment is the time that a record is filed under: the packet time of the change.
func Moment(a *alert.Alert) time.Time {
	for _, t := range []time.Time{a.Changed, a.Last, a.Made} {
		if Known(t) {
			return t.UTC()
		}
	}
	return time.Unix(0, 0).UTC()
}

// Known reports whether a time is set and can be written with a year of four digits.
func Known(t time.Time) bool { return !t.IsZero() && t.Unix() >= 0 && t.UTC().Year() <= 9999 }

// First returns the destination that represents all in formats with room for one: the first. It is empty if there is none.
func First(a *alert.Alert) alert.Destination {
	if len(a.Destinations) == 0 {
		return alert.Destination{}
	}
	return a.Destinations[0]
}

// FirstName is the name that was contacted, "" if none is known.
func FirstName(d alert.Destination) string {
	if len(d.Names) == 0 {
		return ""
	}
	return d.Names[0]
}

// Hosts returns the machines of a Summary that the Portion keeps: addresses in canonical form, and names.
func Hosts(a *alert.Alert, p Portion) []string {
	var list []string
	for _, h := range a.Hosts[:p.Hosts] {
		if ip, ok := ParseAddress(h); ok {
			h = ip.String()
		}
		list = append(list, h)
	}
	return list
}

// Countries splits "KZ/RU".
func Countries(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "/")
}

// Sensor is the name of the machine that saw it.
func Sensor(a *alert.Alert, o *Options) string {
	if o.Hostname != "" {
		return o.Hostname
	}
	return a.Sensor
}

// Formats with flat fields write an element of a list as a short text.

// evidenceText returns one piece of evidence: "tls-sni dnl-01.example (update, strong, 12 times)".
func evidenceText(e *alert.Evidence, size int) string {
	notes := make([]string, 0, 4)
	for _, note := range []string{e.Role, e.Strength} {
		if note != "" {
			notes = append(notes, note)
		}
	}
	switch e.Count {
	case 0:
	case 1:
		notes = append(notes, "once")
	default:
		notes = append(notes, strconv.FormatUint(e.Count, 10)+" times")
	}
	if !e.Supports {
		notes = append(notes, "counts against it")
	}
	return Clean(strings.TrimSpace(e.Kind+" "+e.Value), size) + " (" + strings.Join(notes, ", ") + ")"
}

// EvidenceTexts returns the evidence that fits the portion.
func EvidenceTexts(a *alert.Alert, p Portion) []string {
	var list []string
	for i := range a.Evidence[:p.Evidence] {
		list = append(list, evidenceText(&a.Evidence[i], p.Text))
	}
	return list
}

// BeaconTexts returns the descriptions of the beacons that fit the portion.
func BeaconTexts(a *alert.Alert, p Portion) []string {
	var list []string
	for _, b := range a.Beacons[:p.Beacons] {
		if b.Words != "" {
			list = append(list, Clean(b.Words, p.Text))
		}
	}
	return list
}

// PlaceText returns a destination's location: level and description.
func PlaceText(to alert.Destination) string {
	return strings.TrimSpace(to.Level + " " + to.Where)
}

// ProductText returns the product and its version.
func ProductText(v alert.Vendor) string { return strings.TrimSpace(v.Product + " " + v.ProductVersion) }

// Joined joins texts with "; " as long as they fit into size bytes, and reports whether all do.
func Joined(list []string, size int) (text string, all bool) {
	var b strings.Builder
	for i, s := range list {
		if b.Len()+len("; ")+len(s) > size {
			return b.String(), false
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(s)
	}
	return b.String(), true
}

// Decimal is a number as text, "" for 0. Receivers keep 63 bits.
func Decimal(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(min(n, math.MaxInt64), 10)
}

// Family names the IP version of the first address that is known.
func Family(addresses ...netip.Addr) string {
	for _, a := range addresses {
		switch a = Address(a); {
		case a.Is4():
			return "ipv4"
		case a.Is6():
			return "ipv6"
		}
	}
	return ""
}

// ProtocolNumber is IANA's number of a transport, 0 if it is not known.
func ProtocolNumber(transport string) int64 {
	switch transport {
	case "tcp":
		return 6
	case "udp":
		return 17
	}
	return 0
}

// AddOnce appends the texts that are not empty and not in the list yet.
func AddOnce(list []string, texts ...string) []string {
	for _, t := range texts {
		if t != "" && !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	return list
}
