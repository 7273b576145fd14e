package wire

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// helloFields are the numbers that fingerprints consist of, without GREASE. The lists start on the arrays of room, so that
// all of it is one allocation.
type helloFields struct {
	legacy   uint16 // the version field itself
	version  uint16 // highest version offered
	ciphers  []uint16
	exts     []uint16 // types in the order sent
	groups   []uint16
	formats  []byte
	sigAlgs  []uint16
	alpn     []byte // first protocol offered
	hasSNI   bool
	versions []byte // supported_versions: two bytes each

	room struct {
		ciphers, exts   [128]uint16
		groups, sigAlgs [32]uint16
	}
}

func newHelloFields(legacy uint16) *helloFields {
	f := &helloFields{legacy: legacy}
	f.ciphers, f.exts = f.room.ciphers[:0], f.room.exts[:0]
	f.groups, f.sigAlgs = f.room.groups[:0], f.room.sigAlgs[:0]
	return f
}

// ParseClientHello reads the body of a ClientHello (without its handshake header) into a record that aliases
// nothing. quicVersion is 0 outside QUIC. The error wraps ErrTruncated or ErrMalformed.
func ParseClientHello(body []byte, dtls bool, quicVersion uint32) (*ClientHello, error) {
	h, err := splitClientHello(body, dtls)
	if err != nil {
		return nil, err
	}
	out := &ClientHello{DTLS: dtls, QUIC: quicVersion}
	if h.gquic {
		out.SNI = hostText(gquicTag(h.exts, gquicSNI))
		return out, nil
	}
	f := newHelloFields(h.version)
	f.addCiphers(h)
	f.addExtensions(h.exts, out)
	f.version = highestVersion(f.legacy, f.versions, dtls)
	out.Version = f.version
	out.JA3 = f.ja3()
	out.JA4 = f.ja4(ja4Transport(dtls, quicVersion))
	return out, nil
}

// addCiphers adds the cipher suites. Those of SSLv2 itself, which need three bytes, do not exist in a TLS hello and are
// left out.
func (f *helloFields) addCiphers(h helloParts) {
	if !h.sslv2 {
		f.ciphers = appendNumbers(f.ciphers, h.ciphers)
		return
	}
	for c := h.ciphers; len(c) >= 3; c = c[3:] {
		if c[0] == 0 {
			f.ciphers = appendNumbers(f.ciphers, c[1:3])
		}
	}
}

// appendNumbers appends the 16-bit numbers in b to dst, without GREASE.
func appendNumbers(dst []uint16, b []byte) []uint16 {
	for ; len(b) >= 2; b = b[2:] {
		if v := binary.BigEndian.Uint16(b); !isGREASE(v) {
			dst = append(dst, v)
		}
	}
	return dst
}

// addExtensions reads the extensions up to the end of the list or to where it breaks its format.
func (f *helloFields) addExtensions(list []byte, out *ClientHello) {
	for typ, data := range helloExtensions(list) {
		if !isGREASE(typ) {
			f.exts = append(f.exts, typ)
			f.addExtension(typ, data, out)
		}
	}
}

func (f *helloFields) addExtension(typ uint16, data []byte, out *ClientHello) {
	switch typ {
	case extServerName:
		f.hasSNI = true
		if out.SNI == "" {
			out.SNI = hostText(serverName(data))
		}
	case extSupportedGroups:
		f.groups = appendNumbers(f.groups, vector16(data))
	case extPointFormats:
		f.formats = vector8(data)
	case extSignatureAlgs:
		f.sigAlgs = appendNumbers(f.sigAlgs, vector16(data))
	case extALPN:
		f.addALPN(data, out)
	case extSupportedVersions:
		f.versions = vector8(data)
	case extECH:
		out.ECH = true
	}
}

// addALPN reads a protocol name list (RFC 7301 3.1) as far as it is well-formed.
func (f *helloFields) addALPN(data []byte, out *ClientHello) {
	list := cryptobyte.String(vector16(data))
	var p cryptobyte.String
	for len(list) > 0 && list.ReadUint8LengthPrefixed(&p) {
		if len(p) == 0 {
			continue
		}
		if f.alpn == nil {
			f.alpn = p
		}
		if out.ALPN == nil {
			out.ALPN = make([]string, 0, 2)
		}
		out.ALPN = append(out.ALPN, string(p))
	}
}

// vector8 and vector16 return the contents of a vector with one or two bytes of length, nil if it is broken.
func vector8(b []byte) []byte {
	s := cryptobyte.String(b)
	var v cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&v) {
		return nil
	}
	return v
}

func vector16(b []byte) []byte {
	s := cryptobyte.String(b)
	var v cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&v) {
		return nil
	}
	return v
}

// highestVersion returns the newest version listed, or legacy if there is none. In DTLS a smaller number is a newer version
// (RFC 6347 4.1).
func highestVersion(legacy uint16, versions []byte, dtls bool) uint16 {
	best := uint16(0)
	for ; len(versions) >= 2; versions = versions[2:] {
		v := binary.BigEndian.Uint16(versions)
		if isGREASE(v) {
			continue
		}
		if best == 0 || dtls && v < best || !dtls && v > best {
			best = v
		}
	}
	if best == 0 {
		return legacy
	}
	return best
}
