package wire

import "bytes"

// ResponseView is a response's head in place: its slices are parts of the scanned bytes.
type ResponseView struct {
	Status                       int
	Version, ContentType, Server []byte
	HeadLen                      int   // bytes up to and with the blank line; valid iff the scan said Whole
	BodyLen                      int64 // -1 where none is given; 0 for a status that never has a body (RFC 9112 6.3)
	Chunked                      bool
}

// LooksResponse reports whether b begins an HTTP/1.x response.
func LooksResponse(b []byte) Status {
	const start = "HTTP/1."
	n := min(len(b), len(start))
	if string(b[:n]) != start[:n] {
		return No
	}
	if n < len(start) {
		return More
	}
	return Whole
}

// ScanResponse reads the head of an HTTP/1.x response in place, without allocating; bounds and results are those of
// ScanRequest. Only the caller knows whether the response answers a HEAD request and so has no body.
func ScanResponse(b []byte, v *ResponseView) Status {
	*v = ResponseView{BodyLen: -1}
	if looks := LooksResponse(b); looks != Whole {
		return looks
	}
	if len(b) > httpHeadMax {
		b = b[:httpHeadMax]
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) == httpHeadMax {
			return No
		}
		return More
	}
	if !v.statusLine(trimBlanks(b[:end])) {
		return No
	}
	return v.scanFields(b, end+1)
}

// statusLine reads version and status (RFC 9112 4), not the reason.
func (v *ResponseView) statusLine(line []byte) bool {
	if len(line) < 12 || !isVersion(line[:8]) || !blank(line[8]) {
		return false
	}
	rest := trimLeft(line[8:])
	if len(rest) < 3 || len(rest) > 3 && rest[3] > ' ' {
		return false
	}
	n, ok := decimal(rest[:3])
	v.Status, v.Version = int(n), line[5:8]
	return ok && n >= 100
}

func (v *ResponseView) scanFields(b []byte, from int) Status {
	f := httpFields{b: b, pos: from}
	body := framing{length: -1}
	for {
		name, value, ok := f.next()
		if !ok {
			break
		}
		v.see(name, value, &body)
	}
	v.BodyLen, v.Chunked = body.settle()
	if v.Status < 200 || v.Status == 204 || v.Status == 304 {
		v.BodyLen, v.Chunked = 0, false
	}
	if !f.end {
		return More
	}
	v.HeadLen = f.pos
	return Whole
}

func (v *ResponseView) see(name, value []byte, body *framing) {
	switch len(name) {
	case 6:
		if len(v.Server) == 0 && is(name, "server") {
			v.Server = value
		}
	case 12:
		if len(v.ContentType) == 0 && is(name, "content-type") {
			v.ContentType = value
		}
	case 14, 17:
		body.see(name, value)
	}
}

// ParseResponse copies the response that v describes; v was scanned from the same b. Body holds at most BodyPeek bytes of
// what follows a complete head in b; of a chunked body, data of the first chunk.
func ParseResponse(b []byte, v *ResponseView) *Response {
	r := &Response{
		Status:      v.Status,
		Version:     versionText(v.Version),
		ContentType: unfold(v.ContentType),
		Server:      unfold(v.Server),
	}
	if v.HeadLen <= 0 || v.HeadLen >= len(b) || v.BodyLen == 0 {
		return r
	}
	body := b[v.HeadLen:]
	if v.Chunked {
		body = firstChunk(body)
	} else if v.BodyLen > 0 {
		body = body[:min(int64(len(body)), v.BodyLen)]
	}
	r.Body = bytes.Clone(body[:min(len(body), BodyPeek)])
	return r
}

// firstChunk returns the data of the chunk that b begins with, as far as it is there; nil if there is none.
func firstChunk(b []byte) []byte {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return nil
	}
	var c ChunkSkipper
	if _, _, ok := c.Skip(b[:end+1]); !ok || c.state != chunkData {
		return nil
	}
	b = b[end+1:]
	return b[:min(int64(len(b)), c.left)]
}
