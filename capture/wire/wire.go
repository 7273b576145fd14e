// Package wire parses the payloads in which antivirus traffic shows: DNS, TLS, DTLS, QUIC, HTTP, DHCP, ARP, neighbour
// discovery, NetBIOS and SMB names. Bytes go in, structs come out. Every parser is a total function: it never panics, never
// keeps its input, and bounds every length before it allocates.
//
// Parsing has two steps. A Peek or Scan works in place, without allocating, and returns parts of its input (or of a scratch
// buffer that the caller lends). A Parse copies what is worth keeping into a struct that aliases nothing; all these structs
// are in records.go, the place to start reading. Functions named Looks recognise a protocol by its first bytes. There is a
// file, or a family of files, per protocol.
package wire

import "errors"

// Status is the result of looking at the beginning of a byte stream.
type Status uint8

const (
	// No: the bytes are not of this protocol, whatever follows.
	No Status = iota
	// More: they may be, but the message is incomplete.
	More
	// Whole: there is a complete message.
	Whole
)

// ErrMalformed is returned by parsers, wrapped with what is wrong, for input that breaks its format.
var ErrMalformed = errors.New("malformed")

// ErrTruncated is returned by parsers, wrapped, for input that ends before the message does.
var ErrTruncated = errors.New("truncated")
