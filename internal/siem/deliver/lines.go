package deliver

import (
	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
)

// lines turns batches into text of one line an alert.
type lines struct {
	enc  format.Encoder
	text []byte // kept for its memory
	ends []int  // where in text the line of each alert ends; a rejected one has none, and ends where the one before does
}

// encode returns the text of a batch, valid until the next call. An alert that cannot be written in this format is rejected.
func (l *lines) encode(batch []*alert.Alert) ([]byte, []alert.Rejection) {
	var rejected []alert.Rejection
	l.text, l.ends = l.text[:0], l.ends[:0]
	for i, a := range batch {
		longer, err := l.enc.Append(l.text, a)
		if err != nil {
			rejected = append(rejected, reject(i, err.Error()))
		} else {
			l.text = append(longer, '\n')
		}
		l.ends = append(l.ends, len(l.text))
	}
	return l.text, rejected
}

// whole says how many alerts from the front are complete in the first n bytes of the text.
func (l *lines) whole(n int) int {
	done := 0
	for done < len(l.ends) && l.ends[done] <= n {
		done++
	}
	return done
}

// before returns the rejections of the first n alerts of a batch.
func before(n int, rejected []alert.Rejection) []alert.Rejection {
	for i, r := range rejected {
		if r.Index >= n {
			return rejected[:i]
		}
	}
	return rejected
}
