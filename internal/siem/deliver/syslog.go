package deliver

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/format/syslog"
)

// Syslog is a receiver of RFC 5424 messages.
type Syslog struct {
	Network  string `yaml:"network" about:"udp, tcp, tls, relp, relp-tls; only RELP is acknowledged"`
	Address  string `yaml:"address" about:"host:port"`
	Framing  string `yaml:"framing" about:"octet-counting or newline (tcp only); empty: octet-counting"`
	Facility string `yaml:"facility" about:"user, mail, daemon, auth, syslog, authpriv, local0 ... local7; empty: local4"`
	MaxBytes int    `yaml:"max-bytes" about:"largest message; 0: 8192"`
	Resend   int    `yaml:"resend" about:"messages to send again, with the same ids, after a broken connection; 0: 1000; not for RELP"`
}

// Check reports what is wrong with the section.
func (s *Syslog) Check(k setting.Check) {
	k.At("network").Word(s.Network, "udp", "tcp", "tls", "relp", "relp-tls")
	k.At("address").HostPort(s.Address, false)
	k.At("framing").WordOrNone(s.Framing, "octet-counting", "newline")
	k.At("facility").WordOrNone(s.Facility, slices.DeleteFunc(facilities()[1:], func(name string) bool { return name == "" })...) // kern is for the kernel alone
	if s.Network == "udp" && s.Framing != "" {
		k.At("framing").Fail("datagrams have no framing")
	} else if s.Network != "tcp" && s.Framing == "newline" {
		k.At("framing").Fail("newline is for tcp only") // TLS uses octet counting (RFC 5425), RELP a framing of its own
	}
	if s.MaxBytes != 0 {
		setting.Range(k.At("max-bytes"), s.MaxBytes, 480, 1<<20) // 480: what every receiver accepts, RFC 5424 section 6.1
	}
	if s.Network == "udp" && s.MaxBytes > mostDatagram {
		k.At("max-bytes").Fail("%d is too large: a datagram carries at most %d", s.MaxBytes, mostDatagram)
	}
	setting.Range(k.At("resend"), s.Resend, 0, 100000)
}

// Plain reports whether messages can be read on the path.
func (s *Syslog) Plain() bool {
	host, _, _ := net.SplitHostPort(s.Address)
	return !strings.HasSuffix(s.Network, "tls") && !setting.Loopback(host)
}

// syslogSink sends RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425).
//
// None of the three has an acknowledgement. That a batch is done with means that the receiver's system has it (on Linux;
// elsewhere that ours has it), not that its program has read it: what a receiver had not processed when it died is lost.
// So the latest messages are kept, and those that may have been lost are sent again over the next connection, with the
// same ids. A connection that broke is noticed by the next delivery, which may be an empty one.
type syslogSink struct {
	cfg     Syslog
	timeout time.Duration
	log     *zap.Logger
	enc     format.Encoder
	dial    syslogDial
	peer    *peer // nil: not connected
	kept    window
	lost    bool // the last connection broke: what is kept is to be sent again
	resent  atomic.Uint64
	message []byte // kept for its memory
}

const (
	defaultKept    = 1000        // messages, where Syslog.Resend is 0
	defaultMessage = 8 << 10     // bytes of a message: what receivers should take, RFC 5424 section 6.1
	mostMessage    = 1 << 20     // bytes
	mostDatagram   = 65507       // bytes that UDP over IPv4 can carry
	udpLife        = time.Minute // after which the receiver's name is resolved again; TCP does so when a connection breaks
)

// facilities are those of RFC 5424 table 1 that have a usual name, by code. Codes 12 to 15 have none.
func facilities() []string {
	return []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
}

// Open makes the sink; the first delivery connects.
func (s *Syslog) Open(with Setup) (alert.Sink, error) {
	if with.Proxy != "" {
		return nil, errors.New("proxy: is not possible for syslog")
	}
	c := *s
	c.MaxBytes, c.Resend = cmp.Or(c.MaxBytes, defaultMessage), cmp.Or(c.Resend, defaultKept)
	how := with.Options
	how.MaxBytes, how.PID, how.Facility = c.MaxBytes, os.Getpid(), slices.Index(facilities(), cmp.Or(c.Facility, "local4"))
	enc, err := syslog.Messages(with.Format, how)
	if err != nil {
		return nil, fmt.Errorf("format, syslog.max-bytes: %w", err)
	}
	dial := syslogDial{network: c.Network, address: c.Address}
	if strings.HasSuffix(c.Network, "tls") {
		if dial.tls, err = clientTLS(with.TLS, with.Logger); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(c.Network, "relp") {
		return &relpSink{cfg: c, timeout: with.Timeout, log: with.Logger, enc: enc, dial: dial}, nil
	}
	return &syslogSink{cfg: c, timeout: with.Timeout, log: with.Logger, enc: enc, dial: dial, kept: window{most: c.Resend}}, nil
}

// Resent counts the messages that were sent again because they may have been lost.
func (s *syslogSink) Resent() uint64 { return s.resent.Load() }

func (s *syslogSink) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Rejection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.connect(ctx); err != nil {
		return 0, nil, err
	}
	frames, rejected := s.frames(batch)
	if err := s.peer.send(ctx, frames); err != nil {
		return 0, nil, s.broke(err)
	}
	s.kept.add(frames, time.Now())
	return len(batch), rejected, nil
}

// connect sees to it that there is a connection that has not been closed yet, as far as can be known, and that what the
// one before may have lost is sent.
func (s *syslogSink) connect(ctx context.Context) error {
	if s.peer != nil {
		if err := s.peer.closed(glance); err != nil {
			s.log.Warn("the connection is broken", zap.Error(s.broke(err)))
		} else if s.kept.settle(time.Now()); s.peer.stale() {
			s.drop()
		}
	}
	if s.peer == nil {
		p, err := s.dial.dial(ctx)
		if err != nil {
			return fmt.Errorf("connect to %s: %w", s.cfg.Address, err)
		}
		s.peer = p
	}
	if !s.lost {
		return nil
	}
	again := s.kept.frames()
	if err := s.peer.send(ctx, again); err != nil {
		return s.broke(err)
	}
	s.kept.touch(time.Now())
	s.lost = false
	s.resent.Add(uint64(len(again)))
	s.log.Warn("sent again what may have been lost, with the same ids", zap.Int("messages", len(again)))
	return nil
}

// broke closes a connection whose messages may have been lost.
func (s *syslogSink) broke(why error) error {
	s.lost = s.kept.len() > 0
	s.drop()
	return fmt.Errorf("connection to %s: %w", s.cfg.Address, why)
}

func (s *syslogSink) drop() {
	s.peer.close()
	s.peer = nil
}

// frames returns the messages of a batch as they go over the connection.
func (s *syslogSink) frames(batch []*alert.Alert) ([][]byte, []alert.Rejection) {
	var rejected []alert.Rejection
	frames := make([][]byte, 0, len(batch))
	for i, a := range batch {
		message, err := s.enc.Append(s.message[:0], a)
		if err != nil {
			rejected = append(rejected, reject(i, err.Error()))
			continue
		}
		s.message = message
		frames = append(frames, s.frame(message))
	}
	return frames, rejected
}

// frame copies a message into the form of RFC 6587 section 3.4 or, for UDP, as it is.
func (s *syslogSink) frame(message []byte) []byte {
	f := make([]byte, 0, len(message)+len("1048576 "))
	switch {
	case s.cfg.Network == "udp":
		return append(f, message...)
	case s.cfg.Framing == "newline":
		return append(append(f, message...), '\n')
	}
	return append(append(strconv.AppendInt(f, int64(len(message)), 10), ' '), message...)
}

// Close ends the connection.
func (s *syslogSink) Close() error {
	if s.peer == nil {
		return nil
	}
	s.drop()
	return nil
}

// safeAfter is how long a receiver may take to work a message off. One that was sent longer ago than that over a
// connection that still worked is not sent again.
const safeAfter = time.Minute

// window keeps the latest messages that went over a connection without acknowledgements, in order.
type window struct {
	most int // messages
	sent []sent
}

// sent is a message as it went over the connection, and when.
type sent struct {
	frame []byte
	at    time.Time
}

func (w *window) len() int { return len(w.sent) }

// add takes over messages that were sent; the oldest beyond most go.
func (w *window) add(frames [][]byte, now time.Time) {
	frames = frames[max(0, len(frames)-w.most):]
	w.drop(len(w.sent) + len(frames) - w.most)
	for _, f := range frames {
		w.sent = append(w.sent, sent{f, now})
	}
}

// settle is called when the connection works, and forgets messages that are safe by now.
func (w *window) settle(now time.Time) {
	n := 0
	for n < len(w.sent) && now.Sub(w.sent[n].at) > safeAfter {
		n++
	}
	w.drop(n)
}

// touch is called when all of it was sent again.
func (w *window) touch(now time.Time) {
	for i := range w.sent {
		w.sent[i].at = now
	}
}

// drop forgets the oldest.
func (w *window) drop(n int) {
	if n <= 0 {
		return
	}
	left := copy(w.sent, w.sent[n:])
	clear(w.sent[left:])
	w.sent = w.sent[:left]
}

func (w *window) frames() [][]byte {
	frames := make([][]byte, 0, len(w.sent))
	for _, s := range w.sent {
		frames = append(frames, s.frame)
	}
	return frames
}

// syslogDial connects to a receiver of syslog. The name is resolved again each time.
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
			return fmt.Errorf("the receiver closed right after the TLS handshake: does it require another client certificate (tls.cert, tls.key)? %w", err)
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
		return fmt.Errorf("the receiver's name cannot be resolved: %w", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens there: %w", err)
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
			return err
		}
	}
	return nil
}

// stale reports a connection that should be replaced though no error is known: over UDP there would never be one.
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
		return fmt.Errorf("the receiver accepts no data: %w", errors.Join(context.Cause(ctx), err))
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
