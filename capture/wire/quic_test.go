package wire

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
)

// quicSealer makes Initials as a client does, with the key derivation of the standard library.
type quicSealer struct {
	version uint32
	dcid    []byte // in the header
	origin  []byte // that keys come from; dcid where nil
	token   []byte
	typ     byte // type bits of an Initial
}

func (q quicSealer) keys(t testing.TB) (key, iv, hp []byte) {
	f, ok := quicFlavourOf(q.version)
	require.True(t, ok)
	origin := q.origin
	if origin == nil {
		origin = q.dcid
	}
	initial, err := hkdf.Extract(sha256.New, origin, f.salt[:])
	require.NoError(t, err)
	expand := func(secret []byte, label string, n int) []byte {
		info := append([]byte{0, byte(n), byte(6 + len(label))}, "tls13 "+label...)
		out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
		require.NoError(t, err)
		return out
	}
	secret := expand(initial, "client in", 32)
	return expand(secret, f.key, 16), expand(secret, f.iv, 12), expand(secret, f.hp, 16)
}

// packet seals payload under a packet number of four bytes.
func (q quicSealer) packet(t testing.TB, number uint32, payload []byte) []byte {
	t.Helper()
	key, iv, hp := q.keys(t)
	head := append([]byte{0xc3 | q.typ<<4}, binary.BigEndian.AppendUint32(nil, q.version)...)
	head = append(append(head, byte(len(q.dcid))), q.dcid...)
	head = append(head, 0, byte(len(q.token)))
	head = append(head, q.token...)
	head = binary.BigEndian.AppendUint16(head, 0x4000|uint16(4+len(payload)+16))
	at := len(head)
	head = binary.BigEndian.AppendUint32(head, number)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	nonce := bytes.Clone(iv)
	binary.BigEndian.PutUint32(nonce[8:], binary.BigEndian.Uint32(nonce[8:])^number)
	out := aead.Seal(bytes.Clone(head), nonce, payload, head)
	block, err = aes.NewCipher(hp)
	require.NoError(t, err)
	mask := make([]byte, 16)
	block.Encrypt(mask, out[at+4:at+20])
	out[0] ^= mask[0] & 0x0f
	for i := range 4 {
		out[at+i] ^= mask[1+i]
	}
	return out
}

// cryptoFrame makes a CRYPTO frame.
func cryptoFrame(offset int, data []byte) []byte {
	out := binary.BigEndian.AppendUint32([]byte{quicCRYPTO}, 0x80000000|uint32(offset))
	out = binary.BigEndian.AppendUint32(out, 0x80000000|uint32(len(data)))
	return append(out, data...)
}

// quicHello gives a handshake message with its header.
func quicHello(t testing.TB) []byte {
	body := clientHello(t, clientConfig(tls.VersionTLS13))
	return append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
}

// The client Initials of RFC 9001 A.2 and RFC 9369 A.2: the payload is theirs, and so must be the sealed header.
func TestQUICOfTheRFCs(t *testing.T) {
	message, err := hex.DecodeString("010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c" +
		"00000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d00170018" +
		"00100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171" +
		"fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d0002010100" +
		"1c00024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8" +
		"f03e51570806048000ffff")
	require.NoError(t, err)
	payload := append([]byte{quicCRYPTO, 0x00, 0x40, byte(len(message))}, message...)
	payload = append(payload, make([]byte, 1162-len(payload))...)
	dcid := []byte{0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08}
	for _, c := range []struct {
		sealer  quicSealer
		key, hp string
		header  string
	}{
		{quicSealer{version: quicV1, dcid: dcid}, "1f369613dd76d5467730efcbe3b1a22d", "9f50449e04a0e810283a1e9933adedd2",
			"c000000001088394c8f03e5157080000449e7b9aec34"},
		{quicSealer{version: quicV2, dcid: dcid, typ: 1}, "8b1a0bc121284290a29e0971b5cd045d", "45b95e15235d6f45a6b19cbcb0294ba9",
			"d76b3343cf088394c8f03e5157080000449ea0c95e82"},
	} {
		key, _, hp := c.sealer.keys(t)
		require.Equal(t, c.key, hex.EncodeToString(key))
		require.Equal(t, c.hp, hex.EncodeToString(hp))
		b := c.sealer.packet(t, 2, payload)
		require.Len(t, b, 1200)
		require.Equal(t, c.header, hex.EncodeToString(b[:22]))
		version, ok := LooksQUIC(b)
		require.True(t, ok)
		require.Equal(t, c.sealer.version, version)
		var s QUICStream
		hello, st := NewQUICReader().Feed(&s, b)
		require.Equal(t, Whole, st)
		require.Equal(t, message[4:], hello)
		var v HelloView
		require.True(t, PeekClientHello(hello, &v))
		require.Equal(t, "example.com", string(v.SNI))
	}
}

func TestQUICOfQuicGo(t *testing.T) {
	for _, version := range []quic.Version{quic.Version1, quic.Version2} {
		flights, err := testkit.RecordQUIC("Update.AV.example", []string{"h3"}, version)
		require.NoError(t, err)
		r, s, other := NewQUICReader(), QUICStream{}, QUICStream{}
		var got []byte
		initials := 0
		for _, f := range flights {
			if !f.FromClient {
				_, st := r.Feed(&other, f.Data)
				require.Equal(t, No, st, "a server's packets open with no client key")
				continue
			}
			hello, st := r.Feed(&s, f.Data)
			if st == Whole {
				got = bytes.Clone(hello)
				break
			}
			require.Equal(t, More, st)
			initials++
		}
		require.NotZero(t, initials, "a post-quantum hello spans Initials")
		require.EqualValues(t, version, s.Version)
		h, err := ParseClientHello(got, false, s.Version)
		require.NoError(t, err)
		require.Equal(t, "update.av.example", h.SNI)
		require.Equal(t, []string{"h3"}, h.ALPN)
		require.Equal(t, "q13d", h.JA4[:4])
	}
}

// Every order of overlapping pieces, in one Initial or in several, makes the same hello.
func TestQUICPiecesInAnyOrder(t *testing.T) {
	message := quicHello(t)
	q := quicSealer{version: quicV1, dcid: []byte("dcid"), token: []byte("token")}
	r := NewQUICReader()
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var frames [][]byte
		for at := 0; at < len(message); {
			from := max(0, at-rnd.IntN(50))
			to := min(len(message), at+1+rnd.IntN(400))
			frames = append(frames, cryptoFrame(from, message[from:to]), []byte{quicPing, quicPadding})
			at = to
		}
		rnd.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
		var s QUICStream
		one, st := r.Feed(&s, q.packet(t, 0, bytes.Join(frames, nil)))
		require.Equal(t, Whole, st)
		require.Equal(t, message[4:], one)
		s.Reset()
		for i, f := range frames {
			ack := append([]byte{quicAck, 5, 0, 1, 0, 1, 1}, f...)
			hello, st := r.Feed(&s, q.packet(t, uint32(i*9), append(ack, make([]byte, 30)...)))
			require.NotEqual(t, No, st)
			if st == Whole {
				require.Equal(t, message[4:], hello)
				frames = nil
				break
			}
		}
		require.Nil(t, frames, "whole at the end")
	}
}

func TestQUICFirstBytesWin(t *testing.T) {
	var p pieces
	p.add(2, []byte("cd"))
	p.add(6, []byte("gh"))
	p.add(0, []byte("XXXXXXXXXX"))
	require.Equal(t, "XXcdXXghXX", string(p.start()))
	p.add(4, []byte("zzzzzzzz"))
	require.Equal(t, "XXcdXXghXXzz", string(p.start()))
	require.Len(t, p.have, 1)
}

func TestQUICKeysOfLaterInitials(t *testing.T) {
	message := quicHello(t)
	half := len(message) / 2
	a, b := cryptoFrame(0, message[:half]), cryptoFrame(half, message[half:])
	r := NewQUICReader()
	feed := func(s *QUICStream, b []byte) Status {
		hello, st := r.Feed(s, b)
		if st == Whole {
			require.Equal(t, message[4:], hello)
		}
		return st
	}
	first := quicSealer{version: quicV1, dcid: []byte("original")}

	t.Run("the server's connection id, the first one's keys", func(t *testing.T) {
		var s QUICStream
		second := quicSealer{version: quicV1, dcid: []byte("ofserver"), origin: []byte("original")}
		require.Equal(t, No, feed(&s, second.packet(t, 1, b)), "nothing tells the keys")
		require.Equal(t, More, feed(&s, first.packet(t, 0, a)))
		require.Equal(t, Whole, feed(&s, second.packet(t, 1, b)))
	})
	t.Run("after a Retry the hello begins again", func(t *testing.T) {
		var s QUICStream
		require.Equal(t, More, feed(&s, first.packet(t, 0, a)))
		again := quicSealer{version: quicV1, dcid: []byte("retry"), token: []byte("t")}
		require.Equal(t, More, feed(&s, again.packet(t, 1, b)))
		require.Equal(t, Whole, feed(&s, again.packet(t, 2, a)))
	})
	t.Run("a Retry tells the keys of a later Initial", func(t *testing.T) {
		var s QUICStream
		retry := append([]byte{0xf0, 0, 0, 0, 1, 0, 5}, "retry"...)
		r.FeedServer(&s, append(retry, make([]byte, 40)...))
		later := quicSealer{version: quicV1, dcid: []byte("chosen"), origin: []byte("retry")}
		require.Equal(t, Whole, feed(&s, later.packet(t, 7, append(b, a...))))
	})
	t.Run("another version in mid-handshake", func(t *testing.T) {
		var s QUICStream
		require.Equal(t, More, feed(&s, first.packet(t, 0, a)))
		switched := quicSealer{version: quicV2, dcid: []byte("ofserver"), origin: []byte("original"), typ: 1}
		require.Equal(t, Whole, feed(&s, switched.packet(t, 1, b)))
		require.EqualValues(t, quicV2, s.Version)
	})
	t.Run("coalesced behind 0-RTT", func(t *testing.T) {
		var s QUICStream
		early := append([]byte{0xd0, 0, 0, 0, 1, 8}, "original\x00\x40\x20"...)
		datagram := append(append(early, make([]byte, 32)...), first.packet(t, 0, append(a, b...))...)
		_, ok := LooksQUIC(datagram)
		require.True(t, ok)
		require.Equal(t, Whole, feed(&s, datagram))
		require.Equal(t, More, feed(&s, first.packet(t, 1, a)), "a hello comes once")
	})
	t.Run("a changed byte", func(t *testing.T) {
		datagram := first.packet(t, 0, append(a, b...))
		for _, i := range []int{0, 3, 7, 30, len(datagram) - 1} {
			var s QUICStream
			bad := bytes.Clone(datagram)
			bad[i] ^= 1
			require.Equal(t, No, feed(&s, bad), "byte %d", i)
		}
	})
	t.Run("many Initials that do not open", func(t *testing.T) {
		var s QUICStream
		bad := first.packet(t, 0, make([]byte, 20))
		bad[len(bad)-1] ^= 1
		good := first.packet(t, 0, append(a, b...))
		require.Equal(t, Whole, feed(&s, append(bytes.Repeat(bad, quicFailures-1), good...)))
		s.Reset()
		require.Equal(t, No, feed(&s, append(bytes.Repeat(bad, quicFailures), good...)))
	})
	t.Run("a hello beyond all bounds", func(t *testing.T) {
		var s QUICStream
		require.Equal(t, No, feed(&s, first.packet(t, 0, cryptoFrame(0, []byte{1, 0xff, 0, 0, 3, 3}))))
		require.Equal(t, No, feed(&s, first.packet(t, 1, cryptoFrame(1<<20, []byte{1}))))
		require.LessOrEqual(t, cap(s.crypto.data), quicCryptoMax)
	})
}

func TestQUICPacketNumber(t *testing.T) {
	require.EqualValues(t, 0xa82f9b32, quicPacketNumber(0xa82f30eb, 0x9b32, 2)) // RFC 9000 A.3
	require.EqualValues(t, 0, quicPacketNumber(0, 0, 1))
	require.EqualValues(t, 256, quicPacketNumber(255, 0, 1))
	require.EqualValues(t, 255, quicPacketNumber(257, 255, 1))
}

func TestQUICVersions(t *testing.T) {
	for v, want := range map[uint32]string{
		1: "1", quicV2: "2", 0xff00001d: "draft-29", quicQ050: "Q050", quicT051: "T051", 0x51303433: "Q043",
		0xfaceb002: "0xfaceb002", gquicUnstated: "Q", 0xff000000: "0xff000000", 0x51306133: "0x51306133",
	} {
		require.Equal(t, want, QUICVersionName(v))
	}
	message := quicHello(t)
	for _, v := range []uint32{0xff000016, 0xff000017, 0xff00001c, 0xff00001d, 0xff000020, 0xff000021, 0xff000022, 0xfaceb001,
		0xfaceb002, 0xfaceb00e} {
		var s QUICStream
		q := quicSealer{version: v, dcid: []byte("abcd")}
		_, st := NewQUICReader().Feed(&s, q.packet(t, 0, cryptoFrame(0, message)))
		require.Equal(t, Whole, st, QUICVersionName(v))
	}
	_, ok := LooksQUIC(append([]byte{0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 0, 0, 0, 40}, make([]byte, 60)...))
	require.False(t, ok, "a version that asks for negotiation")
}

func TestQUICAllocations(t *testing.T) {
	if racing {
		t.Skip("the race detector makes allocations of its own")
	}
	datagram := (quicSealer{version: quicV1, dcid: []byte("original")}).packet(t, 0, cryptoFrame(0, quicHello(t)))
	r := NewQUICReader()
	var s QUICStream
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		s.Reset()
		if _, st := r.Feed(&s, datagram); st != Whole {
			panic("not opened")
		}
	}), 4.0, "two AES keys and one AEAD")
	require.Zero(t, testing.AllocsPerRun(100, func() { LooksQUIC(datagram) }))
}

func FuzzQUIC(f *testing.F) {
	q := quicSealer{version: quicV1, dcid: []byte("original")}
	message := quicHello(f)
	f.Add(q.packet(f, 0, cryptoFrame(0, message)), cryptoFrame(0, message), uint32(0))
	f.Add([]byte{0xf0, 0, 0, 0, 1, 0, 1, 2, 3, 4}, []byte{quicAck, 0, 0, 0, 0, quicClose, 0, 0, 1, 'x'}, uint32(3))
	r := NewQUICReader()
	f.Fuzz(func(t *testing.T, raw, frames []byte, number uint32) {
		var s QUICStream
		kept := bytes.Clone(raw)
		r.FeedServer(&s, raw)
		r.Feed(&s, raw)
		require.Equal(t, kept, raw, "the datagram is left as it is")
		if len(frames) < 4 || len(frames) > 1400 { // sealed, so that frames are read
			return
		}
		s.Reset()
		hello, st := r.Feed(&s, q.packet(t, number&0x7f, frames))
		require.NotZero(t, s.Version, "the packet was opened")
		require.Equal(t, st == Whole, hello != nil)
		require.LessOrEqual(t, len(s.crypto.data), quicCryptoMax)
		ParseGQUIC(raw)
	})
}

func BenchmarkQUICFeed(b *testing.B) {
	datagram := (quicSealer{version: quicV1, dcid: []byte("original")}).packet(b, 0, cryptoFrame(0, quicHello(b)[:1100]))
	r := NewQUICReader()
	var s QUICStream
	b.ReportAllocs()
	for b.Loop() {
		s.Reset()
		r.Feed(&s, datagram)
	}
}
