package wire

import (
	"bytes"
	"strings"
)

// Bounds of what is believed to be a request, in bytes.
const (
	httpMethodMax = 24
	httpNameMax   = 64 // the first field's name, where the request line has no version
)

// RequestView is a request's head in place: its slices are parts of the scanned bytes. Values are trimmed. A value that was
// folded over several lines still contains the line ends.
type RequestView struct {
	Method, Target, Version, Host, UserAgent []byte
	HeadLen                                  int   // bytes up to and with the blank line; valid iff the scan said Whole
	BodyLen                                  int64 // Content-Length, -1 where none is given or the body is chunked
	Chunked                                  bool
	Via                                      bool // Via, X-Forwarded-For or Forwarded is there
	Connect                                  bool // the method is CONNECT
	fields                                   int  // where the fields begin
}

// LooksRequest reports whether b begins an HTTP/1.x request. It reads only the first line, as far as it is there. Whole: a
// usual method is followed by a target, or any other upper-case word by a path and the line ends in a version. No: a whole
// line has no HTTP/1.x version and no field follows. More: b is too short to decide.
func LooksRequest(b []byte) Status {
	b = b[leadingLines(b):]
	n := methodLen(b)
	if n < 0 {
		return No
	}
	if n == len(b) || n+1 == len(b) {
		return More
	}
	known := usualMethod(b[:n])
	if !known && !pathBehind(b[n:]) {
		return No
	}
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		_, _, _, bare, ok := requestLine(b[:end])
		if ok && bare {
			return looksField(b[end+1:])
		}
		if ok {
			return Whole
		}
		return No
	}
	if len(b) > httpHeadMax || b[n+1] < ' ' {
		return No
	}
	if known {
		return Whole
	}
	return More
}

// ScanRequest reads the head of an HTTP/1.x request in place, without allocating. Whole: the blank line after the head is
// there. More: it is not, and v holds the complete lines. No: b does not begin such a request; HTTP/0.9 is none, and a line
// without a version only if a field follows. It reads at most 64 KiB and 256 fields.
func ScanRequest(b []byte, v *RequestView) Status {
	*v = RequestView{BodyLen: -1}
	if len(b) > httpHeadMax {
		b = b[:httpHeadMax]
	}
	skip := leadingLines(b)
	end := bytes.IndexByte(b[skip:], '\n')
	if end < 0 {
		if len(b) == httpHeadMax || LooksRequest(b) == No {
			return No
		}
		return More
	}
	var bare, ok bool
	if v.Method, v.Target, v.Version, bare, ok = requestLine(b[skip : skip+end]); !ok {
		return No
	}
	if bare {
		if looks := looksField(b[skip+end+1:]); looks != Whole {
			return looks
		}
	}
	v.Connect = string(v.Method) == "CONNECT"
	v.fields = skip + end + 1
	return v.scanFields(b)
}

func (v *RequestView) scanFields(b []byte) Status {
	f := httpFields{b: b, pos: v.fields}
	body := framing{length: -1}
	for {
		name, value, ok := f.next()
		if !ok {
			break
		}
		v.see(name, value, &body)
	}
	v.BodyLen, v.Chunked = body.settle()
	if !f.end {
		return More
	}
	v.HeadLen = f.pos
	return Whole
}

// see reads one field. Of a repeated field, the first that is not empty counts.
func (v *RequestView) see(name, value []byte, body *framing) {
	switch len(name) {
	case 3:
		v.Via = v.Via || is(name, "via")
	case 4:
		if len(v.Host) == 0 && is(name, "host") {
			v.Host = value
		}
	case 9:
		v.Via = v.Via || is(name, "forwarded")
	case 10:
		if len(v.UserAgent) == 0 && is(name, "user-agent") {
			v.UserAgent = value
		}
	case 14, 17:
		body.see(name, value)
	case 15:
		v.Via = v.Via || is(name, "x-forwarded-for")
	}
}

// ParseRequest copies the request that v describes; v was scanned from the same b. headers names the further fields that
// are wanted, in any case; a name that ends in "*" stands for all fields with that prefix. Without a Host field, Host is
// the target's authority.
func ParseRequest(b []byte, v *RequestView, headers []string) *Request {
	r := &Request{
		Method:    string(v.Method),
		URI:       string(v.Target),
		Version:   versionText(v.Version),
		Host:      unfold(v.Host),
		UserAgent: unfold(v.UserAgent),
		Via:       v.Via,
	}
	if r.Host == "" {
		r.Host = authority(r.URI, v.Connect)
	}
	if len(headers) > 0 {
		r.Headers = wantedFields(b[:min(len(b), httpHeadMax)], v.fields, headers)
	}
	return r
}

func wantedFields(b []byte, from int, headers []string) []Header {
	var out []Header
	f := httpFields{b: b, pos: min(from, len(b))}
	for {
		name, value, ok := f.next()
		if !ok {
			return out
		}
		if wanted(string(name), headers) {
			out = append(out, Header{Name: string(name), Value: unfold(value)})
		}
	}
}

func wanted(name string, headers []string) bool {
	for _, h := range headers {
		if stem, open := strings.CutSuffix(h, "*"); open {
			if len(name) >= len(stem) && strings.EqualFold(name[:len(stem)], stem) {
				return true
			}
		} else if strings.EqualFold(name, h) {
			return true
		}
	}
	return false
}

// leadingLines returns how many bytes of empty lines precede the start line.
func leadingLines(b []byte) int {
	n := 0
	for n < len(b) && n < httpBlankMax && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	return n
}

// methodLen returns the length of the upper-case word at the beginning of b; -1 if there is none or it is too long or too
// short, len(b) if b ends before the word does.
func methodLen(b []byte) int {
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z', c == '-' && i > 0, c == '_' && i > 0:
			if i >= httpMethodMax {
				return -1
			}
		case blank(c) && i >= 3:
			return i
		default:
			return -1
		}
	}
	return len(b)
}

// pathBehind reports whether b, which begins with the blank after a method, continues like a path or an absolute URI.
func pathBehind(b []byte) bool {
	b = trimLeft(b)
	return len(b) == 0 || b[0] == '/' || b[0]|0x20 == 'h'
}

func trimLeft(b []byte) []byte {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	return b
}

// requestLine splits a request line in three (RFC 9112 3). The target is everything between method and version, blanks
// included. A usual method with one word and no version is a request line only if a field follows: then bare is true.
func requestLine(line []byte) (method, target, version []byte, bare, ok bool) {
	n := methodLen(line)
	if n < 0 || n == len(line) {
		return nil, nil, nil, false, false
	}
	rest := trimBlanks(line[n:])
	at := bytes.LastIndexAny(rest, " \t") + 1
	known := usualMethod(line[:n])
	if at == 0 && known && len(rest) > 0 {
		if !blank(line[n+1]) || !isVersion(rest) {
			return line[:n], rest, nil, true, true
		}
	}
	if !isVersion(rest[at:]) || at > 0 && !known && !pathBehind(rest) {
		return nil, nil, nil, false, false
	}
	return line[:n], trimBlanks(rest[:at]), rest[at+5:], false, true
}

// isVersion reports whether b is a version of HTTP/1. The minor number may be missing, as in some broken clients.
func isVersion(b []byte) bool {
	if len(b) < 6 || len(b) > 8 || !is(b[:6], "http/1") {
		return false
	}
	return len(b) == 6 || b[6] == '.' && (len(b) == 7 || '0' <= b[7] && b[7] <= '9')
}

// looksField reports whether b begins a header field: a name without blanks and a colon (RFC 9112 5).
func looksField(b []byte) Status {
	for i, c := range b {
		switch {
		case c == ':' && i > 0:
			return Whole
		case c <= ' ' || c >= 127 || c == ':' || i > httpNameMax:
			return No
		}
	}
	return More
}

// versionText is string(b), without allocating for the usual two.
func versionText(b []byte) string {
	switch string(b) {
	case "1.1":
		return "1.1"
	case "1.0":
		return "1.0"
	}
	return string(b)
}

// authority returns the host and port of a target in absolute or authority form (RFC 9112 3.2), without user information.
func authority(target string, connect bool) string {
	a := target
	if !connect {
		at := strings.Index(target, "://")
		if at <= 0 || strings.ContainsAny(target[:at], "/?#") {
			return ""
		}
		a = target[at+3:]
	}
	if n := strings.IndexAny(a, "/?# "); n >= 0 {
		a = a[:n]
	}
	return a[strings.LastIndexByte(a, '@')+1:]
}

// usualMethod reports whether b is a method of the IANA registry or another one in use (UPnP, RPC over HTTP, BITS,
// Configuration Manager, caches).
func usualMethod(b []byte) bool {
	switch string(b) {
	case "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH",
		"ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "LOCK", "MERGE",
		"MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PROPFIND",
		"PROPPATCH", "QUERY", "REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE",
		"UPDATEREDIRECTREF", "VERSION-CONTROL",
		"BCOPY", "BDELETE", "BMOVE", "BPROPFIND", "BPROPPATCH", "POLL", "SUBSCRIBE", "UNSUBSCRIBE", "NOTIFY", "M-SEARCH",
		"RPC_IN_DATA", "RPC_OUT_DATA", "RPC_CONNECT", "BITS_POST", "CCM_POST", "SMS_POST", "RDG_IN_DATA", "RDG_OUT_DATA",
		"PURGE", "BAN", "TRACK", "DEBUG", "SOURCE", "INDEX", "X-MS-ENUMATTS":
		return true
	}
	return false
}
