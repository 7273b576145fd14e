package spool

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/siem/deliver"
)

// serveNATS starts a real server on a port; 0 takes any.
func serveNATS(t *testing.T, dir string, port int, change func(*server.Options)) *server.Server {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	opts := &server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true}
	if change != nil {
		change(opts)
	}
	s, err := server.NewServer(opts)
	require.NoError(t, err)
	s.Start()
	require.True(t, s.ReadyForConnections(10*time.Second))
	t.Cleanup(s.Shutdown)
	return s
}

func portOf(s *server.Server) int { return s.Addr().(*net.TCPAddr).Port }

func TestAServerOutsideThatGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := serveNATS(t, dir, 0, nil)
	port := portOf(srv)
	cfg := config.Spool{NATS: "nats://127.0.0.1:" + strconv.Itoa(port)}
	k := newStrict()
	s := start(t, cfg, Options{Sensor: "tap1"}, map[string]*strict{"k": k})
	offer := func(from, to int) {
		for n := from; n < to; n++ {
			require.True(t, s.Offer(made(n, n/50%5)))
		}
	}
	offer(0, 1000)
	eventually(t, "all", func() bool { return len(k.has()) == 1000 })
	srv.Shutdown()
	srv.WaitForShutdown()
	offer(1000, 2000)
	eventually(t, "it says so", func() bool { return s.Stats().Waiting != "" })
	require.False(t, s.Stats().Known)
	srv = serveNATS(t, dir, port, nil)
	eventually(t, "it goes on", func() bool { return len(k.has()) >= 2000 })
	offer(2000, 3000) // and in the middle of it
	srv.Shutdown()
	srv.WaitForShutdown()
	serveNATS(t, dir, port, nil)
	eventually(t, "it goes on", func() bool { k.mu.Lock(); defer k.mu.Unlock(); return len(k.times) == 3000 })
	require.NoError(t, s.stop())
	require.Empty(t, s.Stats().Waiting)
	seen := map[string]bool{}
	var first []string
	for _, id := range k.ids {
		if !seen[id] {
			first = append(first, id)
		}
		seen[id] = true
	}
	requireOrder(t, first)
}

func TestAServerOutsideThatComesLater(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	k := newStrict()
	s := start(t, config.Spool{NATS: "nats://127.0.0.1:" + strconv.Itoa(port)}, Options{Sensor: "a.b"}, map[string]*strict{"k": k})
	s.Offer(made(1, 1))
	eventually(t, "it says so", func() bool { return s.Stats().Waiting != "" })
	srv := serveNATS(t, t.TempDir(), port, nil)
	eventually(t, "it came", func() bool { return len(k.has()) == 1 })
	require.True(t, srv.JetStreamEnabled())
	require.Equal(t, uint64(1), s.Stats().Messages)
	require.NoError(t, s.stop())
}

// Two sensors share a server, and what its operator set up stays.
func TestTwoSensorsOneServer(t *testing.T) {
	t.Parallel()
	srv := serveNATS(t, t.TempDir(), 0, nil)
	cfg := config.Spool{NATS: srv.ClientURL()}
	one, two := newStrict(), newStrict()
	a := start(t, cfg, Options{Sensor: "one"}, map[string]*strict{"siem": one})
	b := start(t, cfg, Options{Sensor: "two"}, map[string]*strict{"siem": two})
	for n := range 100 {
		a.Offer(made(n, 1))
		b.Offer(made(1000+n, 1))
	}
	require.NoError(t, a.stop())
	require.NoError(t, b.stop())
	require.Equal(t, ids(0, 100), one.ids)
	require.Equal(t, ids(1000, 1100), two.ids)

	c, err := outside(cfg, "one", zap.NewNop())
	require.NoError(t, err)
	defer c.stop()
	stream, err := c.find(context.Background())
	require.NoError(t, err)
	set := stream.CachedInfo().Config
	set.MaxAge = 24 * time.Hour
	_, err = c.js.UpdateStream(context.Background(), set)
	require.NoError(t, err)
	a = start(t, cfg, Options{Sensor: "one"}, nil)
	a.Offer(made(200, 1))
	require.NoError(t, a.stop())
	stream, err = c.find(context.Background())
	require.NoError(t, err)
	require.Equal(t, 24*time.Hour, stream.CachedInfo().Config.MaxAge)
}

// A server that cannot reset a consumer gets a new one, from the same place.
func TestAConsumerIsMadeAnewWhereItCannotBeReset(t *testing.T) {
	t.Parallel()
	s, err := Open(config.Spool{}, Options{})
	require.NoError(t, err)
	defer s.Close()
	k := &sink{spool: s, name: "k", log: zap.NewNop(), pass: func(*alert.Alert) bool { return true }}
	ctx := context.Background()
	stream, err := s.engine.find(ctx)
	require.NoError(t, err)
	for n := range 5 {
		r := newRound()
		r.add(made(n, 1), []byte("{}\n"))
		require.NoError(t, s.engine.put(ctx, r))
	}
	_, err = stream.CreateConsumer(ctx, k.config(jetstream.DeliverByStartSequencePolicy, 4)) // a reset to before 4 is refused
	require.NoError(t, err)
	k.position = position{done: 2, known: true}
	c, err := k.consumer(ctx, stream)
	require.NoError(t, err)
	m, err := c.Next()
	require.NoError(t, err)
	meta, err := m.Metadata()
	require.NoError(t, err)
	require.Equal(t, uint64(3), meta.Sequence.Stream)
}

func TestTLSWithClientCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, caKey := certificate(t, dir, "ca", nil, nil)
	certificate(t, dir, "server", ca, caKey)
	certificate(t, dir, "client", ca, caKey)
	file := func(name string) string { return filepath.Join(dir, name) }
	srv := serveNATS(t, t.TempDir(), 0, func(o *server.Options) {
		pair, err := tls.LoadX509KeyPair(file("server.crt"), file("server.key"))
		require.NoError(t, err)
		pool := x509.NewCertPool()
		pool.AddCert(ca)
		o.TLS, o.TLSVerify, o.TLSTimeout = true, true, 5
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	})
	cfg := config.Spool{NATS: "tls://127.0.0.1:" + strconv.Itoa(portOf(srv)),
		NATSTLS: deliver.TLS{CA: file("ca.crt"), Cert: file("client.crt"), Key: file("client.key")}}
	k := newStrict()
	s := start(t, cfg, Options{}, map[string]*strict{"k": k})
	s.Offer(made(1, 1))
	eventually(t, "it came", func() bool { return len(k.has()) == 1 })
	require.NoError(t, s.stop())

	stranger := cfg
	stranger.NATSTLS.CA = file("client.crt")
	s = start(t, stranger, Options{Drain: time.Millisecond}, nil)
	s.Offer(made(2, 1))
	eventually(t, "a server of another authority is refused", func() bool { return s.Stats().Waiting != "" })
	require.ErrorContains(t, s.stop(), "1 alerts were not written")

	core, said := observer.New(zap.WarnLevel)
	cfg.NATSTLS.Insecure = true
	s = start(t, cfg, Options{Logger: zap.New(core)}, nil)
	require.NoError(t, s.stop())
	require.NotZero(t, said.FilterMessageSnippet("certificate is not checked").Len())
	cfg.NATSTLS.CA = file("server.key")
	_, err := Open(cfg, Options{})
	require.ErrorContains(t, err, "no certificate")
}

func TestSecretsStayOutOfErrors(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"nats://user:hunter2@127.0.0.1:x", "nats://user:hunter2@[::", "tls://u:hunter2@a b"} {
		_, err := Open(config.Spool{NATS: address}, Options{})
		if err != nil {
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
	srv := serveNATS(t, t.TempDir(), 0, func(o *server.Options) { o.Username, o.Password = "user", "hunter2" })
	core, said := observer.New(zap.DebugLevel)
	s := start(t, config.Spool{NATS: "nats://user:hunter3@127.0.0.1:" + strconv.Itoa(portOf(srv))},
		Options{Logger: zap.New(core), Drain: time.Millisecond}, nil)
	s.Offer(made(1, 1))
	eventually(t, "refused", func() bool { return s.Stats().Waiting != "" })
	require.NotContains(t, s.Stats().Waiting, "hunter")
	require.Error(t, s.stop())
	for _, line := range said.All() {
		require.NotContains(t, line.Message, "hunter")
		for _, v := range line.ContextMap() {
			require.NotContains(t, v, "hunter")
		}
	}
}

// certificate writes NAME.crt and NAME.key; without an authority it is one itself.
func certificate(t *testing.T, dir, name string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	if ca == nil {
		c.IsCA, c.BasicConstraintsValid = true, true
		ca, caKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca, &key.PublicKey, caKey)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	for file, b := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "EC PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+file), pem.EncodeToMemory(b), 0o600))
	}
	out, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return out, key
}
