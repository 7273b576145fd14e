package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// quicKeys open the Initial packets of one sender (RFC 9001 5). The ciphers are the only allocations.
type quicKeys struct {
	aead cipher.AEAD
	hp   cipher.Block
	iv   [12]byte
}

// quicDeriver derives keys (RFC 9001 5.2) with HMAC-SHA256 and HKDF over fixed buffers.
type quicDeriver struct {
	sha     resumable
	block   [sha256.BlockSize]byte
	label   [48]byte
	sum     [sha256.Size]byte
	salt    [20]byte // that extract is keyed with; valid iff salted
	salted  bool
	extract hmacKey // of a version's salt
	expand  hmacKey // of one secret after the other
}

// resumable is what crypto/sha256 returns: a hash whose state can be saved and restored.
type resumable interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// hmacKey is the state of HMAC's two hashes (RFC 2104) after the block derived from the key, so that a key for several
// messages is hashed once. Each state is a slice of room.
type hmacKey struct {
	inner, outer []byte
	room         [2][128]byte
}

func newQUICDeriver() *quicDeriver { return &quicDeriver{sha: sha256.New().(resumable)} }

// client returns the keys of a client's Initials for the destination connection id of its first one.
func (d *quicDeriver) client(f *quicFlavour, dcid []byte) (k quicKeys, err error) {
	if !d.salted || d.salt != f.salt {
		d.setKey(&d.extract, f.salt[:])
		d.salt, d.salted = f.salt, true
	}
	d.setKey(&d.expand, d.mac(&d.extract, dcid))
	d.setKey(&d.expand, d.expanded("client in", sha256.Size))
	block, err := aes.NewCipher(d.expanded(f.key, 16))
	if err != nil {
		return k, err
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return k, err
	}
	k.iv = [12]byte(d.expanded(f.iv, 12))
	k.hp, err = aes.NewCipher(d.expanded(f.hp, 16))
	return k, err
}

// What HMAC masks its key with, eight bytes at a time.
const (
	innerPad = 0x3636363636363636
	outerPad = 0x5c5c5c5c5c5c5c5c
)

// setKey keys k with at most a block, which may be what mac gave.
func (d *quicDeriver) setKey(k *hmacKey, key []byte) {
	n := copy(d.block[:], key)
	clear(d.block[n:])
	k.inner = d.behind(innerPad, k.room[0][:0])
	k.outer = d.behind(innerPad^outerPad, k.room[1][:0])
}

// behind masks the block and returns a hash's state after it, in room.
func (d *quicDeriver) behind(mask uint64, room []byte) []byte {
	for i := 0; i < len(d.block); i += 8 {
		word := d.block[i : i+8]
		binary.LittleEndian.PutUint64(word, binary.LittleEndian.Uint64(word)^mask)
	}
	d.sha.Reset()
	d.sha.Write(d.block[:])
	state, _ := d.sha.AppendBinary(room) // sha256's cannot fail
	return state
}

// mac is HMAC-SHA256 of a message, and HKDF-Extract with the key as salt. It is valid until the next one.
func (d *quicDeriver) mac(k *hmacKey, message []byte) []byte {
	_ = d.sha.UnmarshalBinary(k.inner) // it is sha256's own
	d.sha.Write(message)
	inner := d.sha.Sum(d.sum[:0])
	_ = d.sha.UnmarshalBinary(k.outer)
	d.sha.Write(inner)
	return d.sha.Sum(d.sum[:0])
}

// expanded is HKDF-Expand-Label (RFC 8446 7.1) of the secret that expand is keyed with, without context, for at most one
// block of output. It is valid until the next mac.
func (d *quicDeriver) expanded(label string, size byte) []byte {
	const prefix = "tls13 "
	info := append(d.label[:0], 0, size, byte(len(prefix)+len(label)))
	info = append(info, prefix...)
	info = append(info, label...)
	info = append(info, 0, 1) // no context; the first block
	return d.mac(&d.expand, info)[:size]
}
