package format

import (
	"math"
	"net/netip"
	"strconv"
	"time"
)

// Document appends one JSON text (RFC 8259), member after member in the order of the calls. A member whose value is not
// known is left out, and so is an object or a list in which nothing was written.
type Document struct {
	dst  []byte
	open []opening
	Text int  // bytes of a text at most
	Cut  bool // a text was longer
}

// opening is an object or a list that is not closed.
type opening struct {
	at    int  // in dst, of the comma before it
	close byte // its closing bracket
}

// NewDocument begins an object after dst.
func NewDocument(dst []byte, text int) *Document {
	return &Document{dst: append(dst, '{'), open: make([]opening, 0, 8), Text: text}
}

// Finish ends the outermost object.
func (d *Document) Finish() []byte { return append(d.dst, '}') }

// name begins a member. In a list name is "".
func (d *Document) name(name string) {
	if last := d.dst[len(d.dst)-1]; last != '{' && last != '[' {
		d.dst = append(d.dst, ',')
	}
	if name != "" {
		d.dst = append(append(append(d.dst, '"'), name...), '"', ':')
	}
}

func (d *Document) begin(name string, begin, end byte) {
	d.open = append(d.open, opening{len(d.dst), end})
	d.name(name)
	d.dst = append(d.dst, begin)
}

func (d *Document) Object(name string) { d.begin(name, '{', '}') }
func (d *Document) List(name string)   { d.begin(name, '[', ']') }

// End closes what was opened last.
func (d *Document) End() {
	last := d.open[len(d.open)-1]
	d.open = d.open[:len(d.open)-1]
	switch d.dst[len(d.dst)-1] {
	case '{', '[':
		d.dst = d.dst[:last.at]
	default:
		d.dst = append(d.dst, last.close)
	}
}

// Str writes a text, cleaned.
func (d *Document) Str(name, s string) { d.Short(name, s, d.Text) }

// Short writes a text of at most size bytes, and no more than others may have.
func (d *Document) Short(name, s string, size int) {
	if s == "" {
		return
	}
	d.name(name)
	start := len(d.dst) + 1
	var cut bool
	d.dst, cut = AppendClean(append(d.dst, '"'), s, min(size, d.Text))
	d.Cut = d.Cut || cut
	d.dst = append(Escaped(d.dst, start, `"\`), '"')
}

// Word writes a text that needs neither cleaning nor escapes: a constant, a number, an address. "" is left out.
func (d *Document) Word(name, s string) {
	if s != "" {
		d.name(name)
		d.dst = append(append(append(d.dst, '"'), s...), '"')
	}
}

// Words writes a list of words.
func (d *Document) Words(name string, list ...string) {
	d.List(name)
	for _, s := range list {
		d.Word("", s)
	}
	d.End()
}

// MostID is the longest identifier, in bytes.
const MostID = 128

// Exact writes an identifier, which is never shortened to make a record smaller.
func (d *Document) Exact(name, s string) { d.fixed(name, s, MostID) }

// Whole writes a text however small the record is to be: a STIX pattern that is cut would be another one.
func (d *Document) Whole(name, s string) { d.fixed(name, s, MostText) }

func (d *Document) fixed(name, s string, size int) {
	text := d.Text
	d.Text = size
	d.Short(name, s, size)
	d.Text = text
}

// Seconds writes a time in seconds since 1970 with six decimals.
func (d *Document) Seconds(name string, t time.Time) {
	d.name(name)
	micro := t.UnixMicro()
	d.dst = strconv.AppendInt(d.dst, micro/1e6, 10)
	d.dst = append(d.dst, '.')
	fraction := strconv.Itoa(int(micro % 1e6))
	d.dst = append(append(d.dst, "000000"[len(fraction):]...), fraction...)
}

// Strs writes a list of texts, at most n.
func (d *Document) Strs(name string, list []string, n int) {
	d.List(name)
	for _, s := range list[:min(n, len(list))] {
		d.Str("", s)
	}
	d.End()
}

// Integer writes a number; 0 is left out.
func (d *Document) Integer(name string, n int64) {
	if n != 0 {
		d.Number(name, n)
	}
}

// Number writes a number, 0 too.
func (d *Document) Number(name string, n int64) {
	d.name(name)
	d.dst = strconv.AppendInt(d.dst, n, 10)
}

// Count writes a number of things, which receivers keep in 63 bits; 0 is left out.
func (d *Document) Count(name string, n uint64) { d.Integer(name, int64(min(n, math.MaxInt64))) }

// Real writes a number with a fraction; 0, NaN and infinity are left out.
func (d *Document) Real(name string, f float64) {
	if f == 0 || math.IsNaN(f) || math.IsInf(f, 0) {
		return
	}
	d.name(name)
	d.dst = strconv.AppendFloat(d.dst, math.Round(f*1000)/1000, 'f', -1, 64)
}

func (d *Document) Flag(name string, b bool) {
	d.name(name)
	d.dst = strconv.AppendBool(d.dst, b)
}

// IP writes an address that is valid.
func (d *Document) IP(name string, a netip.Addr) {
	if a = Address(a); !a.IsValid() {
		return
	}
	d.name(name)
	d.dst = append(a.AppendTo(append(d.dst, '"')), '"')
}

// Time writes a time that is known, in UTC by the layout.
func (d *Document) Time(name string, t time.Time, layout string) {
	if !Known(t) {
		return
	}
	d.name(name)
	d.dst = append(t.UTC().AppendFormat(append(d.dst, '"'), layout), '"')
}

// Milli writes a time that is known in milliseconds since 1970.
func (d *Document) Milli(name string, t time.Time) {
	if Known(t) {
		d.Number(name, t.UnixMilli())
	}
}

// Layouts of times. Fractions are cut, not rounded.
const (
	LayoutMilli = "2006-01-02T15:04:05.000Z"
	LayoutMicro = "2006-01-02T15:04:05.000000Z"
	LayoutNano  = "2006-01-02T15:04:05.000000000Z"
)
