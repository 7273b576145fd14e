package deliver

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/samples"
	"avbeacon/internal/testkit/loopback"
)

// natsServer runs a real server with JetStream on a port of loopback.
func natsServer(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	opt := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	if change != nil {
		change(opt)
	}
	s, err := server.NewServer(opt)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(time.Minute))
	return s
}

// alertStream makes the stream that keeps alerts.
func alertStream(t *testing.T, s *server.Server, cfg jetstream.StreamConfig, opts ...nats.Option) jetstream.Stream {
	t.Helper()
	conn, err := nats.Connect(s.ClientURL(), opts...)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	cfg.Name, cfg.Subjects = "ALERTS", []string{"avbeacon.alerts"}
	stream, err := js.CreateOrUpdateStream(t.Context(), cfg)
	require.NoError(t, err)
	return stream
}

// stored reads the stream from its start: the message ids in order.
func stored(t *testing.T, stream jetstream.Stream) []string {
	t.Helper()
	info, err := stream.Info(t.Context())
	require.NoError(t, err)
	var ids []string
	for n := info.State.FirstSeq; n <= info.State.LastSeq && info.State.Msgs > 0; n++ {
		m, err := stream.GetMsg(t.Context(), n)
		require.NoError(t, err)
		require.Equal(t, m.Header.Get("Nats-Msg-Id"), alertID(m.Data))
		ids = append(ids, alertID(m.Data))
	}
	return ids
}

func natsSink(s *server.Server) Sink {
	return Sink{Name: "bus", Type: "nats", Timeout: 5 * time.Second, NATS: NATS{URL: s.ClientURL(), Subject: "avbeacon.alerts"}}
}

func TestNATSStoresEachOnce(t *testing.T) {
	s := natsServer(t, nil)
	stream := alertStream(t, s, jetstream.StreamConfig{})
	sink := opened(t, natsSink(s), Options{})
	delivered(t, sink, samples.Numbered(0, 1200))
	delivered(t, sink, samples.Numbered(1000, 1201))
	require.Equal(t, idRange(0, 1201), stored(t, stream))
}

// The server goes in mid-stream and comes back with its store: what was under way comes again and is known.
func TestNATSServerRestarts(t *testing.T) {
	dir, port := t.TempDir(), strconv.Itoa(loopback.FreePort(t))
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	same := func(o *server.Options) { o.StoreDir, o.Port = dir, number }
	first := natsServer(t, same)
	alertStream(t, first, jetstream.StreamConfig{Duplicates: time.Hour})
	cfg := natsSink(first)
	cfg.Timeout = 2 * time.Second
	sink := opened(t, cfg, Options{})
	gone := make(chan struct{})
	done := 0
	for all := samples.Numbered(0, 3000); done < len(all); {
		n, rejected, err := sink.Deliver(t.Context(), all[done:min(done+100, len(all))])
		require.Empty(t, rejected)
		if done += n; err != nil {
			break
		}
		if done == 1000 {
			go func() {
				defer close(gone)
				first.Shutdown()
				first.WaitForShutdown()
			}()
		}
	}
	<-gone
	require.Less(t, done, 3000, "it went in mid-stream")
	n, _, err := sink.Deliver(t.Context(), samples.Numbered(done, done+10))
	require.Error(t, err, "nobody is there")
	require.Zero(t, n)
	second := natsServer(t, same)
	stream := alertStream(t, second, jetstream.StreamConfig{Duplicates: time.Hour})
	require.Empty(t, untilDone(t, sink, samples.Numbered(done, 3000)))
	require.Equal(t, idRange(0, 3000), stored(t, stream))
}

// A message that the stream or the server never takes is rejected alone; a full stream is waited for.
func TestNATSLimits(t *testing.T) {
	large := func() []*alert.Alert {
		batch := samples.Numbered(0, 10)
		batch[4].Evidence = slices.Repeat([]alert.Evidence{{Kind: "tls_sni", Value: strings.Repeat("x", 900), Strength: "strong"}}, 12)
		return batch
	}
	for name, c := range map[string]struct {
		server func(*server.Options)
		stream jetstream.StreamConfig
	}{
		"of the stream": {nil, jetstream.StreamConfig{MaxMsgSize: 8000}},
		"of the server": {func(o *server.Options) { o.MaxPayload = 8000 }, jetstream.StreamConfig{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := natsServer(t, c.server)
			stream := alertStream(t, s, c.stream)
			n, rejected, err := opened(t, natsSink(s), Options{}).Deliver(t.Context(), large())
			require.NoError(t, err)
			require.Equal(t, 10, n)
			require.Len(t, rejected, 1)
			require.Equal(t, 4, rejected[0].Index)
			require.Equal(t, append(idRange(0, 4), idRange(5, 10)...), sorted(stored(t, stream)))
		})
	}
	s := natsServer(t, nil)
	stream := alertStream(t, s, jetstream.StreamConfig{MaxMsgs: 5, Discard: jetstream.DiscardNew})
	sink := opened(t, natsSink(s), Options{})
	n, rejected, err := sink.Deliver(t.Context(), samples.Numbered(0, 10))
	require.ErrorContains(t, err, "maximum messages exceeded")
	require.Equal(t, 5, n)
	require.Empty(t, rejected)
	require.NoError(t, stream.Purge(t.Context()))
	delivered(t, sink, samples.Numbered(5, 10))
}

func TestNATSNobodyKeepsTheSubject(t *testing.T) {
	s := natsServer(t, nil)
	n, rejected, err := opened(t, natsSink(s), Options{}).Deliver(t.Context(), samples.Numbered(0, 10))
	require.ErrorContains(t, err, "no stream captures the subject")
	require.Zero(t, n)
	require.Empty(t, rejected)
}

// Wrong passwords and forbidden subjects need a person.
func TestNATSDenied(t *testing.T) {
	t.Parallel()
	s := natsServer(t, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "root", Password: "r"},
			{Username: "sensor", Password: "the-secret", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"other"}}}},
		}
	})
	alertStream(t, s, jetstream.StreamConfig{}, nats.UserInfo("root", "r"))
	for user, said := range map[string]string{"sensor:the-secret": "(?i)permissions violation", "sensor:wrong-secret": "(?i)authorization violation"} {
		cfg := natsSink(s)
		cfg.NATS.URL = "nats://" + user + "@" + s.Addr().String()
		cfg.Timeout = time.Second
		n, rejected, err := unchecked(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
		var denied *Denied
		require.ErrorAs(t, err, &denied)
		require.Regexp(t, said, err.Error())
		require.Zero(t, n)
		require.Empty(t, rejected)
	}
	cfg := natsSink(s)
	cfg.NATS.URL = "nats://root:r@" + s.Addr().String()
	delivered(t, unchecked(t, cfg, Options{}), samples.Numbered(0, 3))
}

func TestNATSOverTLS(t *testing.T) {
	good := newAuthority(t, "good")
	for name, c := range map[string]struct {
		left time.Duration
		said string
	}{"fine": {time.Hour, ""}, "expired": {-time.Minute, "certificate expired on"}} {
		t.Run(name, func(t *testing.T) {
			shown := good.sign(t, "127.0.0.1", c.left)
			own := good.sign(t, "sensor", time.Hour)
			s := natsServer(t, func(o *server.Options) {
				trust, err := server.GenTLSConfig(&server.TLSConfigOpts{CertFile: shown.Cert, KeyFile: shown.Key, CaFile: shown.CA, Verify: true})
				require.NoError(t, err)
				o.TLSConfig, o.TLSVerify, o.TLSTimeout = trust, true, 5
			})
			cfg := natsSink(s)
			cfg.NATS.URL = "tls://" + s.Addr().String()
			cfg.TLS = own
			if c.said != "" {
				_, _, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
				var denied *Denied
				require.ErrorAs(t, err, &denied)
				require.ErrorContains(t, err, c.said)
				return
			}
			alertStream(t, s, jetstream.StreamConfig{}, nats.RootCAs(good.file), nats.ClientCert(own.Cert, own.Key))
			delivered(t, opened(t, cfg, Options{}), samples.Numbered(0, 3))
		})
	}
}

func TestNATSServerSaysNothing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	cfg := Sink{Type: "nats", Timeout: time.Hour, NATS: NATS{URL: "nats://" + l.Addr().String(), Subject: "x"}}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, _, err = opened(t, cfg, Options{}).Deliver(ctx, samples.Numbered(0, 3))
	require.Error(t, err)
	require.Less(t, time.Since(began), slow)

	cfg.NATS.URL = "nats://bus.invalid:4222"
	_, _, err = opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
	require.ErrorContains(t, err, "bus.invalid")
}

func TestNATSConfiguration(t *testing.T) {
	creds := filepath.Join(t.TempDir(), "creds")
	require.NoError(t, os.WriteFile(creds, []byte("nothing of use"), 0o600))
	for text, c := range map[string]Sink{
		"nats.subject:":              {NATS: NATS{URL: "nats://x", Subject: "a.*"}},
		"nats.url: must be a URL":    {NATS: NATS{Subject: "a"}},
		"nats.url: must not contain": {NATS: NATS{URL: "ftp://user:secret@x", Subject: "a"}},
		"proxy:":                     {NATS: NATS{URL: "nats://x", Subject: "a"}, Proxy: "environment"},
		"tls.ca":                     {NATS: NATS{URL: "nats://x", Subject: "a"}, TLS: TLS{CA: "/nonexistent"}},
		"format:":                    {NATS: NATS{URL: "nats://x", Subject: "a"}, Format: "sonnet"},
	} {
		c.Name, c.Type = "bus", "nats"
		_, err := Open(c, Options{})
		require.ErrorContains(t, err, "sink bus: "+text)
		require.NotContains(t, err.Error(), "secret")
	}
	s := natsServer(t, nil)
	cfg := natsSink(s)
	cfg.NATS.Creds = creds
	_, _, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 1))
	require.Error(t, err, "the credentials' file holds none")
}
