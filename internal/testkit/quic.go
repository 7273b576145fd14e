package testkit

import (
	"context"
	"crypto/tls"
	"embed"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/quic-go/quic-go"
)

// recorded holds sessions that RecordQUIC recorded. QUIC's keys follow from random numbers of both sides, so a session cannot
// be made the same a second time.
//
//go:embed recorded/*.quic
var recorded embed.FS

// RecordQUIC runs a session between quic-go's client and server over loopback, up to the first answer on a stream, and
// returns the datagrams of both. Each run makes other bytes.
func RecordQUIC(name string, alpn []string, version quic.Version) ([]Flight, error) {
	var log flightLog
	near, err := log.listen(true)
	if err != nil {
		return nil, err
	}
	defer near.Close()
	far, err := log.listen(false)
	if err != nil {
		return nil, err
	}
	defer far.Close()
	cert, err := Certificate("", []string{name})
	if err != nil {
		return nil, fmt.Errorf("make certificate for %s: %w", name, err)
	}
	config := &quic.Config{Versions: []quic.Version{version}, DisablePathMTUDiscovery: true, InitialPacketSize: 1252}
	listener, err := quic.Listen(far, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: alpn}, config)
	if err != nil {
		return nil, fmt.Errorf("listen for quic: %w", err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go AnswerQUIC(ctx, listener)
	client, err := quic.Dial(ctx, near, far.LocalAddr(), &tls.Config{ServerName: name, NextProtos: alpn, InsecureSkipVerify: true}, config)
	if err != nil {
		return nil, fmt.Errorf("dial %s by quic: %w", name, err)
	}
	if err := AskQUIC(ctx, client); err != nil {
		return nil, fmt.Errorf("ask %s by quic: %w", name, err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	return slices.Clone(log.flights), nil
}

// loggedDatagrams is a socket that logs what is sent from it, each datagram a flight.
type loggedDatagrams struct {
	net.PacketConn
	log        *flightLog
	fromClient bool
}

// listen opens a socket on loopback.
func (l *flightLog) listen(fromClient bool) (net.PacketConn, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	return loggedDatagrams{conn, l, fromClient}, err
}

func (d loggedDatagrams) WriteTo(b []byte, to net.Addr) (int, error) {
	d.log.mu.Lock()
	d.log.flights = append(d.log.flights, Flight{FromClient: d.fromClient, Data: slices.Clone(b)})
	d.log.mu.Unlock()
	return d.PacketConn.WriteTo(b, to)
}

// AskQUIC sends 200 bytes on a stream of a session with AnswerQUIC and waits for the answer.
func AskQUIC(ctx context.Context, c *quic.Conn) error {
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

// AnswerQUIC accepts one session and answers the first stream of it with 600 bytes.
func AnswerQUIC(ctx context.Context, l *quic.Listener) {
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

// RecordedQUIC returns a session that is kept with the package: "v1" (QUIC version 1) or "v2" (version 2), each with the
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

// KeepQUIC writes a session for RecordedQUIC. A datagram is its side (1: the client), its length in two bytes, and its bytes.
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

// QUIC adds a recorded session, with half a round trip whenever the direction changes.
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
