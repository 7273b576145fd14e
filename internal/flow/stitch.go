package flow

// Stitcher keeps the stream bytes that wait: the beginning of a message that is not whole yet, and segments that came
// before their turn. It is bounded for one direction of a flow and in total; when the total is reached, what has waited
// longest goes.
type Stitcher struct {
	pends  []Pend
	free   []uint32
	oldest uint32 // handles in order of their making
	newest uint32
	spare  [][]byte // buffers of 2 KiB to use again
	bytes  int
	limit  int
	each   int
	stats  StitchStats
}

// StitchStats counts what happened to waiting bytes.
type StitchStats struct {
	Bytes   int    // waiting now
	Evicted uint64 // directions that lost their bytes because the total was reached
	Full    uint64 // directions that reached their own limit
}

// Owner names the direction of a flow that a Pend belongs to.
type Owner struct {
	Entry uint32
	Dir   uint8
}

// Pend is what waits for one direction of a flow.
type Pend struct {
	Buf    []byte // contiguous bytes from a message's beginning
	Parsed int    // length of Buf when it was looked at last
	Looks  int    // how often it was looked at
	early  []segment
	owner  Owner
	bytes  int
	prev   uint32
	next   uint32
	live   bool
}

type segment struct {
	seq  uint32
	wire uint32
	data []byte
}

const spareSize = 2048

// NewStitcher makes one that keeps at most limit bytes in all and each bytes for one direction.
func NewStitcher(limit, each int) *Stitcher {
	return &Stitcher{limit: limit, each: each, pends: make([]Pend, 1)}
}

// Stats tells what happened so far.
func (s *Stitcher) Stats() StitchStats {
	st := s.stats
	st.Bytes = s.bytes
	return st
}

// Get gives the Pend of handle h; the pointer is valid until the next call of Open.
func (s *Stitcher) Get(h uint32) *Pend { return &s.pends[h] }

// Open makes a Pend for a direction and gives its handle.
func (s *Stitcher) Open(o Owner) uint32 {
	var h uint32
	if n := len(s.free); n > 0 {
		h = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		s.pends = append(s.pends, Pend{})
		h = uint32(len(s.pends) - 1)
	}
	p := &s.pends[h]
	p.owner, p.live = o, true
	p.prev, p.next = s.newest, 0
	if s.newest != 0 {
		s.pends[s.newest].next = h
	} else {
		s.oldest = h
	}
	s.newest = h
	return h
}

// Oldest tells whose bytes have waited longest, and whether there are any.
func (s *Stitcher) Oldest() (Owner, uint32, bool) {
	if s.oldest == 0 {
		return Owner{}, 0, false
	}
	return s.pends[s.oldest].owner, s.oldest, true
}

// Over says that more bytes wait than may: close the oldest until it is false, and count each with Evict.
func (s *Stitcher) Over() bool { return s.bytes > s.limit }

// Evict closes h and counts it as lost.
func (s *Stitcher) Evict(h uint32) {
	s.stats.Evicted++
	s.Close(h)
}

// Hold appends b to what waits at h. false: the direction's limit is reached and nothing was taken.
func (s *Stitcher) Hold(h uint32, b []byte) bool {
	p := &s.pends[h]
	if p.bytes+len(b) > s.each {
		s.stats.Full++
		return false
	}
	if p.Buf == nil {
		p.Buf = s.buffer(len(b))
	}
	p.Buf = append(p.Buf, b...)
	p.bytes += len(b)
	s.bytes += len(b)
	return true
}

// Keep replaces what waits at h by b, which may be the end of what waits there.
func (s *Stitcher) Keep(h uint32, b []byte) bool {
	p := &s.pends[h]
	n := len(p.Buf)
	p.bytes -= n
	s.bytes -= n
	if p.bytes+len(b) > s.each {
		p.Buf = p.Buf[:0]
		s.stats.Full++
		return false
	}
	if p.Buf == nil {
		p.Buf = s.buffer(len(b))
	}
	p.Buf = append(p.Buf[:0], b...)
	p.Parsed, p.Looks = 0, 0
	p.bytes += len(b)
	s.bytes += len(b)
	return true
}

// Early keeps a segment that came before its turn. wire is its length on the wire. A segment that begins where another
// begins replaces it only if it is longer. false: the direction's limit is reached.
func (s *Stitcher) Early(h uint32, seq, wire uint32, b []byte) bool {
	p := &s.pends[h]
	if p.bytes+len(b) > s.each || len(p.early) >= 64 {
		s.stats.Full++
		return false
	}
	at := len(p.early)
	for i := range p.early {
		d := int32(seq - p.early[i].seq)
		if d == 0 {
			if len(b) <= len(p.early[i].data) {
				return true
			}
			s.account(p, len(b)-len(p.early[i].data))
			p.early[i].data = append(p.early[i].data[:0], b...)
			p.early[i].wire = wire
			return true
		}
		if d < 0 {
			at = i
			break
		}
	}
	p.early = append(p.early, segment{})
	copy(p.early[at+1:], p.early[at:])
	p.early[at] = segment{seq: seq, wire: wire, data: append(s.buffer(len(b)), b...)}
	s.account(p, len(b))
	return true
}

func (s *Stitcher) account(p *Pend, n int) {
	p.bytes += n
	s.bytes += n
}

// Waiting is how many early segments wait at h.
func (s *Stitcher) Waiting(h uint32) int { return len(s.pends[h].early) }

// NextEarly gives the first early segment at h without taking it out.
func (s *Stitcher) NextEarly(h uint32) (seq, wire uint32, b []byte, ok bool) {
	p := &s.pends[h]
	if len(p.early) == 0 {
		return 0, 0, nil, false
	}
	g := &p.early[0]
	return g.seq, g.wire, g.data, true
}

// TakeEarly takes the first early segment out into dst, which is used again from its beginning.
func (s *Stitcher) TakeEarly(h uint32, dst []byte) (seq, wire uint32, b []byte) {
	p := &s.pends[h]
	g := p.early[0]
	b = append(dst[:0], g.data...)
	s.account(p, -len(g.data))
	s.recycle(g.data)
	copy(p.early, p.early[1:])
	p.early = p.early[:len(p.early)-1]
	return g.seq, g.wire, b
}

// Close forgets all that waits at h and makes the handle free.
func (s *Stitcher) Close(h uint32) {
	p := &s.pends[h]
	if h == 0 || !p.live {
		return
	}
	s.bytes -= p.bytes
	for i := range p.early {
		s.recycle(p.early[i].data)
	}
	s.recycle(p.Buf)
	if p.prev != 0 {
		s.pends[p.prev].next = p.next
	} else {
		s.oldest = p.next
	}
	if p.next != 0 {
		s.pends[p.next].prev = p.prev
	} else {
		s.newest = p.prev
	}
	*p = Pend{early: p.early[:0]}
	s.free = append(s.free, h)
}

func (s *Stitcher) buffer(n int) []byte {
	if k := len(s.spare); k > 0 && n <= 2*spareSize {
		b := s.spare[k-1]
		s.spare = s.spare[:k-1]
		return b[:0]
	}
	return make([]byte, 0, max(n, spareSize))
}

func (s *Stitcher) recycle(b []byte) {
	if cap(b) >= spareSize && cap(b) <= 4*spareSize && len(s.spare) < 256 {
		s.spare = append(s.spare, b[:0])
	}
}
