package flow

// Stitcher keeps stream bytes that wait: the beginning of a message that is incomplete, and segments that came before their
// turn. Both are bounded, per direction of a flow in bytes, and in total in memory, so that many directions with one byte
// each cost no more than a few with many. When the total is reached, what has waited longest is dropped.
//
// A direction in which something waits has a Pend, which the flow's entry names by a handle. Most flows never have one: their
// messages are read in the packet. The Stitcher does not call back: after Open, Hold, Keep and Early the caller asks Over,
// ends what Oldest returns, and calls Evict, because only it can take the handle out of the flow's entry.
type Stitcher struct {
	pends  []Pend   // by handle; 0 is no handle
	free   []uint32 // handles to use again
	oldest uint32   // ends of the list of Pends in use, in order of Open
	newest uint32
	spare  [][]byte // buffers of 2 KiB to use again
	bytes  int      // stream bytes that wait
	memory int      // what they cost: capacities and structs; this is what limit bounds
	limit  int
	each   int // most stream bytes of one direction
	stats  StitchStats
}

// StitchStats counts what happened to waiting bytes.
type StitchStats struct {
	Bytes   int    // waiting now
	Memory  int    // bytes of memory that they take
	Evicted uint64 // directions that lost their bytes because the total was reached
	Full    uint64 // directions that reached their own limit
}

// Owner is the direction of a flow that a Pend belongs to.
type Owner struct {
	Entry uint32
	Dir   uint8
}

// Pend is what waits in one direction of a flow.
type Pend struct {
	Buf    []byte    // contiguous bytes from a message's beginning
	Parsed int       // length of Buf when it was looked at last
	Looks  int       // how often it was looked at
	early  []segment // by sequence number; they may overlap
	owner  Owner
	bytes  int // in Buf and early
	memory int // all of it: capacities, and the structs themselves
	extra  int // the part of memory that the owner keeps elsewhere; see Charge
	prev   uint32
	next   uint32
	live   bool
}

// segment is one that came before its turn. data is shorter than wire, its length on the wire, where the capture cut it.
type segment struct {
	seq  uint32
	wire uint32
	data []byte
}

const (
	spareSize   = 2048
	spareMax    = 64
	pendCost    = 128 // bytes of a Pend
	segmentCost = 48  // bytes of an early segment beside its data
	earlyMax    = 128 // segments of one direction that came before their turn
)

// NewStitcher makes a Stitcher that keeps at most each bytes for one direction, and all of them in limit bytes of memory.
func NewStitcher(limit, each int) *Stitcher {
	return &Stitcher{limit: limit, each: each, pends: make([]Pend, 1)}
}

// Stats returns the counters so far.
func (s *Stitcher) Stats() StitchStats {
	st := s.stats
	st.Bytes, st.Memory = s.bytes, s.memory
	return st
}

// Get returns the Pend of handle h; the pointer is valid until the next call of Open.
func (s *Stitcher) Get(h uint32) *Pend { return &s.pends[h] }

// Open makes a Pend for a direction and returns its handle.
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
	s.charge(p, pendCost)
	p.prev, p.next = s.newest, 0
	if s.newest != 0 {
		s.pends[s.newest].next = h
	} else {
		s.oldest = h
	}
	s.newest = h
	return h
}

// Oldest returns the owner and handle of what has waited longest, if anything waits.
func (s *Stitcher) Oldest() (Owner, uint32, bool) {
	if s.oldest == 0 {
		return Owner{}, 0, false
	}
	return s.pends[s.oldest].owner, s.oldest, true
}

// Over reports whether what waits takes too much memory: call Evict for the oldest until it does not.
func (s *Stitcher) Over() bool { return s.memory > s.limit }

// Charge sets how much memory the owner of h keeps elsewhere for the same purpose; it counts towards the limit.
func (s *Stitcher) Charge(h uint32, memory int) {
	p := &s.pends[h]
	s.charge(p, memory-p.extra)
	p.extra = memory
}

func (s *Stitcher) charge(p *Pend, n int) {
	p.memory += n
	s.memory += n
}

// Evict closes h and counts it as lost.
func (s *Stitcher) Evict(h uint32) {
	s.stats.Evicted++
	s.Close(h)
}

// Hold appends b to what waits at h. It returns false, without appending, if the direction's limit is reached.
func (s *Stitcher) Hold(h uint32, b []byte) bool {
	p := &s.pends[h]
	if p.bytes+len(b) > s.each {
		s.stats.Full++
		return false
	}
	s.write(p, p.Buf, b)
	s.account(p, len(b))
	return true
}

// write appends b to to, which is nil or the beginning of p.Buf.
func (s *Stitcher) write(p *Pend, to, b []byte) {
	before := cap(p.Buf)
	if p.Buf == nil {
		to = s.buffer(len(b))
	}
	p.Buf = append(to, b...)
	s.charge(p, cap(p.Buf)-before)
}

// Keep replaces what waits at h by b, which may be the end of it. It returns false, keeping nothing, if the direction's
// limit is reached.
func (s *Stitcher) Keep(h uint32, b []byte) bool {
	p := &s.pends[h]
	s.account(p, -len(p.Buf))
	if p.bytes+len(b) > s.each {
		p.Buf = p.Buf[:0]
		s.stats.Full++
		return false
	}
	s.write(p, p.Buf[:0], b)
	p.Parsed, p.Looks = 0, 0
	s.account(p, len(b))
	return true
}

// Early keeps a segment that came before its turn. wire is its length on the wire. A segment replaces one with the same
// beginning only if it is longer. It returns false if the direction's limit is reached.
func (s *Stitcher) Early(h uint32, seq, wire uint32, b []byte) bool {
	p := &s.pends[h]
	if p.bytes+len(b) > s.each || len(p.early) >= earlyMax {
		s.stats.Full++
		return false
	}
	at := len(p.early)
	for i := range p.early {
		d := int32(seq - p.early[i].seq) // signed, so that the order holds where sequence numbers wrap (RFC 9293 3.4)
		if d == 0 {
			if len(b) <= len(p.early[i].data) {
				return true
			}
			g := &p.early[i]
			s.account(p, len(b)-len(g.data))
			before := cap(g.data)
			g.data = append(g.data[:0], b...)
			s.charge(p, cap(g.data)-before)
			g.wire = wire
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
	s.charge(p, cap(p.early[at].data)+segmentCost)
	return true
}

func (s *Stitcher) account(p *Pend, n int) {
	p.bytes += n
	s.bytes += n
}

// Waiting returns how many early segments wait at h.
func (s *Stitcher) Waiting(h uint32) int { return len(s.pends[h].early) }

// NextEarly returns the first early segment at h without removing it.
func (s *Stitcher) NextEarly(h uint32) (seq, wire uint32, b []byte, ok bool) {
	p := &s.pends[h]
	if len(p.early) == 0 {
		return 0, 0, nil, false
	}
	g := &p.early[0]
	return g.seq, g.wire, g.data, true
}

// TakeEarly removes the first early segment and copies it to dst, from dst's beginning: its own buffer goes back at once,
// and reading the segment may need one.
func (s *Stitcher) TakeEarly(h uint32, dst []byte) (seq, wire uint32, b []byte) {
	p := &s.pends[h]
	g := p.early[0]
	b = append(dst[:0], g.data...)
	s.account(p, -len(g.data))
	s.charge(p, -cap(g.data)-segmentCost)
	s.recycle(g.data)
	last := len(p.early) - 1
	copy(p.early, p.early[1:])
	p.early[last] = segment{}
	p.early = p.early[:last]
	return g.seq, g.wire, b
}

// Close drops all that waits at h and frees the handle.
func (s *Stitcher) Close(h uint32) {
	p := &s.pends[h]
	if h == 0 || !p.live {
		return
	}
	s.bytes -= p.bytes
	s.memory -= p.memory
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
	clear(p.early) // or the segments' buffers could not be freed
	if cap(p.early) > 8 {
		p.early = nil
	}
	*p = Pend{early: p.early[:0]}
	s.free = append(s.free, h)
}

// buffer returns an empty buffer, for n bytes or more where that is cheap. Messages that grow settle at 2 to 8 KiB, which is
// why those are kept for the next one (recycle) and others are left to the garbage collector.
func (s *Stitcher) buffer(n int) []byte {
	if k := len(s.spare); k > 0 && n <= 2*spareSize {
		b := s.spare[k-1]
		s.spare = s.spare[:k-1]
		return b[:0]
	}
	return make([]byte, 0, max(n, spareSize))
}

func (s *Stitcher) recycle(b []byte) {
	if cap(b) >= spareSize && cap(b) <= 4*spareSize && len(s.spare) < spareMax {
		s.spare = append(s.spare, b[:0])
	}
}
