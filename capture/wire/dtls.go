package wire

import "encoding/binary"

// DTLS record and handshake headers (RFC 6347 4.1 and 4.2.2), and what a stream may hold.
const (
	dtlsRecordHeader    = 13
	dtlsHandshakeHeader = 12
	dtlsVersionOld      = 0x0100 // of OpenSSL before the standard; Cisco AnyConnect uses it
	dtlsVersion10       = 0xfeff
	dtlsVersion12       = 0xfefd
	dtlsVersion13       = 0xfefc
	dtlsMessages        = 8        // messages put together at the same time
	dtlsMessageMax      = 64 << 10 // bytes of one of them
)

// LooksDTLS reports whether the datagram begins with a whole DTLS 1.0 to 1.2 record, or one with a DTLS 1.3 hello.
func LooksDTLS(b []byte) bool {
	typ, data, _, ok := cutDTLSRecord(b)
	if !ok {
		return false
	}
	epoch := binary.BigEndian.Uint16(b[3:])
	switch typ {
	case recordHandshake:
		if epoch > 0 {
			return true // encrypted: nothing to check
		}
		_, _, _, ok := cutDTLSFragment(data)
		return ok
	case recordAlert:
		return epoch > 0 || len(data) == 2 && (data[0] == 1 || data[0] == 2)
	case recordChangeCipherSpec:
		return len(data) == 1
	case recordData:
		return epoch > 0
	}
	return false
}

// cutDTLSRecord cuts the first record off a datagram.
func cutDTLSRecord(b []byte) (typ byte, data, rest []byte, ok bool) {
	if len(b) < dtlsRecordHeader {
		return 0, nil, nil, false
	}
	switch binary.BigEndian.Uint16(b[1:]) {
	case dtlsVersionOld, dtlsVersion10, dtlsVersion12, dtlsVersion13:
	default:
		return 0, nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[11:]))
	if n > recordMax || n > len(b)-dtlsRecordHeader {
		return 0, nil, nil, false
	}
	end := dtlsRecordHeader + n
	return b[0], b[dtlsRecordHeader:end], b[end:], true
}

// dtlsFragment is the header of a piece of a handshake message.
type dtlsFragment struct {
	typ    byte
	seq    uint16
	size   int // of the whole message
	offset int
}

// cutDTLSFragment cuts the first fragment off a handshake record.
func cutDTLSFragment(b []byte) (f dtlsFragment, data, rest []byte, ok bool) {
	if len(b) < dtlsHandshakeHeader {
		return f, nil, nil, false
	}
	uint24 := func(at int) int { return int(b[at])<<16 | int(b[at+1])<<8 | int(b[at+2]) }
	f = dtlsFragment{typ: b[0], seq: binary.BigEndian.Uint16(b[4:]), size: uint24(1), offset: uint24(6)}
	n := uint24(9)
	if n > len(b)-dtlsHandshakeHeader || f.offset+n > f.size || f.size > dtlsMessageMax || f.typ > 25 {
		return f, nil, nil, false
	}
	end := dtlsHandshakeHeader + n
	return f, b[dtlsHandshakeHeader:end], b[end:], true
}

// DTLSStream joins the handshake messages of one direction of a DTLS 1.0 to 1.3 connection, as far as they are in the
// clear. It holds at most eight incomplete messages of 64 KiB; the oldest is dropped for another. The zero value is ready.
type DTLSStream struct {
	datagram []byte // records not looked at yet
	record   []byte // fragments of the current record not looked at yet
	open     []dtlsMessage
}

// dtlsMessage is a message of which parts are missing.
type dtlsMessage struct {
	head   dtlsFragment
	pieces pieces
}

// Feed sets the next datagram. The stream aliases it until Next returns false.
func (s *DTLSStream) Feed(datagram []byte) { s.datagram, s.record = datagram, nil }

// Next returns the next whole message. The body, without its header, aliases the datagram or memory that the stream no
// longer uses. A message that is sent again is returned again.
func (s *DTLSStream) Next() (typ byte, body []byte, ok bool) {
	for {
		for len(s.record) == 0 {
			if !s.nextRecord() {
				s.datagram = nil
				return 0, nil, false
			}
		}
		f, data, rest, ok := cutDTLSFragment(s.record)
		if !ok {
			s.record = nil
			continue
		}
		s.record = rest
		if len(data) == f.size {
			return f.typ, data, true
		}
		if body := s.join(f, data); body != nil {
			return f.typ, body, true
		}
	}
}

// nextRecord moves to the next handshake record in the clear.
func (s *DTLSStream) nextRecord() bool {
	for {
		typ, data, rest, ok := cutDTLSRecord(s.datagram)
		if !ok {
			return false
		}
		epoch := binary.BigEndian.Uint16(s.datagram[3:])
		s.datagram = rest
		if typ == recordHandshake && epoch == 0 {
			s.record = data
			return true
		}
	}
}

// join adds a fragment to its message and returns the message's body once it is complete.
func (s *DTLSStream) join(f dtlsFragment, data []byte) []byte {
	at := -1
	for i := range s.open {
		if h := s.open[i].head; h.seq == f.seq && h.typ == f.typ && h.size == f.size {
			at = i
		}
	}
	if at < 0 {
		if len(s.open) == dtlsMessages {
			s.drop(0)
		}
		at = len(s.open)
		s.open = append(s.open, dtlsMessage{head: f})
	}
	p := &s.open[at].pieces
	p.add(f.offset, data)
	body := p.start()
	if len(body) < f.size {
		return nil
	}
	s.drop(at)
	return body
}

func (s *DTLSStream) drop(i int) {
	copy(s.open[i:], s.open[i+1:])
	s.open[len(s.open)-1] = dtlsMessage{}
	s.open = s.open[:len(s.open)-1]
}
