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
			_, err = alertStream("nats://127.0.0.1:" + os.Args[2])
			if err == nil {
				s.WaitForShutdown()
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// alertStream finds or makes the stream of alerts.
func alertStream(url string) (jetstream.Stream, error) {
	conn, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(50), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "ALERTS", Subjects: []string{"avbeacon.alerts"}, Duplicates: time.Hour})
}

func eachMessage(url string, do func(jetstream.Msg)) error {
	s, err := alertStream(url)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	batch, err := c.FetchNoWait(100000)
	if err != nil {
		return err
	}
	for m := range batch.Messages() {
		do(m)
	}
	return batch.Error()
}
