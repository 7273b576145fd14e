package siem

import (
	"math"
	"net/netip"
	"strconv"
	"time"
)

// document appends one JSON text (RFC 8259), member after member in the order of the calls. A member whose value is not
// known is left out, and so is an object or a list in which nothing was written.
type document struct {
	dst  []byte
	open []int // where each open object or list began, with the comma before it
	text int   // bytes of a text at most
	cut  bool  // a text was longer
}

// newDocument begins an object behind dst.
func newDocument(dst []byte, text int) *document {
	return &document{dst: append(dst, '{'), open: make([]int, 0, 8), text: text}
}

// finish ends the outermost object.
func (d *document) finish() []byte { return append(d.dst, '}') }

// name begins a member. In a list name is "".
func (d *document) name(name string) {
	if last := d.dst[len(d.dst)-1]; last != '{' && last != '[' {
		d.dst = append(d.dst, ',')
	}
	if name != "" {
		d.dst = append(append(append(d.dst, '"'), name...), '"', ':')
	}
}

// begin opens an object ('{') or a list ('[').
func (d *document) begin(name string, bracket byte) {
	d.open = append(d.open, len(d.dst))
	d.name(name)
	d.dst = append(d.dst, bracket)
}

func (d *document) object(name string) { d.begin(name, '{') }
func (d *document) list(name string)   { d.begin(name, '[') }

// end closes what was opened last.
func (d *document) end() {
	began := d.open[len(d.open)-1]
	d.open = d.open[:len(d.open)-1]
	switch d.dst[len(d.dst)-1] {
	case '{', '[':
		d.dst = d.dst[:began]
		return
	}
	if c := d.bracket(began); c == '{' {
		d.dst = append(d.dst, '}')
	} else {
		d.dst = append(d.dst, ']')
	}
}

// bracket finds the bracket of what began at i: the first behind the comma and the name.
func (d *document) bracket(i int) byte {
	if d.dst[i] == ',' {
		i++
	}
	if d.dst[i] == '"' {
		for i++; d.dst[i] != '"'; i++ {
		}
		i += len(`":`)
	}
	return d.dst[i]
}

// str writes a text, cleaned.
func (d *document) str(name, s string) { d.short(name, s, d.text) }

// short writes a text of at most size bytes, and no more than others may have.
func (d *document) short(name, s string, size int) {
	if s == "" {
		return
	}
	d.name(name)
	start := len(d.dst) + 1
	var cut bool
	d.dst, cut = appendClean(append(d.dst, '"'), s, min(size, d.text))
	d.cut = d.cut || cut
	d.dst = append(escaped(d.dst, start, `"\`), '"')
}

// word writes a text that needs neither cleaning nor escapes: a constant, a number, an address. "" is left out.
func (d *document) word(name, s string) {
	if s != "" {
		d.name(name)
		d.dst = append(append(append(d.dst, '"'), s...), '"')
	}
}

// words writes a list of words.
func (d *document) words(name string, list ...string) {
	d.list(name)
	for _, s := range list {
		d.word("", s)
	}
	d.end()
}

// exact writes an identifier, which is never shortened to make a record smaller.
func (d *document) exact(name, s string) {
	text := d.text
	d.text = mostID
	d.short(name, s, mostID)
	d.text = text
}

const mostID = 128

// strs writes a list of texts, at most n.
func (d *document) strs(name string, list []string, n int) {
	d.list(name)
	for _, s := range list[:min(n, len(list))] {
		d.str("", s)
	}
	d.end()
}

// integer writes a number; 0 is left out.
func (d *document) integer(name string, n int64) {
	if n != 0 {
		d.number(name, n)
	}
}

// number writes a number, 0 too.
func (d *document) number(name string, n int64) {
	d.name(name)
	d.dst = strconv.AppendInt(d.dst, n, 10)
}

// count writes a number of things, which receivers keep in 63 bits; 0 is left out.
func (d *document) count(name string, n uint64) { d.integer(name, int64(min(n, math.MaxInt64))) }

// real writes a number with a fraction; 0 and what is no number is left out.
func (d *document) real(name string, f float64) {
	if f == 0 || math.IsNaN(f) || math.IsInf(f, 0) {
		return
	}
	d.name(name)
	d.dst = strconv.AppendFloat(d.dst, math.Round(f*1000)/1000, 'f', -1, 64)
}

func (d *document) flag(name string, b bool) {
	d.name(name)
	d.dst = strconv.AppendBool(d.dst, b)
}

// ip writes an address that is valid.
func (d *document) ip(name string, a netip.Addr) {
	if a = address(a); !a.IsValid() {
		return
	}
	d.name(name)
	d.dst = append(a.AppendTo(append(d.dst, '"')), '"')
}

// time writes a time that is known, in UTC by the layout.
func (d *document) time(name string, t time.Time, layout string) {
	if !known(t) {
		return
	}
	d.name(name)
	d.dst = append(t.UTC().AppendFormat(append(d.dst, '"'), layout), '"')
}

// milli writes a time that is known in milliseconds since 1970.
func (d *document) milli(name string, t time.Time) {
	if known(t) {
		d.number(name, t.UnixMilli())
	}
}

// Layouts of times. Fractions are cut, not rounded.
const (
	layoutMilli = "2006-01-02T15:04:05.000Z"
	layoutMicro = "2006-01-02T15:04:05.000000Z"
	layoutNano  = "2006-01-02T15:04:05.000000000Z"
	layoutEVE   = "2006-01-02T15:04:05.000000-0700"
)

// set collects texts in their order, each once.
type set struct{ list []string }

// add takes texts that are not empty.
func (s *set) add(texts ...string) {
	for _, t := range texts {
		if t != "" && !s.has(t) {
			s.list = append(s.list, t)
		}
	}
}

func (s *set) has(t string) bool {
	for _, have := range s.list {
		if have == t {
			return true
		}
	}
	return false
}

// addIP takes an address that is valid.
func (s *set) addIP(a netip.Addr) {
	if a = address(a); a.IsValid() {
		s.add(a.String())
	}
}
