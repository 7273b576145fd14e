package siem

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"avbeacon/internal/alert"
)

// Bounds of what is published at once, where the configuration sets none.
const (
	natsBatch = 500
	natsBytes = 8 << 20
)

// natsStream publishes alerts to a subject that a JetStream stream listens to, and waits for the stream's acknowledgement of
// each. The header Nats-Msg-Id is the alert's id: within the stream's duplicate window a second one is not stored.
type natsStream struct {
	courier
	url     string
	subject string
	timeout time.Duration
	options []nats.Option
	secrets []string
	conn    *nats.Conn // nil until the first delivery; one that broke is replaced by the next
	stream  jetstream.JetStream

	mu     sync.Mutex
	denied error // what the server forbade since the last delivery began
}

func openNATS(cfg Sink, opt Options) (alert.Sink, error) {
	encode, err := documentEncoder(cfg, opt)
	if err != nil {
		return nil, err
	}
	return newNATS(cfg, opt, encode)
}

func newNATS(cfg Sink, opt Options, encode Encoder) (*natsStream, error) {
	switch {
	case cfg.NATS.Subject == "" || strings.ContainsAny(cfg.NATS.Subject, "*> \t\r\n"):
		return nil, bad(cfg, "nats.subject", "must be a subject without wildcards and spaces")
	case cfg.Proxy != "":
		return nil, bad(cfg, "proxy", "is not possible for nats")
	}
	secrets, encrypted, err := natsURLs(cfg.NATS.URL)
	if err != nil {
		return nil, bad(cfg, "nats.url", "%w", err)
	}
	s := &natsStream{url: cfg.NATS.URL, subject: cfg.NATS.Subject, timeout: patience(cfg), secrets: secrets}
	s.options = []nats.Option{
		nats.Name(agent(opt)),
		nats.NoReconnect(), // the next delivery connects, when its time has come
		nats.Timeout(min(dialTimeout, s.timeout)),
		nats.FlusherTimeout(s.timeout),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.note(err, opt.Logger) }),
	}
	if cfg.NATS.Creds != "" {
		s.options = append(s.options, nats.UserCredentials(cfg.NATS.Creds))
	}
	if encrypted || cfg.TLS != (TLS{}) {
		trust, err := clientTLS(cfg.TLS, opt.Logger)
		if err != nil {
			return nil, bad(cfg, "tls", "%w", err)
		}
		s.options = append(s.options, nats.Secure(trust))
	}
	s.courier = courier{encode: encode, most: most(cfg, natsBatch), limit: natsBytes, send: s.publish}
	return s, nil
}

// natsURLs checks a list of servers, parted by commas. It gives the passwords and tokens in them, and whether TLS is asked for.
func natsURLs(list string) (secrets []string, encrypted bool, err error) {
	for text := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || u.Host == "" {
			return nil, false, errors.New("not a URL like nats://host:4222")
		}
		switch u.Scheme {
		case "nats", "ws":
		case "tls", "wss":
			encrypted = true
		default:
			return nil, false, fmt.Errorf("scheme %q is none of nats, tls, ws, wss", u.Scheme)
		}
		if password, ok := u.User.Password(); ok {
			secrets = append(secrets, password)
		} else if u.User.Username() != "" {
			secrets = append(secrets, u.User.Username()) // a token
		}
	}
	return secrets, encrypted, nil
}

// note keeps what the server says beside the acknowledgements.
func (s *natsStream) note(err error, log *zap.Logger) {
	err = errors.New(s.scrub(err.Error()))
	log.Debug("the server says", zap.Error(err))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = err
}

func (s *natsStream) scrub(text string) string {
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}

// Deliver publishes a batch and waits for all acknowledgements.
func (s *natsStream) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Refusal, error) {
	return s.deliver(ctx, batch)
}

// Close ends the connection.
func (s *natsStream) Close() error {
	s.drop()
	return nil
}

func (s *natsStream) drop() {
	if s.conn != nil {
		s.conn.Close()
		s.conn, s.stream = nil, nil
	}
}

// publish sends a part and gives how far it is acknowledged from the front. A connection on which something failed is given
// up: what it still has under way could otherwise overtake the next try.
func (s *natsStream) publish(ctx context.Context, part []item) (int, []alert.Refusal, error) {
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
	d := newNATSDialer(ctx)
	stop := context.AfterFunc(ctx, d.hangUp)
	defer stop()
	conn, err := nats.Connect(s.url, append(slices.Clip(s.options), nats.SetCustomDialer(d), nats.SkipHostLookup())...)
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
		err = fmt.Errorf("no stream answers for the subject: %w", err)
	case denied != nil:
		err = fmt.Errorf("%w: %w", denied, err)
	}
	err = explainTLS(err)
	if text := err.Error(); s.scrub(text) != text {
		err = errors.New(s.scrub(text))
	}
	err = fmt.Errorf("nats: subject %s: %w", s.subject, err)
	switch {
	case tooLarge:
		return &rejected{at: -1, reason: err.Error()}
	case person:
		return &Denied{err}
	}
	return err
}
