package files

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// errGrowing: the file has no more bytes now.
var errGrowing = errors.New("the file may still grow")

// errReplaced: the file was overwritten from its beginning while it was followed. A ring of files goes round faster than it
// is read.
var errReplaced = errors.New("it was overwritten while it was read; its last packets may be lost")

// tailReader reads a file that may still grow.
type tailReader struct {
	file     *os.File
	finished bool   // it does not grow any more: its end is final
	head     []byte // its first bytes, up to headLimit
}

// Read implements io.Reader. At the end of a file that may still grow it returns errGrowing.
func (r *tailReader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.head = append(r.head, p[:min(n, headLimit-len(r.head))]...)
	if err == io.EOF && !r.finished {
		err = errGrowing
	}
	return n, err
}

// replaced reports whether the file begins with other bytes than were read from it.
func (r *tailReader) replaced() bool {
	b := make([]byte, len(r.head))
	n, err := r.file.ReadAt(b, 0)
	return (err == nil || err == io.EOF) && !bytes.Equal(b[:n], r.head)
}

func (r *tailReader) size() int64 {
	st, err := r.file.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}

// watchPlace is how far the reading of a file is.
type watchPlace uint8

const (
	watchWaiting watchPlace = iota
	watchOpen
	watchDone // read, or not to be read
)

// watchedFile is what is known about a file as long as it is in the folder.
type watchedFile struct {
	name, path string
	state      watchPlace
	info       os.FileInfo // at the last look
	ready      bool        // it may be opened; valid iff state is watchWaiting
	packed     bool        // compressed
	other      bool        // not a capture
	first      int64       // time of its first packet, lastPlace if there is none yet
	gone       bool        // no longer in the folder; valid iff state is watchOpen
	size       int64       // bytes read; valid iff state is watchDone
	seen       uint64      // packets handed out of it
	damaged    bool        // nothing after what was read can be used
	head       [sha256.Size]byte
	headSize   int64 // bytes that head is the hash of
}

// headLimit is how many bytes of a file's beginning identify it among files of the same name: enough for the longest
// headers and the first packet's time.
const headLimit = 512

// finish records how far the file was read.
func (w *watchedFile) finish(f *openFile, r *tailReader, packets uint64, err error) {
	var cut cutError
	w.state, w.size, w.seen = watchDone, f.disk.read, packets
	w.damaged = err != io.EOF && !errors.As(err, &cut)
	w.head, w.headSize = sha256.Sum256(r.head), int64(len(r.head))
}

// headOf hashes a file's first n bytes.
func headOf(path string, n int64) (sum [sha256.Size]byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer file.Close()
	b := make([]byte, n)
	if _, err := io.ReadFull(file, b); err != nil {
		return sum, err
	}
	return sha256.Sum256(b), nil
}

// scan lists the folder and updates what is known about its files.
func (f *Folder) scan() {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return // it may come back; what is known stays
	}
	there := make(map[string]os.FileInfo, len(entries))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && !hidden(e.Name()) {
			there[e.Name()] = info
		}
	}
	f.rename(there)
	for name, info := range there {
		f.lookAt(name, info)
	}
	for _, w := range f.files {
		f.leavePacked(w)
	}
	for name, w := range f.files {
		if there[name] == nil {
			f.forget(w, there)
		}
	}
	f.countWaiting()
}

func (f *Folder) countWaiting() {
	n := f.ready()
	f.mu.Lock()
	f.stats.Waiting = n
	f.mu.Unlock()
}

// rename follows files to their new names, so that they are not read again.
func (f *Folder) rename(there map[string]os.FileInfo) {
	for old, w := range f.files {
		if now := there[old]; w.state == watchWaiting || now != nil && os.SameFile(w.info, now) {
			continue
		}
		for name, info := range there {
			known := f.files[name]
			if os.SameFile(w.info, info) && (known == nil || !os.SameFile(known.info, info)) && w.is(filepath.Join(f.dir, name)) {
				delete(f.files, old)
				w.name, w.path = name, filepath.Join(f.dir, name)
				f.files[name] = w
				break
			}
		}
	}
}

// is reports whether the file at path is the one that was read, rather than a new one with the same inode. A file that is
// still open cannot have been replaced.
func (w *watchedFile) is(path string) bool {
	sum, err := headOf(path, w.headSize)
	return w.state == watchOpen || err == nil && sum == w.head
}

// lookAt decides what to do with a file.
func (f *Folder) lookAt(name string, info os.FileInfo) {
	w := f.files[name]
	if w == nil {
		w = &watchedFile{name: name, path: filepath.Join(f.dir, name)}
		f.files[name] = w
	}
	was := w.info
	same := was != nil && os.SameFile(was, info)
	still := same && was.Size() == info.Size() && was.ModTime().Equal(info.ModTime())
	if w.state == watchOpen {
		w.gone = !same
		return
	}
	w.info = info
	switch {
	case w.state == watchWaiting && still && w.ready:
		return
	case w.state == watchDone && still && (w.other || w.damaged || w.packed || info.Size() == w.size):
		return
	case w.state == watchDone:
		w.again(same)
	}
	w.peek(f, still)
}

// again queues a file that was read and may have changed: to be read on, or from the beginning if it is another one.
func (w *watchedFile) again(same bool) {
	known := same && w.is(w.path)
	if known && (w.info.Size() <= w.size || w.damaged) {
		return
	}
	if !known {
		w.seen, w.damaged, w.size = 0, false, 0
	}
	w.state, w.ready = watchWaiting, false
}

// peek finds out whether a waiting file can be read.
func (w *watchedFile) peek(f *Folder, still bool) {
	if w.state != watchWaiting || w.info.Size() < fileHead {
		return
	}
	first, packed, err := peekFile(w.path)
	if other := errors.Is(err, errNotCapture); other != w.other || other {
		if other && !w.other {
			f.tell(WatchEvent{File: w.path, State: WatchSkipped, Err: err})
		}
		w.other = other
	}
	if w.other {
		w.state = watchDone
		return
	}
	w.first, w.packed, w.ready = first, packed, !packed || still
}

// peekFile returns the time of a file's first packet and whether the file is compressed.
func peekFile(path string) (first int64, packed bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return lastPlace, false, err
	}
	head, _ := readHead(file)
	_ = file.Close() // it was only read
	packed = unpacker(head, false) != nil
	first, err = firstTime(path)
	return first, packed, err
}

// leavePacked skips a file that is the packed copy of another one, if that one is read.
func (f *Folder) leavePacked(w *watchedFile) {
	if w.state != watchWaiting {
		return
	}
	for _, ending := range []string{".gz", ".zst", ".zstd"} {
		plain, packed := strings.CutSuffix(w.name, ending)
		if from := f.files[plain]; packed && from != nil && !from.other && from.state != watchWaiting {
			w.state, w.size, w.damaged = watchDone, w.info.Size(), true // of no use
		}
	}
}

// forget drops a file that is no longer in the folder.
func (f *Folder) forget(w *watchedFile, there map[string]os.FileInfo) {
	if w.state == watchOpen {
		w.gone = true
		return
	}
	delete(f.files, w.name)
	packed := there[w.name+".gz"] != nil || there[w.name+".zst"] != nil || there[w.name+".zstd"] != nil
	if w.state == watchWaiting && w.info.Size() >= fileHead && !packed {
		f.tell(WatchEvent{File: w.path, State: WatchVanished})
	}
}

// ready counts the files that may be opened.
func (f *Folder) ready() int {
	n := 0
	for _, w := range f.files {
		if w.state == watchWaiting && w.ready {
			n++
		}
	}
	return n
}

// next returns the file to open next: the one with the oldest first packet, then by modification time and name.
func (f *Folder) next() *watchedFile {
	var best *watchedFile
	for _, w := range f.files {
		if w.state == watchWaiting && w.ready && (best == nil || w.before(best)) {
			best = w
		}
	}
	return best
}

func (w *watchedFile) before(o *watchedFile) bool {
	if w.first != o.first {
		return w.first < o.first
	}
	if a, b := w.info.ModTime().Truncate(time.Second), o.info.ModTime().Truncate(time.Second); !a.Equal(b) {
		return a.Before(b)
	}
	return w.name < o.name
}
