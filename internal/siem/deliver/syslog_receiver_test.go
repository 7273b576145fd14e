package deliver

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
	"avbeacon/internal/siem/format/syslog"
	"avbeacon/internal/siem/samples"
)

const (
	tcpInput = `module(load="imtcp")
input(type="imtcp" port="%s" address="127.0.0.1")`
	udpInput = `module(load="imudp")
input(type="imudp" port="%s" address="127.0.0.1" rcvbufSize="4m")`
	tlsInput = `module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["sensor.test"])
input(type="imtcp" port="%s" address="127.0.0.1")`
)

func tlsGlobal(server TLS) string {
	return fmt.Sprintf(`defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q`,
		server.CA, server.Cert, server.Key)
}

func syslogNGTLS(server TLS) string {
	return fmt.Sprintf(`syslog(transport("tls") ip("127.0.0.1") port(%%s) flags(store-raw-message)
		tls(ca-file(%q) cert-file(%q) key-file(%q) peer-verify(required-trusted)));`, server.CA, server.Cert, server.Key)
}

// messages gives what the alerts look like on the way, without frames.
func messages(t *testing.T, name string, batch []*alert.Alert) []string {
	t.Helper()
	f, err := formatOf(name)
	require.NoError(t, err)
	enc, err := syslog.Messages(f, format.Options{Hostname: "tap01", PID: os.Getpid()})
	require.NoError(t, err)
	var all []string
	for _, a := range batch {
		m, err := enc.Append(nil, a)
		require.NoError(t, err)
		all = append(all, string(m))
	}
	return all
}

func TestSyslogReachesRealReceivers(t *testing.T) {
	ca := newAuthority(t, "site")
	server, client := ca.sign(t, "siem.test", time.Hour), ca.sign(t, "sensor.test", time.Hour)
	client.ServerName = "siem.test"
	overTLS := Sink{Format: "ecs", Syslog: Syslog{Network: "tls"}, TLS: client}
	for name, c := range map[string]struct {
		receiver func(t *testing.T) *daemon
		cfg      Sink
	}{
		"rsyslog, UDP":          {func(t *testing.T) *daemon { return rsyslog(t, "", udpInput) }, Sink{Syslog: Syslog{Network: "udp"}}},
		"rsyslog, TCP":          {func(t *testing.T) *daemon { return rsyslog(t, "", tcpInput) }, Sink{Syslog: Syslog{Network: "tcp"}}},
		"rsyslog, TCP, newline": {func(t *testing.T) *daemon { return rsyslog(t, "", tcpInput) }, Sink{Format: "cef", Syslog: Syslog{Network: "tcp", Framing: "newline"}}},
		"rsyslog, TLS":          {func(t *testing.T) *daemon { return rsyslog(t, tlsGlobal(server), tlsInput) }, overTLS},
		"syslog-ng, TCP": {func(t *testing.T) *daemon {
			return syslogNG(t, `syslog(transport("tcp") ip("127.0.0.1") port(%s) flags(store-raw-message));`)
		}, Sink{Format: "leef", Syslog: Syslog{Network: "tcp"}}},
		"syslog-ng, TLS": {func(t *testing.T) *daemon { return syslogNG(t, syslogNGTLS(server)) }, overTLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := c.receiver(t)
			r.start(t)
			cfg := c.cfg
			cfg.Type, cfg.Syslog.Address = "syslog", r.address()
			s := opened(t, cfg, Options{Hostname: "tap01"})
			for i := range 5 {
				delivered(t, s, samples.Numbered(i*100, i*100+100))
			}
			format := cfg.Format
			if format == "" {
				format = "syslog"
			}
			require.Eventually(t, func() bool { return len(r.got(t)) >= 500 }, time.Minute, 20*time.Millisecond)
			require.Equal(t, messages(t, format, samples.Numbered(0, 500)), r.got(t), "byte for byte, in order, once")
			require.Zero(t, s.(Resender).Resent())
		})
	}
}

// A receiver is killed in mid-stream and comes back. What it had not worked off was counted as delivered, and is sent
// again: every alert arrives, some twice, with the same id and bytes.
func TestSyslogReceiverIsKilled(t *testing.T) {
	ca := newAuthority(t, "site")
	server, client := ca.sign(t, "siem.test", time.Hour), ca.sign(t, "sensor.test", time.Hour)
	client.ServerName = "siem.test"
	for name, c := range map[string]struct {
		receiver func(t *testing.T) *daemon
		network  string
	}{
		"rsyslog, TCP":   {func(t *testing.T) *daemon { return rsyslog(t, "", tcpInput) }, "tcp"},
		"rsyslog, TLS":   {func(t *testing.T) *daemon { return rsyslog(t, tlsGlobal(server), tlsInput) }, "tls"},
		"syslog-ng, TLS": {func(t *testing.T) *daemon { return syslogNG(t, syslogNGTLS(server)) }, "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := c.receiver(t)
			r.start(t)
			cfg := Sink{Type: "syslog", Format: "cef", TLS: client, Timeout: 5 * time.Second,
				Syslog: Syslog{Network: c.network, Address: r.address(), Resend: 10000}}
			if c.network == "tcp" {
				cfg.TLS = TLS{}
			}
			s := opened(t, cfg, Options{Hostname: "tap01"})
			const all, at = 6000, 50
			restarted := make(chan struct{})
			for next := 0; next < all; {
				n, rejected, err := s.Deliver(t.Context(), samples.Numbered(next, next+at))
				require.Empty(t, rejected)
				if next += n; err != nil {
					time.Sleep(20 * time.Millisecond) // as the spool waits between attempts
				}
				if next == all/3 && err == nil {
					r.kill()
					go func() { defer close(restarted); time.Sleep(200 * time.Millisecond) }()
				}
				select {
				case <-restarted:
					restarted = nil
					r.start(t)
				default:
				}
			}
			requireAllOnceOrMore(t, r, messages(t, "cef", samples.Numbered(0, all)))
			require.NotZero(t, s.(Resender).Resent())
			t.Logf("%d messages, %d sent again, %d arrived", all, s.(Resender).Resent(), len(r.got(t)))
		})
	}
}

// requireAllOnceOrMore waits until every message has arrived. What arrived twice is the same byte for byte; nothing else
// arrived but beginnings of messages that a kill cut.
func requireAllOnceOrMore(t *testing.T, r *daemon, want []string) {
	t.Helper()
	known := map[string]int{}
	for _, m := range want {
		known[m] = 0
	}
	require.Eventually(t, func() bool {
		seen := map[string]bool{}
		for _, m := range r.got(t) {
			if _, ours := known[m]; ours {
				seen[m] = true
			}
		}
		return len(seen) == len(want)
	}, time.Minute, 50*time.Millisecond, "alerts are missing")
	for _, m := range r.got(t) {
		if _, ours := known[m]; !ours {
			require.True(t, startsOne(want, m), "what nobody sent: %s", m)
		}
	}
}

func startsOne(want []string, m string) bool {
	for _, w := range want {
		if strings.HasPrefix(w, m) {
			return true
		}
	}
	return false
}

// The receiver looks at our certificate only after the handshake, and closes: that is an error of the delivery, not
// alerts that are gone.
func TestSyslogReceiverRejectsUs(t *testing.T) {
	ca, other := newAuthority(t, "site"), newAuthority(t, "elsewhere")
	server := ca.sign(t, "siem.test", time.Hour)
	expired := other.sign(t, "sensor.test", -time.Hour)
	foreign := other.sign(t, "sensor.test", time.Hour)
	for name, c := range map[string]struct {
		client TLS
		want   []string // any
	}{
		"no certificate":     {TLS{}, []string{"tls.cert, tls.key"}},
		"another name":       {ca.sign(t, "stranger.test", time.Hour), []string{"tls.cert"}},
		"another authority":  {foreign, []string{"tls.cert"}},
		"our own is too old": {expired, []string{"our certificate " + expired.Cert + " expired on"}},
	} {
		for kind, receiver := range map[string]func(t *testing.T) *daemon{
			"rsyslog":   func(t *testing.T) *daemon { return rsyslog(t, tlsGlobal(server), tlsInput) },
			"syslog-ng": func(t *testing.T) *daemon { return syslogNG(t, syslogNGTLS(server)) },
		} {
			if kind == "syslog-ng" && name == "another name" {
				continue // it is not configured to check names
			}
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				r := receiver(t)
				r.start(t)
				cfg := Sink{Type: "syslog", TLS: c.client, Syslog: Syslog{Network: "tls", Address: r.address()}}
				cfg.TLS.CA, cfg.TLS.ServerName = ca.file, "siem.test"
				s := opened(t, cfg, Options{})
				for range 2 {
					n, _, err := s.Deliver(t.Context(), samples.Numbered(0, 10))
					require.Error(t, err)
					require.Zero(t, n)
					t.Log(err)
					for _, want := range c.want {
						require.ErrorContains(t, err, want)
					}
				}
				require.Empty(t, r.got(t))
			})
		}
	}
}

func TestSyslogRejectsAWrongReceiver(t *testing.T) {
	ca, other := newAuthority(t, "site"), newAuthority(t, "elsewhere")
	client := ca.sign(t, "sensor.test", time.Hour)
	for name, c := range map[string]struct {
		server TLS
		client func(*TLS)
		want   string
	}{
		"expired":     {ca.sign(t, "siem.test", -time.Hour), func(*TLS) {}, "the receiver's certificate expired on 20"},
		"wrong CA":    {ca.sign(t, "siem.test", time.Hour), func(c *TLS) { c.CA = other.file }, "is not from a trusted authority (tls.ca)"},
		"wrong name":  {ca.sign(t, "other.test", time.Hour), func(*TLS) {}, "for another name (tls.server-name)"},
		"dialed name": {ca.sign(t, "siem.test", time.Hour), func(c *TLS) { c.ServerName = "" }, "for another name (tls.server-name)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rsyslog(t, tlsGlobal(c.server), tlsInput)
			r.start(t)
			cfg := Sink{Type: "syslog", TLS: client, Syslog: Syslog{Network: "tls", Address: r.address()}}
			cfg.TLS.ServerName = "siem.test"
			c.client(&cfg.TLS)
			n, _, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 10))
			require.ErrorContains(t, err, c.want)
			require.Zero(t, n)
			require.Empty(t, r.got(t))
		})
	}
}
