package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"avbeacon/capture"
	"avbeacon/capture/wire"
	"avbeacon/internal/policy"

	"github.com/stretchr/testify/require"
)

// One goroutine keeps, Run writes, retention cleans and readers read, all at once; nothing is lost and every reader sees
// whole transactions.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	name := tempFile(t)
	s := open(t, name, Options{})
	ran := make(chan error)
	go func() {
		ran <- s.Run(ctx, time.Millisecond, func(err error) { t.Error(err) })
	}()
	var wg sync.WaitGroup
	var stop atomic.Bool
	fails := make(chan error, 8)
	loop := func(do func() error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !stop.Load() {
				if err := do(); err != nil {
					fails <- err
					return
				}
			}
		}()
	}
	for range 2 {
		r := open(t, name, Options{ReadOnly: true})
		loop(func() error {
			list, err := r.Findings(ctx, nil)
			for _, k := range list {
				if len(k.Evidence) != 3 {
					err = errors.Join(err, fmt.Errorf("%s has %d pieces", k.ID, len(k.Evidence)))
				}
			}
			return err
		})
	}
	loop(func() error { _, err := s.Retain(ctx, Retention{Detail: oneDay}, now); return err })
	for i := range 3000 {
		f := finding("k"+strconv.Itoa(i%50), 3)
		f.Contacts = uint64(i/50 + 1)
		s.Keep(f, policy.Decision{})
	}
	stop.Store(true)
	wg.Wait()
	cancel()
	require.NoError(t, <-ran)
	close(fails)
	for err := range fails {
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	r := open(t, name, Options{ReadOnly: true})
	list, err := r.Findings(context.Background(), nil)
	require.NoError(t, err)
	require.Len(t, list, 50)
	for _, k := range list {
		require.EqualValues(t, 60, k.Contacts)
		hours, err := r.Hours(context.Background(), k.ID, time.Time{})
		require.NoError(t, err)
		require.Equal(t, []Hour{{now, 60, 0}}, hours)
	}
}

// rate is how many Observations of concern come in a second.
const rate = 10_000

// BenchmarkSecond is one second of a daemon's life: ten thousand Observations of concern from a thousand hosts, judged,
// reported, and written in one transaction, while two readers read whole pages of findings. It must take less than a second.
func BenchmarkSecond(b *testing.B) {
	cat, ctx := catalog(b), context.Background()
	name := tempFile(b)
	s := open(b, name, Options{})
	c, decide := classifier(b, cat, s.IDKey(), nil), judge(b)
	saver := c.NewSaver()
	at := now
	second := func(turn int) {
		for i := range rate {
			obs := hello(i%1000, turn*rate+i, at.Add(time.Duration(i)*time.Second/rate))
			c.Observe(obs)
			for f, more := c.Next(); more; f, more = c.Next() {
				s.Keep(f, decide(f))
			}
		}
		s.KeepMemory(saver.Changed(false), decide)
		require.NoError(b, s.Flush(ctx, at))
		at = at.Add(time.Second)
	}
	second(0)
	var stop atomic.Bool
	var pages atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		r := open(b, name, Options{ReadOnly: true})
		wg.Add(1)
		go func() {
			defer wg.Done()
			for ; !stop.Load(); time.Sleep(50 * time.Millisecond) {
				if _, err := r.Findings(ctx, cat); err != nil {
					b.Error(err)
				}
				pages.Add(1)
			}
		}()
	}
	turn := 1
	var worst time.Duration
	for b.Loop() {
		began := time.Now()
		second(turn)
		worst = max(worst, time.Since(began))
		turn++
	}
	stop.Store(true)
	wg.Wait()
	b.ReportMetric(rate*float64(b.N)/b.Elapsed().Seconds(), "observations/s")
	b.ReportMetric(float64(worst.Milliseconds()), "worst-ms")
	b.ReportMetric(float64(pages.Load())/b.Elapsed().Seconds(), "reads/s")
}

// hello is a host's n-th ClientHello to one of a vendor's names.
func hello(host, n int, at time.Time) *capture.Observation {
	src := capture.Host{Addr: addr(host + 1)}
	return &capture.Observation{Time: at, Frame: uint64(n + 1), Kind: capture.Hello, Proto: capture.TLS, Transport: capture.TCP, FromClient: true,
		Src: netip.AddrPortFrom(addr(host+1), uint16(1024+n%60000)), Dst: netip.MustParseAddrPort("203.0.113.9:443"), Host: src,
		Name: fmt.Sprintf("dnl-%02d.geo.kaspersky.com", n%16), Hello: &wire.ClientHello{}}
}
