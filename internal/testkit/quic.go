package testkit

import (
	"context"
	"crypto/tls"
	"embed"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/quic-go/quic-go"
)

// recorded holds sessions that RecordQUIC recorded: the keys of QUIC hang on what both sides draw at random, so that a
// session cannot be made the same a second time.
//
//go:embed recorded/*.quic
var recorded embed.FS

// RecordQUIC runs a session between quic-go's client and server, over pipes in memory, up to the first answer on a
// stream, and gives the datagrams of both. Each run gives other bytes.
func RecordQUIC(name string, alpn []string, version quic.Version) ([]Flight, error) {
	near, far := newDatagramPipe()
	defer near.Close()
	defer far.Close()
	cert, err := certificate("", []string{name})
	if err != nil {
		return nil, fmt.Errorf("make certificate for %s: %w", name, err)
	}
	config := &quic.Config{Versions: []quic.Version{version}, DisablePathMTUDiscovery: true, InitialPacketSize: 1252}
	listener, err := quic.Listen(far, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: alpn}, config)
	if err != nil {
		return nil, fmt.Errorf("listen for quic: %w", err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	go answerQUIC(ctx, listener)
	client, err := quic.Dial(ctx, near, far.LocalAddr(), &tls.Config{ServerName: name, NextProtos: alpn, InsecureSkipVerify: true}, config)
	if err != nil {
		return nil, fmt.Errorf("dial %s by quic: %w", name, err)
	}
	if err := askQUIC(ctx, client); err != nil {
		return nil, fmt.Errorf("ask %s by quic: %w", name, err)
	}
	return near.log.taken(), nil
}

func askQUIC(ctx context.Context, c *quic.Conn) error {
	stream, err := c.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	if _, err := stream.Write(make([]byte, 200)); err != nil {
		return err
	}
	_, err = io.ReadFull(stream, make([]byte, 600))
	return err
}

func answerQUIC(ctx context.Context, l *quic.Listener) {
	c, err := l.Accept(ctx)
	if err != nil {
		return
	}
	stream, err := c.AcceptStream(ctx)
	if err != nil {
		return
	}
	if _, err := io.ReadFull(stream, make([]byte, 200)); err == nil {
		_, _ = stream.Write(make([]byte, 600))
	}
}

// RecordedQUIC gives a session that is kept with the package: "v1" (QUIC version 1) or "v2" (version 2), each with the
// server name www.example.org and the protocol h3.
func RecordedQUIC(name string) ([]Flight, error) {
	b, err := recorded.ReadFile("recorded/" + name + ".quic")
	if err != nil {
		return nil, fmt.Errorf("read recorded quic session: %w", err)
	}
	var out []Flight
	for len(b) > 0 {
		n := 3 + int(binary.BigEndian.Uint16(b[1:]))
		out = append(out, Flight{FromClient: b[0] == 1, Data: b[3:n]})
		b = b[n:]
	}
	return out, nil
}

// KeepQUIC writes a session for RecordedQUIC: of each datagram its side, its length in two bytes, and itself.
func KeepQUIC(path string, flights []Flight) error {
	var b []byte
	for _, f := range flights {
		side := byte(0)
		if f.FromClient {
			side = 1
		}
		b = binary.BigEndian.AppendUint16(append(b, side), uint16(len(f.Data)))
		b = append(b, f.Data...)
	}
	return os.WriteFile(path, b, 0o644)
}

// QUIC adds a recorded session, each flight of the server's one round trip after the client's.
func (c *Capture) QUIC(at time.Time, client, server Host, flights []Flight) {
	port := c.port()
	ours := true
	for _, f := range flights {
		if f.FromClient != ours {
			ours = f.FromClient
			at = at.Add(server.RTT / 2)
		}
		at = at.Add(gap)
		if ours {
			c.UDP(at, client, port, server, 443, f.Data)
		} else {
			c.UDP(at, server, 443, client, port, f.Data)
		}
	}
}
