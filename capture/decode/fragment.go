package decode

import (
	"bytes"
	"slices"

	"avbeacon/capture"
)

// Fragments are joined by one rule: of bytes that arrive twice the first are kept, and the first fragment without "more
// fragments" sets the end. Systems differ here (some keep the newer bytes, many drop the datagram). With this rule nobody
// can replace afterwards what was seen, and honest senders send the same bytes twice.
//
// A fragment that is not the last and not a multiple of 8 bytes long is cut down to one, as Linux does.
//
// Start reading at Decoder.fragment. A datagram waits in fragmentTable.pending until its pieces cover it, until it is older
// than maxAge, or until the table's memory is full. One that timed out after its first fragment came becomes an orphan: its
// beginning has the ports and perhaps a name, so Flush hands that out. One that was dropped for memory leaves nothing: a flood
// must not gain by it.

// fragment is what an IP header or fragment header says about a piece.
type fragment struct {
	id     uint32
	proto  uint8
	offset int // bytes
	more   bool
}

// datagramKey identifies a datagram (RFC 791 3.2, RFC 8200 4.5), within the VLANs and tunnels that it came in.
type datagramKey struct {
	src, dst capture.Addr16
	path     uint64 // hash
	id       uint32
	proto    uint8 // 0 for IPv6
	ipv6     bool
}

// extent is a run of bytes of a datagram, from offset from on.
type extent struct {
	data []byte
	from int
}

func (p extent) end() int { return p.from + len(p.data) }

// datagram is one of which pieces are missing.
type datagram struct {
	key     datagramKey
	path    []byte
	pieces  []extent // by offset, not overlapping
	first   Headers  // of the first fragment; valid iff begins
	begun   int64    // packet time of the piece that came first
	total   int      // length; -1 while unknown
	length  uint32   // IP bytes of all its packets, as they count for the flow
	held    int      // bytes of data in pieces; the datagram is complete when this is total
	packets uint64
	memory  int
	depth   int  // how many tunnels it came in
	ended   bool // complete or given up; it may still be in the table's queue
	proto   uint8
	begins  bool // the first fragment is there
}

// prefix returns a copy of the bytes from the datagram's beginning to the first hole.
func (g *datagram) prefix() []byte {
	whole := make([]byte, 0, g.held)
	for _, p := range g.pieces {
		if p.from > len(whole) {
			break
		}
		whole = append(whole, p.data...)
	}
	return whole
}

// wireLength is the datagram's length as far as its pieces show it. UDP's header has it.
func (g *datagram) wireLength() int {
	switch {
	case g.total >= 0:
		return g.total
	case g.proto == ipUDP:
		return maxDatagram
	}
	return g.pieces[len(g.pieces)-1].end() + 8
}

const (
	maxDatagram  = 65535
	pieceCost    = 64  // bytes that a piece costs beside its data
	datagramCost = 512 // and a datagram beside its pieces
)

// fragment adds a piece whose data is b, with wire bytes on the wire, and continues with the whole datagram if the piece
// completes it. A first fragment that the capture cut is used as it is.
func (d *Decoder) fragment(out *Headers, f fragment, b []byte, wire int) capture.Reason {
	s := &d.frags.stats
	s.Pieces++
	if len(b) < wire {
		s.Cut++
		if f.offset > 0 {
			return capture.ReasonFragmentCut
		}
		return d.upper(out, f.proto, b, wire)
	}
	if f.more {
		b = b[:len(b)&^7] // offsets count in units of 8 bytes: the rest could not be continued
	}
	if len(b) == 0 || f.offset+len(b) > maxDatagram {
		s.Bad++
		return capture.ReasonFragmentBad
	}
	g := d.frags.find(d.key(out, f), out.Time)
	if g.path == nil {
		g.path, g.depth = append(make([]byte, 0, len(d.path)), d.path...), d.depth
	}
	d.frags.add(g, f, b, out)
	if g.held != g.total {
		d.frags.shrink(g)
		return capture.ReasonFragmentWaiting
	}
	whole := d.frags.join(g)
	// The pieces before this one were counted as waiting. They are understood now.
	d.stats.Undecoded[capture.ReasonFragmentWaiting] -= g.packets - 1
	out.IPLen, out.TTL = g.length, g.first.TTL
	return d.upper(out, g.proto, whole, len(whole))
}

// key identifies out's datagram. The hash of the path is FNV-1a.
func (d *Decoder) key(out *Headers, f fragment) datagramKey {
	h := uint64(14695981039346656037)
	for _, c := range d.path {
		h = (h ^ uint64(c)) * 1099511628211
	}
	k := datagramKey{src: out.Src, dst: out.Dst, path: h, id: f.id, ipv6: out.IPv6}
	if !out.IPv6 {
		k.proto = f.proto
	}
	return k
}

// fragmentTable holds incomplete datagrams in at most limit bytes. When it is full the oldest are given up.
type fragmentTable struct {
	pending map[datagramKey]*datagram
	queue   []*datagram // in order of begun; some have ended
	orphans []*datagram // given up; Flush hands them out
	stats   capture.FragmentStats
	memory  int
	limit   int
	maxAge  int64
	clock   int64 // the highest packet time of a fragment
}

func (t *fragmentTable) init(limit int, maxAge int64) {
	t.pending, t.limit, t.maxAge = make(map[datagramKey]*datagram), limit, maxAge
}

func (t *fragmentTable) counts() capture.FragmentStats {
	s := t.stats
	s.Pending, s.Memory = len(t.pending), t.memory
	return s
}

// find returns the datagram of k, perhaps a new one that begins at packet time now.
func (t *fragmentTable) find(k datagramKey, now int64) *datagram {
	t.clock = max(t.clock, now)
	t.expire(t.clock)
	if g, ok := t.pending[k]; ok {
		return g
	}
	g := &datagram{key: k, begun: t.clock, total: -1}
	t.pending[k] = g
	t.queue = append(t.queue, g)
	t.grow(g, datagramCost)
	return g
}

func (t *fragmentTable) grow(g *datagram, n int) {
	g.memory += n
	t.memory += n
}

// add puts the new bytes of a piece into g.
func (t *fragmentTable) add(g *datagram, f fragment, b []byte, out *Headers) {
	g.length += out.IPLen
	g.packets++
	if f.offset == 0 && !g.begins {
		g.first, g.proto, g.begins = *out, f.proto, true
		g.first.Payload, g.first.Link = nil, nil
	}
	odd := false
	if !f.more && g.total < 0 {
		g.total = f.offset + len(b)
		odd = t.cutBehind(g)
	}
	if g.total >= 0 && f.offset+len(b) > g.total {
		b, odd = b[:max(0, g.total-f.offset)], true
	}
	added, same := t.fill(g, f.offset, b)
	switch {
	case added == len(b) && !odd:
	case added == 0 && same && !odd: // the network or the tap delivered it twice
		t.stats.Duplicate++
	default: // an attempt to show us and the receiver different bytes, or a broken sender
		t.stats.Overlapping++
	}
}

// cutBehind removes bytes after g's end and reports whether there were any.
func (t *fragmentTable) cutBehind(g *datagram) bool {
	cut := false
	for n := len(g.pieces) - 1; n >= 0 && g.pieces[n].end() > g.total; n-- {
		p := &g.pieces[n]
		keep := max(0, g.total-p.from)
		g.held -= len(p.data) - keep
		p.data, cut = p.data[:keep], true
		if keep == 0 {
			g.pieces = g.pieces[:n]
		}
	}
	return cut
}

// fill copies the bytes of b, which begin at offset at, that g does not have. It returns how many those are, and whether
// the others equal those that g has.
func (t *fragmentTable) fill(g *datagram, at int, b []byte) (added int, same bool) {
	// i is the first piece that ends behind at. Each turn of the loop takes either a gap before piece i or what piece i covers.
	i, _ := slices.BinarySearchFunc(g.pieces, at, func(p extent, at int) int { return p.end() - at - 1 })
	same = true
	for len(b) > 0 {
		gap := len(b)
		if i < len(g.pieces) {
			gap = min(gap, g.pieces[i].from-at)
		}
		if gap > 0 {
			g.pieces = slices.Insert(g.pieces, i, extent{bytes.Clone(b[:gap]), at})
			g.held += gap
			added += gap
			t.grow(g, gap+pieceCost)
			at, b = at+gap, b[gap:]
		} else {
			p := g.pieces[i]
			n := min(len(b), p.end()-at)
			same = same && bytes.Equal(b[:n], p.data[at-p.from:][:n])
			at, b = at+n, b[n:]
		}
		i++
	}
	return added, same
}

// join returns the bytes of a complete datagram and forgets it.
func (t *fragmentTable) join(g *datagram) []byte {
	whole := g.prefix()
	t.stats.Joined++
	t.forget(g)
	return whole
}

func (t *fragmentTable) forget(g *datagram) {
	delete(t.pending, g.key)
	t.memory -= g.memory
	g.ended, g.pieces = true, nil
}
