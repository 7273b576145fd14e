package wire

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
)

// ja4Transport returns the first letter of a JA4.
func ja4Transport(dtls bool, quicVersion uint32) byte {
	switch {
	case quicVersion != 0:
		return 'q'
	case dtls:
		return 'd'
	}
	return 't'
}

// ja4 makes the JA4 fingerprint, as FoxIO's public "JA4: TLS Client Fingerprinting" defines it: transport, version,
// server name or not, numbers of ciphers and extensions, first protocol; the sorted ciphers hashed; the sorted
// extensions (SNI and ALPN left out) with the signature algorithms hashed.
func (f *helloFields) ja4(transport byte) string {
	var room [36]byte
	out := append(room[:0], transport)
	out = append(out, ja4Version(f.version)...)
	if f.hasSNI {
		out = append(out, 'd')
	} else {
		out = append(out, 'i')
	}
	out = appendTwoDigits(out, len(f.ciphers))
	out = appendTwoDigits(out, len(f.exts))
	out = appendJA4Protocol(out, f.alpn)

	var space [1024]byte
	text := space[:0]
	slices.Sort(f.ciphers)
	out = appendJA4Hash(append(out, '_'), appendHexList(text, f.ciphers))

	exts := slices.DeleteFunc(f.exts, func(v uint16) bool { return v == extServerName || v == extALPN })
	slices.Sort(exts)
	text = appendHexList(text, exts)
	if len(f.sigAlgs) > 0 {
		text = appendHexList(append(text, '_'), f.sigAlgs)
	}
	out = appendJA4Hash(append(out, '_'), text)
	return string(out)
}

// ja4Version returns the two characters of the version; "00" for versions without a name in the specification.
func ja4Version(v uint16) string {
	switch v {
	case 0x0002:
		return "s2"
	case 0x0300:
		return "s3"
	case 0x0301:
		return "10"
	case 0x0302:
		return "11"
	case 0x0303:
		return "12"
	case 0x0304:
		return "13"
	case 0xfeff:
		return "d1"
	case 0xfefd:
		return "d2"
	case 0xfefc:
		return "d3"
	}
	return "00"
}

func appendTwoDigits(out []byte, n int) []byte {
	n = min(n, 99)
	return append(out, '0'+byte(n/10), '0'+byte(n%10))
}

// appendJA4Protocol appends the first and the last character of the protocol or, if one of them is not an ASCII letter or
// digit, the first and the last digit of the protocol in hex; "00" if there is none.
func appendJA4Protocol(out, protocol []byte) []byte {
	if len(protocol) == 0 {
		return append(out, '0', '0')
	}
	first, last := protocol[0], protocol[len(protocol)-1]
	if isAlnum(first) && isAlnum(last) {
		return append(out, first, last)
	}
	return append(out, hexDigits[first>>4], hexDigits[last&15])
}

const hexDigits = "0123456789abcdef"

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// appendHexList adds the numbers as four hex digits each, with commas between them.
func appendHexList(text []byte, list []uint16) []byte {
	for i, v := range list {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, hexDigits[v>>12], hexDigits[v>>8&15], hexDigits[v>>4&15], hexDigits[v&15])
	}
	return text
}

// appendJA4Hash adds the first twelve hex digits of the SHA-256 of text, and zeros for an empty text.
func appendJA4Hash(out, text []byte) []byte {
	if len(text) == 0 {
		return append(out, "000000000000"...)
	}
	sum := sha256.Sum256(text)
	return hex.AppendEncode(out, sum[:6])
}

// ja3 makes the JA3 fingerprint (Salesforce, 2017): the MD5 of version, ciphers, extensions, groups and point formats in
// decimal, in the order sent, GREASE left out.
func (f *helloFields) ja3() string {
	var room [1024]byte
	text := strconv.AppendUint(room[:0], uint64(f.legacy), 10)
	text = appendDecimalList(append(text, ','), f.ciphers)
	text = appendDecimalList(append(text, ','), f.exts)
	text = appendDecimalList(append(text, ','), f.groups)
	text = append(text, ',')
	for i, v := range f.formats {
		if i > 0 {
			text = append(text, '-')
		}
		text = strconv.AppendUint(text, uint64(v), 10)
	}
	return md5Hex(text)
}

// ja3s makes the JA3S fingerprint of a server's choice: version, cipher and extensions.
func ja3s(version, cipher uint16, exts []uint16) string {
	var room [256]byte
	text := strconv.AppendUint(room[:0], uint64(version), 10)
	text = strconv.AppendUint(append(text, ','), uint64(cipher), 10)
	text = appendDecimalList(append(text, ','), exts)
	return md5Hex(text)
}

func md5Hex(text []byte) string {
	sum := md5.Sum(text)
	var room [2 * md5.Size]byte
	return string(hex.AppendEncode(room[:0], sum[:]))
}

func appendDecimalList(text []byte, list []uint16) []byte {
	for i, v := range list {
		if i > 0 {
			text = append(text, '-')
		}
		text = strconv.AppendUint(text, uint64(v), 10)
	}
	return text
}
