package wire

import (
	"iter"
	"strings"
	"unicode/utf16"
)

// DER tags (X.690 8.1.2) and object identifiers (their contents) that certificates are searched for.
const (
	derOctets    = 0x04
	derOID       = 0x06
	derUniversal = 0x1c // UniversalString: UTF-32
	derBMP       = 0x1e // BMPString: UTF-16
	derSequence  = 0x30
	derContext   = 0xa0 // constructed, context-specific
	derName      = 0x82 // dNSName in GeneralName
	derAddress   = 0x87 // iPAddress in GeneralName

	oidCommonName   = "\x55\x04\x03" // 2.5.4.3
	oidOrganisation = "\x55\x04\x0a" // 2.5.4.10
	oidAltName      = "\x55\x1d\x11" // 2.5.29.17
)

// cutDER cuts the first element off b. It accepts what strict readers reject: lengths in more bytes than needed, and
// contents that run past their container, which are cut there. ok is false if there is no element.
func cutDER(b []byte) (tag byte, content, rest []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, nil, false
	}
	n, at := int(b[1]), 2
	if n >= 0x80 {
		size := n & 0x7f
		if size == 0 || size > 4 || len(b) < at+size {
			return 0, nil, nil, false
		}
		n = 0
		for _, c := range b[at : at+size] {
			n = n<<8 | int(c)
		}
		at += size
	}
	if n > len(b)-at {
		n = len(b) - at
	}
	return b[0], b[at : at+n], b[at+n:], true
}

// derElements yields tag and content of the elements in b.
func derElements(b []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		for tag, content, rest, ok := cutDER(b); ok && yield(tag, content); {
			tag, content, rest, ok = cutDER(rest)
		}
	}
}

// derText returns the text of the string element at b: as UTF-8 if its type defines the encoding, else its bytes.
func derText(b []byte) string {
	tag, content, _, ok := cutDER(b)
	if !ok {
		return ""
	}
	switch tag {
	case derBMP:
		units := make([]uint16, 0, len(content)/2)
		for ; len(content) >= 2; content = content[2:] {
			units = append(units, uint16(content[0])<<8|uint16(content[1]))
		}
		return string(utf16.Decode(units))
	case derUniversal:
		var text strings.Builder
		for ; len(content) >= 4; content = content[4:] {
			text.WriteRune(rune(content[0])<<24 | rune(content[1])<<16 | rune(content[2])<<8 | rune(content[3]))
		}
		return text.String()
	}
	return string(content)
}
