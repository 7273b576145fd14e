package deliver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/samples"
)

func tcpSink(l net.Listener) Sink {
	return Sink{Type: "syslog", Format: "cef", Timeout: 5 * time.Second,
		Syslog: Syslog{Network: "tcp", Address: l.Addr().String()}}
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func accepted(t *testing.T, l net.Listener) *net.TCPConn {
	t.Helper()
	c, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// readFrames reads so many messages that are framed by octet counting, and gives their alerts' ids.
func readFrames(t *testing.T, r *bufio.Reader, n int) []string {
	t.Helper()
	var ids []string
	for range n {
		size, err := r.ReadString(' ')
		require.NoError(t, err)
		length, err := strconv.Atoi(strings.TrimSuffix(size, " "))
		require.NoError(t, err)
		message := make([]byte, length)
		_, err = io.ReadFull(r, message)
		require.NoError(t, err)
		_, rest, found := strings.Cut(string(message), " externalId=")
		require.True(t, found, "%s", message)
		id, _, _ := strings.Cut(rest, " ")
		ids = append(ids, id)
	}
	return ids
}

// requireClosed waits until the end of the connection has come to us.
func requireClosed(t *testing.T, s alert.Sink) {
	t.Helper()
	p := s.(*syslogSink).peer
	require.Eventually(t, func() bool { return p.closed(glance) != nil }, time.Minute, time.Millisecond)
}

func TestSyslogSendsAgainWhatABrokenConnectionMayHaveLost(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn){
		"closed": func(c *net.TCPConn) { c.Close() },
		"reset":  func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := listener(t)
			cfg := tcpSink(l)
			cfg.Syslog.Resend = 5
			s := opened(t, cfg, Options{})
			delivered(t, s, samples.Numbered(0, 3))
			one := accepted(t, l)
			require.Equal(t, idRange(0, 3), readFrames(t, bufio.NewReader(one), 3))
			delivered(t, s, samples.Numbered(3, 7)) // it lies with the receiver, who does not read it
			end(one)
			requireClosed(t, s)
			delivered(t, s, samples.Numbered(7, 9))
			two := accepted(t, l)
			require.Equal(t, append(idRange(2, 7), idRange(7, 9)...), readFrames(t, bufio.NewReader(two), 7), "the last five, then the new ones")
			require.EqualValues(t, 5, s.(Resender).Resent())
			two.Close()
			requireClosed(t, s)
			delivered(t, s, nil) // an empty delivery looks too
			require.Equal(t, idRange(4, 9), readFrames(t, bufio.NewReader(accepted(t, l)), 5))
			require.EqualValues(t, 10, s.(Resender).Resent())
		})
	}
}

// What was sent long before the last sign of life is not sent again: the receiver had time to work it off.
func TestWindow(t *testing.T) {
	start := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	list := func(from, to int) (frames [][]byte) {
		for i := from; i < to; i++ {
			frames = append(frames, []byte(fmt.Sprint(i)))
		}
		return frames
	}
	w := window{most: 4}
	w.add(list(0, 3), start)
	w.add(list(3, 5), start.Add(time.Hour))
	require.Equal(t, list(1, 5), w.frames(), "the latest four")
	w.settle(start.Add(time.Hour + safeAfter))
	require.Equal(t, list(3, 5), w.frames(), "those of the last minute")
	w.settle(start.Add(-time.Hour))
	require.Equal(t, list(3, 5), w.frames(), "the clock went back")
	w.touch(start.Add(2 * time.Hour))
	w.settle(start.Add(2*time.Hour + safeAfter))
	require.Equal(t, list(3, 5), w.frames(), "they were sent again an hour later")
	w.settle(start.Add(3 * time.Hour))
	require.Zero(t, w.len())
	w.add(list(0, 9), start)
	require.Equal(t, list(5, 9), w.frames())
}

// A receiver that accepts and never reads costs the timeout once the buffers between are full.
func TestSyslogReceiverThatNeverReads(t *testing.T) {
	l := listener(t)
	cfg := tcpSink(l)
	cfg.Timeout = 200 * time.Millisecond
	s := opened(t, cfg, Options{})
	var n int
	var err error
	batch := samples.Numbered(0, 500)
	for range 200 {
		began := time.Now()
		if n, _, err = s.Deliver(t.Context(), batch); err != nil {
			require.Less(t, time.Since(began), slow)
			break
		}
	}
	require.ErrorContains(t, err, "the receiver accepts no data")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, n)
}

func TestSyslogReceiverThatNeverAnswersTheHandshake(t *testing.T) {
	l := listener(t)
	cfg := tcpSink(l)
	cfg.Syslog.Network, cfg.Timeout = "tls", 100*time.Millisecond
	n, _, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
	require.ErrorContains(t, err, "the receiver does not answer the TLS handshake")
	require.Zero(t, n)
	stopped, cancel := context.WithCancel(t.Context())
	cfg.Timeout = time.Minute
	s := opened(t, cfg, Options{})
	time.AfterFunc(20*time.Millisecond, cancel)
	_, _, err = s.Deliver(stopped, samples.Numbered(0, 3))
	require.ErrorIs(t, err, context.Canceled, "it ends soon after its context")
}

func TestSyslogReceiverThatSpeaksNoTLS(t *testing.T) {
	l := listener(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("220 who are you\r\n"))
			defer c.Close()
		}
	}()
	cfg := tcpSink(l)
	cfg.Syslog.Network = "tls"
	_, _, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
	require.ErrorContains(t, err, "does not use TLS on this port")
}

func TestSyslogReceiverIsGone(t *testing.T) {
	l := listener(t)
	cfg := tcpSink(l)
	require.NoError(t, l.Close())
	_, _, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
	require.ErrorContains(t, err, "nothing listens there")

	for _, network := range []string{"udp", "tcp", "tls"} {
		cfg.Syslog.Network, cfg.Syslog.Address = network, "siem.invalid:6514" // a name that nobody can have, RFC 6761
		n, _, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
		var dns *net.DNSError
		require.True(t, errors.As(err, &dns), "%v", err)
		require.ErrorContains(t, err, "connect to siem.invalid:6514: the receiver's name")
		require.Zero(t, n)
	}
}

// With UDP the receiver's system at least says that nobody listens.
func TestSyslogDatagramsToNobody(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	cfg := Sink{Type: "syslog", Syslog: Syslog{Network: "udp", Address: c.LocalAddr().String()}}
	require.NoError(t, c.Close())
	s := opened(t, cfg, Options{})
	for range 3 {
		n, _, err := s.Deliver(t.Context(), samples.Numbered(0, 1))
		require.ErrorContains(t, err, "nothing listens there")
		require.Zero(t, n)
	}
}

func TestSyslogFramesAreRFC(t *testing.T) {
	l := listener(t)
	cfg := tcpSink(l)
	cfg.Format, cfg.Syslog.Facility = "", "auth"
	s := opened(t, cfg, Options{Hostname: "tap01"})
	delivered(t, s, samples.Numbered(0, 20))
	require.NoError(t, s.Close())
	var ids []string
	for _, text := range octetCounted(t, accepted(t, l)) {
		parsed, err := rfc5424.NewParser().Parse([]byte(text))
		require.NoError(t, err)
		m := parsed.(*rfc5424.SyslogMessage)
		require.EqualValues(t, 4, *m.Facility)
		require.Equal(t, "tap01", *m.Hostname)
		for _, element := range *m.StructuredData {
			ids = append(ids, element["id"])
		}
	}
	require.Equal(t, idRange(0, 20), ids)
}

// octetCounted reads frames to the end (RFC 6587 section 3.4.1): a length without leading zeros, a space, and as many bytes.
func octetCounted(t *testing.T, from io.Reader) (texts []string) {
	t.Helper()
	for in := bufio.NewReader(from); ; {
		length, err := in.ReadString(' ')
		if errors.Is(err, io.EOF) && length == "" {
			return texts
		}
		require.NoError(t, err)
		require.Regexp(t, `^[1-9][0-9]{0,4} $`, length)
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		require.NoError(t, err)
		text := make([]byte, n)
		_, err = io.ReadFull(in, text)
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
}

// A message of ours is never longer than what is said, in bytes, whatever the alert holds.
func TestSyslogMessagesKeepTheirSize(t *testing.T) {
	for _, format := range []string{"syslog", "cef", "leef"} {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer c.Close()
		cfg := Sink{Type: "syslog", Format: format,
			Syslog: Syslog{Network: "udp", Address: c.LocalAddr().String(), MaxBytes: 3000}}
		s := opened(t, cfg, Options{})
		a := samples.Numbered(0, 1)[0]
		a.Message, a.Why = strings.Repeat("Москва ", 500), strings.Repeat("x", 5000)
		for range alert.MostEvidence {
			a.Evidence = append(a.Evidence, alert.Evidence{Kind: "dns", Value: strings.Repeat("y", 250), Why: strings.Repeat("z", 250)})
		}
		delivered(t, s, []*alert.Alert{a})
		got := make([]byte, 64<<10)
		n, _, err := c.ReadFrom(got)
		require.NoError(t, err)
		require.LessOrEqual(t, n, 3000)
		require.Contains(t, string(got[:n]), a.ID)
	}
}

func TestSyslogInsecureIsLoud(t *testing.T) {
	ca := newAuthority(t, "site")
	server := ca.sign(t, "other.test", -time.Hour)
	cert, err := tls.LoadX509KeyPair(server.Cert, server.Key)
	require.NoError(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			line, _ := bufio.NewReader(c).ReadString(' ')
			got <- line
		}
	}()
	core, logs := observer.New(zap.DebugLevel)
	cfg := tcpSink(l)
	cfg.Syslog.Network, cfg.TLS = "tls", TLS{Insecure: true}
	s := opened(t, cfg, Options{Logger: zap.New(core)})
	require.Equal(t, 1, logs.FilterLevelExact(zap.WarnLevel).FilterMessageSnippet("IS NOT CHECKED").Len())
	require.Equal(t, "test", logs.All()[0].ContextMap()["sink"])
	delivered(t, s, samples.Numbered(0, 1))
	require.NotEmpty(t, <-got)
}

func TestSyslogErrorsNameSinkAndKey(t *testing.T) {
	ca := newAuthority(t, "site")
	good := Syslog{Network: "tcp", Address: "127.0.0.1:514"}
	with := func(change func(*Sink)) Sink {
		cfg := Sink{Name: "soc", Type: "syslog", Syslog: good}
		change(&cfg)
		return cfg
	}
	for want, cfg := range map[string]Sink{
		`syslog.network: "sctp" is not one of`:                                with(func(c *Sink) { c.Syslog.Network = "sctp" }),
		`syslog.address: "siem" is not host:port`:                             with(func(c *Sink) { c.Syslog.Address = "siem" }),
		`syslog.address: ":514" is not host:port`:                             with(func(c *Sink) { c.Syslog.Address = ":514" }),
		`syslog.address: "a:x" is not host:port`:                              with(func(c *Sink) { c.Syslog.Address = "a:x" }),
		`syslog.framing: "lines" is not one of`:                               with(func(c *Sink) { c.Syslog.Framing = "lines" }),
		`syslog.framing: newline is for tcp only`:                             with(func(c *Sink) { c.Syslog.Network, c.Syslog.Framing = "tls", "newline" }),
		`syslog.facility: "local9" is not one of`:                             with(func(c *Sink) { c.Syslog.Facility = "local9" }),
		`syslog.facility: "kern" is not one of`:                               with(func(c *Sink) { c.Syslog.Facility = "kern" }),
		`syslog.max-bytes: must not be negative`:                              with(func(c *Sink) { c.Syslog.MaxBytes = -1 }),
		`syslog.max-bytes: 65536 is too large: a datagram carries`:            with(func(c *Sink) { c.Syslog.Network, c.Syslog.MaxBytes = "udp", 1<<16 }),
		`format, syslog.max-bytes: `:                                          with(func(c *Sink) { c.Syslog.MaxBytes = 600 }),
		`format: unknown format "xml"`:                                        with(func(c *Sink) { c.Format = "xml" }),
		`syslog.resend: must not be negative`:                                 with(func(c *Sink) { c.Syslog.Resend = -1 }),
		`proxy: is not possible for syslog`:                                   with(func(c *Sink) { c.Proxy = "http://proxy" }),
		`timeout: must not be negative`:                                       with(func(c *Sink) { c.Timeout = -1 }),
		`tls.ca: open /none`:                                                  with(func(c *Sink) { c.Syslog.Network, c.TLS.CA = "tls", "/none" }),
		`tls.ca: ` + ca.sign(t, "k", time.Hour).Key + ` holds no certificate`: with(func(c *Sink) { c.Syslog.Network, c.TLS.CA = "tls", ca.sign(t, "k", time.Hour).Key }),
		`tls: cert and key go together`:                                       with(func(c *Sink) { c.Syslog.Network, c.TLS.Cert = "tls", ca.file }),
		`tls.cert, tls.key: tls: `:                                            with(func(c *Sink) { c.Syslog.Network, c.TLS.Cert, c.TLS.Key = "tls", ca.file, ca.file }),
	} {
		_, err := Open(cfg, Options{})
		if strings.Contains(want, "holds no certificate") {
			want = "holds no certificate"
		} else {
			want = "sink soc: " + want
		}
		require.ErrorContains(t, err, want)
	}
}

func TestFacilityCodes(t *testing.T) {
	for name, want := range map[string]int{"user": 1, "auth": 4, "ftp": 11, "local0": 16, "local4": 20, "local7": 23} {
		require.Equal(t, want, slices.Index(facilities(), name), name)
	}
}
