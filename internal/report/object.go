package report

import (
	"net/netip"
	"strconv"
	"time"
)

// mac returns a hardware address in canonical text.
func mac(m [6]byte) string { return string(appendMAC(nil, m)) }

func appendMAC(dst []byte, m [6]byte) []byte {
	for i, c := range m {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// object writes one JSON object, members in the order of the calls. Absent values are left out. It does what encoding/json would, but
// without reflection and without allocating: observe writes a line for every observation, millions in a capture.
type object struct {
	b     []byte // the caller's buffer, appended to
	first bool   // no member yet: the next needs no comma
}

// key writes a member's name. Names are constants of this package and need no escape.
func (w *object) key(k string) {
	if !w.first {
		w.b = append(w.b, ',')
	}
	w.first = false
	w.b = append(w.b, '"')
	w.b = append(w.b, k...)
	w.b = append(w.b, '"', ':')
}

func (w *object) text(k, v string) {
	if v != "" {
		w.string(k, v)
	}
}

// string writes a text that may be empty.
func (w *object) string(k, v string) {
	w.key(k)
	w.b = appendText(w.b, v)
}

func (w *object) num(k string, v int64) {
	w.key(k)
	w.b = strconv.AppendInt(w.b, v, 10)
}

func (w *object) flag(k string, v bool) {
	if v {
		w.key(k)
		w.b = append(w.b, "true"...)
	}
}

func (w *object) time(k string, t time.Time) {
	w.key(k)
	w.b = append(appendTime(append(w.b, '"'), t), '"')
}

func (w *object) mac(k string, m [6]byte) {
	w.key(k)
	w.b = append(appendMAC(append(w.b, '"'), m), '"')
}

// hex writes bytes after a prefix.
func (w *object) hex(k, prefix string, v ...byte) {
	w.key(k)
	w.b = append(append(w.b, '"'), prefix...)
	for _, c := range v {
		w.b = append(w.b, hexDigits[c>>4], hexDigits[c&15])
	}
	w.b = append(w.b, '"')
}

func (w *object) addr(k string, a netip.Addr) {
	if !a.IsValid() {
		return
	}
	w.key(k)
	w.b = append(w.b, '"')
	w.b = a.AppendTo(w.b)
	w.b = append(w.b, '"')
}

func (w *object) list(k string, v []string) {
	w.key(k)
	w.b = append(w.b, '[')
	for i, s := range v {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendText(w.b, s)
	}
	w.b = append(w.b, ']')
}

// objects writes a list of objects; nothing where there are none. An object passed by pointer to write would be allocated.
func objects[T any](w *object, k string, list []T, write func(object, *T) object) {
	if len(list) == 0 {
		return
	}
	w.key(k)
	for i := range list {
		in := write(object{b: append(w.b, "[,"[min(i, 1)], '{'), first: true}, &list[i])
		w.b = append(in.b, '}')
	}
	w.b = append(w.b, ']')
}

func (w *object) end() []byte { return append(w.b, '}', '\n') }
