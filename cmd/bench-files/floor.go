package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// readLoop is the least that reading a capture costs: it reads a classic little-endian pcap file in pieces of 1 MB and
// touches the addresses of each packet. It does not use our readers, so that it stays the same while they change.
func readLoop(name string, stdout io.Writer) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	if _, err := r.Discard(24); err != nil { // file header
		return err
	}
	var packets, mixed uint64
	for {
		header, err := r.Peek(16)
		if errors.Is(err, io.EOF) && len(header) == 0 {
			_, err := fmt.Fprintln(stdout, packets, "packets", mixed)
			return err
		}
		if err != nil {
			return err
		}
		n := int(binary.LittleEndian.Uint32(header[8:]))
		record, err := r.Peek(16 + n)
		if err != nil {
			return err
		}
		if n >= 42 {
			p := record[16:]
			mixed ^= binary.LittleEndian.Uint64(p[12:]) ^ binary.LittleEndian.Uint64(p[26:]) ^ binary.LittleEndian.Uint64(p[34:])
		}
		packets++
		if _, err := r.Discard(len(record)); err != nil {
			return err
		}
	}
}
