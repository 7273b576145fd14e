package deliver

import (
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/internal/siem/samples"
)

// benchDelivery brings alerts to a sink in batches of 100, and says how many a second.
func benchDelivery(b *testing.B, cfg Sink) {
	const at = 100
	cfg.Name = "bench"
	s, err := Open(cfg, Options{Hostname: "tap01"})
	require.NoError(b, err)
	defer s.Close()
	batch := samples.Numbered(0, at)
	b.ReportAllocs()
	b.ResetTimer()
	sent := 0
	for b.Loop() {
		n, _, err := s.Deliver(b.Context(), batch)
		require.NoError(b, err)
		sent += n
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "alerts/s")
}

func BenchmarkDeliverToFileSynced(b *testing.B) {
	benchDelivery(b, Sink{Type: "file", File: File{Path: filepath.Join(b.TempDir(), "alerts.ndjson"),
		Size: 64 << 20, Keep: 2, Sync: true}})
}

func BenchmarkDeliverToSyslogTCP(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c); c.Close() }()
		}
	}()
	for _, format := range []string{"syslog", "cef", "ecs"} {
		b.Run(format, func(b *testing.B) {
			benchDelivery(b, Sink{Type: "syslog", Format: format,
				Syslog: Syslog{Network: "tcp", Address: l.Addr().String()}})
		})
	}
}
