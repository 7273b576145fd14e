package wire

import "encoding/binary"

// TLS record content types (RFC 8446 B.1) and the handshake types that this project reads (B.3).
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordData             = 23
	recordHeartbeat        = 24

	HandshakeClientHello = 1
	HandshakeServerHello = 2
	HandshakeCertificate = 11
)

const (
	recordHeader    = 5
	recordMax       = 1<<14 + 2048 // RFC 5246 6.2.3, the largest of all versions
	handshakeHeader = 4
	handshakeMin    = 36        // ServerHello of the TLS 1.3 drafts before 22: version, random, cipher
	handshakeMax    = 128 << 10 // certificate chains seen in the wild stay far below
)

// LooksTLS recognises, by the first bytes of a segment, a plaintext TLS handshake that begins with a ClientHello or
// ServerHello, a plaintext alert, or an SSLv2-framed ClientHello that offers TLS. More: b is too short to decide.
func LooksTLS(b []byte) Status {
	switch {
	case len(b) == 0:
		return More
	case b[0] == recordHandshake:
		return looksHandshake(b)
	case b[0] == recordAlert:
		return looksAlert(b)
	case b[0]&0x80 != 0:
		return looksSSLv2(b)
	}
	return No
}

// looksVersion checks the two bytes of a protocol version at b[at:], as far as they are there.
func looksVersion(b []byte, at int) bool {
	return (len(b) <= at || b[at] == 3) && (len(b) <= at+1 || b[at+1] <= 4)
}

func looksHandshake(b []byte) Status {
	if !looksVersion(b, 1) {
		return No
	}
	if len(b) < recordHeader {
		return More
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	if n == 0 || n > recordMax {
		return No
	}
	if len(b) < recordHeader+1 {
		return More
	}
	if t := b[5]; t != HandshakeClientHello && t != HandshakeServerHello {
		return No
	}
	if n < 6 { // cut into tiny records: the type byte is all there is to go by
		return Whole
	}
	if len(b) < recordHeader+6 {
		return More
	}
	size := int(b[6])<<16 | int(b[7])<<8 | int(b[8])
	if size < handshakeMin || size > handshakeMax || b[9] != 3 && b[9] != 0x7f {
		return No
	}
	return Whole
}

func looksAlert(b []byte) Status {
	if !looksVersion(b, 1) || len(b) > 3 && b[3] != 0 || len(b) > 4 && b[4] != 2 || len(b) > 5 && b[5] != 1 && b[5] != 2 {
		return No
	}
	if len(b) < recordHeader+2 {
		return More
	}
	if b[6] > 121 { // ech_required is the highest alert (RFC 9849)
		return No
	}
	return Whole
}

// looksSSLv2 recognises the backward compatible ClientHello of RFC 5246 E.2.
func looksSSLv2(b []byte) Status {
	if len(b) > 2 && b[2] != HandshakeClientHello || !looksVersion(b, 3) {
		return No
	}
	if len(b) < sslv2Header {
		return More
	}
	if _, ok := sslv2Size(b); !ok {
		return No
	}
	return Whole
}

const sslv2Header = 11 // record length, type, version, lengths of cipher specs, session id and challenge

// sslv2Size returns the length of the SSLv2-framed ClientHello at b, with its two bytes of record length. b must have at
// least sslv2Header bytes.
func sslv2Size(b []byte) (int, bool) {
	size := int(binary.BigEndian.Uint16(b)&0x7fff) + 2
	ciphers := int(binary.BigEndian.Uint16(b[5:]))
	session := int(binary.BigEndian.Uint16(b[7:]))
	challenge := int(binary.BigEndian.Uint16(b[9:]))
	ok := b[0]&0x80 != 0 && b[2] == HandshakeClientHello && b[3] == 3 &&
		ciphers > 0 && ciphers%3 == 0 && (session == 0 || session == 16 || session == 32) &&
		challenge >= 16 && challenge <= 32 && size == sslv2Header+ciphers+session+challenge
	return size, ok
}
