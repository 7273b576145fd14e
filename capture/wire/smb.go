package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// ComputerName is the name of a machine in an SMB sign-in: the client's own, or the server's.
type ComputerName struct {
	Name   string
	Server bool
}

// Packet types of the NetBIOS session service (RFC 1002 4.3.1), which SMB on TCP port 445 keeps ([MS-SMB2] 2.1).
const (
	nbSessionMessage = 0x00
	nbSessionRequest = 0x81
	nbSessionGood    = 0x82
	nbSessionAlive   = 0x85
	nbSessionHeader  = 4
)

// Bounds of a sign-in message, and of a name in it: 15 characters, or a DNS host name.
const (
	smbLongest      = 4096
	computerNameMax = 63
)

// NextSession cuts the first packet off a stream of the NetBIOS session service. The result is No if the stream is another
// protocol, or the packet is too long for a sign-in.
func NextSession(b []byte) (packet, rest []byte, st Status) {
	switch {
	case len(b) == 0:
		return nil, b, More
	case b[0] != nbSessionMessage && (b[0] < nbSessionRequest || b[0] > nbSessionAlive):
		return nil, b, No
	case len(b) < nbSessionHeader:
		return nil, b, More
	}
	n := nbSessionHeader + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
	switch {
	case n > smbLongest:
		return nil, b, No
	case len(b) >= nbSessionHeader+4 && b[0] == nbSessionMessage && !smbHeader(b[nbSessionHeader:]):
		return nil, b, No
	case len(b) < n:
		return nil, b, More
	}
	return b[:n], b[n:], Whole
}

// smbHeader reports whether b begins with an SMB message in the clear ([MS-CIFS] 2.2.3.1, [MS-SMB2] 2.2.1).
func smbHeader(b []byte) bool {
	return len(b) >= 4 && (b[0] == 0xff || b[0] == 0xfe) && string(b[1:4]) == "SMB"
}

// ParseComputerName reads who signs in from a packet that NextSession returned: the caller's name in a session request (RFC
// 1002 4.3.2), or NTLM's name of the client or server in an SMB message. User names are not read.
func ParseComputerName(packet []byte) (ComputerName, error) {
	if len(packet) < nbSessionHeader {
		return ComputerName{}, fmt.Errorf("%w: session packet of %d bytes", ErrTruncated, len(packet))
	}
	body := packet[nbSessionHeader:]
	if packet[0] == nbSessionRequest {
		p := nbParser{b: body}
		if _, err := p.name(); err != nil {
			return ComputerName{}, err
		}
		n, err := p.name()
		if err != nil {
			return ComputerName{}, err
		}
		return ComputerName{Name: n.Name}, nil
	}
	at := bytes.Index(body, []byte("NTLMSSP\x00"))
	if !smbHeader(body) || at < 0 {
		return ComputerName{}, fmt.Errorf("%w: no sign-in", ErrMalformed)
	}
	return ntlmName(body[at:])
}

// NTLM's message types, the flag for UTF-16 texts ([MS-NLMP] 2.2.1, 2.2.2.5), and bounds.
const (
	ntlmChallenge    = 2
	ntlmAuthenticate = 3
	ntlmUnicode      = 0x1
	ntlmNameID       = 1 // MsvAvNbComputerName
	ntlmPairs        = 16
)

// ntlmName reads the computer name in an NTLM message: the server's in a challenge, the client's in the answer to it.
func ntlmName(m []byte) (ComputerName, error) {
	if len(m) < 12 {
		return ComputerName{}, fmt.Errorf("%w: NTLM message", ErrTruncated)
	}
	switch kind := binary.LittleEndian.Uint32(m[8:]); kind {
	case ntlmChallenge:
		info, err := ntlmField(m, 40)
		if err != nil {
			return ComputerName{}, err
		}
		name, err := computerName(targetName(info), true)
		return ComputerName{Name: name, Server: true}, err
	case ntlmAuthenticate:
		raw, err := ntlmField(m, 44)
		if err != nil || len(m) < 64 {
			return ComputerName{}, fmt.Errorf("%w: NTLM answer", ErrTruncated)
		}
		name, err := computerName(raw, binary.LittleEndian.Uint32(m[60:])&ntlmUnicode != 0)
		return ComputerName{Name: name}, err
	default:
		return ComputerName{}, fmt.Errorf("%w: NTLM message of type %d", ErrMalformed, kind)
	}
}

// ntlmField returns what a field of length, room and offset points to.
func ntlmField(m []byte, at int) ([]byte, error) {
	if len(m) < at+8 {
		return nil, fmt.Errorf("%w: NTLM field", ErrTruncated)
	}
	n, from := uint64(binary.LittleEndian.Uint16(m[at:])), uint64(binary.LittleEndian.Uint32(m[at+4:]))
	if from+n > uint64(len(m)) {
		return nil, fmt.Errorf("%w: NTLM field beyond its message", ErrTruncated)
	}
	return m[from : from+n], nil
}

// targetName finds the server's name among pairs of id, length and value ([MS-NLMP] 2.2.2.1); nil if there is none.
func targetName(pairs []byte) []byte {
	for range ntlmPairs {
		if len(pairs) < 4 {
			return nil
		}
		id, n := binary.LittleEndian.Uint16(pairs), int(binary.LittleEndian.Uint16(pairs[2:]))
		if pairs = pairs[4:]; id == 0 || n > len(pairs) {
			return nil
		}
		if id == ntlmNameID {
			return pairs[:n]
		}
		pairs = pairs[n:]
	}
	return nil
}

// computerName decodes a name in UTF-16 (wide) or with one byte per character.
func computerName(raw []byte, wide bool) (string, error) {
	if len(raw) == 0 || len(raw) > 2*computerNameMax {
		return "", fmt.Errorf("%w: computer name of %d bytes", ErrMalformed, len(raw))
	}
	if !wide {
		return string(raw), nil
	}
	var room [computerNameMax]uint16
	units := room[:len(raw)/2]
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return string(utf16.Decode(units)), nil
}
