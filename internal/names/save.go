package names

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// Piece is a part of a Names's memory, from which one of a later run can continue.
type Piece struct {
	Part uint8 // its key
	Data []byte
}

const (
	parts     = 256
	savedForm = 1   // first byte of Data
	longest   = 255 // bytes of a name
)

// partOf spreads what was learned over the parts, by the address that sent the query: a machine may have a key of this run only.
func partOf(host, addr addrKey) uint8 { return addr[15] ^ addr[14] ^ host[15] }

// Changed returns the parts that changed since it was last called, whole, without names that have expired at packet time now. It looks
// at the pairs of these parts alone.
func (n *Names) Changed(now time.Time) (out []Piece) {
	for i, list := range n.parts {
		if !n.changed[i] {
			continue
		}
		n.changed[i] = false
		n.looked += uint64(len(list))
		data := []byte{savedForm}
		for _, l := range list {
			if l.till >= now.UnixNano() {
				data = l.append(data)
			}
		}
		out = append(out, Piece{Part: uint8(i), Data: data})
	}
	return out
}

// append writes one pair, under the address that sent the query.
func (l *learned) append(b []byte) []byte {
	b = append(append(b, l.host[:]...), l.addr[:]...)
	b = binary.AppendVarint(b, l.from)
	b = binary.AppendVarint(b, l.till-l.from)
	b = append(b, uint8(min(len(l.name), longest)))
	return append(b, l.name[:min(len(l.name), longest)]...)
}

var errSaved = errors.New("what was learned from DNS cannot be read")

// Restore restores the parts of an earlier run, before the first Observation. It skips what is unreadable and then returns an error. Data
// may be hostile.
func (n *Names) Restore(pieces []Piece) (err error) {
	var all []learned
	for _, p := range pieces {
		list, ok := readPiece(p.Data)
		if all = append(all, list...); !ok {
			err = errSaved
		}
	}
	slices.SortFunc(all, func(a, b learned) int {
		return cmp.Or(cmp.Compare(a.till, b.till), slices.Compare(a.host[:], b.host[:]), slices.Compare(a.addr[:], b.addr[:]))
	})
	for _, s := range all[max(0, len(all)-n.opt.MaxPairs):] {
		p := pair{s.host, s.addr}
		n.learn(p, s)
		if l := n.pairs[p]; l.name == "" && n.last[p.addr] == l {
			delete(n.last, p.addr)
		}
	}
	n.changed = [parts]bool{}
	return err
}

// readPiece reads as far as it can be read.
func readPiece(b []byte) (list []learned, ok bool) {
	if len(b) == 0 || b[0] != savedForm {
		return nil, false
	}
	for b = b[1:]; len(b) > 0; {
		s, n := readSaved(b)
		if n == 0 {
			return list, false
		}
		list, b = append(list, s), b[n:]
	}
	return list, true
}

// readSaved reads what was learned of one pair and returns its length in bytes; 0 if it is damaged.
func readSaved(b []byte) (s learned, size int) {
	const fixed = 32
	if len(b) < fixed {
		return s, 0
	}
	copy(s.host[:], b)
	copy(s.addr[:], b[16:])
	from, n := binary.Varint(b[fixed:])
	if n <= 0 {
		return s, 0
	}
	size = fixed + n
	span, n := binary.Varint(b[size:])
	if n <= 0 || span < 0 || span > 1<<61 || from < 0 || from > 1<<61 {
		return s, 0
	}
	size += n
	if len(b) <= size || len(b) < size+1+int(b[size]) {
		return s, 0
	}
	s.from, s.till = from, from+span
	s.name = string(b[size+1 : size+1+int(b[size])])
	return s, size + 1 + int(b[size])
}
