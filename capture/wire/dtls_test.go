package wire

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// dtlsRecord frames data; epoch 0 is in the clear.
func dtlsRecord(typ byte, version, epoch uint16, data []byte) []byte {
	out := binary.BigEndian.AppendUint16([]byte{typ}, version)
	out = binary.BigEndian.AppendUint16(out, epoch)
	out = append(out, 0, 0, 0, 0, 0, 1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
	return append(out, data...)
}

// dtlsPiece is a fragment of a handshake message.
func dtlsPiece(typ byte, seq uint16, body []byte, from, to int) []byte {
	n := len(body)
	out := []byte{typ, byte(n >> 16), byte(n >> 8), byte(n), byte(seq >> 8), byte(seq), byte(from >> 16), byte(from >> 8), byte(from)}
	out = append(out, byte((to-from)>>16), byte((to-from)>>8), byte(to-from))
	return append(out, body[from:to]...)
}

func dtlsHello() []byte {
	b := helloBuilder{version: dtlsVersion12, ciphers: []uint16{0xc02b, 0xc02f}}
	b.ext(extServerName, sniData("av.example")...)
	return b.body(true)
}

func TestLooksDTLS(t *testing.T) {
	hello := dtlsHello()
	for _, version := range []uint16{dtlsVersionOld, dtlsVersion10, dtlsVersion12, dtlsVersion13} {
		require.True(t, LooksDTLS(dtlsRecord(recordHandshake, version, 0, dtlsPiece(1, 0, hello, 0, len(hello)))))
	}
	require.True(t, LooksDTLS(dtlsRecord(recordHandshake, dtlsVersion12, 1, make([]byte, 40))), "an encrypted Finished")
	require.True(t, LooksDTLS(dtlsRecord(recordAlert, dtlsVersion12, 0, []byte{2, 40})))
	require.True(t, LooksDTLS(dtlsRecord(recordChangeCipherSpec, dtlsVersion12, 0, []byte{1})))
	require.True(t, LooksDTLS(dtlsRecord(recordData, dtlsVersion12, 1, []byte{1})))
	require.False(t, LooksDTLS(dtlsRecord(recordData, dtlsVersion12, 0, []byte{1})))
	require.False(t, LooksDTLS(dtlsRecord(recordAlert, dtlsVersion12, 0, []byte{7, 40})))
	require.False(t, LooksDTLS(dtlsRecord(recordHandshake, dtlsVersion12, 0, make([]byte, 11))))
	require.False(t, LooksDTLS(dtlsRecord(recordHandshake, 0x0303, 0, dtlsPiece(1, 0, hello, 0, len(hello)))))
	whole := dtlsRecord(recordHandshake, dtlsVersion12, 0, dtlsPiece(1, 0, hello, 0, len(hello)))
	for i := range whole {
		require.False(t, LooksDTLS(whole[:i]))
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { LooksDTLS(whole) }))
}

func TestDTLSFragmentsInAnyOrder(t *testing.T) {
	hello := dtlsHello()
	var cert []byte
	for i := range 5000 {
		cert = append(cert, byte(i))
	}
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var parts [][]byte
		for at := 0; at < len(cert); {
			from := max(0, at-rnd.IntN(20))
			to := min(len(cert), at+1+rnd.IntN(1200))
			parts = append(parts, dtlsPiece(HandshakeCertificate, 2, cert, from, to))
			at = to
		}
		rnd.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var s DTLSStream
		s.Feed(append(dtlsRecord(recordHandshake, dtlsVersion12, 0, dtlsPiece(1, 1, hello, 0, len(hello))),
			dtlsRecord(recordHandshake, dtlsVersion12, 1, make([]byte, 40))...))
		typ, body, ok := s.Next()
		require.True(t, ok)
		require.EqualValues(t, HandshakeClientHello, typ)
		require.Equal(t, hello, body)
		var v HelloView
		require.True(t, PeekDTLSClientHello(body, &v))
		require.Equal(t, "av.example", string(v.SNI))
		_, _, ok = s.Next()
		require.False(t, ok, "encrypted records are passed over")
		found := false
		for len(parts) > 0 { // one to three fragments a record, two records a datagram
			n := min(len(parts), 1+rnd.IntN(3))
			a := dtlsRecord(recordHandshake, dtlsVersion12, 0, bytes.Join(parts[:n], nil))
			m := n + min(len(parts)-n, 1)
			s.Feed(append(a, dtlsRecord(recordHandshake, dtlsVersion12, 0, bytes.Join(parts[n:m], nil))...))
			parts = parts[m:]
			for typ, body, ok := s.Next(); ok; typ, body, ok = s.Next() {
				require.EqualValues(t, HandshakeCertificate, typ)
				require.Equal(t, cert, body)
				found = true
			}
		}
		require.True(t, found)
	}
}

func TestDTLSBounds(t *testing.T) {
	var s DTLSStream
	body := make([]byte, 1000)
	for seq := range uint16(50) {
		s.Feed(dtlsRecord(recordHandshake, dtlsVersion12, 0, dtlsPiece(11, seq, body, 0, 500)))
		_, _, ok := s.Next()
		require.False(t, ok)
		require.LessOrEqual(t, len(s.open), dtlsMessages)
	}
	s.Feed(dtlsRecord(recordHandshake, dtlsVersion12, 0, dtlsPiece(11, 0, body, 500, 1000)))
	_, _, ok := s.Next()
	require.False(t, ok, "the oldest was let go")
	s.Feed(dtlsRecord(recordHandshake, dtlsVersion12, 0, dtlsPiece(11, 49, body, 500, 1000)))
	_, got, ok := s.Next()
	require.True(t, ok)
	require.Equal(t, body, got)
	s.Feed(dtlsRecord(recordHandshake, dtlsVersion12, 0, dtlsPiece(14, 50, nil, 0, 0)))
	typ, got, ok := s.Next()
	require.True(t, ok, "a message without a body is whole")
	require.EqualValues(t, 14, typ)
	require.Empty(t, got)
}

func FuzzDTLS(f *testing.F) {
	hello := dtlsHello()
	f.Add(dtlsRecord(recordHandshake, dtlsVersion12, 0, dtlsPiece(1, 0, hello, 0, len(hello))))
	f.Add(append(dtlsRecord(recordHandshake, dtlsVersion10, 0, dtlsPiece(1, 0, hello, 0, 30)),
		dtlsRecord(recordHandshake, dtlsVersion10, 0, dtlsPiece(1, 0, hello, 20, len(hello)))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		LooksDTLS(b)
		var s DTLSStream
		for range 3 {
			s.Feed(b)
			n := 0
			for typ, body, ok := s.Next(); ok; typ, body, ok = s.Next() {
				n++
				if typ == HandshakeClientHello {
					_, _ = ParseClientHello(body, true, 0)
				}
			}
			require.LessOrEqual(t, n, len(b)/dtlsHandshakeHeader)
			require.LessOrEqual(t, len(s.open), dtlsMessages)
		}
	})
}
