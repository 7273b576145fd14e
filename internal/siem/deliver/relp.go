package deliver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
)

// relpSink sends RFC 5424 messages by RELP, the Reliable Event Logging Protocol that rsyslog's imrelp takes: the receiver
// acknowledges each message once it is in its queue. If the receiver dies, what its queue held is lost, unless that queue is on
// disk.
type relpSink struct {
	cfg     Syslog
	timeout time.Duration
	log     *zap.Logger
	enc     format.Encoder
	dial    syslogDial
	session *relp // nil: not connected
}

func (s *relpSink) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Rejection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.connect(ctx); err != nil {
		return 0, nil, err
	}
	messages, at, rejected := s.messages(batch)
	if len(messages) == 0 {
		return len(batch), rejected, nil
	}
	done, err := s.session.deliver(ctx, messages)
	if err == nil {
		return len(batch), rejected, nil
	}
	s.drop()
	n := at[done]
	return n, before(n, rejected), fmt.Errorf("connection to %s: %w", s.cfg.Address, err)
}

// connect sees to it that there is a session whose end is not known.
func (s *relpSink) connect(ctx context.Context) error {
	if s.session != nil {
		if err := s.session.peer.closed(glance); err != nil {
			s.log.Debug("the connection is broken", zap.Error(err))
			s.drop()
		}
	}
	if s.session != nil {
		return nil
	}
	p, err := s.dial.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", s.cfg.Address, err)
	}
	session := &relp{peer: p, in: bufio.NewReader(p.conn)}
	if err := session.open(ctx); err != nil {
		p.close()
		return fmt.Errorf("connect to %s: open RELP: %w", s.cfg.Address, err)
	}
	s.session = session
	return nil
}

// messages encodes a batch; at has the index in the batch of each message.
func (s *relpSink) messages(batch []*alert.Alert) (messages [][]byte, at []int, rejected []alert.Rejection) {
	for i, a := range batch {
		m, err := s.enc.Append(nil, a)
		if err != nil {
			rejected = append(rejected, reject(i, err.Error()))
			continue
		}
		messages, at = append(messages, m), append(at, i)
	}
	return messages, at, rejected
}

func (s *relpSink) drop() {
	s.session.peer.close()
	s.session = nil
}

// Close says goodbye and ends the connection.
func (s *relpSink) Close() error {
	if s.session == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.session.peer.during(ctx, func() error { return s.session.say("close", nil) }) // nothing waits for it any more
	s.drop()
	return nil
}

// relp is a session: commands that are numbered, each of which the receiver answers (librelp, doc/relp.html).
type relp struct {
	peer *peer
	in   *bufio.Reader
	last int // number of the latest command
}

const (
	relpWindow = 128       // commands that may wait for their answers
	relpLast   = 999999999 // after which the numbers begin again at 1
	relpAnswer = 32 << 10  // bytes of an answer at most
	relpOffer  = "relp_version=0\nrelp_software=avbeacon\ncommands=syslog"
)

// open offers what we can do, and takes the receiver's yes.
func (r *relp) open(ctx context.Context) error {
	return r.peer.during(ctx, func() error {
		if err := r.say("open", []byte(relpOffer)); err != nil {
			return err
		}
		return r.answered(r.last)
	})
}

// deliver sends messages and says how many from the front the receiver has acknowledged.
func (r *relp) deliver(ctx context.Context, messages [][]byte) (done int, err error) {
	err = r.peer.during(ctx, func() error {
		for done < len(messages) {
			several := messages[done:min(done+relpWindow, len(messages))]
			if err := r.say("syslog", several...); err != nil {
				return err
			}
			for i := range several {
				if err := r.answered(r.before(len(several) - 1 - i)); err != nil {
					return err
				}
				done++
			}
		}
		return nil
	})
	return done, err
}

// say sends a command for each text, or one without a text.
func (r *relp) say(command string, texts ...[]byte) error {
	var all []byte
	for _, text := range texts {
		if r.last++; r.last > relpLast {
			r.last = 1
		}
		all = fmt.Appendf(all, "%d %s %d", r.last, command, len(text))
		if len(text) > 0 {
			all = append(append(all, ' '), text...)
		}
		all = append(all, '\n')
	}
	_, err := r.peer.conn.Write(all)
	return err
}

// before returns the number of the command n before the latest.
func (r *relp) before(n int) int {
	if number := r.last - n; number > 0 {
		return number
	}
	return r.last - n + relpLast
}

// answered reads the answer to a command. Answers come in the order of the commands.
func (r *relp) answered(number int) error {
	if r.in.Buffered() == 0 {
		acknowledgeAtOnce(r.peer.raw)
	}
	got, command, text, err := r.read()
	switch {
	case err != nil:
		return err
	case command == "serverclose":
		return errClosed
	case command != "rsp" || got != number:
		return fmt.Errorf("the receiver violates RELP: expected the answer to command %d, got %q of %d", number, command, got)
	}
	if code, _, _ := bytes.Cut(text, []byte("\n")); !bytes.HasPrefix(code, []byte("200")) {
		return fmt.Errorf("the receiver rejects the message: %q", bounded(string(code)))
	}
	return nil
}

// read reads a frame: number, command, length of the text, the text where there is one, and a newline.
func (r *relp) read() (number int, command string, text []byte, err error) {
	var head [3]string
	end := byte(' ')
	for i := 0; i < len(head); i++ {
		if head[i], end, err = r.word(); err != nil {
			return 0, "", nil, err
		}
		if end == '\n' && i < 2 {
			return 0, "", nil, errNoRELP
		}
	}
	number, wrong := strconv.Atoi(head[0])
	length, also := strconv.Atoi(head[2])
	if wrong != nil || also != nil || length < 0 || length > relpAnswer || (length > 0) != (end == ' ') {
		return 0, "", nil, errNoRELP
	}
	if end == '\n' {
		return number, head[1], nil, nil
	}
	text = make([]byte, length+1)
	if _, err := io.ReadFull(r.in, text); err != nil {
		return 0, "", nil, err
	}
	if text[length] != '\n' {
		return 0, "", nil, errNoRELP
	}
	return number, head[1], text[:length], nil
}

var errNoRELP = errors.New("the receiver does not use RELP on this port")

// word reads up to a space or a newline, and returns that too.
func (r *relp) word() (string, byte, error) {
	const longest = 32 // bytes, RELP's longest command
	var b strings.Builder
	for {
		c, err := r.in.ReadByte()
		switch {
		case err != nil:
			return "", 0, err
		case c == ' ' || c == '\n':
			return b.String(), c, nil
		case b.Len() == longest:
			return "", 0, errNoRELP
		}
		b.WriteByte(c)
	}
}
