package files

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"avbeacon/capture"
)

const (
	// windowSize is how many bytes of a file are mapped at once. The headers in them stay in a core's second cache.
	windowSize = 1 << 20
	// largeRecord is the mean size of records, in bytes, from which a file is mapped. Reading copies every byte, mapping costs
	// work for each page and a wait for memory at each header; `make bench` has captures on both sides of it.
	largeRecord = 700
)

// plain gives a file on disk that we opened and that is read as it is, nil for any other.
func (c *openFile) plain() *os.File {
	file, ok := c.disk.r.(*os.File)
	if !ok || c.disk.close == nil || !c.disk.regular || len(c.packed) > 0 {
		return nil
	}
	return file
}

// mappable gives the format of a file that can be mapped: a plain one of which not all bytes are wanted.
func (c *openFile) mappable() tracer {
	if c.plain() == nil || c.disk.sum != nil {
		return nil
	}
	format, _ := c.format.(tracer)
	return format
}

// window is block for a file of large packets, most of whose bytes nobody looks at: it is mapped, not read. done is false
// where the file is to be read from here on: towards its end, before a record that fits no window, where it cannot be mapped.
func (c *openFile) window(b *capture.Block) (done bool, err error) {
	page := os.Getpagesize()
	if c.maps == nil || !c.large || c.need > windowSize-page {
		return false, nil
	}
	file, from := c.plain(), c.offset-c.offset%int64(page)
	if st, err := file.Stat(); err != nil || from+windowSize > st.Size() {
		return false, nil
	}
	mem, err := mapFile(file, from, windowSize)
	if err != nil {
		c.maps = nil
		return false, nil
	}
	b.Release = func() { unmapFile(mem) }
	before := c.offset
	if err = c.cutWindow(b, mem[c.offset-from:]); err == nil {
		_, err = file.Seek(c.offset, io.SeekStart)
	}
	c.disk.read += c.offset - before - int64(len(c.rest))
	c.rest = c.rest[:0]
	return true, err
}

// cutWindow finds the packets in mapped memory. Where the file behind it became shorter or the disk fails, the processor faults
// on it.
func (c *openFile) cutWindow(b *capture.Block, buf []byte) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		v := recover()
		if v != nil && !capture.Faulted(v) {
			panic(v)
		}
		if v != nil {
			b.Packets, c.records.packets, err = c.records.packets, nil, capture.ErrGone
		}
	}()
	c.ahead.follow(c.maps, buf)
	_, err = c.cut(b, buf, c.ahead.found)
	return err
}

// shortened is the error of a file that ends before the size that it had when it was opened; nil where it does not.
func (c *openFile) shortened() error {
	if c.plain() == nil || c.disk.read >= c.disk.size {
		return nil
	}
	return cutError{fmt.Errorf("the file had %d bytes when it was opened: it was made shorter while it was read", c.disk.size)}
}
