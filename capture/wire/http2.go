package wire

import "golang.org/x/net/http2/hpack"

// h2Preface is the first thing that a client of HTTP/2 in the clear sends, with prior knowledge of the server as well as after
// an upgrade from HTTP/1.1 (RFC 9113 3.4).
const h2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Bounds of what an H2Stream keeps and accepts.
const (
	h2TableMax  = 4096     // bytes of header table: the initial size (RFC 9113 6.5.2)
	h2StringMax = 16 << 10 // bytes of one field's name or value
	h2BlockMax  = 64 << 10 // bytes of one compressed header block
	h2ListMax   = 64 << 10 // bytes of the fields in it
	h2FramesMax = 1 << 20  // frames of a connection that are followed
)

// Frame types and flags (RFC 9113 6).
const (
	h2Headers      = 1
	h2Continuation = 9
	h2EndHeaders   = 0x4
	h2Padded       = 0x8
	h2Priority     = 0x20
)

// LooksH2 reports whether b begins the client's side of HTTP/2 in the clear.
func LooksH2(b []byte) Status {
	n := min(len(b), len(h2Preface))
	if string(b[:n]) != h2Preface[:n] {
		return No
	}
	if n < len(h2Preface) {
		return More
	}
	return Whole
}

// H2Stream reads the requests in the client's side of an HTTP/2 connection in the clear. The zero value expects the
// connection preface. It keeps the header table (4 KiB) and no frames.
type H2Stream struct {
	dec     *hpack.Decoder
	req     *Request
	out     []*Request
	head    [9]byte // frame header, as far as it is there
	headLen int
	preface int  // bytes of the preface that are passed
	skip    int  // bytes to skip at the frame's start: priority
	left    int  // bytes of header block to come in this frame
	tail    int  // bytes to skip after that: padding, or a whole frame that is not read
	padNext bool // the next byte is the padding's length
	inBlock bool // a header block is open: CONTINUATION must follow
	ends    bool // the block ends with this frame
	block   int  // bytes of the open block so far
	list    int  // bytes of fields in the open block so far
	frames  int
	broken  bool
}

// Feed reads the next bytes of the stream, in order and without a gap, and returns the requests whose header block ended in
// them. The caller owns them. After a violation of the format or of a bound it returns nothing more.
func (s *H2Stream) Feed(b []byte) []*Request {
	s.out = nil
	for len(b) > 0 && !s.broken {
		n := s.step(b)
		b = b[n:]
	}
	return s.out
}

// step reads at least one byte, or breaks the stream.
func (s *H2Stream) step(b []byte) int {
	switch {
	case s.preface < len(h2Preface):
		return s.takePreface(b)
	case s.padNext:
		return s.takePadLen(b)
	case s.skip > 0:
		n := min(s.skip, len(b))
		s.skip -= n
		return n
	case s.left > 0:
		return s.takeBlock(b)
	case s.tail > 0:
		n := min(s.tail, len(b))
		s.tail -= n
		return n
	}
	return s.takeHead(b)
}

func (s *H2Stream) takePreface(b []byte) int {
	n := min(len(b), len(h2Preface)-s.preface)
	s.broken = string(b[:n]) != h2Preface[s.preface:s.preface+n]
	s.preface += n
	return n
}

func (s *H2Stream) takeHead(b []byte) int {
	n := copy(s.head[s.headLen:], b)
	if s.headLen += n; s.headLen == len(s.head) {
		s.headLen = 0
		s.openFrame()
	}
	return n
}

// openFrame reads the frame header in head, which is complete (RFC 9113 4.1).
func (s *H2Stream) openFrame() {
	length := int(s.head[0])<<16 | int(s.head[1])<<8 | int(s.head[2])
	kind, flags := s.head[3], s.head[4]
	s.frames++
	if s.frames > h2FramesMax || s.inBlock != (kind == h2Continuation) {
		s.broken = true
		return
	}
	if kind != h2Headers && kind != h2Continuation {
		s.tail = length
		return
	}
	s.ends = flags&h2EndHeaders != 0
	s.left = length
	if kind == h2Headers {
		s.openBlock(flags)
	}
	s.closeFrame()
}

// openBlock begins a header block and notes what a HEADERS frame has around its part of the block (RFC 9113 6.2).
func (s *H2Stream) openBlock(flags byte) {
	s.inBlock, s.block, s.list = true, 0, 0
	s.req = &Request{Version: "2"}
	if s.dec == nil {
		s.dec = hpack.NewDecoder(h2TableMax, s.field)
		s.dec.SetMaxStringLength(h2StringMax)
	}
	if flags&h2Padded != 0 {
		s.padNext = true
		s.left--
	}
	if flags&h2Priority != 0 {
		s.skip = 5
		s.left -= 5
	}
	s.broken = s.left < 0
}

func (s *H2Stream) takePadLen(b []byte) int {
	s.padNext = false
	s.tail = int(b[0])
	s.left -= s.tail
	s.broken = s.left < 0
	s.closeFrame()
	return 1
}

func (s *H2Stream) takeBlock(b []byte) int {
	n := min(s.left, len(b))
	s.left -= n
	if s.block += n; s.block > h2BlockMax {
		s.broken = true
		return n
	}
	if _, err := s.dec.Write(b[:n]); err != nil || s.list > h2ListMax {
		s.broken = true
		return n
	}
	s.closeFrame()
	return n
}

// closeFrame ends the header block if its last byte has been read.
func (s *H2Stream) closeFrame() {
	if s.left > 0 || s.padNext || s.broken || !s.ends {
		return
	}
	s.inBlock, s.ends = false, false
	if s.dec.Close() != nil {
		s.broken = true
		return
	}
	if s.req.Method != "" {
		s.out = append(s.out, s.req)
	}
	s.req = nil
}

// field reads one field of the open block. Of several with one name the first counts.
func (s *H2Stream) field(f hpack.HeaderField) {
	if s.list += int(f.Size()); s.list > h2ListMax {
		s.dec.SetEmitEnabled(false)
		return
	}
	r := s.req
	switch f.Name {
	case ":method":
		setFirst(&r.Method, f.Value)
	case ":path":
		setFirst(&r.URI, f.Value)
	case ":authority":
		r.Host = f.Value
	case "host":
		setFirst(&r.Host, f.Value)
	case "user-agent":
		setFirst(&r.UserAgent, f.Value)
	case "via", "forwarded", "x-forwarded-for":
		r.Via = true
	}
}

func setFirst(to *string, value string) {
	if *to == "" {
		*to = value
	}
}
