package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
)

// quicKeys open the Initial packets of one sender (RFC 9001 5). The ciphers are the only allocations.
type quicKeys struct {
	aead cipher.AEAD
	hp   cipher.Block
	iv   [12]byte
}

// quicDeriver derives keys (RFC 9001 5.2) with HMAC and HKDF over fixed buffers.
type quicDeriver struct {
	pad [sha256.BlockSize + 64]byte // one padded key and the message behind it
}

// client gives the keys of a client's Initials for the destination connection id of its first one.
func (d *quicDeriver) client(f *quicFlavour, dcid []byte) (quicKeys, error) {
	initial := d.hmac(f.salt[:], dcid)
	secret := d.expand(initial[:], "client in", sha256.Size)
	key := d.expand(secret[:], f.key, 16)
	hp := d.expand(secret[:], f.hp, 16)
	iv := d.expand(secret[:], f.iv, 12)
	k := quicKeys{iv: [12]byte(iv[:12])}
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		return k, err
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return k, err
	}
	k.hp, err = aes.NewCipher(hp[:16])
	return k, err
}

// hmac is HMAC-SHA256 (RFC 2104) of a message of at most 64 bytes, and HKDF-Extract with the key as salt.
func (d *quicDeriver) hmac(key, message []byte) [sha256.Size]byte {
	n := copy(d.pad[:], key)
	clear(d.pad[n:sha256.BlockSize])
	d.mask(innerPad)
	n = sha256.BlockSize + copy(d.pad[sha256.BlockSize:], message)
	sum := sha256.Sum256(d.pad[:n])
	d.mask(innerPad ^ outerPad)
	n = sha256.BlockSize + copy(d.pad[sha256.BlockSize:], sum[:])
	return sha256.Sum256(d.pad[:n])
}

// What HMAC masks its key with, eight bytes at a time.
const (
	innerPad = 0x3636363636363636
	outerPad = 0x5c5c5c5c5c5c5c5c
)

func (d *quicDeriver) mask(with uint64) {
	for i := 0; i < sha256.BlockSize; i += 8 {
		word := d.pad[i : i+8]
		binary.LittleEndian.PutUint64(word, binary.LittleEndian.Uint64(word)^with)
	}
}

// expand is HKDF-Expand-Label (RFC 8446 7.1) without context, for at most one block of output.
func (d *quicDeriver) expand(secret []byte, label string, size byte) [sha256.Size]byte {
	const prefix = "tls13 "
	var room [48]byte
	info := append(room[:0], 0, size, byte(len(prefix)+len(label)))
	info = append(info, prefix...)
	info = append(info, label...)
	info = append(info, 0, 1) // no context; the first block
	return d.hmac(secret, info)
}
