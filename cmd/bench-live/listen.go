//go:build linux && (amd64 || arm64)

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"

	"avbeacon/capture"
	"avbeacon/internal/config"
	"avbeacon/internal/daemon"
)

// heard is what a listener saw and what it cost.
type heard struct {
	Packets, Drops, Freezes uint64
	CPU                     time.Duration // from the beginning of listening to its end
}

// listen plays a listener: it says that it is ready, listens until stdin ends and tells what it saw.
func (s *settings) listen(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // its end is the sign
		cancel()
	}()
	listen := s.monitor
	if s.role == "count" {
		listen = s.count
	}
	got, err := listen(ctx, func() { fmt.Fprintln(stdout, "ready") })
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(got)
}

// cpuTime is what this process has used, and the kernel for it.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // it is always told
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// monitor is `avbeacon monitor -i INTERFACE` without a store and without a server of metrics, but for the number of workers
// and the ring, which are the settings'. What it costs is counted from where it says that it watches to where the last packet
// was taken.
func (s *settings) monitor(ctx context.Context, ready func()) (got heard, err error) {
	c := config.Default()
	c.Capture.Interfaces, c.Capture.Ring, c.Capture.Workers = []string{s.face}, config.Size(s.ring), s.workers
	c.Listen.Address = ""
	log := ear{LevelEnabler: zapcore.InfoLevel, hear: func(message string, fields map[string]any) {
		switch message {
		case daemon.Watching:
			got.CPU = -cpuTime()
			ready()
		case daemon.Ended:
			got.CPU += cpuTime()
		case daemon.CameIn:
			got.Packets, got.Drops, got.Freezes = fields["packets"].(uint64), fields["kernel_drops"].(uint64), fields["freezes"].(uint64)
		}
	}}
	err = daemon.Run(ctx, daemon.Options{Config: c, Stdout: io.Discard, Log: zap.New(&log)})
	return got, err
}

// ear hears what the daemon's log says.
type ear struct {
	zapcore.LevelEnabler
	hear func(message string, fields map[string]any)
}

// With implements zapcore.Core.
func (e *ear) With([]zapcore.Field) zapcore.Core { return e }

// Check implements zapcore.Core.
func (e *ear) Check(line zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if e.Enabled(line.Level) {
		return to.AddCore(line, e)
	}
	return to
}

// Write implements zapcore.Core.
func (e *ear) Write(line zapcore.Entry, fields []zapcore.Field) error {
	m := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(m)
	}
	e.hear(line.Message, m.Fields)
	return nil
}

// Sync implements zapcore.Core.
func (e *ear) Sync() error { return nil }

// count touches each packet's addresses and gives its block back: the least that listening costs.
func (s *settings) count(ctx context.Context, ready func()) (heard, error) {
	live, err := capture.OpenLive(capture.LiveOptions{Interfaces: []string{s.face}, Promiscuous: true, RingSize: s.ring})
	if err != nil {
		return heard{}, err
	}
	defer live.Close()
	before := cpuTime()
	ready()
	if err := touch(ctx, live); err != nil {
		return heard{}, err
	}
	st := live.Stats()[0]
	return heard{Packets: st.Packets, Drops: st.Drops, Freezes: st.Freezes, CPU: cpuTime() - before}, nil
}

func touch(ctx context.Context, src capture.Source) error {
	var mixed byte
	var b capture.Block
	for {
		err := src.Next(ctx, &b)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range b.Packets {
			if d := b.Packets[i].Data; len(d) > 33 {
				mixed ^= d[26] ^ d[30]
			}
		}
		if b.Release != nil {
			b.Release()
			b.Release = nil
		}
	}
}
