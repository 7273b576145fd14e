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
	"avbeacon/internal/outbox"
	"avbeacon/internal/siem"
	"avbeacon/internal/store"
)

// storeAlone prints how fast alerts are stored without a sink, the memory of the process, and the time of a start.
func storeAlone(ctx context.Context, out io.Writer, work string, n int) error {
	before := resident()
	dir := filepath.Join(work, "alone")
	begin := time.Now()
	s, err := open(ctx, dir, n, nil)
	if err != nil {
		return err
	}
	opened, idle := time.Since(begin), resident()
	took, err := s.flow(ctx, n)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	loaded := resident()
	if err := s.Close(); err != nil {
		return err
	}
	begin = time.Now()
	if s, err = open(ctx, dir, n, nil); err != nil {
		return err
	}
	again := time.Since(begin)
	table(out, "store alone\t", []string{
		fmt.Sprintf("alerts/s, each transaction on the disk\t%.0f (%s)", rate(n, took.wall), took),

		fmt.Sprintf("first start\t%s", opened.Round(time.Millisecond)),
		fmt.Sprintf("start with that outbox\t%s", again.Round(time.Millisecond)),
		fmt.Sprintf("MiB of memory before, idle, after the load\t%s, %s, %s", before, idle, loaded),
	})
	return s.Close()
}

// resident returns the process's resident memory in MiB, as Linux counts it.
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

// stored is an open store with its outbox.
type stored struct {
	*store.Store
	out *outbox.Outbox
}

func open(ctx context.Context, dir string, n int, sink alert.Sink) (*stored, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := store.Open(filepath.Join(dir, "bench.db"), store.Options{Steady: true, Sensor: "tap01", Alerts: 1 << 30, Pending: n})
	if err != nil {
		return nil, err
	}
	x := &stored{s, outbox.New(s, outbox.Options{Drain: 10 * time.Minute})}
	if sink != nil {
		err = x.out.Attach(ctx, "bench", alert.Filter{}, 0, sink)
	}
	return x, err
}

// cost is the time and CPU that a flow of alerts took.
type cost struct{ wall, cpu time.Duration }

func (c cost) String() string {
	return fmt.Sprintf("%.2f s, %.2f s of the core", c.wall.Seconds(), c.cpu.Seconds())
}

// flow sends n alerts and waits until they are stored and the sink has them.
func (s *stored) flow(ctx context.Context, n int) (cost, error) {
	list := make([]*alert.Alert, n) // made before the time begins
	for i := range list {
		list[i] = sample(i)
	}
	delivery, endDelivery := context.WithCancel(ctx)
	writing, endWriting := context.WithCancel(ctx)
	defer endDelivery()
	defer endWriting()
	var ended, written sync.WaitGroup
	var failed, unwritten error
	begin, cpu := time.Now(), spent()
	ended.Go(func() { failed = s.out.Run(delivery) })
	written.Go(func() { unwritten = s.Run(writing, time.Second, nil) })
	for _, a := range list {
		s.KeepAlert(outbox.Send(a, begin))
	}
	endWriting()
	written.Wait()
	endDelivery() // Run ends when the sinks have caught up
	ended.Wait()
	return cost{time.Since(begin), spent() - cpu}, errors.Join(failed, unwritten)
}

// deliver measures one kind of delivery.
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
	s, err := open(ctx, filepath.Join(work, w.name), n, sink)
	if err != nil {
		return cost{}, err
	}
	took, err = s.flow(ctx, n)
	if err = errors.Join(err, s.Close()); err != nil {
		return cost{}, err
	}
	if got := r.count(n); got != n {
		return cost{}, fmt.Errorf("%d of %d alerts arrived", got, n)
	}
	return took, nil
}
