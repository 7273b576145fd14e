package store

import (
	_ "embed"
	"slices"

	"github.com/klauspost/compress/s2"
)

// The bodies of alerts are most of what a busy store writes. They are JSON with the same keys and sentences over and over, so each is
// compressed by itself with a dictionary of those: to about a quarter. A body that starts with packed is compressed; one that starts
// with a brace is JSON, as versions before schema 4 wrote it.

//go:embed body.dict
var bodyDict []byte

// dictionary belongs to the bodies that were written with it: body.dict never changes. Another one needs another first byte.
var dictionary = s2.MakeDict(bodyDict, nil)

const (
	packed   = 1
	mostBody = 1 << 20 // bytes; a longer body is stored as it is, and a claim of more is damage
)

// pack compresses a body into room, which grows as needed and is overwritten next time.
func pack(room *[]byte, body []byte) []byte {
	if len(body) > mostBody {
		return body
	}
	*room = append((*room)[:0], packed)
	*room = slices.Grow(*room, s2.MaxEncodedLen(len(body)))
	return (*room)[:1+len(dictionary.Encode((*room)[1:cap(*room)], body))]
}

// unpack returns what pack was given. A damaged body comes back as it is: it is not JSON, and its reader counts it.
func unpack(body []byte) []byte {
	if len(body) == 0 || body[0] != packed {
		return body
	}
	if n, err := s2.DecodedLen(body[1:]); err != nil || n > mostBody {
		return body
	}
	out, err := dictionary.Decode(nil, body[1:])
	if err != nil {
		return body
	}
	return out
}
