// Package files reads packets from capture files. File names, folders and standard input go in; blocks of capture.Packet come
// out, in the order of the files' first packets (Expand), together with a capture.Input per file that counts what was read and
// says why reading stopped. Formats are recognised by content: pcap, pcapng and snoop, plain or in gzip or zstd.
//
// Start reading at Files.Next, the loop over files. openFile (openfile.go) fills blocks and cuts them into records; a new format
// is one more recordFormat, listed in formatOf (pcap.go and snoop.go are short examples). Folder (watch.go) follows a folder that
// a rotating capture writes into, and Pipe lets the packet clock go on while standard input is silent.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"

	"avbeacon/capture"
)

// defaultBlock is the size of a block where FileOptions names none: it stays in a core's second cache.
const defaultBlock = 256 << 10

// fileHead is how many bytes are read to tell what a file is: the longest header, that of pcap, and some.
const fileHead = 32

// StdinName is the input that stands for standard input.
const StdinName = "-"

// HashAll is the FileOptions.HashUpTo that asks for every hash.
const HashAll = math.MaxInt64

// FileOptions says how files are read.
type Options struct {
	// Stdin is what the input "-" reads.
	Stdin io.Reader
	// HashUpTo asks for the SHA-256 of each file of at most so many bytes, as it lies on disk: 0 for none, HashAll for
	// all. It is computed while reading, at about 0.6 ns a byte with the processor's help, which is more than all else that
	// is done with bulk traffic, and known once the file is at its end. What has no size, as a pipe, counts as larger.
	HashUpTo int64
	// BlockSize is how many bytes are read at once; 0 means 256 KiB. A longer record makes its Block longer, up to 16 MiB.
	BlockSize int
}

// Files is a Source over capture files, one after the other: pcap, pcapng and snoop, plain or in gzip or zstd, told
// apart by content. A file that cannot be read, or only in part, says so in its Input; the others are read all the same.
// A Block holds packets of one file.
//
// Next and Close are for one goroutine; Inputs may be called beside them.
type Files struct {
	opt   Options
	limit int64 // bytes to read of each file; 0: all
	at    int   // index of cur, or of the file to open next
	cur   *openFile

	mu     sync.Mutex // guards inputs
	inputs []capture.Input
}

// OpenFiles makes a Source of files; "-" is standard input. Each is opened only when its turn comes.
func Open(names []string, opt Options) *Files {
	if opt.BlockSize <= 0 {
		opt.BlockSize = defaultBlock
	}
	f := &Files{opt: opt, inputs: make([]capture.Input, len(names))}
	for i, name := range names {
		f.inputs[i].Name = name
		if st, err := os.Stat(name); name != StdinName && err == nil && st.Mode().IsRegular() {
			f.inputs[i].Size = st.Size()
		}
	}
	return f
}

// Inputs implements Source: all files, in the order they were named, whether they have been reached or not.
func (f *Files) Inputs() []capture.Input {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]capture.Input(nil), f.inputs...)
}

// Close implements Source. After it, Next gives io.EOF.
func (f *Files) Close() error {
	f.at = len(f.inputs)
	if f.cur != nil {
		f.cur.close()
		f.cur = nil
	}
	return nil
}

// Next implements Source. ctx is looked at once a block; a read that waits for a pipe is not interrupted.
func (f *Files) Next(ctx context.Context, b *capture.Block) error {
	b.Done()
	b.Packets = b.Packets[:0]
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.cur == nil && f.at == len(f.inputs) {
			return io.EOF
		}
		if f.cur == nil {
			f.open(ctx)
			continue
		}
		err := f.cur.block(b, f.opt.BlockSize)
		f.account()
		if err != nil {
			f.finish(ctx, err)
		}
		if len(b.Packets) > 0 {
			return nil
		}
	}
}

// account brings the Input of the file at hand up to date.
func (f *Files) account() {
	f.mu.Lock()
	defer f.mu.Unlock()
	in, r := &f.inputs[f.at], &f.cur.records
	in.Packets, in.Bytes, in.First, in.Last, in.Drops = r.frame, r.bytes, r.first, r.last, r.drops
	in.Untimed, in.Read = r.untimed, f.cur.disk.read
}

// open opens the next file, or gives it up.
func (f *Files) open(ctx context.Context) {
	c, err := f.start(f.inputs[f.at].Name)
	if err != nil {
		f.failed(&ReadError{Name: f.inputs[f.at].Name, Offset: -1, Err: openError(err)})
		f.at++
		return
	}
	f.cur = c
	f.mu.Lock()
	f.inputs[f.at].Size = c.disk.size
	f.mu.Unlock()
	if err := c.recognise(); err != nil {
		f.account()
		f.finish(ctx, err)
	}
}

func (f *Files) failed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inputs[f.at].Err = err
	var cut *CutShortError
	f.inputs[f.at].Truncated = errors.As(err, &cut)
}

// finish ends the file at hand, for the reason err (io.EOF: there is no more of it).
func (f *Files) finish(ctx context.Context, err error) {
	c := f.cur
	if err != io.EOF {
		f.failed(c.describe(f.inputs[f.at].Name, err))
	}
	if c.disk.sum != nil {
		sum := c.disk.hashRest(ctx)
		f.mu.Lock()
		f.inputs[f.at].SHA256, f.inputs[f.at].Read = sum, c.disk.read
		f.mu.Unlock()
	}
	c.close()
	f.cur, f.at = nil, f.at+1
}

// start opens a file by name.
func (f *Files) start(name string) (*openFile, error) {
	d := diskFile{r: f.opt.Stdin}
	if name != StdinName {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		d.r, d.close = file, file.Close
	} else if d.r == nil {
		return nil, errors.New("standard input is not at hand")
	}
	if err := d.look(); err != nil {
		d.done()
		return nil, err
	}
	if f.limit > 0 {
		d.r = io.LimitReader(d.r, f.limit)
	}
	if d.hashed(f.opt.HashUpTo) {
		d.sum = sha256.New()
	}
	c := &openFile{disk: d}
	c.records.input = int32(f.at)
	c.src = &c.disk
	return c, nil
}

// openError says in plain words why a file cannot be opened; the name stands before it.
func openError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noSuchFile{}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot be opened: %w", fs.ErrPermission)
	}
	return fmt.Errorf("cannot be opened: %w", err)
}

// noSuchFile is fs.ErrNotExist in plain words.
type noSuchFile struct{}

func (noSuchFile) Error() string { return "no such file" }
func (noSuchFile) Unwrap() error { return fs.ErrNotExist }

// diskFile reads a file as it lies on disk, counts and hashes it.
type diskFile struct {
	r       io.Reader
	close   func() error // nil for standard input, which belongs to the caller
	sum     hash.Hash    // nil: not asked for
	read    int64
	size    int64 // 0 where not known
	regular bool  // not a pipe or terminal: it can be read to its end without waiting
}

// look finds out what lies behind the name.
func (d *diskFile) look() error {
	file, ok := d.r.(*os.File)
	if !ok {
		return nil
	}
	st, err := file.Stat()
	if err != nil {
		return err
	}
	if st.IsDir() {
		return errors.New("it is a folder without capture files in it")
	}
	d.regular = st.Mode().IsRegular()
	if d.regular {
		d.size = st.Size()
	}
	return nil
}

// hashed says whether the file's hash is wanted where files of at most limit bytes are hashed.
func (d *diskFile) hashed(limit int64) bool {
	return limit == HashAll || d.regular && d.size <= limit && limit > 0
}

// done gives the file back.
func (d *diskFile) done() {
	if d.close != nil {
		_ = d.close() // it was only read
	}
}

// Read implements io.Reader.
func (d *diskFile) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if d.sum != nil {
		d.sum.Write(p[:n])
	}
	d.read += int64(n)
	return n, err
}

// hashRest gives the SHA-256 of the whole file, of which reading may have stopped early; "" where its end was not
// reached.
func (d *diskFile) hashRest(ctx context.Context) string {
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		_, err := d.Read(buf)
		if err == io.EOF {
			return hex.EncodeToString(d.sum.Sum(nil))
		}
		if err != nil || !d.regular {
			return ""
		}
	}
	return ""
}
