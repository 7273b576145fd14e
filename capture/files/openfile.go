package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"avbeacon/capture"
)

// openFile is the file that is being read: from disk through decompressors to packets.
type openFile struct {
	disk    diskFile
	src     io.Reader // of decompressed bytes
	packed  []func()  // close the decompressors, outermost first
	format  recordFormat
	records fileRecords
	rest    []byte // bytes read but not used yet: the beginning of a record
	need    int    // size that this record has at least; more than len(rest)
	offset  int64  // of rest in the decompressed bytes
	ended   error  // why src has no more bytes: io.EOF, or what went wrong
}

// close closes decompressors and file.
func (c *openFile) close() {
	for i := len(c.packed) - 1; i >= 0; i-- {
		c.packed[i]()
	}
	c.disk.done()
}

// recognise reads the file's header and picks its format.
func (c *openFile) recognise() error {
	head, err := c.unpack()
	if err != nil {
		return err
	}
	c.offset = int64(len(head))
	if len(head) < fileHead && c.ended != io.EOF {
		return c.end()
	}
	if len(head) == 0 {
		return errEmptyFile
	}
	format, used, err := formatOf(head)
	if err == errShortHeader {
		return cutError{fmt.Errorf("%w, after %d bytes: it was cut short", err, len(head))}
	}
	if err != nil {
		c.offset = 0
		return err
	}
	c.offset = int64(used)
	c.format, c.rest = format, append(c.rest, head[used:]...)
	c.need = len(c.rest) + 1
	return nil
}

// formatOf recognises a file's format by its first bytes and says how many of them are its header. A new format is one more
// test here.
func formatOf(head []byte) (f recordFormat, used int, err error) {
	if p, ok, err := newPcap(head); ok {
		return p, pcapHeader, err
	}
	if p, ok, err := newPcapng(head); ok {
		return p, 0, err
	}
	if s, ok, err := newSnoop(head); ok {
		return s, snoopHeader, err
	}
	return nil, 0, notCapture(head)
}

// block reads about size bytes into b and cuts the packets out of them; there may be none. An error means that this was the
// file's last block: io.EOF, or what is wrong.
func (c *openFile) block(b *capture.Block, size int) error {
	buf := b.Buf[:c.fill(b, size)]
	used, err := c.cut(b, buf)
	if err != nil {
		return err
	}
	c.rest = append(c.rest[:0], buf[used:]...)
	if c.ended != nil {
		return c.end()
	}
	return nil
}

// cut adds the whole records at the beginning of buf to b and returns how many bytes they took. On an error, that is the
// offset of the broken record.
func (c *openFile) cut(b *capture.Block, buf []byte) (used int, err error) {
	c.records.packets = b.Packets
	for size := 0; ; used += size {
		if size, c.need, err = c.format.record(buf[used:], &c.records); size == 0 {
			break
		}
	}
	b.Packets, c.records.packets = c.records.packets, nil
	c.offset += int64(used)
	return used, err
}

// fill puts the rest of the previous block and newly read bytes into b.Buf and returns their number. Of a regular file it
// reads until b is full; of a pipe, what is there. A record longer than size gets room only as its bytes arrive, so that a
// false length costs no memory.
func (c *openFile) fill(b *capture.Block, size int) int {
	if c.need > size {
		size = min(c.need, max(2*len(c.rest), size))
	}
	b.Buf = sized(b.Buf, size)
	n := copy(b.Buf, c.rest)
	wait := c.disk.regular || len(c.packed) > 0
	for idle := 0; n < size && c.ended == nil && (wait || n < c.need); {
		var k int
		k, c.ended = c.src.Read(b.Buf[n:])
		n += k
		if idle++; k > 0 {
			idle = 0
		}
		if idle > 100 {
			c.ended = io.ErrNoProgress
		}
	}
	return n
}

// sized returns buf with the length size. Memory far larger than that is dropped: one long record must not keep it for
// ever.
func sized(buf []byte, size int) []byte {
	const much = 1 << 20
	if cap(buf) < size || cap(buf) > max(much, 4*size) {
		return make([]byte, size)
	}
	return buf[:size]
}

// end says how the file ended: io.EOF if between two records. offset is then the first byte that could not be used.
func (c *openFile) end() error {
	switch err := c.ended; {
	case err == io.EOF && len(c.rest) == 0:
		if c.disk.read < c.disk.size && len(c.packed) == 0 {
			return cutError{fmt.Errorf("the file had %d bytes when it was opened: it was made shorter while it was read", c.disk.size)}
		}
		return io.EOF
	case err == io.EOF:
		return cutError{fmt.Errorf("the file ends inside a record, of which %d bytes are there and at least %d expected: "+
			"it was cut short, is still being written, or is damaged here", len(c.rest), c.need)}
	case errors.Is(err, io.ErrUnexpectedEOF) && len(c.packed) > 0:
		c.offset += int64(len(c.rest))
		return cutError{errors.New("the compressed file ends before its data do: it was cut short or is still being written")}
	default:
		c.offset += int64(len(c.rest))
		return c.readError(err)
	}
}

// readError separates a failing disk from damaged compressed data.
func (c *openFile) readError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // ReadError names the file already
	}
	if path == nil && len(c.packed) > 0 {
		return unpackError(err)
	}
	return fmt.Errorf("read: %w", err)
}

// cutError marks an error as the end of a file that was cut short; see CutShortError.
type cutError struct{ error }

// describe makes the error that a user sees.
func (c *openFile) describe(name string, err error) error {
	e := ReadError{Name: name, Offset: c.offset, Unpacked: len(c.packed) > 0, Packets: c.records.frame, Err: err}
	if errors.Is(err, errNotCapture) || errors.Is(err, errEmptyFile) {
		e.Offset = -1
	}
	if cut, ok := err.(cutError); ok {
		e.Err = cut.error
		return &CutShortError{ReadError: e}
	}
	return &e
}
