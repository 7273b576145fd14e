package siem

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// mostTail bounds a cut line, in bytes: no encoder writes a longer one.
const mostTail = 1 << 20

var errForeign = errors.New("its end is no line of ours: move it away, or choose another name")

// repair makes a file end in a whole line. A line that was cut by a crash or a full disk has not been counted as delivered,
// so it is taken away, and its alert comes again. What does not begin as our lines do is left alone and is an error: it
// may be somebody else's file. It gives the file's size then and how many bytes it took.
func repair(f *os.File) (size, cut int64, err error) {
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		return 0, 0, err
	}
	size = st.Size()
	tail := make([]byte, min(size, mostTail))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, 0, err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	rest := tail[end:]
	if len(rest) == 0 {
		return size, 0, nil
	}
	if end == 0 && int64(len(tail)) < size || !beginsLine(rest) {
		return 0, 0, errForeign
	}
	cut = int64(len(rest))
	if err := f.Truncate(size - cut); err != nil {
		return 0, 0, err
	}
	return size - cut, cut, nil
}

// beginsLine says whether b may be the start of a line that an encoder wrote, or the zeros that some file systems leave in
// its place after a power failure.
func beginsLine(b []byte) bool {
	if len(bytes.Trim(b, "\x00")) == 0 {
		return true
	}
	for _, start := range []string{"{", "CEF:", "LEEF:", "<"} {
		n := min(len(start), len(b))
		if string(b[:n]) == start[:n] {
			return true
		}
	}
	return false
}
