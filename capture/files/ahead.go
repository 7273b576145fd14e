package files

import "bytes"

const (
	// chains is how many runs of records are followed side by side.
	chains = 8
	// rounds is how many records of each are noted at most; it is followed no further.
	rounds = 1 << 10
	// cacheLine is in bytes. A record's header and those of its packet lie in the line where it begins and in the next one.
	cacheLine = 64
)

// tracer is a recordFormat whose records can be found from the middle of a file on.
type tracer interface {
	recordFormat
	stride() stride
	// mark gives bytes that stand in each record, or most of them, and where in it. buf begins with a record.
	mark(buf []byte) (mark []byte, at int)
	// seems says whether a record with the mark seems to begin at k in buf, which begins with one.
	seems(buf []byte, k int) bool
}

// stride says where a record's length stands, and how many bytes it has beside those.
type stride struct {
	at, head int
	big      bool
}

// ahead finds records before they are cut out. The length of each record says where the next one is, and none of them is in the
// processor's caches yet: it would wait for memory once for each. So several chains of them are followed at the same time,
// from places where a record seems to begin. What is found is a guess, to be checked against the records before it.
type ahead struct {
	found  []uint32 // offsets of records
	rounds [rounds][chains]uint32
	seen   byte // of what was only touched
}

// follow finds records in buf, which begins with one.
func (a *ahead) follow(f tracer, buf []byte) {
	a.found = a.found[:0]
	if len(buf) <= cacheLine {
		return
	}
	var at, end [chains]int
	n := 1
	for j := 1; j < chains; j++ {
		if k := find(f, buf, j*(len(buf)/chains)); k > at[n-1] {
			at[n], end[n-1] = k, k
			n++
		}
	}
	end[n-1] = len(buf) - cacheLine
	count := a.walk(f.stride(), buf, &at, &end)
	for j := range n {
		for r := 0; r < count && int(a.rounds[r][j]) < end[j]; r++ {
			a.found = append(a.found, a.rounds[r][j])
		}
	}
}

// walk follows chains from at to end, a step of each in turn, and gives the number of rounds.
func (a *ahead) walk(s stride, buf []byte, at, end *[chains]int) int {
	var seen byte
	for r := range a.rounds {
		row, live := &a.rounds[r], false
		for j := range at {
			k := at[j]
			row[j] = uint32(k)
			if k < end[j] && k < len(buf)-cacheLine {
				b := buf[k : k+cacheLine+1]
				seen += b[cacheLine]
				at[j] = k + s.head + int(min(order32(b[s.at:], s.big), maxRecord))
				live = true
			}
		}
		if !live {
			a.seen = seen
			return r
		}
	}
	a.seen = seen
	return rounds
}

const (
	findReach = 64 << 10 // bytes that are searched for a record
	findTries = 16
)

// find gives the first place in buf from byte from on where a record seems to begin, or 0. buf begins with a record.
func find(f tracer, buf []byte, from int) int {
	mark, at := f.mark(buf)
	for range findTries {
		i := bytes.Index(buf[from:min(from+findReach, len(buf))], mark)
		if i < 0 {
			return 0
		}
		if k := from + i - at; k > 0 && f.seems(buf, k) {
			return k
		}
		from += i + 1
	}
	return 0
}

func (p *pcapFile) stride() stride { return stride{at: 8, head: p.head, big: p.big} }

// mark implements tracer: the upper two bytes of the time, which change every 18 hours.
func (p *pcapFile) mark(buf []byte) (mark []byte, at int) {
	if !p.big {
		at = 2
	}
	return buf[at : at+2], at
}

// seems implements tracer: the lengths make sense, and another record stands behind.
func (p *pcapFile) seems(buf []byte, k int) bool {
	const most = 256 << 10 // tcpdump's snap length
	b := buf[k:]
	if len(b) < p.head {
		return false
	}
	size, orig := order32(b[8:], p.big), order32(b[12:], p.big)
	mark, at := p.mark(buf)
	next := p.head + int(size) + at
	return size <= min(orig, most) && next+len(mark) <= len(b) && bytes.Equal(b[next:next+len(mark)], mark)
}

func (p *pcapngFile) stride() stride { return stride{at: 4, big: p.big} }

// mark implements tracer: the type of an Enhanced Packet Block.
func (p *pcapngFile) mark([]byte) (mark []byte, at int) {
	if p.big {
		return []byte{0, 0, 0, ngEnhanced}, 0
	}
	return []byte{ngEnhanced, 0, 0, 0}, 0
}

// seems implements tracer: a block's length stands at both ends.
func (p *pcapngFile) seems(buf []byte, k int) bool {
	b := buf[k:]
	if k%4 != 0 || len(b) < ngMinBlock {
		return false
	}
	size := order32(b[4:], p.big)
	return size >= ngMinBlock && int64(size) <= int64(len(b)) && order32(b[size-4:], p.big) == size
}
