package wire

import (
	"encoding/binary"
	"strings"
)

const (
	dnsMaxName = 255 // bytes on the wire, the root's included (RFC 1035 3.1)
	// dnsMaxHops is how many compression pointers one name may take: as many as it can have labels, which ends loops.
	dnsMaxHops = 126
)

// readDNSName appends the name at off to dst, in the form of DNSPeek.Name, and returns the offset after it. Pointers may
// point forwards, as resolvers in the field accept it. dst grows by less than 1024 bytes.
func readDNSName(msg []byte, off int, dst []byte) (name []byte, next int, ok bool) {
	start, budget, hops := len(dst), dnsMaxName, 0
	next = -1
	for off < len(msg) {
		c := int(msg[off])
		off++
		switch {
		case c == 0:
			if next < 0 {
				next = off
			}
			if len(dst) == start {
				dst = append(dst, '.')
			}
			return dst, next, true
		case c < 0x40:
			budget -= c + 1
			if budget <= 0 || len(msg)-off < c {
				return nil, 0, false
			}
			if len(dst) > start {
				dst = append(dst, '.')
			}
			dst = appendDNSLabel(dst, msg[off:off+c])
			off += c
		case c >= 0xC0 && off < len(msg) && hops < dnsMaxHops:
			if next < 0 {
				next = off + 1
			}
			hops++
			off = (c&0x3F)<<8 | int(msg[off])
		default: // 0x40 and 0x80 are no label types in use (RFC 6891 5)
			return nil, 0, false
		}
	}
	return nil, 0, false
}

// appendDNSLabel appends one label as text.
func appendDNSLabel(dst, label []byte) []byte {
	if n := len(dst); cap(dst)-n >= len(label) { // most labels have nothing special in them
		text := dst[n : n+len(label)]
		i := 0
		for ; i < len(label); i++ {
			c := label[i]
			if c-'A' < 26 {
				c |= 0x20
			}
			if c-33 > 126-33 || c == '.' || c == '\\' {
				break
			}
			text[i] = c
		}
		dst, label = dst[:n+i], label[i:]
	}
	for _, c := range label {
		switch {
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c|0x20)
		case c < 33 || c > 126 || c == '.' || c == '\\':
			dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// dnsNameText converts a name from miekg/dns's form (\X for special bytes, \DDD for others, a dot at the end) to that of
// DNSPeek.Name. Empty stays empty: there was no name.
func dnsNameText(s string) string {
	if s == "." || s == "" {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for s = s[:len(s)-1]; s != ""; {
		if s[0] == '.' {
			b.WriteByte('.')
			s = s[1:]
			continue
		}
		var c byte
		c, s = dnsUnescape(s)
		var out [4]byte
		b.Write(appendDNSLabel(out[:0], []byte{c}))
	}
	return b.String()
}

// dnsUnescape cuts the first byte, escaped or not, off miekg/dns's text. s must not be empty.
func dnsUnescape(s string) (byte, string) {
	if s[0] != '\\' || len(s) == 1 {
		return s[0], s[1:]
	}
	if len(s) >= 4 && '0' <= s[1] && s[1] <= '9' {
		return (s[1]-'0')*100 + (s[2]-'0')*10 + s[3] - '0', s[4:]
	}
	return s[1], s[2:]
}

// skipDNSName returns the offset after the name at off, without following pointers.
func skipDNSName(msg []byte, off int) (int, bool) {
	for off < len(msg) {
		c := int(msg[off])
		switch {
		case c == 0:
			return off + 1, true
		case c < 0x40:
			off += 1 + c
		case c >= 0xC0 && off+1 < len(msg):
			return off + 2, true
		default:
			return 0, false
		}
	}
	return 0, false
}

// dnsPointer returns where the name at off points if it is only a compression pointer, else -1.
func dnsPointer(msg []byte, off int) int {
	if msg[off] < 0xC0 {
		return -1
	}
	return int(binary.BigEndian.Uint16(msg[off:]) & 0x3FFF)
}
