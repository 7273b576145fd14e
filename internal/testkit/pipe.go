package testkit

import (
	"net"
	"os"
	"sync"
	"time"
)

// datagramLog keeps what passed between the two ends of a datagramPipe.
type datagramLog struct {
	mu      sync.Mutex
	flights []Flight
}

func (l *datagramLog) add(f Flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flights = append(l.flights, f)
}

func (l *datagramLog) taken() []Flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flights
}

// datagramPipe is one end of a path for datagrams in memory: a net.PacketConn.
type datagramPipe struct {
	log      *datagramLog
	client   bool
	in, out  chan []byte
	closed   chan struct{}
	close    sync.Once
	moved    chan struct{} // the deadline moved while a read was waiting
	deadline sync.Mutex
	until    time.Time
}

func newDatagramPipe() (near, far *datagramPipe) {
	log := &datagramLog{}
	a, b := make(chan []byte, 64), make(chan []byte, 64)
	near = &datagramPipe{log: log, client: true, in: a, out: b, closed: make(chan struct{}), moved: make(chan struct{}, 1)}
	far = &datagramPipe{log: log, in: b, out: a, closed: make(chan struct{}), moved: make(chan struct{}, 1)}
	return near, far
}

func (p *datagramPipe) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		select {
		case d := <-p.in:
			return copy(b, d), p.peer(), nil
		case <-p.closed:
			return 0, nil, net.ErrClosed
		case <-p.expired():
			return 0, nil, os.ErrDeadlineExceeded
		case <-p.moved:
		}
	}
}

func (p *datagramPipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	d := append([]byte(nil), b...)
	p.log.add(Flight{FromClient: p.client, Data: d})
	select {
	case p.out <- d:
	default: // a full path loses datagrams
	}
	return len(b), nil
}

// expired is a channel that speaks at the deadline; nil, which never does, where there is none.
func (p *datagramPipe) expired() <-chan time.Time {
	p.deadline.Lock()
	defer p.deadline.Unlock()
	if p.until.IsZero() {
		return nil
	}
	return time.After(time.Until(p.until))
}

func (p *datagramPipe) Close() error {
	p.close.Do(func() { close(p.closed) })
	return nil
}

func (p *datagramPipe) LocalAddr() net.Addr {
	if p.client {
		return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000}
	}
	return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}
}

func (p *datagramPipe) peer() net.Addr {
	other := datagramPipe{client: !p.client}
	return other.LocalAddr()
}

func (p *datagramPipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

func (p *datagramPipe) SetReadDeadline(t time.Time) error {
	p.deadline.Lock()
	defer p.deadline.Unlock()
	p.until = t
	select {
	case p.moved <- struct{}{}:
	default:
	}
	return nil
}

func (p *datagramPipe) SetWriteDeadline(time.Time) error { return nil }
