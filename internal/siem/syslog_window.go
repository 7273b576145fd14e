package siem

import "time"

// safeAfter is how long a receiver may take to work a message off. One that was sent longer ago than that over a
// connection that still stood is not sent again.
const safeAfter = time.Minute

// window keeps the latest messages that went over a connection without acknowledgements, in order.
type window struct {
	most int // messages
	sent []sent
}

// sent is a message as it went over the connection, and when.
type sent struct {
	frame []byte
	at    time.Time
}

func (w *window) len() int { return len(w.sent) }

// add takes over messages that were sent; the oldest beyond most go.
func (w *window) add(frames [][]byte, now time.Time) {
	frames = frames[max(0, len(frames)-w.most):]
	w.drop(len(w.sent) + len(frames) - w.most)
	for _, f := range frames {
		w.sent = append(w.sent, sent{f, now})
	}
}

// settle is told that the connection stands, and forgets what is safe by now.
func (w *window) settle(now time.Time) {
	n := 0
	for n < len(w.sent) && now.Sub(w.sent[n].at) > safeAfter {
		n++
	}
	w.drop(n)
}

// touch is told that all of it was sent once more.
func (w *window) touch(now time.Time) {
	for i := range w.sent {
		w.sent[i].at = now
	}
}

// drop forgets the oldest.
func (w *window) drop(n int) {
	if n <= 0 {
		return
	}
	left := copy(w.sent, w.sent[n:])
	clear(w.sent[left:])
	w.sent = w.sent[:left]
}

func (w *window) frames() [][]byte {
	frames := make([][]byte, 0, len(w.sent))
	for _, s := range w.sent {
		frames = append(frames, s.frame)
	}
	return frames
}
