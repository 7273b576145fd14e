package wire

import "bytes"

// Bounds of an HTTP head; what exceeds them is not read.
const (
	httpHeadMax   = 64 << 10 // bytes of request or status line and fields together
	httpFieldsMax = 256      // fields that are read; the end of the head is still found after more
	httpBlankMax  = 8        // bytes of empty lines before a start line (RFC 9112 2.2)
)

// httpFields iterates over the fields of an HTTP head in place. It accepts bare LF as a line end (RFC 9112 2.2) and joins
// obsolete folds (RFC 9112 5.2): a folded value is returned whole, with its line ends in it; see unfold.
type httpFields struct {
	b     []byte // the head from the line after the start line on
	pos   int
	count int
	end   bool // the blank line was reached; pos is after it
}

// next returns the next complete field. ok is false at the blank line, and if the bytes end before a line does. Lines that
// are not fields (no colon, no name) are skipped.
func (f *httpFields) next() (name, value []byte, ok bool) {
	for {
		start := f.pos
		line, ok := f.line()
		if !ok || f.end {
			return nil, nil, false
		}
		if f.folded() {
			if line, ok = f.fold(start); !ok {
				return nil, nil, false
			}
		}
		if f.count++; f.count > httpFieldsMax {
			continue
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || blank(line[0]) {
			continue
		}
		return trimBlanks(line[:colon]), trimBlanks(line[colon+1:]), true
	}
}

// line returns the line at pos without its end and moves past it. An empty one sets end.
func (f *httpFields) line() ([]byte, bool) {
	rest := f.b[f.pos:]
	n := bytes.IndexByte(rest, '\n')
	if n < 0 {
		return nil, false
	}
	f.pos += n + 1
	if n > 0 && rest[n-1] == '\r' {
		n--
	}
	f.end = n == 0
	return rest[:n], true
}

func (f *httpFields) folded() bool { return f.pos < len(f.b) && blank(f.b[f.pos]) }

// fold moves past the continuation lines at pos and returns everything from start to their end.
func (f *httpFields) fold(start int) ([]byte, bool) {
	for f.folded() {
		if _, ok := f.line(); !ok {
			f.pos = len(f.b)
			return nil, false
		}
	}
	return f.b[start:f.pos], true
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// trimBlanks cuts blanks and line ends off both ends.
func trimBlanks(b []byte) []byte {
	for len(b) > 0 && (blank(b[0]) || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	for len(b) > 0 && (blank(b[len(b)-1]) || b[len(b)-1] == '\r' || b[len(b)-1] == '\n') {
		b = b[:len(b)-1]
	}
	return b
}

// unfold returns b as text, with a blank for each fold.
func unfold(b []byte) string {
	if bytes.IndexByte(b, '\n') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n')
		if n < 0 {
			n = len(b)
		}
		if part := trimBlanks(b[:n]); len(part) > 0 {
			if len(out) > 0 {
				out = append(out, ' ')
			}
			out = append(out, part...)
		}
		b = b[min(n+1, len(b)):]
	}
	return string(out)
}

// is reports whether b is the lower-case word, in any case.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// lastItem returns the last element of the comma separated list.
func lastItem(list []byte) []byte { return trimBlanks(list[bytes.LastIndexByte(list, ',')+1:]) }

// framing is what a head says about the length of its body (RFC 9112 6).
type framing struct {
	length  int64 // -1 where none is given
	chunked bool
}

// see reads a field. Transfer-Encoding overrides Content-Length (RFC 9112 6.3).
func (f *framing) see(name, value []byte) {
	switch {
	case is(name, "content-length"):
		if n, ok := decimal(value); ok && f.length < 0 {
			f.length = n
		}
	case is(name, "transfer-encoding"):
		f.chunked = f.chunked || is(lastItem(value), "chunked")
	}
}

// settle returns the length and whether the body is chunked.
func (f *framing) settle() (int64, bool) {
	if f.chunked {
		return -1, true
	}
	return f.length, false
}

// decimal reads a length of at most 18 digits. A list of equal values, which RFC 9110 8.6 lets a recipient treat as one,
// counts as its first.
func decimal(b []byte) (int64, bool) {
	if n := bytes.IndexByte(b, ','); n >= 0 {
		b = trimBlanks(b[:n])
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
