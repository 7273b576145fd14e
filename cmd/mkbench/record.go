package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"time"
)

// recordedName is the server name in the recorded handshakes.
const recordedName = "template.example.com"

// recordTemplates runs a handshake of each sort with crypto/tls and writes what the two sides sent.
func recordTemplates(name string) error {
	chain, err := newChain()
	if err != nil {
		return err
	}
	var t templates
	for _, kind := range []struct {
		name   string
		max    uint16
		curves []tls.CurveID
		quic   bool
	}{
		{"tls12", tls.VersionTLS12, []tls.CurveID{tls.X25519, tls.CurveP256}, false},
		{"tls13", tls.VersionTLS13, []tls.CurveID{tls.X25519, tls.CurveP256}, false},
		{"tls13pq", tls.VersionTLS13, []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256}, false},
		{"quic", tls.VersionTLS13, []tls.CurveID{tls.X25519, tls.CurveP256}, true},
		{"quicpq", tls.VersionTLS13, []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256}, true},
	} {
		client := &tls.Config{ServerName: recordedName, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12,
			MaxVersion: kind.max, CurvePreferences: kind.curves, NextProtos: []string{"h2", "http/1.1"}}
		server := &tls.Config{Certificates: []tls.Certificate{chain}, NextProtos: client.NextProtos, SessionTicketsDisabled: true}
		record, all := recordTLS, &t.TLS
		if kind.quic {
			client.MinVersion, server.MinVersion = tls.VersionTLS13, tls.VersionTLS13
			client.NextProtos, server.NextProtos = []string{"h3"}, []string{"h3"}
			record, all = recordQUIC, &t.QUIC
		}
		h, err := record(client, server)
		if err != nil {
			return fmt.Errorf("record %s: %w", kind.name, err)
		}
		h.Name = kind.name
		*all = append(*all, h)
	}
	text, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}

// newChain makes a certificate and its issuer, about as large as public ones.
func newChain() (tls.Certificate, error) {
	issuer := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		Subject:   pkix.Name{Country: []string{"US"}, Organization: []string{"Example Trust Services"}, CommonName: "Example Issuing CA R3"},
		NotBefore: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC)}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: recordedName},
		NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		OCSPServer: []string{"http://ocsp.example.net"}, IssuingCertificateURL: []string{"http://i.example.net/r3.der"},
		CRLDistributionPoints: []string{"http://c.example.net/r3.crl"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{recordedName, "www.example.com", "*.cdn.example.com", "static.example.net", "api.example.net", "img.example.org"}}
	issuerKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	above, err := x509.CreateCertificate(rand.Reader, issuer, issuer, &issuerKey.PublicKey, issuerKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	below, err := x509.CreateCertificate(rand.Reader, leaf, issuer, &key.PublicKey, issuerKey)
	return tls.Certificate{Certificate: [][]byte{below, above}, PrivateKey: key}, err
}

// tape keeps what two sides write, joined as long as one side is speaking.
type tape struct {
	sync.Mutex
	flights [][]byte
	last    int
}

// taped is one side's connection.
type taped struct {
	net.Conn
	side int
	tape *tape
}

func (c taped) Write(b []byte) (int, error) {
	c.tape.Lock()
	t := c.tape
	if len(t.flights) == 0 || t.last != c.side {
		t.flights, t.last = append(t.flights, nil), c.side
	}
	t.flights[len(t.flights)-1] = append(t.flights[len(t.flights)-1], b...)
	c.tape.Unlock()
	return c.Conn.Write(b)
}

func recordTLS(client, server *tls.Config) (handshake, error) {
	near, far := net.Pipe()
	t := &tape{}
	done := make(chan error, 1)
	go func() { done <- tls.Server(taped{far, fromServer, t}, server).Handshake() }()
	asking := tls.Client(taped{near, fromClient, t}, client)
	err := asking.Handshake()
	go func() { _, _ = io.Copy(io.Discard, asking) }() // takes what the server may say after its handshake; ends with the pipe
	err = errors.Join(err, <-done, near.Close())
	if err != nil || len(t.flights) < 3 {
		return handshake{}, errors.Join(err, errors.New("no whole handshake"))
	}
	h := handshake{Hello: t.flights[0][5:], Server: t.flights[1], ClientFinish: t.flights[2]}
	if len(t.flights) > 3 {
		h.ServerFinish = t.flights[3]
	}
	return h, nil
}

// transportParameters are a plain set of QUIC's with an empty connection id, as browsers send them.
func transportParameters() []byte {
	return []byte{0x01, 0x04, 0x80, 0x00, 0x75, 0x30, 0x03, 0x02, 0x45, 0xc0, 0x04, 0x04, 0x80, 0xf0, 0x00, 0x00,
		0x05, 0x04, 0x80, 0x60, 0x00, 0x00, 0x06, 0x04, 0x80, 0x60, 0x00, 0x00, 0x07, 0x04, 0x80, 0x60, 0x00, 0x00,
		0x08, 0x02, 0x40, 0x64, 0x09, 0x02, 0x40, 0x67, 0x0f, 0x00}
}

func recordQUIC(client, server *tls.Config) (handshake, error) {
	asking, answering := tls.QUICClient(&tls.QUICConfig{TLSConfig: client}), tls.QUICServer(&tls.QUICConfig{TLSConfig: server})
	defer asking.Close() // its error only says that the handshake was cut off
	defer answering.Close()
	asking.SetTransportParameters(transportParameters())
	answering.SetTransportParameters(transportParameters())
	if err := asking.Start(context.Background()); err != nil {
		return handshake{}, err
	}
	h := handshake{Hello: said(asking)[tls.QUICEncryptionLevelInitial]}
	if err := answering.Start(context.Background()); err != nil {
		return handshake{}, err
	}
	if err := answering.HandleData(tls.QUICEncryptionLevelInitial, h.Hello); err != nil {
		return handshake{}, err
	}
	all := said(answering)
	h.Server, h.QUICHandshake = all[tls.QUICEncryptionLevelInitial], all[tls.QUICEncryptionLevelHandshake]
	return h, nil
}

// said is what a side of QUIC has to send, by level.
func said(c *tls.QUICConn) map[tls.QUICEncryptionLevel][]byte {
	all := map[tls.QUICEncryptionLevel][]byte{}
	for e := c.NextEvent(); e.Kind != tls.QUICNoEvent; e = c.NextEvent() {
		if e.Kind == tls.QUICWriteData {
			all[e.Level] = append(all[e.Level], e.Data...)
		}
	}
	return all
}
