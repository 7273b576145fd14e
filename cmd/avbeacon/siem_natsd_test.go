package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// runNATS is the process: natsd FOLDER PORT.
func runNATS() {
	var port int
	_, err := fmt.Sscan(os.Args[2], &port)
	if err == nil {
		var s *server.Server
		if s, err = server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: os.Args[1], SyncAlways: true, NoSigs: true, NoLog: true}); err == nil {
			s.Start()
			err = alertStream("nats://127.0.0.1:" + os.Args[2])
			if err == nil {
				s.WaitForShutdown()
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// alertStream makes the stream of alerts where there is none.
func alertStream(url string) error {
	return withStreams(url, func(ctx context.Context, js jetstream.JetStream) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "ALERTS", Subjects: []string{"avbeacon.alerts"}, Duplicates: time.Hour})
		return err
	})
}

// withStreams lends a connection. What the server does not answer within 5 s is lost: callers try again.
func withStreams(url string, do func(context.Context, jetstream.JetStream) error) error {
	conn, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(50), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return do(ctx, js)
}

// eachMessage reads the stream message by message: a server limits how many consumers may be left behind.
func eachMessage(url string, do func(*jetstream.RawStreamMsg)) error {
	return withStreams(url, func(ctx context.Context, js jetstream.JetStream) error {
		s, err := js.Stream(ctx, "ALERTS")
		if err != nil {
			return err
		}
		state := s.CachedInfo().State
		for seq := max(state.FirstSeq, 1); seq <= state.LastSeq; seq++ {
			m, err := s.GetMsg(ctx, seq)
			if err != nil {
				return err
			}
			do(m)
		}
		return nil
	})
}
