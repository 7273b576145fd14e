package live

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/capture/observe"
	"avbeacon/internal/testkit"
)

// teeSource writes what passes into a pcap file with times in nanoseconds; tags that were stripped stand in the frames.
type teeSource struct {
	capture.Source
	file bytes.Buffer
}

func (s *teeSource) Next(ctx context.Context, b *capture.Block) error {
	if s.file.Len() == 0 {
		s.write(0xa1b23c4d, 4<<16|2, 0, 0, 1<<18, 1)
	}
	err := s.Source.Next(ctx, b)
	for _, p := range b.Packets {
		data := p.Data
		if p.HasVLAN {
			data = join(data[:12], []byte{0x81, 0, byte(p.VLAN >> 8), byte(p.VLAN)}, data[12:])
		}
		s.write(uint32(p.Time/1e9), uint32(p.Time%1e9), uint32(len(data)), p.OrigLen+uint32(len(data)-len(p.Data)))
		s.file.Write(data)
	}
	return err
}

func (s *teeSource) write(numbers ...uint32) {
	for _, n := range numbers {
		s.file.Write(binary.LittleEndian.AppendUint32(nil, n))
	}
}

// servers are a resolver, a web server with TLS and one without, for any name.
func (w *testWire) servers(t *testing.T) {
	w.here.Address("tap0", "10.77.0.1/24")
	w.there.Address("out0", "10.77.0.2/24")
	answer := dns.HandlerFunc(func(to dns.ResponseWriter, m *dns.Msg) {
		r := new(dns.Msg).SetReply(m)
		r.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60},
			A: net.IPv4(10, 77, 0, 2)}}
		_ = to.WriteMsg(r) // the client notices
	})
	resolver := &dns.Server{PacketConn: w.there.ListenPacket("10.77.0.2:53"), Handler: answer}
	go func() { _ = resolver.ActivateAndServe() }()
	t.Cleanup(func() { _ = resolver.Shutdown() })
	big := make([]byte, 2<<20)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) })
	web := &http.Server{Handler: page, TLSConfig: &tls.Config{Certificates: []tls.Certificate{anyCertificate(t)}}}
	plain, secure := w.there.Listen("10.77.0.2:80"), w.there.Listen("10.77.0.2:443")
	go func() { _ = web.Serve(plain) }()
	go func() { _ = web.ServeTLS(secure, "", "") }()
	t.Cleanup(func() { _ = web.Close() })
}

func anyCertificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"update.vendor.example"}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// visit looks a name up and fetches a page, in the clear and with TLS.
func (w *testWire) visit(t *testing.T, name string) {
	conn := w.here.Dial("udp", "10.77.0.2:53")
	asker := &dns.Conn{Conn: conn}
	require.NoError(t, asker.WriteMsg(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)))
	_, err := asker.ReadMsg()
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	for _, port := range []string{"80", "443"} {
		conn := w.here.Dial("tcp", "10.77.0.2:"+port)
		if port == "443" {
			conn = tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		}
		_, err := io.WriteString(conn, "GET /update HTTP/1.1\r\nHost: "+name+"\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, conn)
		require.NoError(t, err)
		require.Greater(t, n, int64(2<<20))
		require.NoError(t, conn.Close())
	}
}

// tcpdump captures tap0 into a file until stop is called. Without tcpdump, stop returns "".
func (w *testWire) tcpdump(t *testing.T) (stop func() string) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		return func() string { return "" }
	}
	name := filepath.Join(t.TempDir(), "tcpdump.pcap")
	cmd := exec.Command("tcpdump", "-i", "tap0", "-Z", "root", "--immediate-mode", "--time-stamp-precision=nano", "-s", "262144", "-B", "65536", "-w", name)
	said, err := cmd.StderrPipe()
	require.NoError(t, err)
	w.here.Do(cmd.Start)
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening on") {
	}
	return func() string {
		time.Sleep(300 * time.Millisecond) // it has no sign that it has written all
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		for lines.Scan() {
		}
		require.NoError(t, cmd.Wait())
		return name
	}
}

func TestLiveSeesWhatFilesShow(t *testing.T) {
	for _, workers := range []int{1, 4} {
		w := newTestWire(t)
		w.servers(t)
		l := w.open(t, Options{RingSize: 64 << 20, BlockSize: 256 << 10})
		tee := &teeSource{Source: l}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		seen := make(chan string, 1)
		go func() { seen <- seenIn(t, ctx, tee, workers) }()
		stop := w.tcpdump(t)
		for _, name := range []string{"update.vendor.example", "www.example.org"} {
			w.visit(t, name)
		}
		second := stop()
		cancel()
		got := <-seen
		for _, want := range []string{`"update.vendor.example"`, `"www.example.org"`, "/update"} {
			require.Contains(t, got, want)
		}
		st := l.Stats()[0]
		require.Zero(t, st.Drops)
		require.NotZero(t, st.Joined, "segments are joined on a veth pair")

		file := filepath.Join(t.TempDir(), "tee.pcap")
		require.NoError(t, os.WriteFile(file, tee.file.Bytes(), 0o600))
		for _, name := range []string{file, second} {
			if name == "" {
				t.Log("tcpdump is not installed: it was not asked")
				continue
			}
			src := files.Open([]string{name}, files.Options{})
			want, got := seenIn(t, context.Background(), src, 1), got
			if name == second {
				// On a veth pair TCP's packets have for each listener a time of its own, and packets of two processors may
				// come to it the other way round.
				want, got = untimed(want), untimed(got)
			}
			require.True(t, want == got, "%s: %s", name, firstDifference(want, got))
			require.Equal(t, st.Packets, src.Inputs()[0].Packets)
			require.NoError(t, src.Close())
		}
	}
}

// Everything that testdata has, tunnels and broken packets too, shows the same whether it passes or lies in a file.
func TestLiveSeesWhatTestdataShows(t *testing.T) {
	for _, workers := range []int{1, 3} {
		w := newTestWire(t)
		w.here.MTU("tap0", 65535)
		w.there.MTU("out0", 65535)
		l := w.open(t, Options{RingSize: 64 << 20, BlockSize: 256 << 10})
		tee := &teeSource{Source: l}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		seen := make(chan string, 1)
		go func() { seen <- seenIn(t, ctx, tee, workers) }()
		sent := sendAll(t, w.there.Sender("out0"), captures(t))
		cancel()
		got := <-seen
		require.Zero(t, l.Stats()[0].Drops)
		require.EqualValues(t, sent, l.Stats()[0].Packets)

		file := filepath.Join(t.TempDir(), "tee.pcap")
		require.NoError(t, os.WriteFile(file, tee.file.Bytes(), 0o600))
		src := files.Open([]string{file}, files.Options{})
		want := seenIn(t, context.Background(), src, 1)
		require.NoError(t, src.Close())
		require.NotEmpty(t, want)
		require.True(t, want == got, firstDifference(want, got))
	}
}

// sendAll sends all frames that an Ethernet link takes and says how many those are.
func sendAll(t *testing.T, to *testkit.Sender, names []string) (n int) {
	for _, name := range names {
		src := files.Open([]string{name}, files.Options{})
		var b capture.Block
		for src.Next(context.Background(), &b) == nil {
			for _, p := range b.Packets {
				if p.Link == capture.LinkEthernet && len(p.Data) >= 14 && len(p.Data) <= 65535 {
					to.Send(p.Data)
					n++
				}
			}
		}
		require.NoError(t, src.Close())
	}
	return n
}

// untimed leaves times and places in the capture out.
func untimed(s string) string {
	s = regexp.MustCompile(`"(Time|First|Last|RTT|Frame|FirstFrame|LastFrame)":("[^"]*"|\d+)`).ReplaceAllString(s, `"$1":0`)
	lines := strings.Split(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// seenIn is all that Observations of a Source hold.
func seenIn(t *testing.T, ctx context.Context, src capture.Source, workers int) string {
	var text strings.Builder
	_, err := observe.Run(ctx, src, observe.Options{Workers: workers}, observe.Sink{Observation: func(o *capture.Observation) error {
		b, err := json.Marshal(o)
		text.Write(append(b, '\n'))
		return err
	}})
	if err != nil {
		t.Errorf("observe: %v", err)
	}
	return text.String()
}
