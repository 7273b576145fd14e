package wire

import (
	"bytes"
	"encoding/binary"
)

// quicFailures is how many Initials of one datagram may fail to decrypt before the rest is ignored: each costs up to four key
// derivations, and a hostile datagram holds many.
const quicFailures = 3

// QUICReader decrypts the Initial packets of QUIC clients. It holds only buffers, so that one serves all connections of a
// goroutine. It is not safe for concurrent use.
//
// Initial packets are encrypted with keys that follow from the connection ID in their own header (RFC 9001 5.2). Whoever sees
// them can read them; the encryption only keeps middleboxes from depending on their content. The way of a datagram: cut takes
// it apart into packets (quic_packet.go), open finds the keys (quic_key.go), unseal decrypts, addFrames joins the CRYPTO
// frames to the stream of handshake messages (quic_crypto.go), and hello takes the ClientHello off that.
type QUICReader struct {
	derive *quicDeriver
	header []byte // associated data: the header with its protection taken off
	plain  []byte
	nonce  [12]byte
	sample [16]byte
	mask   [16]byte
	packet quicPacket
}

// NewQUICReader makes a reader.
func NewQUICReader() *QUICReader {
	return &QUICReader{derive: newQUICDeriver(), header: make([]byte, 0, 256), plain: make([]byte, 0, 1500)}
}

// QUICStream is what is known about one connection's client while its hello is being joined. The zero value is ready.
type QUICStream struct {
	Version uint32 // of the last Initial that was decrypted

	keys    quicKeys // valid iff Version is not 0
	dcid    quicID   // connection id that the keys are derived from: the client's first choice, which no later packet need show
	retry   quicID   // connection id that a server's Retry asked for
	highest int64    // highest packet number opened with keys, plus one
	crypto  quicCrypto
}

type quicID struct {
	id  [quicCIDMax]byte
	len uint8
	set bool
}

func (q *quicID) bytes() []byte { return q.id[:q.len] }

func (q *quicID) keep(id []byte) {
	q.len, q.set = uint8(copy(q.id[:], id)), true
}

// Reset prepares s for another connection and keeps its buffers.
func (s *QUICStream) Reset() {
	*s = QUICStream{crypto: s.crypto.emptied()}
}

// Feed decrypts every client Initial in the datagram and adds its CRYPTO frames, in any order, to s. Whole: hello is the
// body of the ClientHello without the four bytes of handshake header (in version Q050 the CHLO message), and aliases s
// until the next Feed or Reset. A second hello, which answers a HelloRetryRequest or opens a new connection, comes with a
// later Feed. More: the hello is incomplete. No: no client packet could be decrypted yet.
func (r *QUICReader) Feed(s *QUICStream, datagram []byte) (hello []byte, st Status) {
	failed := 0
	for rest := datagram; len(rest) > 0 && failed < quicFailures; {
		p := &r.packet
		next, ok := p.cut(rest)
		if !ok {
			break
		}
		rest = next
		if p.typ == quicInitial {
			if plain, ok := r.open(s, p); ok {
				s.crypto.addFrames(plain, p.flavour.google)
			} else {
				failed++
			}
		}
	}
	r.packet = quicPacket{}
	if s.Version == 0 {
		return nil, No
	}
	return s.crypto.hello()
}

// FeedServer reads, from a server's Retry, the connection id that the client's next keys are derived from.
func (r *QUICReader) FeedServer(s *QUICStream, datagram []byte) {
	p := &r.packet
	if _, ok := p.cut(datagram); ok && p.typ == quicRetry && len(p.scid) > 0 {
		s.retry.keep(p.scid)
	}
}

// open finds the keys that a packet was encrypted with and returns its payload. It tries those of the connection so far,
// then those of the packet's own destination (a first Initial, also after a Retry or on a reused port), then those of the
// first destination under another version (RFC 9369 4.1), then those named by a Retry.
func (r *QUICReader) open(s *QUICStream, p *quicPacket) ([]byte, bool) {
	if s.Version == p.version {
		if plain, ok := r.unseal(s, &s.keys, s.highest, p); ok {
			return plain, true
		}
	}
	if s.Version != p.version || !bytes.Equal(p.dcid, s.dcid.bytes()) {
		if plain, ok := r.adopt(s, p, p.dcid); ok {
			return plain, true
		}
	}
	if s.Version != 0 && s.Version != p.version && !bytes.Equal(p.dcid, s.dcid.bytes()) {
		if plain, ok := r.adopt(s, p, s.dcid.bytes()); ok {
			return plain, true
		}
	}
	if s.retry.set && !bytes.Equal(p.dcid, s.retry.bytes()) && !bytes.Equal(s.dcid.bytes(), s.retry.bytes()) {
		return r.adopt(s, p, s.retry.bytes())
	}
	return nil, false
}

// adopt tries the keys derived from a connection id and keeps them if they decrypt the packet. What was collected under
// another connection id is dropped: after a Retry and on a new connection the hello starts over.
func (r *QUICReader) adopt(s *QUICStream, p *quicPacket, dcid []byte) ([]byte, bool) {
	keys, err := r.derive.client(&p.flavour, dcid)
	if err != nil {
		return nil, false
	}
	again := s.Version != 0 && bytes.Equal(dcid, s.dcid.bytes())
	highest := s.highest
	if !again {
		highest = 0
	}
	plain, ok := r.unseal(s, &keys, highest, p)
	if !ok {
		return nil, false
	}
	if !again {
		s.crypto = s.crypto.emptied()
		s.dcid.keep(dcid)
	}
	s.keys, s.Version = keys, p.version
	return plain, true
}

// unseal removes header protection (RFC 9001 5.4) and decrypts the payload (5.3) into the reader's buffer. The datagram is
// not changed.
func (r *QUICReader) unseal(s *QUICStream, k *quicKeys, highest int64, p *quicPacket) ([]byte, bool) {
	if len(p.data) < p.pn+4+len(r.sample) {
		return nil, false
	}
	// The mask of the header comes from a sample of the ciphertext. It begins where the payload would start if the packet number
	// had four bytes, because how many it has is under the mask.
	copy(r.sample[:], p.data[p.pn+4:])
	k.hp.Encrypt(r.mask[:], r.sample[:])
	n := int((p.data[0]^r.mask[0])&3) + 1
	r.header = append(r.header[:0], p.data[:p.pn+n]...)
	r.header[0] ^= r.mask[0] & 0x0f
	var truncated uint32
	for i := range n {
		r.header[p.pn+i] ^= r.mask[1+i]
		truncated = truncated<<8 | uint32(r.header[p.pn+i])
	}
	number := quicPacketNumber(highest, truncated, n)
	r.nonce = k.iv // the packet number is added to its last bytes (RFC 9001 5.3)
	low := binary.BigEndian.Uint64(r.nonce[4:]) ^ uint64(number)
	binary.BigEndian.PutUint64(r.nonce[4:], low)
	plain, err := k.aead.Open(r.plain[:0], r.nonce[:], p.data[p.pn+n:], r.header)
	if err != nil {
		return nil, false
	}
	r.plain = plain
	s.highest = max(highest, number+1)
	return plain, true
}

// quicPacketNumber completes a packet number of n bytes, expected being one more than the highest seen so far
// (RFC 9000 A.3).
func quicPacketNumber(expected int64, truncated uint32, n int) int64 {
	// Of all numbers that end in these bytes it is the one closest to the expected one.
	window := int64(1) << (8 * n)
	candidate := expected&^(window-1) | int64(truncated)
	switch {
	case candidate <= expected-window/2 && candidate < 1<<62-window:
		return candidate + window
	case candidate > expected+window/2 && candidate >= window:
		return candidate - window
	}
	return candidate
}
