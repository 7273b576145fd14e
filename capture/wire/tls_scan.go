package wire

import "encoding/binary"

// HandshakeScan iterates over the handshake messages in the plaintext records at the start of one direction of a TLS
// connection. It is a value that aliases the bytes it was given. Next updates the exported fields.
type HandshakeScan struct {
	Encrypted  bool // encrypted records were reached
	HasAlert   bool // AlertLevel and AlertDesc hold the last plaintext alert that Next passed
	AlertLevel byte
	AlertDesc  byte

	records []byte // from the next record header on
	part    []byte // unread handshake bytes of the current record
	scratch []byte // where messages that span records are joined
	cut     bool   // the current record continues after the end of the input
	changed bool   // a ChangeCipherSpec was passed
	started bool
}

// ScanHandshake starts a scan of the records at the start of b. scratch is lent for joining messages that span records; if
// its capacity is too small for one (of up to 128 KiB), Next allocates another.
func ScanHandshake(b, scratch []byte) HandshakeScan {
	return HandshakeScan{records: b, scratch: scratch[:0]}
}

// Next returns the next handshake message. Whole: body is the message without its four bytes of header, and aliases the
// input or the scratch buffer until the next call. An SSLv2-framed ClientHello is returned as HandshakeClientHello with the
// whole SSLv2 message, from its type byte on, as body; ParseClientHello and PeekClientHello recognise it by that. More: the
// input ended before the message did. No: what follows is encrypted, or another protocol.
func (s *HandshakeScan) Next() (typ byte, body []byte, st Status) {
	if !s.started {
		s.started = true
		if len(s.records) >= sslv2Header && s.records[0]&0x80 != 0 {
			return s.sslv2()
		}
	}
	for len(s.part) == 0 {
		if st := s.record(); st != Whole {
			return 0, nil, st
		}
	}
	if n, ok := messageSize(s.part); ok && len(s.part) >= n {
		typ, body = s.part[0], s.part[handshakeHeader:n:n]
		s.part = s.part[n:]
		return typ, body, Whole
	}
	return s.join()
}

// Rest returns the bytes after the last record, or nil if that record is incomplete or holds another message.
func (s *HandshakeScan) Rest() []byte {
	if s.cut || len(s.part) > 0 {
		return nil
	}
	return s.records
}

// messageSize returns the length of the handshake message at b with its header, if the header is complete.
func messageSize(b []byte) (int, bool) {
	if len(b) < handshakeHeader {
		return 0, false
	}
	return handshakeHeader + int(b[1])<<16 + int(b[2])<<8 + int(b[3]), true
}

func (s *HandshakeScan) sslv2() (byte, []byte, Status) {
	n, ok := sslv2Size(s.records)
	switch {
	case !ok:
		return 0, nil, No
	case len(s.records) < n:
		return 0, nil, More
	}
	body := s.records[2:n:n]
	s.records = s.records[n:]
	return HandshakeClientHello, body, Whole
}

// record moves to the next record with handshake bytes. More and No are as for Next.
func (s *HandshakeScan) record() Status {
	for {
		b := s.records
		if s.cut || len(b) == 0 {
			return More
		}
		if len(b) > 1 && b[1] != 3 || b[0] < recordChangeCipherSpec || b[0] > recordHeartbeat {
			return No
		}
		if len(b) < recordHeader {
			return More
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n > recordMax {
			return No
		}
		data := b[recordHeader:]
		if s.cut = len(data) < n; !s.cut {
			data = data[:n]
		}
		if st := s.content(b[0], data, n); st != Whole {
			return st
		}
		s.records = b[recordHeader+len(data):]
		if b[0] == recordHandshake && len(data) > 0 {
			s.part = data
			return Whole
		}
	}
}

// content handles a record of the given type, whose data may be shorter than its size n. Whole: go on.
func (s *HandshakeScan) content(typ byte, data []byte, n int) Status {
	switch typ {
	case recordChangeCipherSpec:
		s.changed = true
	case recordAlert:
		if n != 2 {
			s.Encrypted = true
			return No
		}
		if !s.cut && !s.changed {
			s.HasAlert, s.AlertLevel, s.AlertDesc = true, data[0], data[1]
		}
	case recordData:
		s.Encrypted = true
		return No
	case recordHandshake:
		if s.changed {
			return s.afterChange(data)
		}
	}
	return Whole
}

// afterChange distinguishes a second hello from an encrypted Finished: TLS 1.3 sends a meaningless ChangeCipherSpec before
// the hello that answers a HelloRetryRequest (RFC 8446 D.4); older versions encrypt from there on.
func (s *HandshakeScan) afterChange(data []byte) Status {
	if len(data) < handshakeHeader+2 {
		if s.cut {
			return More
		}
	} else if n, _ := messageSize(data); (data[0] == HandshakeClientHello || data[0] == HandshakeServerHello) &&
		n >= handshakeHeader+handshakeMin && n <= recordMax && data[4] == 3 && data[5] == 3 {
		return Whole
	}
	s.Encrypted = true
	return No
}

// join copies a message that spans records into the scratch buffer, once all of it is there.
func (s *HandshakeScan) join() (byte, []byte, Status) {
	ahead := *s // walks on without touching s
	var head [handshakeHeader]byte
	have, need := 0, handshakeHeader
	for have < need {
		for len(ahead.part) == 0 {
			if st := ahead.record(); st != Whole {
				s.Encrypted = ahead.Encrypted
				return 0, nil, st
			}
		}
		if have < handshakeHeader {
			n := copy(head[have:], ahead.part)
			have, ahead.part = have+n, ahead.part[n:]
			if have == handshakeHeader {
				need, _ = messageSize(head[:])
			}
			continue
		}
		if need > handshakeHeader+handshakeMax {
			return 0, nil, No
		}
		n := min(need-have, len(ahead.part))
		have, ahead.part = have+n, ahead.part[n:]
	}
	s.gather(need)
	return s.scratch[0], s.scratch[handshakeHeader:need:need], Whole
}

// gather moves n handshake bytes, which are known to be there, into the scratch buffer.
func (s *HandshakeScan) gather(n int) {
	if cap(s.scratch) < n {
		s.scratch = make([]byte, 0, n)
	}
	s.scratch = s.scratch[:0]
	for len(s.scratch) < n {
		for len(s.part) == 0 {
			s.record()
		}
		m := min(n-len(s.scratch), len(s.part))
		s.scratch = append(s.scratch, s.part[:m]...)
		s.part = s.part[m:]
	}
}
