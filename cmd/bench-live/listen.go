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

	"avbeacon/capture"
	"avbeacon/capture/live"
	"avbeacon/internal/config"
	"avbeacon/internal/daemon"
	"avbeacon/internal/measure"
	"avbeacon/internal/setting"
)

// heard is what a listener saw, and its CPU time.
type heard struct {
	Packets, Drops, Freezes uint64
	CPU                     time.Duration // used while listening
}

// listen runs a listener: it writes "ready" to stdout, listens until stdin ends, and writes what it saw.
func (s *settings) listen(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
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

// monitor runs what `avbeacon monitor -i INTERFACE` runs, without a store and without the metrics server. It reads from the
// daemon's log when listening begins and ends, and counts the CPU time in between.
func (s *settings) monitor(ctx context.Context, ready func()) (got heard, err error) {
	c := config.Default()
	c.Capture.Interfaces, c.Capture.Ring, c.Capture.Workers = []string{s.face}, setting.Size(s.ring), s.workers
	c.Listen.Address = ""
	log := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "message"}), logLines(func(b []byte) error {
		var line struct {
			Message          string
			Packets, Freezes uint64
			Drops            uint64 `json:"kernel_drops"`
		}
		err := json.Unmarshal(b, &line)
		switch line.Message {
		case daemon.Watching:
			got.CPU = -measure.CPUTime()
			ready()
		case daemon.Ended:
			got.CPU += measure.CPUTime()
		case daemon.CameIn:
			got.Packets, got.Drops, got.Freezes = line.Packets, line.Drops, line.Freezes
		}
		return err
	}), zapcore.InfoLevel)
	err = daemon.Run(ctx, daemon.Options{Config: c, Stdout: io.Discard, Log: zap.New(log)})
	return got, err
}

// logLines takes each line of a log.
type logLines func([]byte) error

func (f logLines) Write(b []byte) (int, error) { return len(b), f(b) }
func (f logLines) Sync() error                 { return nil }

// count is the yardstick, the least that listening costs: it touches each packet's addresses and releases its block.
func (s *settings) count(ctx context.Context, ready func()) (heard, error) {
	live, err := live.Open(live.Options{Interfaces: []string{s.face}, Promiscuous: true, RingSize: s.ring})
	if err != nil {
		return heard{}, err
	}
	defer live.Close()
	before := measure.CPUTime()
	ready()
	var mixed byte
	for b := (capture.Block{}); ; {
		if err := live.Next(ctx, &b); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return heard{}, err
		}
		for i := range b.Packets {
			if d := b.Packets[i].Data; len(d) > 33 {
				mixed ^= d[26] ^ d[30]
			}
		}
		if b.Release != nil { // a block without packets has none
			b.Release()
			b.Release = nil
		}
	}
	st := live.Stats()[0]
	return heard{Packets: st.Packets, Drops: st.Drops, Freezes: st.Freezes, CPU: measure.CPUTime() - before}, nil
}
