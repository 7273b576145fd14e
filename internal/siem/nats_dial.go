package siem

import (
	"context"
	"net"
	"sync"
	"time"
)

// natsDialer makes the connection that one delivery wants, and ends it with that delivery until it stands.
type natsDialer struct {
	dial func(network, address string) (net.Conn, error)

	mu   sync.Mutex
	over bool
	conn net.Conn
}

func newNATSDialer(ctx context.Context) *natsDialer {
	d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	return &natsDialer{dial: func(network, address string) (net.Conn, error) { return d.DialContext(ctx, network, address) }}
}

// Dial is what the library asks for.
func (d *natsDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.dial(network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn = conn; d.over {
		conn.Close()
	}
	return conn, nil
}

func (d *natsDialer) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over = true; d.conn != nil {
		d.conn.Close()
	}
}
