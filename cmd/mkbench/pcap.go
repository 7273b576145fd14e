package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"time"
)

// pcapWriter writes a classic capture with times in microseconds. flush returns the first error.
type pcapWriter struct {
	w       *bufio.Writer
	written int64
	packets int
	payload int
}

func newPcap(w io.Writer) *pcapWriter {
	p := &pcapWriter{w: bufio.NewWriterSize(w, 1<<20)}
	header := make([]byte, 24)
	binary.LittleEndian.PutUint32(header, 0xa1b2c3d4)
	binary.LittleEndian.PutUint16(header[4:], 2) // version 2.4
	binary.LittleEndian.PutUint16(header[6:], 4)
	binary.LittleEndian.PutUint32(header[16:], 262144) // snap length
	binary.LittleEndian.PutUint32(header[20:], 1)      // Ethernet
	p.write(header)
	return p
}

func (p *pcapWriter) packet(at time.Duration, b []byte) {
	var header [16]byte
	binary.LittleEndian.PutUint32(header[0:], uint32(at/time.Second))
	binary.LittleEndian.PutUint32(header[4:], uint32(at%time.Second/time.Microsecond))
	binary.LittleEndian.PutUint32(header[8:], uint32(len(b)))
	binary.LittleEndian.PutUint32(header[12:], uint32(len(b)))
	p.write(header[:])
	p.write(b)
	p.packets++
	p.payload += len(b)
}

func (p *pcapWriter) write(b []byte) {
	n, _ := p.w.Write(b) // bufio keeps the error for Flush
	p.written += int64(n)
}

func (p *pcapWriter) flush() error { return p.w.Flush() }
