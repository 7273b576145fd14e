package files

import (
	"fmt"

	"avbeacon/capture"
)

// snoopMagic opens a file of RFC 1761; all its numbers are big-endian.
const snoopMagic = "snoop\x00\x00\x00"

const (
	snoopHeader = 16
	snoopRecord = 24
)

// snoopFile is a file of RFC 1761, as Solaris writes it.
type snoopFile struct {
	link capture.LinkType
	lost uint32 // drops since the beginning, as in the last record
}

// newSnoop reads a file header. ok is false if head is another format's.
func newSnoop(head []byte) (s *snoopFile, ok bool, err error) {
	if len(head) < len(snoopMagic) || string(head[:len(snoopMagic)]) != snoopMagic {
		return nil, false, nil
	}
	if len(head) < snoopHeader {
		return nil, true, errShortHeader
	}
	if v := order32(head[8:], true); v != 2 {
		return nil, true, fmt.Errorf("snoop version %d: expected 2", v)
	}
	switch dl := order32(head[12:], true); dl {
	case 0, 4: // IEEE 802.3, Ethernet
		return &snoopFile{link: capture.LinkEthernet}, true, nil
	default:
		return nil, true, fmt.Errorf("snoop datalink type %d: expected 4 (Ethernet) or 0 (IEEE 802.3)", dl)
	}
}

// record implements recordFormat.
func (s *snoopFile) record(b []byte, r *fileRecords) (size, need int, err error) {
	if len(b) < snoopRecord {
		return 0, snoopRecord, nil
	}
	orig, have, whole := order32(b, true), order32(b[4:], true), order32(b[8:], true)
	if whole > maxRecord {
		return 0, 0, tooLong("record", whole)
	}
	if whole < snoopRecord || have > whole-snoopRecord {
		return 0, 0, fmt.Errorf("record of %d bytes claims a packet of %d: the file is damaged here", whole, have)
	}
	if int(whole) > len(b) {
		return 0, int(whole), nil
	}
	if lost := order32(b[12:], true); lost > s.lost {
		r.drop(uint64(lost - s.lost))
		s.lost = lost
	}
	at := int64(order32(b[16:], true))*1e9 + int64(order32(b[20:], true))*1000
	end := snoopRecord + int(have)
	r.add(b[snoopRecord:end:end], at, orig, s.link)
	return int(whole), 0, nil
}
