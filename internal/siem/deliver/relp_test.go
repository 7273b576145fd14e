package deliver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/siem/samples"
)

const relpInput = `module(load="imrelp")
input(type="imrelp" port="%s" address="127.0.0.1" ruleset="at once")`

func relpTLS(server TLS) string {
	return fmt.Sprintf(`module(load="imrelp")
input(type="imrelp" port="%%s" address="127.0.0.1" ruleset="at once" tls="on" tls.caCert=%q tls.myCert=%q tls.myPrivKey=%q
	tls.authMode="name" tls.permittedPeer=["sensor.test"])`, server.CA, server.Cert, server.Key)
}

func relpSinkTo(r *daemon, client TLS) Sink {
	cfg := Sink{Type: "syslog", Format: "cef", TLS: client, Timeout: 5 * time.Second,
		Syslog: Syslog{Network: "relp", Address: r.address()}}
	if client.Cert != "" {
		cfg.Syslog.Network = "relp-tls"
	}
	return cfg
}

func TestRELPReachesRsyslog(t *testing.T) {
	ca := newAuthority(t, "site")
	server, client := ca.sign(t, "siem.test", time.Hour), ca.sign(t, "sensor.test", time.Hour)
	client.ServerName = "siem.test"
	for name, c := range map[string]struct {
		input  string
		client TLS
	}{"plain": {relpInput, TLS{}}, "TLS": {relpTLS(server), client}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rsyslog(t, "", c.input)
			r.start(t)
			s := opened(t, relpSinkTo(r, c.client), Options{Hostname: "tap01"})
			delivered(t, s, samples.Numbered(0, 300))
			require.Equal(t, messages(t, "cef", samples.Numbered(0, 300)), r.got(t), "all of it is there once it is acknowledged")
			delivered(t, s, samples.Numbered(300, 301))
			require.NoError(t, s.Close())
			require.Len(t, r.got(t), 301)
		})
	}
}

// Nothing is lost with a receiver that writes before it acknowledges, and nothing but what was not acknowledged comes twice.
func TestRELPReceiverIsKilled(t *testing.T) {
	r := rsyslog(t, "", relpInput)
	r.start(t)
	s := opened(t, relpSinkTo(r, TLS{}), Options{Hostname: "tap01"})
	const all, at, kills = 6000, 500, 6
	failed := 0
	for next, killed := 0, 0; next < all; {
		dead := make(chan struct{})
		if killed < kills {
			killed++
			go func(p *os.Process) { // while the batch is under way
				defer close(dead)
				time.Sleep(time.Duration(killed) * time.Millisecond)
				_ = p.Kill()
			}(r.running.Process)
		} else {
			close(dead)
		}
		n, rejected, err := s.Deliver(t.Context(), samples.Numbered(next, min(next+at, all)))
		<-dead
		require.Empty(t, rejected)
		if next += n; err != nil {
			failed++
			r.kill()
			r.start(t)
		}
	}
	require.NotZero(t, failed)
	requireAllOnceOrMore(t, r, messages(t, "cef", samples.Numbered(0, all)))
	require.LessOrEqual(t, len(r.got(t)), all+failed*relpWindow)
	t.Logf("%d messages, %d deliveries cut off, %d arrived", all, failed, len(r.got(t)))
}

// Answers that are not RELP's are errors, and what was acknowledged before them is done with.
func TestRELPAnswers(t *testing.T) {
	const yes = "1 rsp 6 200 OK\n"
	for name, c := range map[string]struct {
		answers string
		done    int
		err     string
	}{
		"all":             {yes + "2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n", 3, ""},
		"two, then end":   {yes + "2 rsp 6 200 OK\n3 rsp 3 200\n", 2, "has closed the connection"},
		"goodbye":         {yes + "2 rsp 6 200 OK\n0 serverclose 0\n", 1, "has closed the connection"},
		"no":              {yes + "2 rsp 9 500 no no\n", 0, `the receiver rejects the message: "500 no no"`},
		"not opened":      {"1 rsp 8 500 nope\n", 0, "open RELP: the receiver rejects the message"},
		"another number":  {yes + "3 rsp 6 200 OK\n", 0, "violates RELP"},
		"another command": {yes + "2 syslog 6 200 OK\n", 0, "violates RELP"},
		"no number":       {yes + "x rsp 6 200 OK\n", 0, "does not use RELP"},
		"a huge text":     {yes + "2 rsp 99999999 200 OK\n", 0, "does not use RELP"},
		"a negative one":  {yes + "2 rsp -1 200 OK\n", 0, "does not use RELP"},
		"an endless word": {strings.Repeat("1", 1000), 0, "does not use RELP"},
		"half a line":     {yes + "2 rsp\n", 0, "does not use RELP"},
		"a wrong length":  {yes + "2 rsp 3 200 OK\n", 0, "does not use RELP"},
		"HTTP":            {"HTTP/1.1 400 Bad Request\r\n\r\n", 0, "does not use RELP"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listener(t)
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte(c.answers))
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}()
			cfg := tcpSink(l)
			cfg.Syslog.Network = "relp"
			n, rejected, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
			require.Equal(t, c.done, n)
			require.Empty(t, rejected)
			if c.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.err)
		})
	}
}

func TestRELPReceiverThatNeverAnswers(t *testing.T) {
	l := listener(t)
	cfg := tcpSink(l)
	cfg.Syslog.Network, cfg.Timeout = "relp", 50*time.Millisecond
	n, _, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
	require.ErrorContains(t, err, "the receiver accepts no data")
	require.Zero(t, n)
}

func TestRELPNumbersBeginAgain(t *testing.T) {
	r := relp{last: relpLast - 1}
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	r.peer = &peer{conn: here, raw: here}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(there); in.Scan(); {
			lines <- in.Text()
		}
	}()
	go func() { _ = r.say("syslog", []byte("one"), []byte("two")); here.Close() }()
	require.Equal(t, "999999999 syslog 3 one", <-lines)
	require.Equal(t, "1 syslog 3 two", <-lines)
	<-lines
	require.Equal(t, relpLast, r.before(1))
	require.Equal(t, 1, r.before(0))
}
