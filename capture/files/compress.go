package files

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxPacked is how many layers of compression a capture may have.
	maxPacked = 2
	// maxWindow is the largest zstd window, in bytes: the default limit of the zstd program. The decoder allocates what the
	// header asks for, so a window inside another compression is limited to what every decoder should support
	// (RFC 8878 3.1.1.1.2).
	maxWindow       = 128 << 20
	maxNestedWindow = 8 << 20
	// packedRead is how many compressed bytes are read at once.
	packedRead = 64 << 10
)

// unpack reads the first bytes of the file, through all compressions around it, and leaves the rest in c.src. They are
// fewer than fileHead only if the file ends there; c.ended says how.
func (c *openFile) unpack() (head []byte, err error) {
	for {
		head, c.ended = readHead(c.src)
		open := unpacker(head, len(c.packed) > 0)
		if open == nil {
			return head, nil
		}
		if len(c.packed) == maxPacked {
			return nil, fmt.Errorf("compressed more than %d times: expected a capture; decompress it first", maxPacked)
		}
		again := io.MultiReader(bytes.NewReader(head), c.src)
		src, done, err := open(bufio.NewReaderSize(again, packedRead))
		c.packed = append(c.packed, done)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			c.ended = err
			return nil, c.end()
		}
		c.src = src
	}
}

// readHead reads fileHead bytes, or all there are. The error is nil unless they are fewer.
func readHead(r io.Reader) ([]byte, error) {
	head := make([]byte, fileHead)
	n, idle := 0, 0
	for n < fileHead {
		k, err := r.Read(head[n:])
		n += k
		if err != nil {
			return head[:n], err
		}
		if idle++; idle > 100+fileHead {
			return head[:n], io.ErrNoProgress
		}
	}
	return head, nil
}

// opener starts a decompressor. The function that it returns closes it.
type opener func(io.Reader) (io.Reader, func(), error)

// unpacker returns the decompressor for a file that begins with head, or nil if it is not compressed.
func unpacker(head []byte, nested bool) opener {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}): // RFC 1952
		return openGzip
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878 3.1.1
		return openZstd(nested)
	case len(head) > 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}): // a frame to skip, 3.1.2
		return openZstd(nested)
	}
	return nil
}

func openGzip(r io.Reader) (io.Reader, func(), error) {
	z, err := gzip.NewReader(r)
	return z, func() {}, err
}

func openZstd(nested bool) opener {
	window := uint64(maxWindow)
	if nested {
		window = maxNestedWindow
	}
	return func(r io.Reader) (io.Reader, func(), error) {
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(window))
		if err != nil {
			return nil, func() {}, err
		}
		return z, z.Close, nil
	}
}

// unpackError explains what is wrong with compressed data.
func unpackError(err error) error {
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return fmt.Errorf("decompress: %w: the limit is %d bytes, and %d inside another compression; decompress it first",
			err, maxWindow, maxNestedWindow)
	}
	return fmt.Errorf("decompress: %w: the file is damaged here", err)
}
