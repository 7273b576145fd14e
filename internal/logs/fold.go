package logs

import (
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// fold is a Core that drops repeated lines in a storm. Its clones (With) share its counts.
type fold struct {
	zapcore.Core
	counts *counts
	texts  []zapcore.Field // text fields that every line of this clone has
}

func newFold(core zapcore.Core) *fold {
	return &fold{Core: core, counts: &counts{core: core, windows: map[string]*window{}}}
}

// With implements zapcore.Core.
func (f *fold) With(fields []zapcore.Field) zapcore.Core {
	return &fold{f.Core.With(fields), f.counts, appendTexts(f.texts[:len(f.texts):len(f.texts)], fields)}
}

// Check implements zapcore.Core.
func (f *fold) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if f.Enabled(e.Level) {
		return to.AddCore(e, f)
	}
	return to
}

// Write implements zapcore.Core. Entries that end the program are always written.
func (f *fold) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if e.Level >= zapcore.DPanicLevel || f.counts.pass(e, appendTexts(f.texts[:len(f.texts):len(f.texts)], fields)) {
		return f.Core.Write(e, fields)
	}
	return nil
}

// Sync implements zapcore.Core. It writes all counts that are due.
func (f *fold) Sync() error {
	f.counts.endAll()
	return f.Core.Sync()
}

// appendTexts appends the fields that distinguish kinds of lines: texts. Numbers, times and errors differ from line
// to line of a storm.
func appendTexts(list, fields []zapcore.Field) []zapcore.Field {
	for _, f := range fields {
		if f.Type == zapcore.StringType {
			list = append(list, f)
		}
	}
	return list
}

// counts counts the lines of each kind within its current interval.
type counts struct {
	core zapcore.Core // without the fields of clones

	mu      sync.Mutex
	windows map[string]*window // at most maxWindows, plus one for all further kinds
}

// window is an interval of one kind of lines. It begins with the first line and is forgotten at its end.
type window struct {
	limit, written int
	left           uint64          // lines dropped
	last           zapcore.Entry   // the last one dropped
	texts          []zapcore.Field // fields that all dropped lines have
	timer          *time.Timer
}

// pass counts a line and reports whether it is to be written.
func (c *counts) pass(e zapcore.Entry, texts []zapcore.Field) bool {
	words := e.Level.String() + "\x00" + e.LoggerName + "\x00" + e.Message
	c.mu.Lock()
	defer c.mu.Unlock()
	wide := c.window(words, nil, sameWords)
	if wide.full(e) {
		return false
	}
	var kind strings.Builder
	kind.WriteString(words + "\x01")
	for _, f := range texts {
		kind.WriteString("\x00" + f.Key + "\x00" + f.String)
	}
	narrow := c.window(kind.String(), texts, alike)
	if narrow.full(e) {
		return false
	}
	narrow.written++
	if wide != narrow {
		wide.written++
	}
	return true
}

// full reports whether the interval's quota is used up, and if so counts the line as dropped.
func (w *window) full(e zapcore.Entry) bool {
	if w.written < w.limit {
		return false
	}
	w.left++
	w.last = e
	return true
}

// others is the kind shared by all lines beyond maxWindows kinds.
const others = ""

// window returns the interval of a kind, opening it if necessary. If too many are open, all further kinds share one.
func (c *counts) window(kind string, texts []zapcore.Field, limit int) *window {
	w := c.windows[kind]
	if w == nil && len(c.windows) >= maxWindows {
		kind, texts, limit = others, nil, sameWords
		w = c.windows[kind]
	}
	if w == nil {
		w = &window{limit: limit, texts: texts}
		w.timer = time.AfterFunc(interval, func() { c.end(kind, w) })
		c.windows[kind] = w
	}
	return w
}

// end closes an interval and writes how many of its lines were dropped.
func (c *counts) end(kind string, w *window) {
	c.mu.Lock()
	if c.windows[kind] == w {
		delete(c.windows, kind)
	}
	left, last := w.left, w.last
	w.left = 0
	c.mu.Unlock()
	if left == 0 {
		return
	}
	last.Time = time.Now()
	message := zap.String("repeated", last.Message)
	if kind == others {
		message = zap.Skip()
	}
	fields := append([]zapcore.Field{message, zap.Uint64("times", left), zap.Duration("within", interval)}, w.texts...)
	last.Message = "repeated lines were dropped"
	_ = c.core.Write(last, fields) // nowhere to report that the log cannot be written
}

// endAll closes all intervals.
func (c *counts) endAll() {
	c.mu.Lock()
	open := make(map[string]*window, len(c.windows))
	for kind, w := range c.windows {
		open[kind] = w
	}
	c.mu.Unlock()
	for kind, w := range open {
		w.timer.Stop()
		c.end(kind, w)
	}
}
