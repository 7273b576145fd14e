package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"avbeacon/capture"
)

// Magic numbers of pcap files as in draft-ietf-opsawg-pcap, in the writer's byte order; the last one is that of
// the "modified" format of Alexey Kuznetzov's patches, whose record headers are 24 bytes long.
const (
	pcapMicro    = 0xa1b2c3d4
	pcapNano     = 0xa1b23c4d
	pcapModified = 0xa1b2cd34
)

// maxRecord bounds one record (pcap, snoop) or block (pcapng), in bytes. Packets have up to 65,550 bytes, those of a card
// that joins segments, or of USB, some hundred thousand.
const maxRecord = 16 << 20

// errShortHeader says that the file ends inside its header.
var errShortHeader = errors.New("the file ends inside its header")

// recordFormat reads the records of one capture file.
type recordFormat interface {
	// record adds the record at the beginning of b to r and returns its size in bytes. size is 0 if the record is incomplete,
	// and need is then a lower bound of its size, more than len(b); or if it is broken, with err.
	record(b []byte, r *fileRecords) (size, need int, err error)
}

// fileRecords is what was found in one file: the packets of the current block, and sums over all blocks.
type fileRecords struct {
	packets     []capture.Packet
	input       int32
	frame       uint64 // of the last packet
	time        int64  // of the last packet
	bytes       uint64
	first, last int64 // lowest and highest time; valid iff frame > 0
	drops       uint64
	untimed     uint64
}

// noTime returns the time for a packet that has none: that of the packet before, which does not move the clock.
func (r *fileRecords) noTime() int64 {
	r.untimed++
	return r.time
}

// add adds one packet.
func (r *fileRecords) add(data []byte, at int64, orig uint32, link capture.LinkType) {
	if r.frame == 0 {
		r.first, r.last = at, at
	}
	r.frame++
	r.time = at
	r.bytes += uint64(len(data))
	r.first, r.last = min(r.first, at), max(r.last, at)
	r.packets = longer(r.packets)
	p := &r.packets[len(r.packets)-1]
	p.Data, p.Time, p.Frame, p.OrigLen = data, at, r.frame, max(orig, uint32(len(data)))
	p.Input, p.Link, p.VLAN, p.HasVLAN = r.input, link, 0, false
}

// longer returns s with one more element, of any content, to be written in place. A literal would be built elsewhere and
// copied.
func longer[T any](s []T) []T {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	var zero T
	return append(s, zero)
}

// drop counts n lost packets.
func (r *fileRecords) drop(n uint64) {
	if r.drops > math.MaxUint64-n {
		r.drops = math.MaxUint64
		return
	}
	r.drops += n
}

// order32 reads a number in the byte order of the file.
func order32(b []byte, big bool) uint32 {
	if big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func order16(b []byte, big bool) uint16 {
	if big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

// pcapFile is a file of draft-ietf-opsawg-pcap: a header, then records.
type pcapFile struct {
	big  bool
	link capture.LinkType
	head int   // bytes of a record header: 16 or 24
	unit int64 // nanoseconds of one unit of the fraction: 1 or 1000
	swap swapped
}

// swapped says whether captured and original length are exchanged, as they are before version 2.3. In 2.3 itself they may
// be: they are if a packet would be longer in the file than on the wire.
type swapped uint8

const (
	swapNever swapped = iota
	swapMaybe
	swapAlways
)

const pcapHeader = 24

// newPcap reads a file header. ok is false if head does not begin with a magic number of pcap.
func newPcap(head []byte) (p *pcapFile, ok bool, err error) {
	if len(head) < 4 {
		return nil, false, nil
	}
	p = &pcapFile{head: 16, unit: 1000, big: head[0] == 0xa1}
	switch order32(head, p.big) {
	case pcapMicro:
	case pcapNano:
		p.unit = 1
	case pcapModified:
		p.head = 24
	default:
		return nil, false, nil
	}
	if len(head) < pcapHeader {
		return nil, true, errShortHeader
	}
	major, minor := order16(head[4:], p.big), order16(head[6:], p.big)
	switch {
	case major != 2:
		return nil, true, fmt.Errorf("pcap version %d.%d: expected 2.4", major, minor)
	case minor < 3:
		p.swap = swapAlways
	case minor == 3:
		p.swap = swapMaybe
	}
	// The lower 16 bits are the link type; above them are the length of the frame check sequence and reserved bits.
	p.link = capture.LinkType(order32(head[20:], p.big))
	return p, true, nil
}

// record implements recordFormat. Seconds are unsigned (they end in 2106), so that no time overflows.
func (p *pcapFile) record(b []byte, r *fileRecords) (size, need int, err error) {
	if len(b) < p.head {
		return 0, p.head, nil
	}
	have, orig := order32(b[8:], p.big), order32(b[12:], p.big)
	if p.swap == swapAlways || p.swap == swapMaybe && have > orig {
		have, orig = orig, have
	}
	if have > maxRecord {
		return 0, 0, tooLong("record", have)
	}
	end := p.head + int(have)
	if end > len(b) {
		return 0, end, nil
	}
	at := int64(order32(b, p.big))*1e9 + int64(order32(b[4:], p.big))*p.unit
	r.add(b[p.head:end:end], at, orig, p.link)
	return end, 0, nil
}

func tooLong(what string, size uint32) error {
	return fmt.Errorf("%s length %d exceeds the limit of %d bytes: the file is damaged here", what, size, maxRecord)
}
