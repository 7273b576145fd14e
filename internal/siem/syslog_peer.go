package siem

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// syslogDial connects to a receiver of syslog. The name is looked up anew each time.
type syslogDial struct {
	network string // udp; else it is TCP
	address string // HOST:PORT
	tls     *tls.Config
}

// peer is a connection to a receiver.
type peer struct {
	conn  net.Conn
	raw   net.Conn // the socket that conn lies on
	udp   bool
	since time.Time
}

const (
	glance      = time.Millisecond // how long is looked whether the receiver has closed
	leastSettle = 50 * time.Millisecond
	mostSettle  = time.Second
)

// dial connects and, for TLS, shakes hands.
func (d syslogDial) dial(ctx context.Context) (*peer, error) {
	network := "tcp"
	if d.network == "udp" {
		network = "udp"
	}
	by := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	raw, err := by.DialContext(ctx, network, d.address)
	if err != nil {
		return nil, explainDial(err)
	}
	p := &peer{conn: raw, raw: raw, udp: network == "udp", since: time.Now()}
	if d.tls == nil {
		return p, nil
	}
	if err := p.handshake(ctx, d); err != nil {
		raw.Close()
		return nil, err
	}
	return p, nil
}

// handshake makes the connection one of TLS. With TLS 1.3 a receiver says only afterwards that it does not want our
// certificate, and some look at it only then with TLS 1.2 too: so the end of the handshake is not yet a yes, and a while
// is waited for the no.
func (p *peer) handshake(ctx context.Context, d syslogDial) error {
	cfg := d.tls.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(d.address)
	}
	conn := tls.Client(p.raw, cfg)
	begin := time.Now()
	if err := conn.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("the receiver does not answer the TLS handshake: %w", err)
		}
		return explainTLS(err)
	}
	p.conn = conn
	took := time.Since(begin)
	if err := p.closed(min(max(leastSettle, 2*took), mostSettle)); err != nil {
		if tlsWords(err) == "" {
			return fmt.Errorf("the receiver closed right after the TLS handshake: does it want another client's certificate (tls.cert, tls.key)? %w", err)
		}
		return explainTLS(err)
	}
	return nil
}

// explainDial says in words what the commonest errors mean.
func explainDial(err error) error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("the receiver's name has no address: %w", err)
	case errors.As(err, &dns):
		return fmt.Errorf("the receiver's name cannot be looked up: %w", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody listens there: %w", err)
	}
	return err
}

var errClosed = errors.New("the receiver has closed the connection")

// closed looks for so long whether the receiver has ended the connection, nil where it has not. What it says is ignored:
// syslog has no answers.
func (p *peer) closed(look time.Duration) error {
	var waste [512]byte
	if err := p.conn.SetReadDeadline(time.Now().Add(look)); err != nil {
		return err
	}
	for range 64 {
		_, err := p.conn.Read(waste[:])
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case errors.Is(err, io.EOF):
			return errClosed
		default:
			return explainDial(err)
		}
	}
	return nil
}

// stale tells a connection that is to be made anew though nothing is known to be wrong: with UDP nothing ever would be.
func (p *peer) stale() bool { return p.udp && time.Since(p.since) > udpLife }

// send sends messages, and waits until the receiver's system has them.
func (p *peer) send(ctx context.Context, frames [][]byte) error {
	if len(frames) == 0 {
		return ctx.Err()
	}
	return p.during(ctx, func() error {
		if err := p.write(frames); err != nil {
			return err
		}
		return p.arrived(ctx)
	})
}

// during does something with the connection that ends soon after ctx does. After an error the connection is of no use.
func (p *peer) during(ctx context.Context, act func() error) error {
	limit, _ := ctx.Deadline()
	if err := p.conn.SetDeadline(limit); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.raw.SetDeadline(time.Unix(1, 0)) }) // ends what waits
	defer stop()
	err := act()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the receiver takes nothing: %w", errors.Join(context.Cause(ctx), err))
	case errors.Is(err, io.EOF):
		return errClosed
	}
	return explainTLS(explainDial(err))
}

// write hands messages to the system: each as a datagram, or all as one text.
func (p *peer) write(frames [][]byte) error {
	if !p.udp {
		_, err := p.conn.Write(slices.Concat(frames...))
		return err
	}
	for _, f := range frames {
		if _, err := p.conn.Write(f); err != nil {
			return err
		}
	}
	return nil
}

// arrived waits until the receiver's system has acknowledged every byte, where ours can tell. For UDP it looks whether the
// receiver's system has said that nobody listens.
func (p *peer) arrived(ctx context.Context) error {
	for p.udp || unacknowledged(p.raw) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.closed(glance); err != nil || p.udp {
			return err
		}
	}
	return nil
}

// close ends the connection; there is nothing to be done about an error.
func (p *peer) close() { p.conn.Close() }
