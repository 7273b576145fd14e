package siem

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"avbeacon/internal/alert"
)

// clean makes text from the wire fit for a record, in the way of the report on a terminal: what is no UTF-8 and control
// characters of ASCII become \DDD (three decimal digits, as in DNS master files), other control characters and those that
// change the direction of writing, break lines or hide become \u{X}. It takes at most size bytes; what is longer ends at a
// whole character or escape, with "..." behind.
func clean(s string, size int) string {
	if len(s) <= size && plain(s) {
		return s
	}
	b, _ := appendClean(make([]byte, 0, min(len(s)+16, size)), s, size)
	return string(b)
}

const ellipsis = "..."

// appendClean appends what clean gives, and tells whether it was cut. A size below 3 is taken as 3.
func appendClean(dst []byte, s string, size int) (out []byte, cut bool) {
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

// plain tells that s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// hidden tells the characters that must not reach a screen or a parser as they are: C0, DEL, C1, line and paragraph
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

// escaped puts a backslash before every byte of special in what follows start. What stands there is clean, so that no
// other escapes are needed.
func escaped(b []byte, start int, special string) []byte {
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

// address is a canonical address: IPv4 that is wrapped in IPv6 is unwrapped, the zone is gone. It may be invalid.
func address(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// parseAddress reads an address and gives its canonical form. What is too long for one is not even looked at.
func parseAddress(s string) (netip.Addr, bool) {
	const longest = 64 // an IPv6 address with a zone
	if len(s) > longest {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return address(a), err == nil
}

// hardware gives a MAC address in lower case with colons; "" for what is none.
func hardware(s string) string {
	if len(s) != len("00:00:00:00:00:00") {
		return ""
	}
	for i := range len(s) {
		hex := strings.IndexByte("0123456789abcdefABCDEF", s[i]) >= 0
		if i%3 == 2 && s[i] != ':' || i%3 != 2 && !hex {
			return ""
		}
	}
	return strings.ToLower(s)
}

// moment is the time that a record is filed under: the packet time of the change.
func moment(a *alert.Alert) time.Time {
	for _, t := range []time.Time{a.Changed, a.Last, a.Made} {
		if known(t) {
			return t.UTC()
		}
	}
	return time.Unix(0, 0).UTC()
}

// known tells whether a time is set and can be written with a year of four digits.
func known(t time.Time) bool { return !t.IsZero() && t.Unix() >= 0 && t.UTC().Year() <= 9999 }

// first gives the destination that stands for all: the first in the alert. It is empty where there is none.
func first(a *alert.Alert) alert.Destination {
	if len(a.Destinations) == 0 {
		return alert.Destination{}
	}
	return a.Destinations[0]
}

// firstName is the name by which it was called, "" where none is known.
func firstName(d alert.Destination) string {
	if len(d.Names) == 0 {
		return ""
	}
	return d.Names[0]
}

// hosts gives the machines of a Summary that the portion leaves: addresses in their canonical form, and names.
func hosts(a *alert.Alert, p portion) []string {
	var list []string
	for _, h := range a.Hosts[:p.hosts] {
		if ip, ok := parseAddress(h); ok {
			h = ip.String()
		}
		list = append(list, h)
	}
	return list
}

// countries splits "KZ/RU".
func countries(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "/")
}

// sensor is the name of the machine that saw it.
func sensor(a *alert.Alert, o *EncodeOptions) string {
	if o.Hostname != "" {
		return o.Hostname
	}
	return a.Sensor
}

// or is s, or otherwise where s is empty.
func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
