package wire

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func field(n, at int) string {
	b := binary.LittleEndian.AppendUint16(nil, uint16(n))
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	return string(binary.LittleEndian.AppendUint32(b, uint32(at)))
}

// ntlmAnswer is an AUTHENTICATE_MESSAGE whose domain is CORP, whose user is secret, and whose workstation is as given.
func ntlmAnswer(workstation string, flags string) string {
	const head = 64
	domain, user := wide("CORP"), wide("secret")
	return "NTLMSSP\x00\x03\x00\x00\x00" + field(0, head) + field(0, head) + field(len(domain), head) + field(len(user), head+len(domain)) +
		field(len(workstation), head+len(domain)+len(user)) + field(0, head) + flags + domain + user + workstation
}

// ntlmQuestion is a CHALLENGE_MESSAGE with target information.
func ntlmQuestion(pairs string) string {
	return "NTLMSSP\x00\x02\x00\x00\x00" + field(0, 48) + "\x01\x00\x00\x00" + "challeng" + "\x00\x00\x00\x00\x00\x00\x00\x00" + field(len(pairs), 48) + pairs
}

func pair(id byte, s string) string { return string([]byte{id, 0, byte(len(s)), 0}) + s }

func session(kind byte, body string) []byte {
	return append([]byte{kind, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

func smb2(body string) []byte { return session(0, "\xfeSMB@\x00\x01\x00"+body) }

const unicodeFlag = "\x01\x00\x00\x00"

func TestParseComputerName(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want ComputerName
	}{
		{"client", smb2("spnego" + ntlmAnswer(wide("CHIP-PC"), unicodeFlag)), ComputerName{Name: "CHIP-PC"}},
		{"client of SMB1, in one byte a character", session(0, "\xffSMBs"+ntlmAnswer("OLD-PC", "\x02\x00\x00\x00")), ComputerName{Name: "OLD-PC"}},
		{"server", smb2(ntlmQuestion(pair(2, wide("CORP")) + pair(1, wide("FILES")) + pair(0, ""))), ComputerName{Name: "FILES", Server: true}},
		{"caller of a session", session(0x81, nbName("FILES", 0x20, "")+nbName("CHIP-PC", 0, "")), ComputerName{Name: "CHIP-PC"}},
	} {
		packet, rest, st := NextSession(append(c.in, "more"...))
		require.Equal(t, Whole, st, c.name)
		require.Equal(t, "more", string(rest), c.name)
		got, err := ParseComputerName(packet)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got, c.name)
	}
	for name, in := range map[string][]byte{
		"no sign-in":        smb2("negotiate"),
		"first message":     smb2("NTLMSSP\x00\x01\x00\x00\x00" + field(0, 0) + field(0, 0)),
		"no workstation":    smb2(ntlmAnswer("", unicodeFlag)),
		"long workstation":  smb2(ntlmAnswer(wide("A-NAME-OF-MORE-THAN-SIXTY-THREE-CHARACTERS-CANNOT-BE-A-COMPUTERS"), unicodeFlag)),
		"no server's name":  smb2(ntlmQuestion(pair(2, wide("CORP")) + pair(0, ""))),
		"pair that is long": smb2(ntlmQuestion("\x01\x00\xff\x00x")),
		"keep-alive":        session(0x85, ""),
	} {
		got, err := ParseComputerName(in)
		require.Error(t, err, name)
		require.Empty(t, got.Name, name)
	}
	whole := smb2(ntlmAnswer(wide("CHIP-PC"), unicodeFlag))
	for n := range whole {
		_, _ = ParseComputerName(whole[:n])
		_, _, st := NextSession(whole[:n])
		require.Equal(t, More, st, n)
	}
}

func TestNextSession(t *testing.T) {
	for name, in := range map[string]string{
		"another protocol": "GET / HTTP/1.1",
		"encrypted":        "\x00\x00\x00\x40\xfdSMB",
		"bulk":             "\x00\x01\x00\x00\xfeSMB",
		"zeros":            "\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		_, _, st := NextSession([]byte(in))
		require.Equal(t, No, st, name)
	}
}

func TestSessionsCostWhatTheyGive(t *testing.T) {
	in := smb2("spnego" + ntlmAnswer(wide("CHIP-PC"), unicodeFlag))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = NextSession(in) }))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = ParseComputerName(in) }), 2.0)
}

func FuzzParseComputerName(f *testing.F) {
	f.Add(smb2("spnego" + ntlmAnswer(wide("CHIP-PC"), unicodeFlag)))
	f.Add(smb2(ntlmQuestion(pair(1, wide("FILES")))))
	f.Add(session(0x81, nbName("FILES", 0x20, "")+nbName("CHIP-PC", 0, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseComputerName(b)
		require.LessOrEqual(t, len([]rune(n.Name)), 2*computerNameMax)
		if err != nil {
			require.Empty(t, n.Name)
		}
		packet, rest, st := NextSession(b)
		if st == Whole {
			require.Equal(t, len(b), len(packet)+len(rest))
			_, _ = ParseComputerName(packet)
		}
	})
}
