package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"avbeacon/capture"
)

// WatchOptions says how Watch follows its folder. A zero field takes its default.
type WatchOptions struct {
	// Every is how often the folder is listed; default 1 s.
	Every time.Duration
	// BlockSize is how many bytes are read at once; 0 means 256 KiB.
	BlockSize int
	// Event, if not nil, gets each change of a file's state. The goroutine that calls Next calls it.
	Event func(WatchEvent)
}

// WatchState is what became of a file.
type WatchState uint8

// What becomes of files.
const (
	WatchOpened   WatchState = iota + 1 // reading begins
	WatchFinished                       // it was read to its end
	WatchBroken                         // it could not be read, or only in part: WatchEvent.Err says why
	WatchVanished                       // it disappeared before it could be read
	WatchSkipped                        // it is not a capture
)

// String returns the state as a constant message for logs.
func (s WatchState) String() string {
	switch s {
	case WatchOpened:
		return "capture file is being read"
	case WatchFinished:
		return "capture file was read to its end"
	case WatchBroken:
		return "capture file cannot be read further"
	case WatchVanished:
		return "capture file vanished before it was read"
	case WatchSkipped:
		return "file is not a capture"
	}
	return "capture file state is unknown"
}

// WatchEvent is a change of one file's state.
type WatchEvent struct {
	File  string // path
	State WatchState
	Err   error // valid iff State is WatchBroken or WatchSkipped
}

// WatchStats counts files, and says which one is being read.
type WatchStats struct {
	Current                             string // file that is being read; "" between two
	Waiting                             int    // files that are to be read
	Finished, Broken, Vanished, Skipped uint64
}

// Folder is a Source over a folder that a rotating capture writes into. Files are read in the order of their first packets.
// The last file is followed while it grows; it is left when there is a later one and it has not grown for one more look. A
// record that is half written waits for its other half. Files in gzip or zstd are read once they have not changed between
// two looks; one that has the name of a file already read plus .gz or the like is its packed copy and is left out.
//
// A file that is replaced under its name, as tcpdump -W does, is read again from its beginning (if it is replaced while it
// is followed, it counts as broken first, and its last packets may be lost). One that grows again later is read on. One
// that is renamed is not read again.
//
// The folder is listed once a second, because network file systems send no notices of changes. While nothing arrives the
// packet clock continues from the last packet by the time that has passed, so that a recording that is fed in late has its
// own time.
//
// All files are one Input with the folder's name. After ctx is done, Next hands out the rest of the current file and
// returns io.EOF. Next and Close are for one goroutine; Inputs and Stats may be called from others at the same time.
type Folder struct {
	dir     string
	opt     WatchOptions
	files   map[string]*watchedFile // by name in the folder
	cur     *watchedFile
	file    *openFile // of cur
	tail    *tailReader
	skip    uint64 // packets of cur that were handed out before
	base    uint64 // packets of the files before cur
	counted int64  // bytes of cur that are in input.Read
	idle    int    // looks since the last packet
	ending  bool
	closed  bool

	sums fileRecords // of all files; packets is nil

	mu    sync.Mutex // guards what follows
	input capture.Input
	stats WatchStats
}

// Watch makes a Source of a folder, which must exist.
func Watch(dir string, opt WatchOptions) (*Folder, error) {
	if opt.Every <= 0 {
		opt.Every = time.Second
	}
	if opt.BlockSize <= 0 {
		opt.BlockSize = defaultBlock
	}
	st, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, openError(err))
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("folder %s: it is a file", dir)
	}
	return &Folder{dir: dir, opt: opt, files: map[string]*watchedFile{}, input: capture.Input{Name: dir}}, nil
}

// Next implements Source.
func (f *Folder) Next(ctx context.Context, b *capture.Block) error {
	b.Packets = b.Packets[:0]
	for !f.closed {
		f.ending = f.ending || ctx.Err() != nil
		if f.advance(b) {
			if len(b.Packets) > 0 {
				f.idle = 0
				return nil
			}
			continue
		}
		if f.ending {
			break
		}
		if f.wait(ctx) && f.silent() {
			b.Now = f.now()
			return nil
		}
	}
	if f.file != nil {
		f.finish(io.EOF)
	}
	return io.EOF
}

// advance does the next piece of reading. It returns false if there is nothing to read now.
func (f *Folder) advance(b *capture.Block) bool {
	if f.file == nil {
		return !f.ending && f.begin()
	}
	return f.read(b)
}

// wait waits until the next look. It returns false if ctx ended it.
func (f *Folder) wait(ctx context.Context) bool {
	pause, cancel := context.WithTimeout(ctx, f.opt.Every)
	defer cancel()
	<-pause.Done()
	f.idle++
	return ctx.Err() == nil
}

// silent lists the folder and reports whether there is nothing to read.
func (f *Folder) silent() bool {
	f.scan()
	if f.file == nil {
		return f.ready() == 0
	}
	if f.tail.replaced() {
		f.finish(errReplaced)
		f.scan()
		return f.ready() == 0
	}
	if size := f.tail.size(); size > f.file.disk.read {
		return false
	} else if size < f.file.disk.read || f.cur.gone || f.ready() > 0 {
		f.tail.finished = true // the next read finds the file's true end
		return false
	}
	return true
}

// now is the packet clock while nothing arrives.
func (f *Folder) now() int64 {
	if f.sums.frame == 0 {
		return 0
	}
	return f.sums.last + int64(f.idle)*int64(f.opt.Every)
}

// begin opens the next file. It returns false if there is none now.
func (f *Folder) begin() bool {
	if f.ready() <= 1 { // it may be the last, which is followed
		f.scan()
	}
	w := f.next()
	if w == nil {
		return false
	}
	file, err := os.Open(w.path)
	if errors.Is(err, os.ErrNotExist) {
		delete(f.files, w.name)
		f.tell(WatchEvent{File: w.path, State: WatchVanished})
		return true
	}
	if err != nil {
		w.state, w.damaged = watchDone, true
		f.tell(WatchEvent{File: w.path, State: WatchBroken, Err: &ReadError{Name: w.path, Offset: -1, Err: openError(err)}})
		return true
	}
	f.cur, w.state, f.skip, f.base, f.counted = w, watchOpen, w.seen, f.sums.frame, 0
	f.tail = &tailReader{file: file, finished: w.packed || f.ready() > 0}
	f.file = &openFile{disk: diskFile{r: f.tail, close: file.Close, regular: true}}
	f.file.src = &f.file.disk
	f.countWaiting()
	f.tell(WatchEvent{File: w.path, State: WatchOpened})
	if err := f.file.recognise(); err != nil {
		f.finish(err)
	}
	return true
}

// read reads packets of the current file into b, and closes the file at its end. It returns false if there are no more now.
func (f *Folder) read(b *capture.Block) bool {
	c := f.file
	c.records = f.sums
	err := c.block(b, f.opt.BlockSize)
	f.leaveOut(b)
	f.mu.Lock()
	f.sums = c.records
	f.input.Read += c.disk.read - f.counted
	f.counted = c.disk.read
	in, r := &f.input, &f.sums
	in.Packets, in.Bytes, in.First, in.Last, in.Drops, in.Untimed = r.frame, r.bytes, r.first, r.last, r.drops, r.untimed
	f.mu.Unlock()
	if errors.Is(err, errGrowing) {
		c.ended, c.offset = nil, c.offset-int64(len(c.rest)) // the rest waits for more
		return len(b.Packets) > 0
	}
	if err != nil {
		f.finish(err)
	}
	return true
}

// leaveOut removes packets that were handed out when the file was read before.
func (f *Folder) leaveOut(b *capture.Block) {
	n := int(min(f.skip, uint64(len(b.Packets))))
	if n == 0 {
		return
	}
	r := &f.file.records
	for _, p := range b.Packets[:n] {
		r.bytes -= uint64(len(p.Data))
	}
	r.frame -= uint64(n)
	f.skip -= uint64(n)
	b.Packets = b.Packets[:copy(b.Packets, b.Packets[n:])]
	for i := range b.Packets {
		b.Packets[i].Frame -= uint64(n)
	}
}

// finish closes the current file, because of err (io.EOF: it is at its end).
func (f *Folder) finish(err error) {
	w, c := f.cur, f.file
	own := w.seen + f.sums.frame - f.base
	e := WatchEvent{File: w.path, State: WatchFinished}
	if err != io.EOF {
		e.State, e.Err = WatchBroken, f.describe(err, own)
		if errors.Is(err, errNotCapture) || errors.Is(err, errEmptyFile) {
			e.State = WatchSkipped
		}
	}
	w.finish(c, f.tail, own, err)
	c.close()
	f.cur, f.file, f.tail, f.skip = nil, nil, nil, 0
	f.tell(e)
}

func (f *Folder) describe(err error, packets uint64) error {
	f.file.records.frame = packets
	return f.file.describe(f.cur.path, err)
}

// tell counts a change of state and passes it on to Event.
func (f *Folder) tell(e WatchEvent) {
	f.mu.Lock()
	f.stats.Current = ""
	switch e.State {
	case WatchOpened:
		f.stats.Current = e.File
	case WatchFinished:
		f.stats.Finished++
	case WatchBroken:
		f.stats.Broken++
	case WatchVanished:
		f.stats.Vanished++
	case WatchSkipped:
		f.stats.Skipped++
	}
	f.mu.Unlock()
	if f.opt.Event != nil {
		f.opt.Event(e)
	}
}

// Inputs implements Source.
func (f *Folder) Inputs() []capture.Input {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []capture.Input{f.input}
}

// Stats returns the counters of files.
func (f *Folder) Stats() WatchStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// Close implements Source. After it, Next returns io.EOF.
func (f *Folder) Close() error {
	f.closed = true
	if f.file != nil {
		f.file.close()
		f.file = nil
	}
	return nil
}
