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

// lookEvery is how often a silent Source returns an empty Block, and how often the interfaces are checked.
const lookEvery = time.Second

// Source takes packets from network interfaces, out as well as in, with the kernel's times in nanoseconds. Each interface
// has one ring, which one reader empties. Workers get packets by the hash of the innermost flow (see observe.Run), so that
// both directions of a flow meet whatever tunnel they are in; the kernel's own fan-out would hash the outermost flow.
//
// A Block is a block of the ring, in place: Block.Release gives it back to the kernel. Packets of one interface are in
// order; those of several are nearly so.
//
// After ctx is done no more packets are taken, and Next hands out those taken before, then returns io.EOF. An interface
// that goes down or disappears is no error: see Options.Event.
//
// Next and Close are for one goroutine, and Close must come after all Blocks were released. Inputs and Stats may be called
// from others at the same time.
type Source struct {
	opt      Options
	taps     []*tap
	links    *linkWatch
	wake     int // an eventfd that ends waiting
	fds      []unix.PollFd
	turn     int
	last     int64 // monotonic time of the last Block
	looked   int64 // monotonic time of the last look at the interfaces
	stopping bool  // ctx is done: only what is in the rings is handed out
	left     int   // blocks that may still be handed out; valid iff stopping
	closed   bool
}

// Open begins to listen to network interfaces. All that needs privilege (CAP_NET_RAW) is done when it returns, so that the
// process may drop it.
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
	l.last = monotonic()
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

// plainly adds advice to the errors that everybody meets.
func plainly(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: listening needs root or CAP_NET_RAW", err)
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("no such interface: %w", err)
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
			l.last = now
		}
		if l.stopping && l.left <= 0 {
			return io.EOF
		}
		if l.read(b) {
			l.last = now
			return nil
		}
		silent := time.Duration(now - l.last)
		switch {
		case l.stopping && silent >= 2*l.opt.BlockTimeout+time.Millisecond: // the kernel has closed the last blocks
			return io.EOF
		case !l.stopping && silent >= lookEvery:
			l.last = now
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

// read returns the next block with packets of any interface, or false if there is none now.
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

// wait returns when there may be packets, when something happened to an interface, when ctx is done or after most.
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
		// Poll reported a block that a worker still has: the kernel checks the block before the one that it fills.
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

// news reports whether poll returned because of the interfaces.
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

// look checks the interfaces, listens again to those that came back, and reports changes.
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

// Stats returns the counters of every interface.
func (l *Source) Stats() []Stats {
	list := make([]Stats, len(l.taps))
	for i, t := range l.taps {
		list[i] = t.refresh()
	}
	return list
}

// Close implements Source. After it, Next returns io.EOF.
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
