package wire

import "bytes"

// Where a ChunkSkipper is within a chunked body (RFC 9112 7.1).
const (
	chunkSize     uint8 = iota // in the digits of a chunk's size
	chunkExt                   // after them, up to the line's end
	chunkData                  // in its data
	chunkDataEnd               // at the line end after the data
	chunkTrailer               // at the start of a trailer line
	chunkTrailing              // within a trailer line
	chunkDone
	chunkBroken
)

// Bounds of the parts of a chunked body that have no length.
const (
	chunkDigitsMax = 15
	chunkLinesMax  = 16 << 10 // bytes of one size line, or of all trailers
)

// ChunkSkipper follows a chunked body over any number of segments, to find its end. The zero value expects the body's first
// byte.
type ChunkSkipper struct {
	left   int64 // bytes of data still to come; the size while its digits are read
	line   uint16
	state  uint8
	digits uint8
}

// Skip reads the next bytes of the stream. n of them belong to the body, with its trailers and last line end. done: the
// body ends after them. ok is false, from then on, if the body breaks its format.
func (c *ChunkSkipper) Skip(b []byte) (n int, done, ok bool) {
	for n < len(b) && c.state < chunkDone {
		if c.state == chunkData {
			n += c.data(len(b) - n)
			continue
		}
		if c.state == chunkExt || c.state == chunkTrailing {
			n += c.toLineEnd(b[n:])
			continue
		}
		c.step(b[n])
		n++
	}
	return n, c.state == chunkDone, c.state != chunkBroken
}

func (c *ChunkSkipper) data(have int) int {
	take := min(int64(have), c.left)
	if c.left -= take; c.left == 0 {
		c.state = chunkDataEnd
	}
	return int(take)
}

// toLineEnd moves past the next LF, or over all of b if there is none, and counts the bytes.
func (c *ChunkSkipper) toLineEnd(b []byte) int {
	n := bytes.IndexByte(b, '\n') + 1
	ended := n > 0
	if !ended {
		n = len(b)
	}
	if int(c.line)+n > chunkLinesMax {
		c.state = chunkBroken
		return n
	}
	c.line += uint16(n)
	if ended && c.state == chunkExt {
		c.sized()
	} else if ended {
		c.state = chunkTrailer
	}
	return n
}

func (c *ChunkSkipper) step(b byte) {
	switch c.state {
	case chunkSize:
		c.sizeByte(b)
	case chunkDataEnd:
		if b == '\n' {
			c.state, c.left, c.digits, c.line = chunkSize, 0, 0, 0
		} else if b != '\r' {
			c.state = chunkBroken
		}
	case chunkTrailer:
		if b == '\n' {
			c.state = chunkDone
		} else if b != '\r' {
			c.state = chunkTrailing
		}
	}
}

func (c *ChunkSkipper) sizeByte(b byte) {
	d := hexDigit(b)
	switch {
	case d >= 0 && c.digits < chunkDigitsMax:
		c.left = c.left<<4 | int64(d)
		c.digits++
	case c.digits == 0 || d >= 0:
		c.state = chunkBroken
	case b == '\n':
		c.sized()
	case b == ';' || b == '\r' || blank(b):
		c.state = chunkExt
	default:
		c.state = chunkBroken
	}
}

// sized continues after the line with a chunk's size; the chunk of size 0 is the last.
func (c *ChunkSkipper) sized() {
	if c.line = 0; c.left == 0 {
		c.state = chunkTrailer
	} else {
		c.state = chunkData
	}
}

func hexDigit(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10
	}
	return -1
}
