package wire

import (
	"bytes"
	"encoding/binary"
)

const quicCryptoMax = 64 << 10 // bytes of one CRYPTO stream that are read

// quicCrypto joins the CRYPTO stream of a client's Initials. Frames come in any order on purpose: Chromium cuts a hello into
// pieces, shuffles them over two datagrams and puts PING and PADDING between them, so that middleboxes learn to join them.
type quicCrypto struct {
	pieces
	taken int // where the next handshake message starts
}

// emptied returns an empty stream with the same buffers.
func (c *quicCrypto) emptied() quicCrypto { return quicCrypto{pieces: c.pieces.emptied()} }

// Frame types of Initial packets (RFC 9000 12.4), and Google's own before it adopted them.
const (
	quicPadding  = 0x00
	quicPing     = 0x01
	quicAck      = 0x02
	quicAckECN   = 0x03
	quicCRYPTO   = 0x06
	quicClose    = 0x1c
	googlePing   = 0x07
	googleCRYPTO = 0x08
)

// addFrames adds the CRYPTO frames of a packet's payload and stops at the first frame that an Initial cannot hold. What came
// before that frame counts: the packet was authenticated, but by keys that anybody can derive.
func (c *quicCrypto) addFrames(b []byte, google bool) {
	crypto, ping := byte(quicCRYPTO), byte(quicPing)
	if google {
		crypto, ping = googleCRYPTO, googlePing
	}
	for at, ok := 0, true; ok && at < len(b); {
		typ := b[at]
		at++
		switch {
		case typ == quicPadding || typ == ping:
		case typ == crypto:
			at, ok = c.addFrame(b, at)
		case !google && (typ == quicAck || typ == quicAckECN):
			at, ok = quicSkipAck(b, at, typ == quicAckECN)
		case !google && typ == quicClose:
			at, ok = quicSkipClose(b, at)
		default:
			return
		}
	}
}

func (c *quicCrypto) addFrame(b []byte, at int) (int, bool) {
	offset, at, ok := quicVarint(b, at)
	if !ok {
		return at, false
	}
	size, at, ok := quicVarint(b, at)
	if !ok || size > uint64(len(b)-at) {
		return at, false
	}
	if end := at + int(size); offset+size <= quicCryptoMax {
		c.add(int(offset), b[at:end])
		return end, true
	}
	return at, false
}

// quicSkipAck returns where an ACK frame ends (RFC 9000 19.3). Each range takes two numbers.
func quicSkipAck(b []byte, at int, ecn bool) (int, bool) {
	var head [4]uint64 // largest, delay, number of ranges, first range
	var ok bool
	for i := range head {
		if head[i], at, ok = quicVarint(b, at); !ok {
			return at, false
		}
	}
	more := 2 * head[2]
	if more > uint64(len(b)) { // each takes a byte at least
		return at, false
	}
	if ecn {
		more += 3
	}
	for range more {
		if _, at, ok = quicVarint(b, at); !ok {
			return at, false
		}
	}
	return at, true
}

// quicSkipClose returns where a CONNECTION_CLOSE frame ends (RFC 9000 19.19).
func quicSkipClose(b []byte, at int) (int, bool) {
	var v uint64
	var ok bool
	for range 3 { // code, frame type, length of the reason
		if v, at, ok = quicVarint(b, at); !ok {
			return at, false
		}
	}
	if v > uint64(len(b)-at) {
		return at, false
	}
	return at + int(v), true
}

// hello returns the next ClientHello (or CHLO) of the stream and moves past it.
func (c *quicCrypto) hello() ([]byte, Status) {
	if len(c.start()) < c.taken+handshakeHeader {
		return nil, More
	}
	b := c.start()[c.taken:]
	if bytes.HasPrefix(b, []byte("CHLO")) {
		if !gquicWhole(b) {
			return nil, More
		}
		c.taken += len(b)
		return b, Whole
	}
	n := int(binary.BigEndian.Uint32(b) & 0xffffff)
	if b[0] != HandshakeClientHello || handshakeHeader+n+c.taken > quicCryptoMax {
		return nil, No
	}
	if len(b) < handshakeHeader+n {
		return nil, More
	}
	end := handshakeHeader + n
	c.taken += end
	return b[handshakeHeader:end:end], Whole
}
