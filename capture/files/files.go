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

// defaultBlock is the default of Options.BlockSize: it fits into a core's second cache.
const defaultBlock = 256 << 10

// fileHead is how many bytes are read to recognise a file: the longest header, pcap's, and some more.
const fileHead = 32

// StdinName is the name of standard input among inputs.
const StdinName = "-"

// HashAll is the Options.HashUpTo that asks for every hash.
const HashAll = math.MaxInt64

// Options says how files are read.
type Options struct {
	// Stdin is what the input "-" reads.
	Stdin io.Reader
	// HashUpTo asks for the SHA-256 of each file of at most so many bytes on disk: 0 for none, HashAll for all. It is
	// computed while reading and known at the file's end. At about 0.6 ns per byte (with the processor's SHA instructions)
	// it costs more than everything else done with bulk traffic. What has no size, such as a pipe, counts as larger.
	HashUpTo int64
	// BlockSize is how many bytes are read at once; 0 means 256 KiB. A longer record gets a longer Block, up to 16 MiB.
	BlockSize int
}

// Files is a Source over capture files, one after the other: pcap, pcapng and snoop, plain or in gzip or zstd, recognised
// by content. Each Block holds packets of one file. A file that cannot be read, or only in part, says so in its Input; the
// others are read all the same.
//
// Next and Close are for one goroutine; Inputs may be called from others at the same time.
type Files struct {
	opt   Options
	limit int64 // bytes to read of each file; 0 for all
	at    int   // index of cur, or of the file to open next
	cur   *openFile

	mu     sync.Mutex // guards inputs
	inputs []capture.Input
}

// Open makes a Source of files; "-" is standard input. Each file is opened only when its turn comes.
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

// Inputs implements Source: all files in the order given, whether they have been reached or not.
func (f *Files) Inputs() []capture.Input {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]capture.Input(nil), f.inputs...)
}

// Close implements Source. After it, Next returns io.EOF.
func (f *Files) Close() error {
	f.at = len(f.inputs)
	if f.cur != nil {
		f.cur.close()
		f.cur = nil
	}
	return nil
}

// Next implements Source. It checks ctx once per block; a read that waits for a pipe is not interrupted.
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

// account updates the Input of the current file.
func (f *Files) account() {
	f.mu.Lock()
	defer f.mu.Unlock()
	in, r := &f.inputs[f.at], &f.cur.records
	in.Packets, in.Bytes, in.First, in.Last, in.Drops = r.frame, r.bytes, r.first, r.last, r.drops
	in.Untimed, in.Read = r.untimed, f.cur.disk.read
}

// open opens the next file, or records why it cannot be read and continues with the next.
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

// finish ends the current file, because of err (io.EOF: it is at its end).
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
		return nil, errors.New("there is no standard input")
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

// openError explains, without the file's name, why a file cannot be opened.
func openError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noSuchFile{}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot be opened: %w", fs.ErrPermission)
	}
	return fmt.Errorf("cannot be opened: %w", err)
}

// noSuchFile is fs.ErrNotExist with a plainer text.
type noSuchFile struct{}

func (noSuchFile) Error() string { return "no such file" }
func (noSuchFile) Unwrap() error { return fs.ErrNotExist }

// diskFile reads a file as it is on disk, counts its bytes and hashes them.
type diskFile struct {
	r       io.Reader
	close   func() error // nil for standard input, which belongs to the caller
	sum     hash.Hash    // nil: not asked for
	read    int64
	size    int64 // 0 if unknown
	regular bool  // not a pipe or terminal: reading to the end does not wait for anybody
}

// look rejects folders and finds out whether the file is regular and how large it is.
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

// hashed reports whether the file's hash is wanted if files of up to limit bytes are hashed.
func (d *diskFile) hashed(limit int64) bool {
	return limit == HashAll || d.regular && d.size <= limit && limit > 0
}

// done closes the file.
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

// hashRest reads the rest of a file whose reading stopped early and returns the SHA-256 of all of it; "" if its end was not
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
