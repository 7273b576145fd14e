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
	"fmt"
	"math/big"
	"os"
	"time"

	"avbeacon/internal/testkit"
)

// recordedName is the server name in the recorded handshakes.
const recordedName = "template.example.com"

// recordTemplates runs a handshake of each kind with crypto/tls and writes what both sides sent.
func recordTemplates(name string) error {
	chain, err := newChain()
	if err != nil {
		return err
	}
	var t templates
	for _, kind := range []struct {
		name    string
		version uint16
		classic bool
	}{{"tls12", tls.VersionTLS12, true}, {"tls13", tls.VersionTLS13, true}, {"tls13pq", tls.VersionTLS13, false}} {
		session := testkit.TLS{Name: recordedName, Version: kind.version, Classic: kind.classic, ALPN: []string{"h2", "http/1.1"}, Chain: &chain}
		flights, err := session.Record()
		if err != nil || len(flights) < 3 {
			return fmt.Errorf("record %s: %d flights: %w", kind.name, len(flights), err)
		}
		h := handshake{Name: kind.name, Hello: flights[0].Data[5:], Server: flights[1].Data, ClientFinish: flights[2].Data}
		if len(flights) > 3 {
			h.ServerFinish = flights[3].Data
		}
		t.TLS = append(t.TLS, h)
	}
	for _, kind := range []struct {
		name   string
		curves []tls.CurveID
	}{{"quic", []tls.CurveID{tls.X25519, tls.CurveP256}}, {"quicpq", []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256}}} {
		client := &tls.Config{ServerName: recordedName, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, CurvePreferences: kind.curves, NextProtos: []string{"h3"}}
		server := &tls.Config{Certificates: []tls.Certificate{chain}, MinVersion: tls.VersionTLS13, NextProtos: client.NextProtos, SessionTicketsDisabled: true}
		h, err := recordQUIC(client, server)
		if err != nil {
			return fmt.Errorf("record %s: %w", kind.name, err)
		}
		h.Name = kind.name
		t.QUIC = append(t.QUIC, h)
	}
	text, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}

// newChain makes a certificate and its issuer, about as large as those of public sites.
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

// transportParameters returns parameters as browsers send them, with an empty connection ID (RFC 9000 18).
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

// said returns what one side has to send, by level.
func said(c *tls.QUICConn) map[tls.QUICEncryptionLevel][]byte {
	all := map[tls.QUICEncryptionLevel][]byte{}
	for e := c.NextEvent(); e.Kind != tls.QUICNoEvent; e = c.NextEvent() {
		if e.Kind == tls.QUICWriteData {
			all[e.Level] = append(all[e.Level], e.Data...)
		}
	}
	return all
}
