package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// buffer is what a test's logger writes to, from several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// take gives the lines that came since the last call.
func (b *buffer) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.TrimSuffix(b.b.String(), "\n")
	b.b.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func TestForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			format   string
			terminal bool
			want     string
		}{
			{"auto", true, `2000-01-01T00:00:00.000Z  WARN  spool  disk is full  {"free": 12, "error": "no \u001b[31mroom"}`},
			{"console", false, `2000-01-01T00:00:00.000Z  WARN  spool  disk is full  {"free": 12, "error": "no \u001b[31mroom"}`},
			{"auto", false, `{"level":"warn","time":"2000-01-01T00:00:00Z","logger":"spool","message":"disk is full","free":12,"error":"no \u001b[31mroom"}`},
			{"json", true, `{"level":"warn","time":"2000-01-01T00:00:00Z","logger":"spool","message":"disk is full","free":12,"error":"no \u001b[31mroom"}`},
		} {
			var out buffer
			log := New(Config{Level: "info", Format: c.format}, &out, c.terminal).Named("spool")
			log.Debug("not asked for")
			log.Warn("disk is full", zap.Int("free", 12), zap.Error(errors.New("no \x1b[31mroom")))
			require.Equal(t, []string{c.want}, out.take(), "%s, %v", c.format, c.terminal)
			require.NoError(t, log.Sync())
		}
	})
}

func TestLevels(t *testing.T) {
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1, "": 3, "loud": 3} {
		var out buffer
		log := New(Config{Level: level, Format: "json"}, &out, false)
		log.Debug("a")
		log.Info("b")
		log.Warn("c")
		log.Error("d")
		require.Len(t, out.take(), want, level)
		require.NoError(t, log.Sync())
	}
}

// field gives the value of a field of JSON lines.
func field(t *testing.T, line, name string) string {
	t.Helper()
	var all map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &all), line)
	if all[name] == nil {
		return ""
	}
	return fmt.Sprint(all[name])
}

func TestStormsAreFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		root := New(Config{Format: "json"}, &out, false)
		log := root.Named("capture").With(zap.String("interface", "eth0"), zap.Int("queue", 1))
		for i := range 100 {
			log.Warn("the ring is full", zap.Int("packet", i))
		}
		log.Info("the ring is full")
		log.With(zap.String("interface", "eth1")).Warn("the ring is full")
		lines := out.take()
		require.Len(t, lines, alike+2, "another level and another text are other kinds")
		require.Equal(t, "4", field(t, lines[4], "packet"))

		time.Sleep(interval + time.Second)
		synctest.Wait()
		lines = out.take()
		require.Len(t, lines, 1)
		for name, want := range map[string]string{"level": "warn", "logger": "capture", "message": "repeated lines were dropped", "repeated": "the ring is full",
			"times": "95", "within": "1m0s", "interface": "eth0", "queue": ""} {
			require.Equal(t, want, field(t, lines[0], name), name)
		}
		log.Warn("the ring is full")
		require.Len(t, out.take(), 1, "a new interval has begun")
		time.Sleep(2 * interval)
		synctest.Wait()
		require.Empty(t, out.take(), "nothing was left out")
	})
}

func TestStormsOfTheSameWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		log := New(Config{Format: "json"}, &out, false)
		for i := range 1000 {
			log.Error("an alert was lost", zap.String("id", fmt.Sprint(i)))
		}
		require.Len(t, out.take(), sameWords)
		require.NoError(t, log.Sync())
		lines := out.take()
		require.Len(t, lines, 1)
		require.Equal(t, "950", field(t, lines[0], "times"))
		require.Empty(t, field(t, lines[0], "id"))
	})
}

func TestKindsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		log := New(Config{Format: "json"}, &out, false)
		for i := range 10 * maxWindows {
			log.Info(fmt.Sprint("message ", i))
		}
		require.LessOrEqual(t, kinds(log), maxWindows+1)
		written := len(out.take())
		require.Equal(t, maxWindows/2+sameWords, written)
		time.Sleep(interval + time.Second)
		synctest.Wait()
		lines := out.take()
		require.Len(t, lines, 1)
		require.Equal(t, fmt.Sprint(10*maxWindows-written), field(t, lines[0], "times"))
		require.Empty(t, field(t, lines[0], "repeated"))
		require.Zero(t, kinds(log))
	})
}

// kinds is how many kinds of lines are counted apart now.
func kinds(log *zap.Logger) int {
	c := log.Core().(*fold).counts
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.windows)
}

func TestWhatEndsTheProgramIsWritten(t *testing.T) {
	var out buffer
	log := New(Config{Format: "json"}, &out, false)
	for range 20 {
		require.Panics(t, func() { log.Panic("this cannot be") })
	}
	require.Len(t, out.take(), 20)
	require.NoError(t, log.Sync())
}

func TestSideBySide(t *testing.T) {
	var out buffer
	log := New(Config{Format: "json"}, &out, false)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 1000 {
				log.Warn("the ring is full")
				_ = log.Sync()
			}
		})
	}
	group.Wait()
	require.NoError(t, log.Sync())
	total := 0
	for _, line := range out.take() {
		n := 1
		if field(t, line, "message") == "repeated lines were dropped" {
			_, err := fmt.Sscan(field(t, line, "times"), &n)
			require.NoError(t, err)
		}
		total += n
	}
	require.Equal(t, 4000, total, "every line was written or counted")
}
