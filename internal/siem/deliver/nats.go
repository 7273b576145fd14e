package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
)

// Bounds of what is published at once, where the configuration sets none.
const (
	natsBatch = 500
	natsBytes = 8 << 20
)

// NATS is a JetStream subject.
type NATS struct {
	URL     string `yaml:"url" about:"of the server, without user and password"`
	Subject string `yaml:"subject" about:"subject that a stream on the server captures"`
	Creds   string `yaml:"creds" about:"file with credentials"`
}

// Check reports what is wrong with the section.
func (c *NATS) Check(k setting.Check) {
	k.At("url").URL(c.URL, "nats", "tls", "ws", "wss")
	k.At("subject").Required(c.Subject)
	if strings.ContainsAny(c.Subject, "*> \t\r\n") {
		k.At("subject").Fail("must be a subject without wildcards and spaces")
	}
}

// Plain is false: NATS is often on a network of its own, and the secret is in a file.
func (c *NATS) Plain() bool { return false }

// natsStream publishes alerts to a subject that a JetStream stream listens to, and waits for the stream's acknowledgement of
// each. The header Nats-Msg-Id is the alert's id: within the stream's duplicate window a second one is not stored.
type natsStream struct {
	courier
	url     string
	subject string
	timeout time.Duration
	options []nats.Option
	conn    *nats.Conn // nil until the first delivery; one that broke is replaced by the next
	stream  jetstream.JetStream

	mu     sync.Mutex
	denied error // what the server forbade since the last delivery began
}

// Open makes the sink; the first delivery connects.
func (c *NATS) Open(s Setup) (alert.Sink, error) {
	if s.Proxy != "" {
		return nil, errors.New("proxy: is not possible for nats")
	}
	encode, err := s.encoder()
	if err != nil {
		return nil, err
	}
	n := &natsStream{url: c.URL, subject: c.Subject, timeout: s.Timeout}
	n.options = []nats.Option{
		nats.Name(agent(s.Version)),
		nats.NoReconnect(), // the next delivery connects, when its time has come
		nats.Timeout(min(dialTimeout, n.timeout)),
		nats.FlusherTimeout(n.timeout),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { n.note(err, s.Logger) }),
	}
	if c.Creds != "" {
		n.options = append(n.options, nats.UserCredentials(c.Creds))
	}
	if strings.HasPrefix(c.URL, "tls:") || strings.HasPrefix(c.URL, "wss:") || s.TLS != (TLS{}) {
		trust, err := clientTLS(s.TLS, s.Logger)
		if err != nil {
			return nil, err
		}
		n.options = append(n.options, nats.Secure(trust))
	}
	n.courier = courier{encode: encode, most: cmp.Or(s.Batch, natsBatch), limit: natsBytes, send: n.publish, end: n.drop}
	return n, nil
}

// note keeps what the server says beside the acknowledgements.
func (s *natsStream) note(err error, log *zap.Logger) {
	log.Debug("the server says", zap.Error(err))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = err
}

func (s *natsStream) drop() {
	if s.conn != nil {
		s.conn.Close()
		s.conn, s.stream = nil, nil
	}
}

// publish sends a part and returns how many of its first alerts are acknowledged. A connection on which something failed is
// closed: messages still in flight on it could otherwise overtake the next attempt.
func (s *natsStream) publish(ctx context.Context, part []item) (int, []alert.Rejection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	s.mu.Lock()
	s.denied = nil
	s.mu.Unlock()
	if err := s.connect(ctx); err != nil {
		return 0, nil, s.judge(err)
	}
	done, err := s.acknowledged(ctx, part)
	if err != nil {
		s.drop()
		return done, nil, s.judge(err)
	}
	return done, nil, nil
}

func (s *natsStream) acknowledged(ctx context.Context, part []item) (int, error) {
	futures := make([]jetstream.PubAckFuture, 0, len(part))
	var stopped error
	for _, one := range part {
		message := &nats.Msg{Subject: s.subject, Data: one.body, Header: nats.Header{jetstream.MsgIDHeader: {one.id}}}
		f, err := s.stream.PublishMsgAsync(message, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(s.timeout))
		if stopped = err; err != nil {
			break
		}
		futures = append(futures, f)
	}
	for i, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return i, err
		case <-ctx.Done():
			return i, fmt.Errorf("no acknowledgement: %w", ctx.Err())
		}
	}
	return len(futures), stopped
}

// connect dials where there is no connection that works.
func (s *natsStream) connect(ctx context.Context) error {
	if s.conn != nil && s.conn.IsConnected() {
		return nil
	}
	s.drop()
	d := &natsDialer{ctx: ctx}
	conn, err := nats.Connect(s.url, append(slices.Clip(s.options), nats.SetCustomDialer(d), nats.SkipHostLookup())...)
	if d.stop != nil {
		d.stop()
	}
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	stream, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(s.most+1))
	if err != nil {
		conn.Close()
		return err
	}
	s.conn, s.stream = conn, stream
	return nil
}

// judge sorts errors: those of one message, those that need a person, and those that pass.
func (s *natsStream) judge(err error) error {
	s.mu.Lock()
	denied := s.denied
	s.mu.Unlock()
	var api *jetstream.APIError
	errors.As(err, &api)
	tooLarge := errors.Is(err, nats.ErrMaxPayload) || api != nil && api.ErrorCode == jetstream.JSErrCodeStreamMessageExceedsMaximum
	person := denied != nil || errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) ||
		errors.Is(err, nats.ErrSecureConnRequired) || errors.Is(err, nats.ErrSecureConnWanted) || tlsWords(err) != ""
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		err = fmt.Errorf("no stream captures the subject: %w", err)
	case denied != nil:
		err = fmt.Errorf("%w: %w", denied, err)
	}
	err = explainTLS(err)
	err = fmt.Errorf("nats: subject %s: %w", s.subject, err)
	switch {
	case tooLarge:
		return &partRejected{at: -1, reason: err.Error()}
	case person:
		return &Denied{err}
	}
	return err
}

// natsDialer dials for one delivery. If that ends before the library has a connection that is ready, the connection is closed, because
// the library has no context for its handshake.
type natsDialer struct {
	ctx  context.Context
	stop func() bool // of the closing of the latest connection; nil: none
}

// Dial implements nats.CustomDialer.
func (d *natsDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext(d.ctx, network, address)
	if err == nil {
		d.stop = context.AfterFunc(d.ctx, func() { conn.Close() })
	}
	return conn, err
}
