package siem

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
)

// syslogSink sends RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425).
//
// None of the three has an acknowledgement. That a batch is done with means that the receiver's system has it (on Linux;
// elsewhere that ours has it), not that its program has read it: what a receiver that dies had not yet worked off is gone.
// So the latest messages are kept, and those that may have been lost are sent again over the next connection, with the
// same ids. A connection that broke is noticed by the next delivery, which may be an empty one.
type syslogSink struct {
	cfg     Syslog
	timeout time.Duration
	log     *zap.Logger
	enc     Encoder
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
	udpLife        = time.Minute // after which the receiver's name is looked up anew; a connection does so when it breaks
)

// openSyslog makes the sink; it does not connect.
func openSyslog(cfg Sink, opt Options) (alert.Sink, error) {
	c := cfg.Syslog
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMessage
	}
	if c.Resend == 0 {
		c.Resend = defaultKept
	}
	facility, err := checkSyslog(cfg, c)
	if err != nil {
		return nil, err
	}
	how := encodeOptions(cfg, opt)
	how.MaxBytes, how.PID, how.Facility = c.MaxBytes, os.Getpid(), facility
	enc, err := SyslogEncoding(cfg.Format, how)
	if err != nil {
		return nil, bad(cfg, "format, syslog.max-bytes", "%w", err)
	}
	dial := syslogDial{network: c.Network, address: c.Address}
	if strings.HasSuffix(c.Network, "tls") {
		if dial.tls, err = clientTLS(cfg.TLS, opt.Logger); err != nil {
			return nil, fmt.Errorf("sink %s: %w", cfg.Name, err)
		}
	}
	if strings.HasPrefix(c.Network, "relp") {
		return &relpSink{cfg: c, timeout: cfg.Timeout, log: opt.Logger, enc: enc, dial: dial}, nil
	}
	return &syslogSink{cfg: c, timeout: cfg.Timeout, log: opt.Logger, enc: enc, dial: dial, kept: window{most: c.Resend}}, nil
}

// checkSyslog checks what is said of the receiver and gives the facility's code.
func checkSyslog(cfg Sink, c Syslog) (facility int, err error) {
	host, port, err := net.SplitHostPort(c.Address)
	number, _ := strconv.ParseUint(port, 10, 16)
	facility, known := facilityCode(c.Facility)
	switch {
	case !slices.Contains([]string{"udp", "tcp", "tls", "relp", "relp-tls"}, c.Network):
		return 0, bad(cfg, "syslog.network", "%q is none of udp, tcp, tls, relp, relp-tls", c.Network)
	case err != nil || host == "" || number == 0:
		return 0, bad(cfg, "syslog.address", "%q is not HOST:PORT", c.Address)
	case !slices.Contains([]string{"", "octet-counting", "newline"}, c.Framing):
		return 0, bad(cfg, "syslog.framing", "%q is none of octet-counting, newline", c.Framing)
	case c.Framing == "newline" && c.Network != "tcp":
		return 0, bad(cfg, "syslog.framing", "newline is for tcp alone: over TLS it is octet counting (RFC 5425), the others have their own")
	case !known:
		return 0, bad(cfg, "syslog.facility", "%q is none of %s", c.Facility, strings.Join(facilities()[1:], ", "))
	case c.MaxBytes < 0 || c.MaxBytes > mostMessage:
		return 0, bad(cfg, "syslog.max-bytes", "is not between 1 and %d", mostMessage)
	case c.Network == "udp" && c.MaxBytes > mostDatagram:
		return 0, bad(cfg, "syslog.max-bytes", "a datagram carries at most %d", mostDatagram)
	case c.Resend < 0:
		return 0, bad(cfg, "syslog.resend", "must not be negative")
	case cfg.Proxy != "":
		return 0, bad(cfg, "proxy", "syslog knows none")
	}
	return facility, nil
}

// facilityCode gives the number of a facility, RFC 5424 table 1; "" is local4. The kernel's own is nobody else's.
func facilityCode(name string) (code int, known bool) {
	const local0, last = 16, "ftp"
	if name == "" {
		return local0 + 4, true
	}
	names := facilities()
	code = slices.Index(names, name)
	if gap := slices.Index(names, last); code > gap {
		code += local0 - gap - 1
	}
	return code, code > 0
}

// Resent counts the messages that were sent again because they may have been lost.
func (s *syslogSink) Resent() uint64 { return s.resent.Load() }

func (s *syslogSink) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Refusal, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.connect(ctx); err != nil {
		return 0, nil, err
	}
	frames, refused := s.frames(batch)
	if err := s.peer.send(ctx, frames); err != nil {
		return 0, nil, s.broke(err)
	}
	s.kept.add(frames, time.Now())
	return len(batch), refused, nil
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

// broke gives a connection up whose messages may have been lost.
func (s *syslogSink) broke(why error) error {
	s.lost = s.kept.len() > 0
	s.drop()
	return fmt.Errorf("connection to %s: %w", s.cfg.Address, why)
}

func (s *syslogSink) drop() {
	s.peer.close()
	s.peer = nil
}

// frames gives the messages of a batch as they go over the connection.
func (s *syslogSink) frames(batch []*alert.Alert) ([][]byte, []alert.Refusal) {
	var refused []alert.Refusal
	frames := make([][]byte, 0, len(batch))
	for i, a := range batch {
		message, err := s.enc.Append(s.message[:0], a)
		if err != nil {
			refused = append(refused, refusal(i, err))
			continue
		}
		s.message = message
		frames = append(frames, s.frame(message))
	}
	return frames, refused
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
