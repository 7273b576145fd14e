package spool

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"avbeacon/internal/config"
	"avbeacon/internal/siem/deliver"
)

// outside connects to a server or cluster; it need not answer yet. Its stream bears the sensor's name, so that several
// sensors can share a cluster.
func outside(cfg config.Spool, sensor string, log *zap.Logger) (*engine, error) {
	sensor = token(sensor)
	e := &engine{name: embedded + "-" + sensor, sensor: sensor}
	e.make = streamConfig(e.name, sensor, cfg)
	options := append(connOptions(log), nats.RetryOnFailedConnect(true), nats.Timeout(callTime),
		nats.ReconnectWait(time.Second), nats.ReconnectJitter(time.Second, time.Second),
		nats.PingInterval(10*time.Second), nats.MaxPingsOutstanding(2), // a half-open connection is found within 30 s
		nats.ReconnectBufSize(-1)) // what cannot be sent now is an error now: we keep it and send it again
	secure, err := tlsConfig(cfg.NATSTLS, log)
	if err != nil {
		return nil, fmt.Errorf("nats-tls: %w", err)
	}
	if secure != nil {
		options = append(options, nats.Secure(secure))
	}
	if e.conn, err = nats.Connect(cfg.NATS, options...); err != nil {
		return nil, fmt.Errorf("reach the NATS server: %w", redact(err, cfg.NATS))
	}
	e.js, err = jetstream.New(e.conn)
	return e, err
}

// connOptions are those of every connection.
func connOptions(log *zap.Logger) []nats.Option {
	return []nats.Option{
		nats.Name("avbeacon"), nats.MaxReconnects(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Debug("nats", zap.Error(err)) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("the NATS server is away", zap.Error(err))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("the NATS server is back") }),
	}
}

// tlsConfig is nil where nothing is configured: the URL alone then says whether there is TLS.
func tlsConfig(c deliver.TLS, log *zap.Logger) (*tls.Config, error) {
	if c == (deliver.TLS{}) {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName, InsecureSkipVerify: c.Insecure}
	if c.Insecure {
		log.Warn("the NATS server's certificate is not checked: anybody on the way can read and change alerts")
	}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s holds no certificate", c.CA)
		}
	}
	if c.Cert != "" || c.Key != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, err
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// redact takes a URL's user and password out of an error.
func redact(err error, address string) error {
	text := err.Error()
	for one := range strings.SplitSeq(address, ",") {
		if u, parsed := url.Parse(strings.TrimSpace(one)); parsed == nil && u.User != nil {
			text = strings.ReplaceAll(text, u.User.String()+"@", "")
		} else if parsed != nil {
			return errors.New("its URL cannot be read") // net/url repeats it whole
		}
	}
	return errors.New(text)
}

// ensure makes the stream outside where there is none: of three replicas in a cluster that has them, else of one. A stream
// that is there, its operator's, is taken as it is.
func (e *engine) ensure(ctx context.Context) error {
	if e.server != nil {
		return nil
	}
	if _, err := e.js.Stream(ctx, e.name); !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	made := e.make // several goroutines may find that there is none
	for _, replicas := range []int{3, 1} {
		made.Replicas = replicas
		_, err := e.js.CreateStream(ctx, made)
		if err == nil || replicas == 1 {
			return err
		}
	}
	return nil
}
