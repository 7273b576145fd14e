package wire

import "slices"

const piecesMax = 128 // runs of bytes with holes between them

// pieces joins a message from parts that come in any order and may overlap; the bytes that came first are kept. Its users
// bound the offsets.
type pieces struct {
	data []byte
	have []span // sorted, apart from each other
}

// span is a range of offsets; to is exclusive.
type span struct{ from, to int }

// emptied returns no pieces in the same buffers.
func (p *pieces) emptied() pieces { return pieces{data: p.data[:0], have: p.have[:0]} }

// start returns the bytes from offset 0 up to the first hole.
func (p *pieces) start() []byte {
	if len(p.have) == 0 || p.have[0].from > 0 {
		return nil
	}
	return p.data[:p.have[0].to]
}

// add puts piece at offset, except for bytes that are there already.
func (p *pieces) add(offset int, piece []byte) {
	end := offset + len(piece)
	if len(piece) == 0 || len(p.have) >= piecesMax {
		return
	}
	if end > len(p.data) {
		p.data = slices.Grow(p.data, end-len(p.data))[:end]
	}
	// [i, j) are the spans that touch the piece.
	i, _ := slices.BinarySearchFunc(p.have, offset, func(s span, at int) int { return s.to - at })
	j := i
	at := offset
	joined := span{offset, end}
	for ; j < len(p.have) && p.have[j].from <= end; j++ {
		s := p.have[j]
		if at < s.from {
			copy(p.data[at:s.from], piece[at-offset:])
		}
		at = max(at, s.to)
		joined = span{min(joined.from, s.from), max(joined.to, s.to)}
	}
	if at < end {
		copy(p.data[at:end], piece[at-offset:])
	}
	if i == j {
		p.have = slices.Insert(p.have, i, joined)
		return
	}
	p.have[i] = joined
	p.have = slices.Delete(p.have, i+1, j)
}
