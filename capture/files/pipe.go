package files

import (
	"context"
	"io"
	"sync"
	"time"

	"avbeacon/capture"
)

// Pipe is a Source over one that may wait for its input indefinitely, such as Files on standard input. While nothing
// arrives it moves the packet clock on from the last packet by the time that has passed. When ctx is done it ends at once,
// even if the other Source still waits; what had been read is handed out before. It holds three Blocks.
//
// Next and Close are for one goroutine; Inputs may be called from others at the same time.
type Pipe struct {
	src   capture.Source
	every time.Duration
	free  chan *capture.Block
	full  chan filled
	stop  chan struct{}
	begin sync.Once
	end   sync.Once
	last  int64 // greatest packet time; 0 if no packet was seen
	idle  int64 // times that Next has returned without a packet since then
}

type filled struct {
	block *capture.Block
	err   error
}

// NewPipe makes a Pipe. every is how often Next returns in silence, 0 meaning a second. The Pipe owns src: the reading
// goroutine closes it once its last read has returned.
func NewPipe(src capture.Source, every time.Duration) *Pipe {
	if every <= 0 {
		every = time.Second
	}
	p := &Pipe{src: src, every: every, free: make(chan *capture.Block, 3), full: make(chan filled), stop: make(chan struct{})}
	for range cap(p.free) {
		p.free <- &capture.Block{}
	}
	return p
}

// fill reads as fast as Blocks come back.
func (p *Pipe) fill() {
	defer p.src.Close()
	for {
		select {
		case <-p.stop:
			return
		case b := <-p.free:
			err := p.src.Next(context.Background(), b)
			select {
			case p.full <- filled{b, err}:
			case <-p.stop:
				return
			}
			if err != nil {
				return
			}
		}
	}
}

// Next implements Source.
func (p *Pipe) Next(ctx context.Context, b *capture.Block) error {
	p.begin.Do(func() { go p.fill() })
	b.Packets, b.Now = b.Packets[:0], 0
	pause, cancel := context.WithTimeout(context.Background(), p.every)
	defer cancel()
	select {
	case f := <-p.full:
		return p.hand(f, b)
	case <-ctx.Done():
		select {
		case f := <-p.full:
			return p.hand(f, b)
		default:
			return io.EOF
		}
	case <-pause.Done():
		if p.last != 0 {
			p.idle++
			b.Now = p.last + p.idle*int64(p.every)
		}
		return nil
	}
}

// hand passes on what was read, and takes the Block back when the caller is done with it.
func (p *Pipe) hand(f filled, b *capture.Block) error {
	if f.err != nil {
		return f.err
	}
	for i := range f.block.Packets {
		p.last = max(p.last, f.block.Packets[i].Time)
	}
	p.idle = 0
	b.Packets = append(b.Packets, f.block.Packets...)
	b.Release = func() {
		f.block.Done()
		p.free <- f.block
	}
	return nil
}

// Inputs implements Source.
func (p *Pipe) Inputs() []capture.Input { return p.src.Inputs() }

// Close implements Source.
func (p *Pipe) Close() error {
	p.begin.Do(func() { p.src.Close() })
	p.end.Do(func() { close(p.stop) })
	return nil
}
