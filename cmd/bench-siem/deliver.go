package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/siem"
	"avbeacon/internal/spool"
)

// spoolAlone prints how fast alerts are stored without a sink, how large the process is, and how long a start takes.
func spoolAlone(ctx context.Context, out io.Writer, work string, n int) error {
	before := resident()
	dir := filepath.Join(work, "alone")
	begin := time.Now()
	s, err := open(dir, n, nil)
	if err != nil {
		return err
	}
	opened, idle := time.Since(begin), resident()
	took, err := flow(ctx, s, n)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	loaded, st := resident(), s.Stats()
	if err := s.Close(); err != nil {
		return err
	}
	begin = time.Now()
	if s, err = open(dir, n, nil); err != nil {
		return err
	}
	again := time.Since(begin)
	table(out, "spool alone\t", []string{
		fmt.Sprintf("alerts/s, each message on the disk\t%.0f (%s)", rate(n, took.wall), took),
		fmt.Sprintf("alerts a message\t%.0f", float64(n)/float64(max(1, st.Messages))),
		fmt.Sprintf("MiB in the stream\t%.1f", float64(st.Bytes)/(1<<20)),
		fmt.Sprintf("first start\t%s", opened.Round(time.Millisecond)),
		fmt.Sprintf("start with that stream\t%s", again.Round(time.Millisecond)),
		fmt.Sprintf("MiB of memory before, idle, after the load\t%s, %s, %s", before, idle, loaded),
	})
	return s.Close()
}

// resident is the process's memory in MiB as Linux counts it.
func resident() string {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "?"
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest + " ?")[0])
	if err != nil {
		return "?"
	}
	return strconv.Itoa(kib >> 10)
}

func open(dir string, n int, sink alert.Sink) (*spool.Spool, error) {
	s, err := spool.Open(config.Spool{Dir: dir, Size: 1 << 30, Pending: n}, spool.Options{Sensor: "tap01", Drain: 10 * time.Minute})
	if err == nil && sink != nil {
		err = s.Attach("bench", alert.Filter{}, 0, sink)
	}
	return s, err
}

// cost is what a flow took.
type cost struct{ wall, cpu time.Duration }

func (c cost) String() string {
	return fmt.Sprintf("%.2f s, %.2f s of the core", c.wall.Seconds(), c.cpu.Seconds())
}

// flow offers n alerts and waits until they are stored and every sink has them.
func flow(ctx context.Context, s *spool.Spool, n int) (cost, error) {
	list := make([]*alert.Alert, n) // made before the time begins
	for i := range list {
		list[i] = sample(i)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var ended sync.WaitGroup
	var failed error
	begin, cpu := time.Now(), spent()
	ended.Go(func() { failed = s.Run(ctx) })
	for _, a := range list {
		if !s.Offer(a) {
			return cost{}, errors.New("an alert was dropped")
		}
	}
	cancel() // Run ends when the sinks have caught up
	ended.Wait()
	return cost{time.Since(begin), spent() - cpu}, failed
}

// deliver measures one way.
func deliver(ctx context.Context, w way, work string, n int) (took cost, err error) {
	r, err := w.receiver(&w.sink, work)
	if err != nil {
		return cost{}, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	w.sink.Name = "bench"
	sink, err := siem.Open(w.sink, siem.Options{Hostname: "sensor", Version: "0.4.0"})
	if err != nil {
		return cost{}, err
	}
	s, err := open(filepath.Join(work, w.name), n, sink)
	if err != nil {
		return cost{}, err
	}
	took, err = flow(ctx, s, n)
	if err = errors.Join(err, s.Close()); err != nil {
		return cost{}, err
	}
	if got := r.count(n); got != n {
		return cost{}, fmt.Errorf("%d of %d alerts arrived", got, n)
	}
	return took, nil
}
