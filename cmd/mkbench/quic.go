package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// initialSalt is the salt of QUIC version 1 (RFC 9001 5.2).
const initialSalt = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"

// quicDatagram is the length of a client's first datagrams, in bytes.
const quicDatagram = 1250

// initialKeys protect one side's Initial packets.
type initialKeys struct {
	aead cipher.AEAD
	iv   []byte
	head cipher.Block
}

// sure returns v. It panics on an error, which only a wrong constant or name in this program can cause.
func sure[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newInitialKeys(id []byte, side string) *initialKeys {
	secret := expandLabel(sure(hkdf.Extract(sha256.New, id, []byte(initialSalt))), side, 32)
	return &initialKeys{
		aead: sure(cipher.NewGCM(sure(aes.NewCipher(expandLabel(secret, "quic key", 16))))),
		iv:   expandLabel(secret, "quic iv", 12),
		head: sure(aes.NewCipher(expandLabel(secret, "quic hp", 16))),
	}
}

// expandLabel is HKDF-Expand-Label (RFC 8446 7.1).
func expandLabel(secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	return sure(hkdf.Expand(sha256.New, secret, string([]byte{0, byte(n), byte(len(label))})+label+"\x00", n))
}

// packet appends a protected Initial packet (RFC 9001 5.3, 5.4), padded to size bytes (0: no padding).
func (k *initialKeys) packet(b, to, from []byte, number byte, payload []byte, size int) []byte {
	start := len(b)
	b = longHeader(b, 0xc0, to, from)
	b = append(b, 0) // no token
	length := len(b)
	b = append(b, 0, 0, number)
	room := max(size-(len(b)-start)-k.aead.Overhead(), 4)
	padded := make([]byte, max(len(payload), room))
	copy(padded, payload)
	binary.BigEndian.PutUint16(b[length:], uint16(1+len(padded)+k.aead.Overhead())|0x4000)
	nonce := append([]byte(nil), k.iv...)
	nonce[11] ^= number
	b = k.aead.Seal(b, nonce, padded, b[start:])
	var mask [16]byte
	at := length + 2 // the packet number
	k.head.Encrypt(mask[:], b[at+4:at+20])
	b[start] ^= mask[0] & 0x0f
	b[at] ^= mask[1]
	return b
}

func longHeader(b []byte, first byte, to, from []byte) []byte {
	b = append(b, first, 0, 0, 0, 1, byte(len(to)))
	b = append(append(b, to...), byte(len(from)))
	return append(b, from...)
}

// handshakePacket appends a Handshake packet with n random bytes in place of encrypted ones.
func (g *generator) handshakePacket(b, to, from []byte, n int) []byte {
	b = longHeader(b, 0xe0|byte(g.next()&0x0f), to, from)
	b = binary.BigEndian.AppendUint16(b, uint16(n)|0x4000)
	at := g.intn(len(g.pool) - n)
	return append(b, g.pool[at:at+n]...)
}

// shortPacket makes a 1-RTT packet of n bytes, random where it would be encrypted.
func (g *generator) shortPacket(to []byte, n int) []byte {
	b := append(make([]byte, 0, n), 0x40|byte(g.next()&0x3f))
	b = append(b, to...)
	at := g.intn(len(g.pool) - n)
	return append(b, g.pool[at:at+n-len(b)]...)
}

// cryptoFrame appends a CRYPTO frame with data[from:to].
func cryptoFrame(b, data []byte, from, to int) []byte {
	b = append(b, 6)
	b = binary.BigEndian.AppendUint16(b, uint16(from)|0x4000)
	b = binary.BigEndian.AppendUint16(b, uint16(to-from)|0x4000)
	return append(b, data[from:to]...)
}

// inOrder splits the hello over datagrams in order.
func (k *initialKeys) inOrder(id, message []byte, room int) [][]byte {
	var all [][]byte
	for from := 0; from < len(message); {
		to := min(from+room, len(message))
		all = append(all, k.packet(nil, id, nil, byte(len(all)), cryptoFrame(nil, message, from, to), quicDatagram))
		from = to
	}
	return all
}

// shuffled splits the hello into six pieces out of order, with PING and PADDING frames between them, as Chromium does.
func (g *generator) shuffled(k *initialKeys, id, message []byte, room int) [][]byte {
	var cuts [7]int
	for i := range cuts {
		cuts[i] = len(message) * i / 6
	}
	for i := 1; i < 6; i++ {
		cuts[i] += g.between(-20, 20)
	}
	order := [6]int{0, 1, 2, 3, 4, 5}
	for i := 5; i > 0; i-- {
		j := g.intn(i + 1)
		order[i], order[j] = order[j], order[i]
	}
	var all [][]byte
	var frames []byte
	for n, i := range order {
		if len(frames)+cuts[i+1]-cuts[i]+12 > room {
			all = append(all, k.packet(nil, id, nil, byte(len(all)), frames, quicDatagram))
			frames = nil
		}
		frames = cryptoFrame(frames, message, cuts[i], cuts[i+1])
		switch n {
		case 1:
			frames = append(frames, 1) // PING
		case 3:
			frames = append(frames, 0, 0, 0) // PADDING
		}
	}
	return append(all, k.packet(nil, id, nil, byte(len(all)), frames, quicDatagram))
}

// quicFlow is a QUIC connection with a number of packets after the handshake.
func (g *generator) quicFlow(c *client, s *site, packets int) *flow {
	f := g.newFlow(c, s, 443)
	f.udp = true
	var ids [16]byte
	g.fill(ids[:])
	id, serverID := ids[:8], ids[8:]
	client, server := newInitialKeys(id, "client in"), newInitialKeys(id, "server in")
	kind := &g.quic[g.intn(2)]
	message := kind.asks.build(nil, s.name, &g.random)
	room := quicDatagram - 18 - len(id) - 16 - 12
	asks := client.inOrder
	if g.chance(0.5) {
		asks = func(id, message []byte, room int) [][]byte { return g.shuffled(client, id, message, room) }
	}
	hellos := asks(id, message, room)
	for i, data := range hellos {
		next := step{data: data, gap: 30 * time.Microsecond}
		if i == len(hellos)-1 {
			next.sent = func() { g.made.QUICNames++; g.called(s) }
		}
		f.add(next)
	}
	g.quicAnswer(f, server, kind, serverID, len(hellos))
	last := client.packet(nil, serverID, nil, byte(len(hellos)), []byte{2, 0, 0, 0, 0}, 1100)
	f.add(step{data: g.handshakePacket(last, serverID, nil, 90), gap: 2 * time.Millisecond})
	g.quicExchange(f, serverID, packets)
	return f
}

// quicAnswer adds the server's flight: a ServerHello and the encrypted messages after it.
func (g *generator) quicAnswer(f *flow, k *initialKeys, kind *handshake, id []byte, hellos int) {
	frames := []byte{2, byte(hellos - 1), 0, 0, byte(hellos - 1)} // ACK of all of them
	frames = cryptoFrame(frames, kind.Server, 0, len(kind.Server))
	first := k.packet(nil, nil, id, 0, frames, 0)
	left := len(kind.QUICHandshake)
	if room := quicDatagram - len(first) - 17; room > 60 {
		n := min(room, left+40)
		first = g.handshakePacket(first, nil, id, n)
		left -= n
	}
	f.add(step{from: fromServer, gap: f.rtt, data: first})
	for left > 0 {
		n := min(left+40, 1200)
		f.add(step{from: fromServer, gap: 40 * time.Microsecond, data: g.handshakePacket(nil, nil, id, n)})
		left -= n
	}
}

// quicExchange adds packets after the handshake, two of the server's for each of the client's.
func (g *generator) quicExchange(f *flow, id []byte, packets int) {
	for i := range packets {
		if i%3 == 0 {
			f.add(step{gap: f.burst, data: g.shortPacket(id, g.between(34, 60))})
			continue
		}
		gap, n := f.burst, quicDatagram
		if i%40 == 1 {
			gap = f.rtt
		}
		if i == packets-1 {
			n = g.between(60, quicDatagram)
		}
		f.add(step{from: fromServer, gap: gap, data: g.shortPacket(nil, n)})
	}
}
