package spool

import (
	"fmt"
	"sync"

	"go.uber.org/zap"
)

// serverLog hands what the embedded server says to the log: warnings and worse as warnings, the rest not at all.
type serverLog struct {
	log *zap.Logger

	mu   sync.Mutex
	said string
}

func (l *serverLog) say(format string, v []any) {
	text := fmt.Sprintf(format, v...)
	l.mu.Lock()
	l.said = text
	l.mu.Unlock()
	l.log.Warn("the embedded server says", zap.String("text", text))
}

// last is what it said last.
func (l *serverLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said == "" {
		return "it is not ready in time"
	}
	return l.said
}

func (l *serverLog) Warnf(format string, v ...any)  { l.say(format, v) }
func (l *serverLog) Errorf(format string, v ...any) { l.say(format, v) }
func (l *serverLog) Fatalf(format string, v ...any) { l.say(format, v) }
func (l *serverLog) Noticef(string, ...any)         {}
func (l *serverLog) Debugf(string, ...any)          {}
func (l *serverLog) Tracef(string, ...any)          {}
