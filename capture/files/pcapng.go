package files

import (
	"fmt"
	"math"
	"math/bits"

	"avbeacon/capture"
)

// Block types of draft-ietf-opsawg-pcapng that are read; all others are skipped.
const (
	ngSection    = 0x0a0d0d0a
	ngInterface  = 1
	ngPacket     = 2 // obsolete
	ngSimple     = 3
	ngStatistics = 5
	ngEnhanced   = 6
)

// Options that are read (sections 4.2 and 4.6 of the draft).
const (
	optEnd      = 0
	optTSResol  = 9
	optTSOffset = 14
	optIfDrop   = 5
	optOSDrop   = 7
)

const (
	ngByteOrder = 0x1a2b3c4d
	ngMinBlock  = 12      // type, length, length again
	ngMaxIfaces = 1 << 16 // in one section; hostile files may hold nothing else
)

// pcapngFile reads a file of draft-ietf-opsawg-pcapng: sections, each with its own byte order and interfaces.
type pcapngFile struct {
	big    bool
	ifaces []ngIface
}

// ngIface is one interface of the current section.
type ngIface struct {
	clock ngClock
	lost  uint64 // packets lost so far, as far as the file says
	snap  uint32 // 0: no limit
	link  capture.LinkType
}

// newPcapng reads whether head begins a section.
func newPcapng(head []byte) (p *pcapngFile, ok bool, err error) {
	if len(head) < 4 || order32(head, true) != ngSection {
		return nil, false, nil
	}
	if len(head) < ngMinBlock {
		return nil, true, errShortHeader
	}
	return &pcapngFile{}, true, nil
}

// record implements recordFormat: one block of any type.
func (p *pcapngFile) record(b []byte, r *fileRecords) (size, need int, err error) {
	size, err = p.blockSize(b)
	if err != nil {
		return 0, 0, err
	}
	if size > len(b) {
		return 0, size, nil
	}
	if again := order32(b[size-4:], p.big); int64(again) != int64(size) {
		return 0, 0, fmt.Errorf("block length %d is %d at the block's end: the file is damaged here", size, again)
	}
	if err := p.block(order32(b, p.big), b[8:size-4:size-4], r); err != nil {
		return 0, 0, err
	}
	return size, 0, nil
}

// blockSize returns the size of the block at the beginning of b, or how many bytes are needed to know it.
func (p *pcapngFile) blockSize(b []byte) (int, error) {
	if len(b) < ngMinBlock {
		return ngMinBlock, nil
	}
	if order32(b, true) == ngSection { // a palindrome: the same in both byte orders
		switch order32(b[8:], true) {
		case ngByteOrder:
			p.big = true
		case bits.ReverseBytes32(ngByteOrder):
			p.big = false
		default:
			return 0, fmt.Errorf("byte-order magic %x: expected 1a2b3c4d or 4d3c2b1a: the file is damaged here", b[8:12])
		}
	}
	size := order32(b[4:], p.big)
	if size > maxRecord {
		return 0, tooLong("block", size)
	}
	if size < ngMinBlock || size%4 != 0 {
		return 0, fmt.Errorf("block length %d: expected a multiple of 4 from %d: the file is damaged here", size, ngMinBlock)
	}
	return int(size), nil
}

// block reads one block's body.
func (p *pcapngFile) block(kind uint32, body []byte, r *fileRecords) error {
	name, least := ngContent(kind)
	if len(body) < least {
		return fmt.Errorf("%s block has %d bytes of content: expected at least %d: the file is damaged here", name, len(body), least)
	}
	switch kind {
	case ngEnhanced:
		return p.timed(order32(body, p.big), body, r)
	case ngSimple:
		return p.simple(body, r)
	case ngPacket:
		return p.obsolete(body, r)
	case ngInterface:
		return p.addIface(body)
	case ngStatistics:
		return p.statistics(body, r)
	case ngSection:
		return p.section(body)
	}
	return nil
}

// ngContent returns the name of a type of block that is read, and how many bytes of content it has at least.
func ngContent(kind uint32) (name string, least int) {
	switch kind {
	case ngEnhanced:
		return "enhanced packet", 20
	case ngSimple:
		return "simple packet", 4
	case ngPacket:
		return "packet", 20
	case ngInterface:
		return "interface description", 8
	case ngStatistics:
		return "interface statistics", 12
	case ngSection:
		return "section header", 16
	}
	return "", 0
}

func (p *pcapngFile) section(body []byte) error {
	if major, minor := order16(body[4:], p.big), order16(body[6:], p.big); major != 1 {
		return fmt.Errorf("pcapng version %d.%d: expected 1.0", major, minor)
	}
	p.ifaces = p.ifaces[:0]
	return nil
}

func (p *pcapngFile) addIface(body []byte) error {
	if len(p.ifaces) == ngMaxIfaces {
		return fmt.Errorf("more than %d interfaces in one section: the file is damaged here", ngMaxIfaces)
	}
	i := ngIface{link: capture.LinkType(order16(body, p.big)), snap: order32(body[4:], p.big)}
	resol, offset := byte(6), int64(0)
	err := p.options(body[8:], func(code uint16, v []byte) {
		switch {
		case code == optTSResol && len(v) == 1:
			resol = v[0]
		case code == optTSOffset && len(v) == 8:
			offset = int64(p.u64(v))
		}
	})
	i.clock = newNGClock(resol, offset)
	p.ifaces = append(p.ifaces, i)
	return err
}

func (p *pcapngFile) u64(b []byte) uint64 {
	lo, hi := uint64(order32(b, p.big)), uint64(order32(b[4:], p.big))
	if p.big {
		lo, hi = hi, lo
	}
	return hi<<32 | lo
}

// options calls each for the options in b.
func (p *pcapngFile) options(b []byte, each func(code uint16, value []byte)) error {
	for len(b) >= 4 {
		code, size := order16(b, p.big), int(order16(b[2:], p.big))
		if code == optEnd {
			return nil
		}
		if size > len(b)-4 {
			return fmt.Errorf("option %d of %d bytes runs past its block: the file is damaged here", code, size)
		}
		each(code, b[4:4+size])
		b = b[min(len(b), 4+(size+3)&^3):]
	}
	return nil
}

// iface finds interface id.
func (p *pcapngFile) iface(id uint32) (*ngIface, error) {
	if int64(id) >= int64(len(p.ifaces)) {
		return nil, fmt.Errorf("block for interface %d, but %d are described before it: the file is damaged here", id, len(p.ifaces))
	}
	return &p.ifaces[id], nil
}

// statistics reads an interface's counters of lost packets. A later block of the same interface replaces an earlier one.
func (p *pcapngFile) statistics(body []byte, r *fileRecords) error {
	i, err := p.iface(order32(body, p.big))
	if err != nil {
		return err
	}
	var lost uint64
	err = p.options(body[12:], func(code uint16, v []byte) {
		if (code == optIfDrop || code == optOSDrop) && len(v) == 8 {
			lost += min(p.u64(v), math.MaxUint32<<16) // no sum of two overflows
		}
	})
	i.lose(lost, r)
	return err
}

// lose sets how many packets the interface has lost in all.
func (i *ngIface) lose(total uint64, r *fileRecords) {
	if total > i.lost {
		r.drop(total - i.lost)
		i.lost = total
	}
}

// obsolete reads a Packet Block: a 16-bit interface number, and the packets lost since the one before.
func (p *pcapngFile) obsolete(body []byte, r *fileRecords) error {
	id := uint32(order16(body, p.big))
	i, err := p.iface(id)
	if err != nil {
		return err
	}
	if lost := order16(body[2:], p.big); lost != math.MaxUint16 { // which stands for "unknown"
		i.lose(i.lost+uint64(lost), r)
	}
	return p.timed(id, body, r)
}

// timed reads what Enhanced and obsolete Packet Blocks share: time, lengths, bytes.
func (p *pcapngFile) timed(id uint32, body []byte, r *fileRecords) error {
	i, err := p.iface(id)
	if err != nil {
		return err
	}
	size, have := order32(body[12:], p.big), len(body)-20
	if int64(size) > int64(have) {
		return fmt.Errorf("packet of %d bytes in a block that has room for %d: the file is damaged here", size, have)
	}
	at, ok := i.clock.nanos(uint64(order32(body[4:], p.big))<<32 | uint64(order32(body[8:], p.big)))
	if !ok {
		at = r.noTime()
	}
	r.add(body[20:20+size:20+size], at, order32(body[16:], p.big), i.link)
	return nil
}

// simple reads a packet without interface and time. It is the first interface's, whose snap length may have cut it, and
// gets the time of the packet before.
func (p *pcapngFile) simple(body []byte, r *fileRecords) error {
	i, err := p.iface(0)
	if err != nil {
		return err
	}
	orig := order32(body, p.big)
	size := orig
	if i.snap > 0 {
		size = min(size, i.snap)
	}
	if have := len(body) - 4; int64(size) > int64(have) {
		return fmt.Errorf("packet of %d bytes in a block that has room for %d: the file is damaged here", size, have)
	}
	r.add(body[4:4+size:4+size], r.noTime(), orig, i.link)
	return nil
}

// maxTime is the latest packet time (year 2116), in nanoseconds since 1970: adding a century or two does not overflow.
const maxTime = 1 << 62

// ngClock converts an interface's timestamps to nanoseconds.
type ngClock struct {
	mul, div uint64
	shift    uint8 // for a resolution that is a power of 2
	offset   int64 // seconds
}

// newNGClock reads if_tsresol (a negative power of 10, or of 2 if the highest bit is set) and if_tsoffset.
func newNGClock(resol byte, offset int64) ngClock {
	c := ngClock{mul: 1, div: 1, offset: offset}
	if resol&0x80 != 0 {
		c.mul, c.shift = 1e9, resol&0x7f
		return c
	}
	for ; resol < 9; resol++ {
		c.mul *= 10
	}
	for ; resol > 9 && c.div < 1e19; resol-- {
		c.div *= 10
	}
	if resol > 9 { // finer than 64 bits can hold: all times are in the first nanosecond
		c.mul = 0
	}
	return c
}

// nanos converts a timestamp. ok is false if the time is before 1970 or after maxTime: real writers have written negative
// numbers, and other values in one of the halves.
func (c *ngClock) nanos(ticks uint64) (at int64, ok bool) {
	hi, lo := bits.Mul64(ticks, c.mul)
	switch {
	case c.shift >= 64:
		hi, lo = 0, hi>>(c.shift-64)
	case c.shift > 0:
		hi, lo = hi>>c.shift, lo>>c.shift|hi<<(64-c.shift)
	case c.div > 1:
		lo /= c.div // mul is 1, hi is 0
	}
	if hi != 0 || lo > maxTime {
		return 0, false
	}
	if c.offset == 0 {
		return int64(lo), true
	}
	const most = maxTime / 1_000_000_000
	if c.offset < -most || c.offset > most {
		return 0, false
	}
	at = int64(lo) + c.offset*1e9
	return at, at >= 0 && at <= maxTime
}
