package classify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"
)

// ErrSnapshot means that bytes are not a snapshot, or one of another version.
var ErrSnapshot = errors.New("unreadable snapshot")

// coder writes values to bytes or reads them back: each type lists its fields once, for both directions. Numbers are varints, and a
// repeated text is written once. Reading hostile bytes sets err and yields zero values; a length is checked against the bytes left
// before anything is allocated.
type coder struct {
	b     []byte // written so far, or left to read
	form  uint8  // the version that b is in
	reads bool
	err   error
	index map[string]int // writing: where a text is in texts
	texts []string
}

func newWriter() *coder { return &coder{index: map[string]int{}} }

func newReader(b []byte) *coder { return &coder{b: b, reads: true} }

func (c *coder) fail(what string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrSnapshot, what)
	}
	c.b = nil
}

// since reports whether the form has the additions of a version.
func (c *coder) since(version uint8) bool { return c.form >= version }

// end returns the error, and one if bytes are left.
func (c *coder) end() error {
	if c.reads && c.err == nil && len(c.b) > 0 {
		c.fail("bytes left over")
	}
	return c.err
}

type integer interface {
	~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// code is one whole number.
func code[T integer](c *coder, v *T) {
	if !c.reads {
		c.b = binary.AppendVarint(c.b, int64(*v))
		return
	}
	x, n := binary.Varint(c.b)
	if n <= 0 || int64(T(x)) != x {
		c.fail("a number")
		*v = 0
		return
	}
	c.b, *v = c.b[n:], T(x)
}

// codeMost is a number of an enumeration, at most most.
func codeMost[T integer](c *coder, v *T, most T) {
	code(c, v)
	if c.reads && (*v < 0 || *v > most) {
		c.fail("a number out of its range")
		*v = 0
	}
}

func (c *coder) flag(v *bool) {
	x := uint8(0)
	if *v {
		x = 1
	}
	codeMost(c, &x, 1)
	*v = x == 1
}

func (c *coder) float(v *float64) {
	if !c.reads {
		c.b = binary.LittleEndian.AppendUint64(c.b, math.Float64bits(*v))
		return
	}
	if len(c.b) < 8 {
		c.fail("a fraction")
		return
	}
	*v = math.Float64frombits(binary.LittleEndian.Uint64(c.b))
	c.b = c.b[8:]
	if math.IsNaN(*v) || math.IsInf(*v, 0) {
		c.fail("NaN or infinity")
		*v = 0
	}
}

// instant is a time; the zero time too. It comes back in UTC.
func (c *coder) instant(v *time.Time) {
	set := !v.IsZero()
	c.flag(&set)
	if !set {
		*v = time.Time{}
		return
	}
	sec, nsec := v.Unix(), int64(v.Nanosecond())
	code(c, &sec)
	codeMost(c, &nsec, 999_999_999)
	if c.reads {
		*v = time.Unix(sec, nsec).UTC()
	}
}

func (c *coder) bytes(v []byte) {
	if !c.reads {
		c.b = append(c.b, v...)
		return
	}
	if len(c.b) < len(v) {
		c.fail("too few bytes")
		return
	}
	c.b = c.b[copy(v, c.b):]
}

// addr is an address without a zone, or none.
func (c *coder) addr(v *netip.Addr) {
	n := uint8(v.BitLen() / 8)
	codeMost(c, &n, 16)
	var room [16]byte
	if !c.reads {
		copy(room[:], v.AsSlice())
	}
	c.bytes(room[:n])
	if c.reads {
		var ok bool
		if *v, ok = netip.AddrFromSlice(room[:n]); !ok && n != 0 {
			c.fail("an address")
		}
	}
}

func (c *coder) addrPort(v *netip.AddrPort) {
	a, p := v.Addr(), v.Port()
	c.addr(&a)
	code(c, &p)
	*v = netip.AddrPortFrom(a, p)
}

// maxText is the longest text in a snapshot, bytes: a request line's worth.
const maxText = 1 << 16

// text codes a text that may be repeated.
func (c *coder) text(v *string) {
	if !c.reads {
		at, known := c.index[*v]
		if !known {
			at = len(c.texts)
			c.index[*v] = at
			c.texts = append(c.texts, *v)
		}
		code(c, &at)
		if !known {
			n := len(*v)
			code(c, &n)
			c.b = append(c.b, *v...)
		}
		return
	}
	at, n := 0, 0
	codeMost(c, &at, len(c.texts))
	if at < len(c.texts) || c.err != nil {
		if c.err == nil {
			*v = c.texts[at]
		}
		return
	}
	codeMost(c, &n, min(maxText, len(c.b)))
	if n > len(c.b) {
		c.fail("a text")
		return
	}
	*v = string(c.b[:n])
	c.b = c.b[n:]
	c.texts = append(c.texts, *v)
}

// list is a list of at most most values. each must take at least one byte.
func list[T any](c *coder, v *[]T, most int, each func(*T)) {
	n := len(*v)
	codeMost(c, &n, most)
	if c.reads {
		if n > len(c.b) {
			c.fail("a list")
			n = 0
		}
		*v = nil
		if n > 0 {
			*v = make([]T, n)
		}
	}
	for i := range *v {
		if c.err != nil {
			*v = (*v)[:i]
			return
		}
		each(&(*v)[i])
	}
}
