//go:build linux && (amd64 || arm64)

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"avbeacon/capture"
	"avbeacon/classify"
	"avbeacon/feeds"
	"avbeacon/internal/hosts"
	"avbeacon/internal/names"
	"avbeacon/internal/pipeline"
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
	use, err := s.user()
	if err != nil {
		return err
	}
	live, err := capture.OpenLive(capture.LiveOptions{Interfaces: []string{s.face}, Promiscuous: true, RingSize: s.ring, BlockSize: s.block})
	if err != nil {
		return err
	}
	defer live.Close()
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // its end is the sign
		cancel()
	}()
	before := cpuTime()
	fmt.Fprintln(stdout, "ready")
	if err := use(ctx, live); err != nil {
		return err
	}
	st := live.Stats()[0]
	return json.NewEncoder(stdout).Encode(heard{Packets: st.Packets, Drops: st.Drops, Freezes: st.Freezes, CPU: cpuTime() - before})
}

// cpuTime is what this process has used, and the kernel for it.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // it is always told
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// user gives what is done with the packets.
func (s *settings) user() (func(context.Context, capture.Source) error, error) {
	if s.role == "count" {
		return count, nil
	}
	catalog, err := feeds.Embedded()
	if err != nil {
		return nil, err
	}
	places, err := feeds.OpenPlaces(nil, true)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, src capture.Source) error {
		defer places.Close()
		p := pipeline.Pipeline{
			Source: src,
			Capture: capture.Options{
				Workers:  s.workers,
				Observer: capture.ObserverOptions{Interest: catalog, Headers: catalog.HeaderNames()},
			},
			Hosts: hosts.New(hosts.Options{}), Names: names.New(names.Options{Interest: catalog}), Catalog: catalog,
			Classifier: classify.New(classify.Options{Catalog: catalog, Locate: classify.Placer(places)}),
		}
		_, err := p.Run(ctx)
		return err
	}, nil
}

// count touches each packet's addresses and gives its block back: the least that listening costs.
func count(ctx context.Context, src capture.Source) error {
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
