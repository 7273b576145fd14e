package wire

import "fmt"

// quicFlavour is how a family of QUIC versions protects its Initial packets and frames their content.
type quicFlavour struct {
	salt   [20]byte
	key    string // HKDF labels of the packet protection key, IV and header protection key
	iv     string
	hp     string
	types  [4]quicType // of the long header packets, by the two type bits
	google bool        // frame types as before IETF QUIC: PING is 7, CRYPTO is 8
}

type quicType uint8

const (
	quicInitial quicType = iota
	quic0RTT
	quicHandshake
	quicRetry
)

// Versions with names.
const (
	quicV1      = 0x00000001 // RFC 9000
	quicV2      = 0x6b3343cf // RFC 9369
	quicV2Draft = 0x709a50c4 // draft-ietf-quic-v2-01 to -04
	quicQ050    = 0x51303530 // "Q050"
	quicT050    = 0x54303530 // "T050"
	quicT051    = 0x54303531 // "T051"
	quicDraft   = 0xff000000 // plus the number of the draft of quic-transport
)

// gquicUnstated is the version of a packet of Google's QUIC that does not state its own.
const gquicUnstated = 'Q' << 24

// The salts are those of section 5.2 of RFC 9001, of RFC 9369 3.3.1, and of the drafts of quic-tls and quic-v2 that
// they come from. Google's own are public in the packet readers of Wireshark (packet-quic.c) and nDPI (quic.c).
const (
	quicSaltV1      = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
	quicSaltV2      = "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
	quicSaltV2Draft = "\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3"
	quicSalt22      = "\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a"
	quicSalt23      = "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
	quicSalt29      = "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
	quicSaltQ050    = "\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45"
	quicSaltT050    = "\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10"
	quicSaltT051    = "\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d"
)

// quicFlavourOf returns how a version protects its Initials, or false if that is unknown. The versions that only ask for a
// negotiation (0x?a?a?a?a, RFC 9000 15) count as unknown: the client sends its hello again in a real one.
func quicFlavourOf(version uint32) (quicFlavour, bool) {
	switch version {
	case quicV1:
		return quicLikeV1(quicSaltV1), true
	case quicV2:
		return quicLikeV2(quicSaltV2), true
	case quicV2Draft:
		return quicLikeV2(quicSaltV2Draft), true
	case quicQ050:
		return quicLikeGoogle(quicSaltQ050), true
	case quicT050:
		return quicLikeGoogle(quicSaltT050), true
	case quicT051:
		return quicLikeGoogle(quicSaltT051), true
	}
	// Facebook's mvfst numbers its own versions; facebook/mvfst says which drafts the first follow (QuicConstants.h).
	switch {
	case version == 0xfaceb001:
		return quicLikeV1(quicSalt22), true
	case version == 0xfaceb002 || version>>4 == 0xfaceb00 || version>>4 == 0xfaceb01:
		return quicLikeV1(quicSalt23), true
	case version >= quicDraft+22 && version <= quicDraft+34:
		return quicLikeV1(quicDraftSalt(version - quicDraft)), true
	}
	return quicFlavour{}, false
}

func quicDraftSalt(draft uint32) string {
	switch {
	case draft == 22:
		return quicSalt22
	case draft <= 28:
		return quicSalt23
	case draft <= 32:
		return quicSalt29
	}
	return quicSaltV1
}

func quicLikeV1(salt string) quicFlavour {
	return quicFlavour{
		salt: [20]byte([]byte(salt)), key: "quic key", iv: "quic iv", hp: "quic hp",
		types: [4]quicType{quicInitial, quic0RTT, quicHandshake, quicRetry},
	}
}

// quicLikeV2 is QUIC version 2: other labels (RFC 9369 3.3.2) and other type bits (3.2).
func quicLikeV2(salt string) quicFlavour {
	return quicFlavour{
		salt: [20]byte([]byte(salt)), key: "quicv2 key", iv: "quicv2 iv", hp: "quicv2 hp",
		types: [4]quicType{quicRetry, quicInitial, quic0RTT, quicHandshake},
	}
}

func quicLikeGoogle(salt string) quicFlavour {
	f := quicLikeV1(salt)
	f.google = true
	return f
}

// QUICVersionName names a version: "1", "2", "draft-29", "Q050", "T051", else its number in hex ("0xfaceb002"). "Q" is a
// Google version whose packet does not state it.
func QUICVersionName(v uint32) string {
	switch {
	case v == quicV1:
		return "1"
	case v == quicV2:
		return "2"
	case v > quicDraft && v <= quicDraft+34:
		return fmt.Sprintf("draft-%02d", v-quicDraft)
	case v == gquicUnstated:
		return "Q"
	case isGoogleVersion(v):
		return string([]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
	return fmt.Sprintf("0x%08x", v)
}

// isGoogleVersion recognises versions such as Q043 and T051, whose number is their name in ASCII.
func isGoogleVersion(v uint32) bool {
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	return (v>>24 == 'Q' || v>>24 == 'T') && digit(byte(v>>16)) && digit(byte(v>>8)) && digit(byte(v))
}
