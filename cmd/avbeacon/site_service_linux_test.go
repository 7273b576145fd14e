package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/require"

	"avbeacon/internal/testkit"
)

// anyName makes a certificate for whatever name is asked for.
func anyName(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hello.ServerName
	if name == "" {
		name = "nobody.example"
	}
	c, err := testkit.Certificate("", []string{name})
	return &c, err
}

// serve answers at an address by HTTP, TLS and QUIC (ports 80, 443 and 443), each request with so many bytes.
func (s *liveNet) serve(address string, bytes int) {
	s.t.Helper()
	body := make([]byte, bytes)
	server := &http.Server{
		TLSConfig: &tls.Config{GetCertificate: anyName},
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }), // the client notices
	}
	plain, secure := s.outside.Listen(address+":80"), s.outside.Listen(address+":443")
	go func() { _ = server.Serve(plain) }()
	go func() { _ = server.ServeTLS(secure, "", "") }()
	s.t.Cleanup(func() { _ = server.Close() })
	listener, err := quic.Listen(s.outside.ListenPacket(address+":443"), &tls.Config{GetCertificate: anyName, NextProtos: []string{"h3"}}, nil)
	require.NoError(s.t, err, "listen by quic")
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(func() { cancel(); _ = listener.Close() })
	go func() {
		for ctx.Err() == nil {
			testkit.AnswerQUIC(ctx, listener)
		}
	}()
}

// fetch asks a name's server by HTTP, with header fields, and waits for all of the answer.
func (s *liveNet) fetch(client int, name, path string, fields ...string) {
	s.t.Helper()
	conn := s.connect(client, name, 80)
	require.NoError(s.t, exchange(conn, name, path, fields), "fetch from "+name)
}

// fetchTLS does so within TLS of a version, tls.VersionTLS13 or an older one. With bare the client does not say which
// server it wants.
func (s *liveNet) fetchTLS(client int, name string, version uint16, bare bool) {
	s.t.Helper()
	conf := &tls.Config{InsecureSkipVerify: true, MaxVersion: version, MinVersion: tls.VersionTLS12}
	if !bare {
		conf.ServerName = name
	}
	conn := tls.Client(s.connect(client, name, 443), conf)
	require.NoError(s.t, exchange(conn, name, "/", nil), "fetch from "+name+" by tls")
}

// fetchQUIC asks a name's server by QUIC.
func (s *liveNet) fetchQUIC(client int, name string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := quic.Dial(ctx, s.clients[client].ListenPacket("0.0.0.0:0"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.address(name), 443)),
		&tls.Config{ServerName: name, NextProtos: []string{"h3"}, InsecureSkipVerify: true}, nil)
	require.NoError(s.t, err, "dial "+name+" by quic")
	require.NoError(s.t, testkit.AskQUIC(ctx, c), "ask "+name+" by quic")
	_ = c.CloseWithError(0, "")
}

// refused tries to reach a port at which nobody listens.
func (s *liveNet) refused(client int, name string, port uint16) {
	s.t.Helper()
	s.clients[client].Do(func() error {
		conn, err := net.Dial("tcp", s.at(name, port))
		if err == nil {
			return errors.Join(errors.New("somebody listens at "+name), conn.Close())
		}
		return nil
	})
}

func (s *liveNet) address(name string) netip.Addr {
	s.t.Helper()
	a, ok := s.names[name]
	if !ok {
		s.t.Fatalf("no server is called %s", name)
	}
	return a
}

func (s *liveNet) connect(client int, name string, port uint16) net.Conn {
	s.t.Helper()
	return s.clients[client].Dial("tcp", s.at(name, port))
}

func (s *liveNet) at(name string, port uint16) string {
	s.t.Helper()
	return netip.AddrPortFrom(s.address(name), port).String()
}

// exchange asks for a page and reads it to its end.
func exchange(conn net.Conn, name, path string, fields []string) error {
	defer conn.Close()
	text := "GET " + path + " HTTP/1.1\r\nHost: " + name + "\r\n"
	for _, f := range append(fields, "Connection: close") {
		text += f + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	return err
}

// openSSL is a program that has its own TLS; nil where it is not installed.
type openSSL struct {
	site      *liveNet
	cert, key string
}

// openSSL returns nil where the program is not installed.
func (s *liveNet) openSSL() *openSSL {
	s.t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		return nil
	}
	c, err := testkit.Certificate("", []string{"openssl.example"})
	require.NoError(s.t, err, "make certificate")
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	require.NoError(s.t, err, "make key")
	o := &openSSL{site: s, cert: filepath.Join(s.t.TempDir(), "cert.pem"), key: filepath.Join(s.t.TempDir(), "key.pem")}
	require.NoError(s.t, os.WriteFile(o.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600), "write certificate")
	require.NoError(s.t, os.WriteFile(o.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600), "write key")
	return o
}

// serve runs `openssl s_server` at an address, port 443, until the test ends.
func (o *openSSL) serve(address string) {
	s := o.site
	s.t.Helper()
	cmd := exec.Command("openssl", "s_server", "-accept", address+":443", "-cert", o.cert, "-key", o.key, "-www")
	out, err := cmd.StdoutPipe()
	require.NoError(s.t, err, "run openssl")
	s.outside.Do(cmd.Start)
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "ACCEPT") {
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
}

// fetch runs `openssl s_client` against a name's server; arguments such as -tls1_2 may be added.
func (o *openSSL) fetch(client int, name string, args ...string) {
	s := o.site
	s.t.Helper()
	s.clients[client].Do(func() error {
		cmd := exec.Command("openssl", append([]string{"s_client", "-connect", s.at(name, 443), "-servername", name, "-quiet"}, args...)...)
		cmd.Stdin = strings.NewReader("GET / HTTP/1.0\r\n\r\n")
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), "HTTP/1.") {
			return fmt.Errorf("openssl and %s: %v: %s", name, err, out)
		}
		return nil
	})
}
