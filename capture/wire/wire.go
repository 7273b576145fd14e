// Package wire parses the payloads that an antivirus shows itself in: DNS, TLS, QUIC, HTTP, DHCP, ARP and NetBIOS
// names. Bytes go in, structs come out; every parser is a total function that never panics, never keeps its input
// and bounds every length before it allocates.
//
// Parsers come in two steps. A Peek or Scan works in place, without allocating, and yields sub-slices of its input
// (or of a scratch buffer that the caller lends); a Parse copies what is worth keeping into a struct that aliases
// nothing.
package wire

import "errors"

// Status says how a look at the beginning of a byte stream ended.
type Status uint8

const (
	// No means that the bytes are not of this protocol, whatever follows.
	No Status = iota
	// More means that they may be, and that the message is not whole yet.
	More
	// Whole means that a complete message was found.
	Whole
)

// ErrMalformed is what parsers return, wrapped with what is wrong, for input that breaks its format.
var ErrMalformed = errors.New("malformed")

// ErrTruncated is what parsers return, wrapped, for input that ends before the message does.
var ErrTruncated = errors.New("truncated")
