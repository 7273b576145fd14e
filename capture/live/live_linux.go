package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"avbeacon/capture"
)

// lookEvery is how often a silent Source says so, and how often interfaces are looked at unasked.
const lookEvery = time.Second

// Live is a Source over network interfaces: packets out as well as in, with the kernel's times in nanoseconds. Each
// interface has one ring, which one reader empties; workers get their packets by the hash of the innermost flow, as
// Observe deals them, so that both directions meet whatever tunnel they are in.
//
// A Block is a block of the ring, in place: Block.Release gives it back to the kernel. Packets of one interface are in
// their order; those of several are nearly so.
//
// After ctx is done no more packets are taken, and Next hands out those that were until then before it returns io.EOF. An
// interface that goes down or away is no error: see LiveOptions.Event.
//
// Next and Close are for one goroutine, and Close comes after all Blocks were released; Inputs and Stats may be called
// beside them.
type Source struct {
	opt      Options
	taps     []*tap
	links    *linkWatch
	wake     int // an eventfd that ends waiting
	fds      []unix.PollFd
	turn     int
	told     int64 // monotonic time of the last Block
	looked   int64 // monotonic time of the last look at the interfaces
	stopping bool  // ctx is done: what is in the rings is the end
	left     int   // blocks that may still be handed out; valid iff stopping
	closed   bool
}

// OpenLive begins to listen to network interfaces. All that needs privilege (CAP_NET_RAW) is done when it returns, so
// that the process may give it up.
func Open(opt Options) (*Source, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	l := &Source{opt: opt, wake: -1}
	if err := l.open(); err != nil {
		_ = l.Close() // the error that counts is err
		return nil, err
	}
	l.look()
	l.told = monotonic()
	return l, nil
}

func (l *Source) open() (err error) {
	if l.links, err = newLinkWatch(); err != nil {
		return err
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("make eventfd: %w", err)
	}
	for i, name := range l.opt.Interfaces {
		t, err := openTap(&l.opt, l.links, name, int32(i))
		if err != nil {
			return fmt.Errorf("interface %s: %w", name, plainly(err))
		}
		l.taps = append(l.taps, t)
	}
	return nil
}

// plainly says what to do about an error that everybody meets.
func plainly(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: listening needs root or CAP_NET_RAW", err)
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("there is none of this name: %w", err)
	case errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("%w: ask for a smaller ring", err)
	}
	return err
}

func clockTime(id int32) int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(id, &ts) // both clocks are always there
	return ts.Nano()
}

func monotonic() int64 { return clockTime(unix.CLOCK_MONOTONIC) }

// Next implements Source.
func (l *Source) Next(ctx context.Context, b *capture.Block) error {
	b.Packets = b.Packets[:0]
	for !l.closed {
		now := monotonic()
		if now-l.looked >= int64(lookEvery) {
			l.look()
		}
		if !l.stopping && ctx.Err() != nil {
			l.stop()
			l.told = now
		}
		if l.stopping && l.left <= 0 {
			return io.EOF
		}
		if l.read(b) {
			l.told = now
			return nil
		}
		silent := time.Duration(now - l.told)
		switch {
		case l.stopping && silent >= 2*l.opt.BlockTimeout+time.Millisecond: // the kernel has closed the last blocks
			return io.EOF
		case !l.stopping && silent >= lookEvery:
			l.told = now
			// A packet may wait in a block that is not yet full.
			b.Now = clockTime(unix.CLOCK_REALTIME) - int64(l.opt.BlockTimeout)
			return nil
		}
		if err := l.wait(ctx, lookEvery-silent); err != nil {
			return err
		}
	}
	return io.EOF
}

// stop lets no more packets in.
func (l *Source) stop() {
	l.stopping, l.left = true, 0
	for _, t := range l.taps {
		_ = t.ring.attach(dropAll()) // if not, left ends it
		l.left += len(t.ring.releases)
	}
}

// read gives the next block with packets of any interface. false: there is none now.
func (l *Source) read(b *capture.Block) bool {
	for range l.taps {
		t := l.taps[l.turn]
		l.turn = (l.turn + 1) % len(l.taps)
		for t.ring.ready() {
			l.left--
			if t.read(b) {
				return true
			}
		}
	}
	return false
}

// wait returns once there may be packets, something happened to an interface, ctx is done or time is over.
func (l *Source) wait(ctx context.Context, most time.Duration) error {
	if l.stopping {
		most = l.opt.BlockTimeout // ctx is done, and stays so
	} else {
		defer l.wakeAfter(ctx)()
	}
	l.fds = append(l.fds[:0], unix.PollFd{Fd: int32(l.links.news), Events: unix.POLLIN})
	if !l.stopping {
		l.fds = append(l.fds, unix.PollFd{Fd: int32(l.wake), Events: unix.POLLIN})
	}
	others := len(l.fds)
	for _, t := range l.taps {
		l.fds = append(l.fds, unix.PollFd{Fd: int32(t.ring.fd), Events: unix.POLLIN})
	}
	n, err := unix.Poll(l.fds, int(most.Milliseconds())+1)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for packets: %w", err)
	}
	if n <= 0 {
		return nil
	}
	if l.news() {
		l.look()
		return nil
	}
	if !l.anyReady() {
		// The kernel goes by the block before the one that it fills, which a worker may still have.
		_, _ = unix.Poll(l.fds[:others], 1)
	}
	return nil
}

// wakeAfter lets the end of ctx end waiting, until the function that it returns is called.
func (l *Source) wakeAfter(ctx context.Context) (stop func()) {
	written := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // it cannot be full
		close(written)
	})
	return func() {
		if !forget() {
			<-written
		}
	}
}

// news says whether what poll told is of interfaces.
func (l *Source) news() bool {
	happened := l.links.changed()
	for _, f := range l.fds {
		happened = happened || f.Revents&unix.POLLERR != 0
	}
	return happened
}

func (l *Source) anyReady() bool {
	for _, t := range l.taps {
		if t.ring.ready() {
			return true
		}
	}
	return false
}

// look finds out how the interfaces are, listens again to those that have come back and tells of what has changed.
func (l *Source) look() {
	l.looked = monotonic()
	for _, t := range l.taps {
		t.refresh()
		if e, changed := t.look(l.links); changed && l.opt.Event != nil {
			l.opt.Event(e)
		}
	}
}

// Inputs implements Source: one Input an interface.
func (l *Source) Inputs() []capture.Input {
	list := make([]capture.Input, len(l.taps))
	for i, t := range l.taps {
		s := t.refresh()
		list[i] = s.input()
	}
	return list
}

// Stats tells of every interface.
func (l *Source) Stats() []Stats {
	list := make([]Stats, len(l.taps))
	for i, t := range l.taps {
		list[i] = t.refresh()
	}
	return list
}

// Close implements Source. After it, Next gives io.EOF.
func (l *Source) Close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	for _, t := range l.taps {
		t.close()
	}
	if l.links != nil {
		l.links.close()
	}
	if l.wake >= 0 {
		_ = unix.Close(l.wake) // it holds nothing
	}
	return nil
}
