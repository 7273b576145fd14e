package files

import (
	"errors"
	"fmt"
)

// ReadError says why reading one capture file stopped: where, what was found there, and how many packets had been read.
type ReadError struct {
	Name string
	// Offset is the first byte that could not be used, from 0; -1 if reading never began.
	Offset int64
	// Unpacked: Offset counts bytes after decompression.
	Unpacked bool
	// Packets is how many were read before.
	Packets uint64
	// Err is what was found, what was expected, and what to do.
	Err error
}

func (e *ReadError) Error() string {
	if e.Offset < 0 {
		return e.Name + ": " + e.start() + e.Err.Error()
	}
	of := ""
	if e.Unpacked {
		of = " of the decompressed data"
	}
	return fmt.Sprintf("%s: offset %d%s: %v; %s", e.Name, e.Offset, of, e.Err, e.before())
}

// start names the position of what is wrong with a file's first bytes; a file that cannot be opened has none.
func (e *ReadError) start() string {
	if errors.Is(e.Err, errEmptyFile) || errors.Is(e.Err, errNotCapture) {
		return "offset 0: "
	}
	return ""
}

func (e *ReadError) before() string {
	switch e.Packets {
	case 0:
		return "no packet was read before it"
	case 1:
		return "the one packet before it was read"
	}
	return fmt.Sprintf("the %d packets before it were read", e.Packets)
}

// Unwrap returns Err.
func (e *ReadError) Unwrap() error { return e.Err }

// CutShortError says that a file ends inside a record or inside its header; all before that is whole. A capture that is
// still being written, or whose disk was full, ends so.
type CutShortError struct{ ReadError }

// Unwrap returns the ReadError in it.
func (e *CutShortError) Unwrap() error { return &e.ReadError }

// Why reading never began; Expand and Watch compare with them.
var (
	errEmptyFile  = errors.New("the file is empty: expected a capture")
	errNotCapture = errors.New("not a capture")
)

// strange is a type of file that is often passed instead of a capture.
type strange struct{ magic, name, advice string }

// strangers are recognised by their first bytes, as in the formats' own specifications.
func strangers() []strange {
	return []strange{
		{"\xfd7zXZ\x00", "an xz archive", "decompress it first"},
		{"BZh", "a bzip2 archive", "decompress it first"},
		{"\x04\x22\x4d\x18", "an lz4 archive", "decompress it first"},
		{"PK\x03\x04", "a zip archive", "unpack it first"},
		{"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
		{"GMBU", "a Network Monitor capture", "convert it with editcap -F pcapng"},
		{"RTSS", "a Network Monitor capture", "convert it with editcap -F pcapng"},
		{"XCP\x00", "a Sniffer capture", "convert it with editcap -F pcapng"},
		{"TRSNIFF data", "a Sniffer capture", "convert it with editcap -F pcapng"},
		{"\x7fELF", "a program", "give a capture"},
	}
}

// notCapture describes a file by its first bytes.
func notCapture(head []byte) error {
	const want = "expected pcap, pcapng or snoop, plain or in gzip or zstd"
	for _, s := range strangers() {
		if len(head) >= len(s.magic) && string(head[:len(s.magic)]) == s.magic {
			return fmt.Errorf("%w: it looks like %s: %s; %s", errNotCapture, s.name, want, s.advice)
		}
	}
	show := head[:min(len(head), 8)]
	if isText(show) {
		return fmt.Errorf("%w: it begins with the text %q (%x): %s", errNotCapture, show, show, want)
	}
	return fmt.Errorf("%w: it begins with the bytes %x: %s", errNotCapture, show, want)
}

func isText(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}
