package wire

import (
	"bytes"
	"fmt"
	"iter"

	"golang.org/x/crypto/cryptobyte"
)

// TLS extensions that are looked into (IANA TLS ExtensionType values).
const (
	extServerName        = 0
	extSupportedGroups   = 10
	extPointFormats      = 11
	extSignatureAlgs     = 13
	extALPN              = 16
	extSupportedVersions = 43
	extECH               = 0xfe0d // RFC 9849
)

// helloParts is a hello cut into its fields; all of them alias the message.
type helloParts struct {
	version uint16
	ciphers []byte // two bytes each; three in an SSLv2-framed hello
	exts    []byte // the extensions without their length
	sslv2   bool
	gquic   bool // a CHLO of Google's QUIC: exts is the message
}

// splitClientHello cuts the body of a ClientHello into its fields. The first byte shows the format: 3 is the major version
// of TLS, 0xfe (or 1, before the standard) that of DTLS, 1 the message type of SSLv2, and CHLO begins Google's QUIC crypto.
func splitClientHello(body []byte, dtls bool) (h helloParts, err error) {
	if !dtls && len(body) > 0 && body[0] == HandshakeClientHello {
		return splitSSLv2(body)
	}
	if !dtls && bytes.HasPrefix(body, []byte("CHLO")) {
		return helloParts{gquic: true, exts: body}, nil
	}
	s := cryptobyte.String(body)
	var session, cookie, ciphers, compressions, exts cryptobyte.String
	if !s.ReadUint16(&h.version) || !s.Skip(32) || !s.ReadUint8LengthPrefixed(&session) ||
		dtls && !s.ReadUint8LengthPrefixed(&cookie) ||
		!s.ReadUint16LengthPrefixed(&ciphers) || !s.ReadUint8LengthPrefixed(&compressions) {
		return h, fmt.Errorf("client hello: %w", ErrTruncated)
	}
	if v := h.version >> 8; (v == 3 || v == 0x7f) == dtls || len(session) > 32 || len(ciphers)%2 != 0 {
		return h, fmt.Errorf("client hello: %w", ErrMalformed)
	}
	if len(s) > 0 && !s.ReadUint16LengthPrefixed(&exts) {
		return h, fmt.Errorf("client hello extensions: %w", ErrTruncated)
	}
	h.ciphers, h.exts = ciphers, exts
	return h, nil
}

// splitSSLv2 cuts an SSLv2-framed ClientHello (RFC 5246 E.2) from its type byte on.
func splitSSLv2(body []byte) (h helloParts, err error) {
	s := cryptobyte.String(body)
	var typ uint8
	var ciphers, session, challenge uint16
	if !s.ReadUint8(&typ) || !s.ReadUint16(&h.version) || !s.ReadUint16(&ciphers) || !s.ReadUint16(&session) ||
		!s.ReadUint16(&challenge) || len(s) < int(ciphers)+int(session)+int(challenge) {
		return h, fmt.Errorf("SSLv2 client hello: %w", ErrTruncated)
	}
	if h.version>>8 != 3 || ciphers%3 != 0 {
		return h, fmt.Errorf("SSLv2 client hello: %w", ErrMalformed)
	}
	h.ciphers, h.sslv2 = s[:ciphers], true
	return h, nil
}

// helloExtensions yields type and data of the extensions in a list, to its end or to where it is broken.
func helloExtensions(list []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		s := cryptobyte.String(list)
		var typ uint16
		var data cryptobyte.String
		for s.ReadUint16(&typ) && s.ReadUint16LengthPrefixed(&data) && yield(typ, data) {
		}
	}
}

// serverName returns the first host name of a server_name extension (RFC 6066 3), nil if there is none.
func serverName(data []byte) []byte {
	s := cryptobyte.String(data)
	var list, name cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&list) {
		return nil
	}
	for len(list) > 0 {
		var typ uint8
		if !list.ReadUint8(&typ) || !list.ReadUint16LengthPrefixed(&name) {
			return nil
		}
		if typ == 0 {
			return name
		}
	}
	return nil
}

// isGREASE reports whether v is one of the reserved values of RFC 8701: 0x0a0a, 0x1a1a ... 0xfafa.
func isGREASE(v uint16) bool {
	return v&0x0f0f == 0x0a0a && v>>8 == v&0xff
}

// viewNameMax is the longest server name a HelloView holds: no host name is longer (RFC 1035 2.3.4).
const viewNameMax = 255

// HelloView is the part of a ClientHello that is read in place.
type HelloView struct {
	SNI []byte // lower case, no trailing dot, in the view's own array; nil if absent or no possible name
	ECH bool   // encrypted_client_hello is present

	name [viewNameMax]byte
}

// PeekClientHello fills v from the body of a TLS, QUIC or SSLv2-framed ClientHello without allocating. It returns false,
// and v is empty, if the message breaks its format. Bytes after the extensions are ignored.
func PeekClientHello(body []byte, v *HelloView) bool { return v.peek(body, false) }

// PeekDTLSClientHello is PeekClientHello for DTLS.
func PeekDTLSClientHello(body []byte, v *HelloView) bool { return v.peek(body, true) }

func (v *HelloView) peek(body []byte, dtls bool) bool {
	v.SNI, v.ECH = nil, false
	h, err := splitClientHello(body, dtls)
	if err != nil {
		return false
	}
	if h.gquic {
		v.setName(gquicTag(h.exts, gquicSNI))
		return true
	}
	for typ, data := range helloExtensions(h.exts) {
		switch typ {
		case extServerName:
			v.setName(serverName(data))
		case extECH:
			v.ECH = true
		}
	}
	return true
}

func (v *HelloView) setName(name []byte) {
	name = bytes.TrimSuffix(name, []byte("."))
	if len(name) == 0 || len(name) > viewNameMax || v.SNI != nil {
		return
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		v.name[i] = c
	}
	v.SNI = v.name[:len(name)]
}

// hostText converts a name from the wire to the form in records: lower case, no trailing dot, backslashes doubled and bytes
// outside printable ASCII as \DDD.
func hostText(name []byte) string {
	name = bytes.TrimSuffix(name, []byte("."))
	var room [64]byte
	out := room[:0]
	for _, c := range name {
		switch {
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		case c == '\\':
			out = append(out, '\\', '\\')
		case c < 33 || c > 126:
			out = append(out, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}
