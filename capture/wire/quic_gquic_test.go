package wire

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// chloMessage makes a CHLO with a server name among other tags.
func chloMessage(name string) []byte {
	tags := []struct{ tag, value string }{{"PAD\x00", strings.Repeat("-", 300)}, {"SNI\x00", name}, {"VER\x00", "Q043"}}
	out := append([]byte("CHLO"), byte(len(tags)), 0, 0, 0)
	end := 0
	for _, tag := range tags {
		end += len(tag.value)
		out = binary.LittleEndian.AppendUint32(append(out, tag.tag...), uint32(end))
	}
	for _, tag := range tags {
		out = append(out, tag.value...)
	}
	return out
}

func TestParseGQUIC(t *testing.T) {
	chlo := string(chloMessage("Www.Example.com"))
	hash := strings.Repeat("h", 12)
	for _, c := range []struct{ name, in, version string }{
		{"Q024, public header with private flags", "\x0dcidcidciQ024\x01" + hash + "\x01\xa0\x01\x00\x04" + chlo, "Q024"},
		{"Q043", "\x09cidcidciQ043\x01" + hash + "\xa0\x01\x04\x00" + chlo, "Q043"},
		{"version left out", "\x0ccidcidci\x02" + hash + "\x80\x01" + chlo, "Q"},
		{"Q046, long header", "\xc3Q046\x50cidcidci\x00\x00\x00\x01" + hash + "\xa0\x01\x04\x00" + chlo, "Q046"},
	} {
		h, version, ok := ParseGQUIC([]byte(c.in))
		require.True(t, ok, c.name)
		require.Equal(t, "www.example.com", h.SNI, c.name)
		require.Equal(t, c.version, QUICVersionName(version), c.name)
		require.Equal(t, version, h.QUIC)
		require.Empty(t, h.JA4)
		for i := range len(c.in) {
			if h, _, ok := ParseGQUIC([]byte(c.in[:i])); ok {
				require.Contains(t, []string{"", "www.example.com"}, h.SNI)
			}
		}
		_, ok = LooksQUIC([]byte(c.in))
		require.False(t, ok)
	}
	for _, in := range []string{
		"", chlo, "\x09cidcidciX043\x01" + hash + chlo, "\xc3T051\x50cidcidci\x00\x00\x00\x01" + hash + chlo,
		"\x09cidcidciQ043\x01" + hash + "CHLO\xff\xff\x00\x00" + strings.Repeat("x", 100),
		"\x09cidcidciQ043\x01" + hash + "CHLO\x02\x00\x00\x00SNI\x00\x05\x00\x00\x00PAD\x00\x04\x00\x00\x00hello",
		"\x0bcidcidciQ043\x01" + hash + chlo,
	} {
		_, _, ok := ParseGQUIC([]byte(in))
		require.False(t, ok, "%q", in)
	}
	other := []byte("\x09" + strings.Repeat("nothing of Google's", 20))
	require.Zero(t, testing.AllocsPerRun(100, func() { ParseGQUIC(other) }))
}

// Q050 seals its CHLO in an Initial, in CRYPTO frames of another type.
func TestSealedGQUIC(t *testing.T) {
	chlo := chloMessage("a.example")
	q := quicSealer{version: quicQ050, dcid: []byte("original")}
	frame := func(from, to int) []byte {
		f := cryptoFrame(from, chlo[from:to])
		f[0] = googleCRYPTO
		return append([]byte{googlePing}, f...)
	}
	r, s := NewQUICReader(), QUICStream{}
	_, st := r.Feed(&s, q.packet(t, 1, frame(100, len(chlo))))
	require.Equal(t, More, st)
	hello, st := r.Feed(&s, q.packet(t, 2, frame(0, 150)))
	require.Equal(t, Whole, st)
	var v HelloView
	require.True(t, PeekClientHello(hello, &v))
	require.Equal(t, "a.example", string(v.SNI))
	h, err := ParseClientHello(hello, false, s.Version)
	require.NoError(t, err)
	require.Equal(t, "a.example", h.SNI)
	require.Equal(t, "Q050", QUICVersionName(h.QUIC))
}
