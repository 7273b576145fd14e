package testkit

import (
	"encoding/binary"
	"io"
)

// TLS content types (RFC 8446 5.1) and handshake types (RFC 8446 4, 5246 7.4).
const (
	recordCCS       = 20
	recordHandshake = 22

	helloClient       = 1
	helloServer       = 2
	keyExchangeServer = 12
	keyExchangeClient = 16

	extensionKeyShare = 51
)

// steadier overwrites those bytes of a recorded TLS session that differ between runs.
type steadier struct {
	fill    io.Reader
	session []byte  // the client's session id, which the server echoes in TLS 1.3
	sealed  [2]bool // by direction: ChangeCipherSpec was sent
}

func steady(flights []Flight, fill io.Reader) {
	s := &steadier{fill: fill}
	for _, f := range flights {
		side := 0
		if f.FromClient {
			side = 1
		}
		for b := f.Data; len(b) >= 5; {
			n := 5 + int(binary.BigEndian.Uint16(b[3:]))
			s.record(side, b[0], b[5:n])
			b = b[n:]
		}
	}
}

func (s *steadier) record(side int, kind byte, body []byte) {
	switch {
	case kind == recordCCS:
		s.sealed[side] = true
	case kind == recordHandshake && !s.sealed[side]:
		for len(body) >= 4 {
			n := 4 + int(binary.BigEndian.Uint32(body)&0xffffff)
			s.message(body[0], body[4:n])
			body = body[n:]
		}
	default:
		s.overwrite(body)
	}
}

func (s *steadier) message(kind byte, b []byte) {
	switch kind {
	case helloClient, helloServer:
		s.hello(kind, b)
	case keyExchangeServer: // curve, public key, algorithm, signature (RFC 8422 5.4)
		key := 4 + int(b[3])
		s.overwrite(b[4:key])
		s.overwrite(b[key+4:])
	case keyExchangeClient:
		s.overwrite(b[1:])
	}
}

// hello overwrites the nonce, the session id and the key shares (RFC 8446 4.1.2, 4.1.3, 4.2.8).
func (s *steadier) hello(kind byte, b []byte) {
	s.overwrite(b[2:34])
	id := b[35 : 35+int(b[34])]
	b = b[35+len(id):]
	if kind == helloClient {
		s.overwrite(id)
		s.session = id
		b = b[2+int(binary.BigEndian.Uint16(b)):] // cipher suites
		b = b[1+int(b[0]):]                       // compression methods
	} else {
		copy(id, s.session)
		b = b[3:] // cipher suite and compression method
	}
	if len(b) < 2 {
		return
	}
	for b = b[2:]; len(b) >= 4; {
		n := 4 + int(binary.BigEndian.Uint16(b[2:]))
		if binary.BigEndian.Uint16(b) == extensionKeyShare {
			s.shares(kind, b[4:n])
		}
		b = b[n:]
	}
}

func (s *steadier) shares(kind byte, b []byte) {
	if kind == helloClient {
		b = b[2:]
	}
	for len(b) >= 4 {
		n := 4 + int(binary.BigEndian.Uint16(b[2:]))
		s.overwrite(b[4:n])
		b = b[n:]
	}
}

func (s *steadier) overwrite(b []byte) {
	_, err := io.ReadFull(s.fill, b)
	check(err)
}
