package capture

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
	// find gives the first place in buf from byte from on where a record seems to begin, or 0. buf begins with a record.
	find(buf []byte, from int) int
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
		if k := f.find(buf, j*(len(buf)/chains)); k > at[n-1] {
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

// find implements tracer: the upper two bytes of the time, which change every 18 hours, stand where they do in the first record.
func (p *pcapFile) find(buf []byte, from int) int {
	mark := 2
	if p.big {
		mark = 0
	}
	high := buf[mark : mark+2]
	for range findTries {
		i := bytes.Index(buf[from:min(from+findReach, len(buf))], high)
		if i < 0 {
			return 0
		}
		if k := from + i - mark; k > 0 && p.seems(buf[k:], mark, high) {
			return k
		}
		from += i + 1
	}
	return 0
}

// seems says whether b looks like the beginning of a record with another one behind it.
func (p *pcapFile) seems(b []byte, mark int, high []byte) bool {
	const most = 256 << 10 // tcpdump's snap length
	if len(b) < p.head {
		return false
	}
	size, orig := order32(b[8:], p.big), order32(b[12:], p.big)
	next := p.head + int(size)
	return size <= min(orig, most) && next+4 <= len(b) && bytes.Equal(b[next+mark:next+mark+2], high)
}

func (p *pcapFile) stride() stride { return stride{at: 8, head: p.head, big: p.big} }

// find implements tracer: an Enhanced Packet Block, whose length stands at both ends.
func (p *pcapngFile) find(buf []byte, from int) int {
	kind := []byte{ngEnhanced, 0, 0, 0}
	if p.big {
		kind = []byte{0, 0, 0, ngEnhanced}
	}
	for range findTries {
		i := bytes.Index(buf[from:min(from+findReach, len(buf))], kind)
		if i < 0 {
			return 0
		}
		if k := from + i; k%4 == 0 && p.seems(buf[k:]) {
			return k
		}
		from += i + 1
	}
	return 0
}

// seems says whether b looks like the beginning of a block.
func (p *pcapngFile) seems(b []byte) bool {
	if len(b) < ngMinBlock {
		return false
	}
	size := order32(b[4:], p.big)
	return size >= ngMinBlock && int64(size) <= int64(len(b)) && order32(b[size-4:], p.big) == size
}

func (p *pcapngFile) stride() stride { return stride{at: 4, big: p.big} }
