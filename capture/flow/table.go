package flow

import "math"

// Shards is how many parts the memory of flows has. Every limit is a shard's, so that the number of workers changes no
// result.
const Shards = 16

// Shard returns the shard that a hash belongs to.
func Shard(hash uint64) int { return int(hash >> 60) }

// Entry is one flow. A is the side that sent the first packet seen; forward packets go from A to B. What flags, classes and
// phases mean is the observer's business. 192 bytes, three cache lines: most packets of a long flow touch only two.
type Entry struct {
	// Cache line 1: which flow it is, and whether it has ended.
	A, B         [16]byte
	PortA, PortB uint16
	Proto        uint8
	Class        uint8
	TTL          uint8
	live         bool
	Flags        uint32
	hash         uint32
	Last         int64     // nanoseconds: time of the newest packet
	Next         [2]uint32 // next stream byte each way

	// Cache line 2: counters that every packet updates, and stream-reader state.
	LastFrame uint64
	Bytes     [2]uint64
	Packets   [2]uint32
	Pend      [2]uint32 // Stitcher handles of what waits each way, 0 for none
	LastInput int32
	Reported  uint32 // seconds since 1970 of the last record written
	Aux       uint32 // handle of state that the class keeps elsewhere, 0 for none
	Count     uint32 // DNS questions
	Phase     [2]uint8
	HeadLen   [2]uint8
	Alert     uint8 // first fatal TLS alert, 0 for none

	// Cache line 3: for the flow's beginning and end.
	First      int64
	FirstFrame uint64
	FirstInput int32
	ISN        uint32
	RTT        uint32 // microseconds
	Name       uint32 // handle of a name that the observer keeps, 0 for none
	Link       uint32 // handle of the layers around the first packet, 0 for none
	Head       [2][8]byte
	MAC        [2][6]byte // hardware addresses of A and B in the first packet, zero where it had none
}

const (
	chunkBits = 9 // 512 entries a piece
	chunkSize = 1 << chunkBits
)

// page is a page of memory in bytes. Memory fresh from the kernel should be written before it is read: a first read maps a
// shared page of zeros, and the write after it is a second fault, which interrupts all other cores.
const page = 4096

// Table holds one shard's flows: open addressing over 8-byte slots, entries in chunks that never move.
//
// Go's map would do, but for two things that packets do millions of times. A lookup here compares 32 bits of the hash in the
// slot before it reads the entry, so that a miss costs one cache line. And the lookup can be split in two (see Touch), so that
// the waits for memory of a whole group of packets overlap. Entries that never move let the observer hold a pointer while it
// reads a packet, and let the table grow without copying 192 bytes a flow.
type Table struct {
	// slots is a power of two long, at most three quarters full. A flow is stored at the low bits of its hash or in the next free
	// slot after it. High half: hash; low half: entry number + 1, so that 0 is an empty slot.
	slots  []uint64
	chunks []*[chunkSize]Entry
	used   int      // flows in the table
	free   []uint32 // numbers of entries, the last to be used first: it is the likeliest to be in the cache
	next   uint32   // number of the first entry that was never used
	limit  int
	hand   uint32 // where Victim looked last
	// Evicted counts flows that were removed because the table was full.
	Evicted uint64
}

// NewTable makes a table for at most limit flows (at least 64).
func NewTable(limit int) *Table {
	return &Table{slots: make([]uint64, 128), limit: max(limit, 64)}
}

// Len is the number of flows in the table.
func (t *Table) Len() int { return t.used }

// Entry returns the entry of a number from Find, Add or Each. The pointer is valid until the flow is removed.
func (t *Table) Entry(i uint32) *Entry { return &t.chunks[i>>chunkBits][i%chunkSize] }

// Find returns the flow of k, and whether k has the direction of the flow's first packet. hash is k.Hash.
func (t *Table) Find(k *Key, hash uint64) (i uint32, forward, ok bool) {
	return t.Lookup(&k.Src, &k.Dst, k.SrcPort, k.DstPort, k.Proto, hash)
}

// Lookup is Find for a 5-tuple in several variables.
func (t *Table) Lookup(src, dst *[16]byte, srcPort, dstPort uint16, proto uint8, hash uint64) (i uint32, forward, ok bool) {
	// The shard took the upper four bits of the hash (see Shard); the lower half has no bits in common with them.
	fp := uint32(hash)
	mask := uint32(len(t.slots) - 1)
	for pos := fp & mask; ; pos = (pos + 1) & mask { // ends: a quarter of the slots is empty
		s := t.slots[pos]
		if s == 0 {
			return 0, false, false
		}
		if uint32(s>>32) != fp {
			continue
		}
		i = uint32(s) - 1
		if forward, ok := t.Entry(i).is(src, dst, srcPort, dstPort, proto); ok {
			return i, forward, true
		}
	}
}

// is reports whether a 5-tuple is e's, and whether it goes from A to B.
func (e *Entry) is(src, dst *[16]byte, srcPort, dstPort uint16, proto uint8) (forward, ok bool) {
	switch {
	case e.Proto != proto:
	case e.PortA == srcPort && e.PortB == dstPort && e.A == *src && e.B == *dst:
		return true, true
	case e.PortA == dstPort && e.PortB == srcPort && e.A == *dst && e.B == *src:
		return false, true
	}
	return false, false
}

// LookupNear is Lookup for a flow whose entry most likely is the one that Peek returned a moment ago. It may be stale.
func (t *Table) LookupNear(peeked uint32, src, dst *[16]byte, srcPort, dstPort uint16, proto uint8, hash uint64) (i uint32, forward, ok bool) {
	if _, forward, ok = t.Near(peeked, src, dst, srcPort, dstPort, proto); ok {
		return peeked - 1, forward, true
	}
	return t.Lookup(src, dst, srcPort, dstPort, proto, hash)
}

// Near returns the entry that Peek returned a moment ago if it is (still) the flow of the 5-tuple.
func (t *Table) Near(peeked uint32, src, dst *[16]byte, srcPort, dstPort uint16, proto uint8) (e *Entry, forward, ok bool) {
	if peeked == 0 || int((peeked-1)>>chunkBits) >= len(t.chunks) {
		return nil, false, false
	}
	e = t.Entry(peeked - 1)
	forward, ok = e.is(src, dst, srcPort, dstPort, proto)
	return e, forward, ok && e.live
}

// Warming brings the memory of many flows into the cache in parallel. It takes two steps, each done for all flows before the
// next: Touch reads a flow's slot; Peek finds the entry in it, and Warm reads that. No read depends on the one before it, so
// the processor has many under way at once, where lookups one by one would wait for memory twice a packet. Between the steps
// nothing may change the table; after them it may, which is why LookupNear checks what it is given.

// Touch returns the first slot that a lookup of hash reads, for Peek.
func (t *Table) Touch(hash uint64) (slot uint64) {
	return t.slots[uint32(hash)&uint32(len(t.slots)-1)]
}

// Peek returns the number + 1 of the entry that most likely is the flow's, 0 if there is none.
func (t *Table) Peek(slot, hash uint64) uint32 {
	if slot == 0 || uint32(slot>>32) == uint32(hash) {
		return uint32(slot)
	}
	return t.peekOn(hash)
}

// peekOn is Peek for a flow that is not in its first slot.
func (t *Table) peekOn(hash uint64) uint32 {
	fp := uint32(hash)
	mask := uint32(len(t.slots) - 1)
	for pos := (fp + 1) & mask; ; pos = (pos + 1) & mask {
		if s := t.slots[pos]; s == 0 || uint32(s>>32) == fp {
			return uint32(s)
		}
	}
}

// Warm reads the two cache lines that a packet changes, of an entry that Peek returned. The result has no meaning.
func (t *Table) Warm(peeked uint32) int64 {
	e := t.Entry(peeked - 1)
	return e.Last + int64(e.LastFrame)
}

// WarmAll reads the cache lines of an entry that is about to be removed. The result has no meaning.
func (t *Table) WarmAll(i uint32) int64 {
	e := t.Entry(i)
	return e.Last + int64(e.LastFrame) + e.First + int64(t.slots[e.hash&uint32(len(t.slots)-1)])
}

// Full reports whether a flow must be removed before Add: remove Victim.
func (t *Table) Full() bool { return t.used >= t.limit }

// Victim picks the flow that has been silent longest among eight at a moving hand (a sampling CLOCK). An exact order of age
// would have to be updated with every packet. A flood of new flows mostly evicts itself: its flows are silent after one packet.
func (t *Table) Victim() uint32 {
	best, oldest := uint32(0), int64(math.MaxInt64)
	for seen := 0; seen < 8; {
		t.hand++
		if t.hand >= t.next {
			t.hand = 0
		}
		if e := t.Entry(t.hand); e.live {
			seen++
			if e.Last < oldest {
				best, oldest = t.hand, e.Last
			}
		}
	}
	t.Evicted++
	return best
}

// Add adds the flow of a 5-tuple, whose first packet goes from src to dst. It must not be in the table, nor the table be full.
func (t *Table) Add(src, dst *[16]byte, srcPort, dstPort uint16, proto uint8, hash uint64) (uint32, *Entry) {
	if (t.used+1)*4 > len(t.slots)*3 {
		t.grow()
	}
	i := t.take()
	e := t.Entry(i)
	*e = Entry{}
	e.A, e.B, e.PortA, e.PortB, e.Proto = *src, *dst, srcPort, dstPort, proto
	e.hash, e.live = uint32(hash), true
	t.put(uint32(hash), i)
	t.used++
	return i, e
}

func (t *Table) take() uint32 {
	if n := len(t.free); n > 0 {
		i := t.free[n-1]
		t.free = t.free[:n-1]
		return i
	}
	i := t.next
	if int(i>>chunkBits) == len(t.chunks) {
		t.chunks = append(t.chunks, new([chunkSize]Entry))
	}
	t.next++
	return i
}

func (t *Table) put(fp, i uint32) {
	mask := uint32(len(t.slots) - 1)
	pos := fp & mask
	for t.slots[pos] != 0 {
		pos = (pos + 1) & mask
	}
	t.slots[pos] = uint64(fp)<<32 | uint64(i+1)
}

func (t *Table) grow() {
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	for i := 0; i < len(t.slots); i += page / 8 {
		t.slots[i] = 0 // see page
	}
	for _, s := range old {
		if s != 0 {
			t.put(uint32(s>>32), uint32(s)-1)
		}
	}
}

// Remove removes flow i. Slots after it move up, so that there are no tombstones: they would make lookups longer with every
// flow that ends.
func (t *Table) Remove(i uint32) {
	e := t.Entry(i)
	mask := uint32(len(t.slots) - 1)
	want := uint64(e.hash)<<32 | uint64(i+1)
	pos := e.hash & mask
	for t.slots[pos] != want {
		pos = (pos + 1) & mask
	}
	for hole := pos; ; {
		pos = (pos + 1) & mask
		s := t.slots[pos]
		if s == 0 {
			t.slots[hole] = 0
			break
		}
		// s may fill the hole if its search passes there: if home, where the search begins, is not behind the hole. Distances
		// are taken backward from pos, modulo the length, because a run of slots may wrap around the end.
		home := uint32(s>>32) & mask
		if (pos-home)&mask >= (pos-hole)&mask {
			t.slots[hole] = s
			hole = pos
		}
	}
	e.live = false
	t.free = append(t.free, i)
	t.used--
}

// Clear removes all flows.
func (t *Table) Clear() {
	*t = Table{slots: make([]uint64, 128), limit: t.limit, Evicted: t.Evicted}
}

// Each calls visit for every flow in the order of their numbers. visit may remove its flow.
func (t *Table) Each(visit func(i uint32, e *Entry)) {
	for c, chunk := range t.chunks {
		first := uint32(c) << chunkBits
		for j := range chunk[:min(chunkSize, t.next-first)] {
			if e := &chunk[j]; e.live {
				visit(first+uint32(j), e)
			}
		}
	}
}
