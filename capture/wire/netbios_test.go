package wire

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// nbName is a first-level encoded name with its length and, where scope is not empty, one scope label.
func nbName(name string, suffix byte, scope string) string {
	raw := name + strings.Repeat(" ", 15-len(name)) + string([]byte{suffix})
	if name == "*" {
		raw = name + strings.Repeat("\x00", 15)
	}
	out := []byte{nbEncodedLen}
	for i := range len(raw) {
		out = append(out, 'A'+raw[i]>>4, 'A'+raw[i]&15)
	}
	if scope != "" {
		out = append(append(out, byte(len(scope))), scope...)
	}
	return string(append(out, 0))
}

func nbPacket(flags uint16, questions, answers, additional byte, body string) []byte {
	return append([]byte{0, 1, byte(flags >> 8), byte(flags), 0, questions, 0, answers, 0, 0, 0, additional}, body...)
}

const (
	nbIN  = "\x00\x20\x00\x01"
	nbTTL = "\x00\x00\x00\x0a"
)

func TestParseNBNS(t *testing.T) {
	one, two := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	tests := []struct {
		name string
		in   []byte
		want []NBNS
	}{
		{"query", nbPacket(0x0110, 1, 0, 0, nbName("WPAD", 0, "")+nbIN), []NBNS{{Name: "WPAD", Op: "query"}}},
		{"query with scope", nbPacket(0x0110, 1, 0, 0, nbName("S.YIMG.COM", 0x20, "corp")+nbIN), []NBNS{{Name: "S.YIMG.COM", Suffix: 0x20, Op: "query"}}},
		{"registration", nbPacket(0x2910, 1, 0, 1, nbName("PC-7", 0, "")+nbIN+"\xc0\x0c"+nbIN+nbTTL+"\x00\x06\x00\x00\x0a\x00\x00\x01"),
			[]NBNS{{Name: "PC-7", Op: "registration", Addr: one}}},
		{"release", nbPacket(0x3010, 1, 0, 0, nbName("PC-7", 3, "")+nbIN), []NBNS{{Name: "PC-7", Suffix: 3, Op: "release"}}},
		{"refresh", nbPacket(0x4010, 1, 0, 0, nbName("PC-7", 3, "")+nbIN), []NBNS{{Name: "PC-7", Suffix: 3, Op: "refresh"}}},
		{"response with two addresses", nbPacket(0x8500, 0, 1, 0, nbName("DC", 0x1c, "")+nbIN+nbTTL+"\x00\x0c\x80\x00\x0a\x00\x00\x01\x80\x00\x0a\x00\x00\x02"),
			[]NBNS{{Name: "DC", Suffix: 0x1c, Op: "response", Response: true, Addr: one}, {Name: "DC", Suffix: 0x1c, Op: "response", Response: true, Addr: two}}},
		{"no such name", nbPacket(0x8503, 0, 1, 0, nbName("DC", 0x1c, "")+"\x00\x0a\x00\x01"+nbTTL+"\x00\x00"), nil},
		{"status", nbPacket(0x8400, 0, 1, 0, nbName("*", 0, "")+"\x00\x21\x00\x01"+nbTTL+"\x00\x01\x00"), []NBNS{{Name: "*", Op: "response", Response: true}}},
		{"second record breaks off", nbPacket(0x0110, 2, 0, 0, nbName("WPAD", 0, "")+nbIN+nbName("NEXT", 0, "")), []NBNS{{Name: "WPAD", Op: "query"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseNBNS(tt.in)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestParseNBNSBroken(t *testing.T) {
	bad := nbName("WPAD", 0, "")
	tests := map[string]struct {
		in   []byte
		want error
	}{
		"short":           {make([]byte, 11), ErrTruncated},
		"no records":      {nbPacket(0, 0, 0, 0, ""), ErrMalformed},
		"many records":    {nbPacket(0, 200, 0, 0, ""), ErrMalformed},
		"odd operation":   {nbPacket(0x0800, 1, 0, 0, bad+nbIN), ErrMalformed},
		"name breaks off": {nbPacket(0, 1, 0, 0, bad[:20]), ErrTruncated},
		"no type":         {nbPacket(0, 1, 0, 0, bad), ErrTruncated},
		"odd letter":      {nbPacket(0, 1, 0, 0, strings.Replace(bad, "F", "Z", 1)+nbIN), ErrMalformed},
		"plain DNS name":  {nbPacket(0, 1, 0, 0, "\x07example\x03org\x00"+nbIN+strings.Repeat("\x00", 40)), ErrMalformed},
		"pointer outside": {nbPacket(0, 1, 0, 0, "\xff\xff"+nbIN), ErrTruncated},
	}
	for name, tt := range tests {
		_, err := ParseNBNS(tt.in)
		require.ErrorIs(t, err, tt.want, name)
	}
}

func FuzzNBNS(f *testing.F) {
	f.Add(nbPacket(0x2910, 1, 0, 1, nbName("PC-7", 0, "corp")+nbIN+"\xc0\x0c"+nbIN+nbTTL+"\x00\x06\x00\x00\x0a\x00\x00\x01"))
	f.Add(nbPacket(0x8400, 0, 1, 0, nbName("*", 0, "")+"\x00\x21\x00\x01"+nbTTL+"\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseNBNS(b)
		require.LessOrEqual(t, len(got), nbNamesMax)
		if err != nil {
			require.Empty(t, got)
		}
	})
}
