package testkit

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"time"
)

// Flight is what one side of a stream sends before the other answers.
type Flight struct {
	FromClient bool
	Data       []byte
}

// TLS describes a session to record.
type TLS struct {
	Name    string           // server name that the client asks for
	SANs    []string         // names in the certificate, the first being its common name; Name where there are none
	Issuer  string           // common name of the authority
	Chain   *tls.Certificate // to show instead of a certificate made for SANs and Issuer
	Version uint16           // highest version that the client offers, tls.VersionTLS13 where it is 0
	ALPN    []string
	Classic bool // no post-quantum key share: the hello fits in one segment
	Seed    uint64
	// Ask and Answer are how many bytes of application data go each way, once.
	Ask, Answer int
}

// sessionTime is when all certificates are valid.
var sessionTime = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// Record runs the session between the client and the server of crypto/tls and returns what they sent. Random values (nonces,
// key shares, signatures over them) and everything encrypted are then overwritten with bytes drawn from the seed. An observer
// cannot see the difference, and the same session is the same bytes each time: for one version of Go, and on processors with
// AES in hardware (crypto/tls orders its ciphers by that).
func (s TLS) Record() ([]Flight, error) {
	near, far := net.Pipe()
	var log flightLog
	client := tls.Client(logged{near, &log, true}, s.clientConfig())
	serverConfig, err := s.serverConfig()
	if err != nil {
		return nil, err
	}
	served := make(chan error, 1)
	go func() {
		defer far.Close()
		served <- s.serve(tls.Server(logged{far, &log, false}, serverConfig))
	}()
	err = s.ask(client)
	near.Close()
	if serr := <-served; err != nil || serr != nil {
		return nil, fmt.Errorf("record tls session with %s: client %v, server %v", s.Name, err, serr)
	}
	steady(log.flights, newStream(s.Seed))
	return log.flights, nil
}

// Hello returns only the client's first flight.
func (s TLS) Hello() ([]byte, error) {
	flights, err := s.Record()
	if err != nil {
		return nil, err
	}
	return flights[0].Data, nil
}

func (s TLS) ask(c *tls.Conn) error {
	if _, err := c.Write(make([]byte, s.Ask)); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, s.Answer))
	return err
}

func (s TLS) serve(c *tls.Conn) error {
	if _, err := io.ReadFull(c, make([]byte, s.Ask)); err != nil {
		return err
	}
	_, err := c.Write(make([]byte, s.Answer))
	return err
}

func (s TLS) clientConfig() *tls.Config {
	config := &tls.Config{
		ServerName:         s.Name,
		NextProtos:         s.ALPN,
		MinVersion:         tls.VersionTLS12,
		MaxVersion:         s.Version,
		InsecureSkipVerify: true, // nobody trusts the certificate
		Time:               func() time.Time { return sessionTime },
	}
	if s.Classic {
		config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	}
	return config
}

func (s TLS) serverConfig() (*tls.Config, error) {
	names := s.SANs
	if len(names) == 0 {
		names = []string{s.Name}
	}
	cert, err := Certificate(s.Issuer, names)
	if err != nil {
		return nil, fmt.Errorf("make certificate for %s: %w", s.Name, err)
	}
	if s.Chain != nil {
		cert = *s.Chain
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{cert},
		NextProtos:             s.ALPN,
		SessionTicketsDisabled: true, // a ticket and the client's first bytes would cross in either order
		Time:                   func() time.Time { return sessionTime },
	}, nil
}

// Certificate makes a leaf for the names, signed by an authority with the given name. Ed25519 signatures are deterministic, so
// the certificate is the same each time.
func Certificate(issuer string, names []string) (tls.Certificate, error) {
	if issuer == "" {
		issuer = "Testkit CA"
	}
	rootKey := ed25519.NewKeyFromSeed([]byte("the key of testkit's authority.."))
	leafKey := ed25519.NewKeyFromSeed([]byte("the key of testkit's every leaf."))
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: issuer, Organization: []string{"Testkit"}},
		NotBefore:    sessionTime.AddDate(-5, 0, 0), NotAfter: sessionTime.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: names[0]},
		DNSNames:     names,
		NotBefore:    sessionTime.AddDate(0, -1, 0), NotAfter: sessionTime.AddDate(0, 2, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(newStream(0), leaf, root, leafKey.Public(), rootKey)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: leafKey}, err
}

// TLSAlert returns an unencrypted fatal alert (RFC 8446 6), as a server or a filter sends it instead of a ServerHello.
func TLSAlert(description byte) []byte { return []byte{21, 3, 3, 0, 2, 2, description} }

// flightLog joins writes of one side into flights.
type flightLog struct {
	mu      sync.Mutex
	flights []Flight
}

func (l *flightLog) add(fromClient bool, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.flights)
	if n == 0 || l.flights[n-1].FromClient != fromClient {
		l.flights = append(l.flights, Flight{FromClient: fromClient})
		n++
	}
	l.flights[n-1].Data = append(l.flights[n-1].Data, b...)
}

// logged is an end of a pipe. It logs a write before the other end can answer it.
type logged struct {
	net.Conn
	log        *flightLog
	fromClient bool
}

func (c logged) Write(b []byte) (int, error) {
	c.log.add(c.fromClient, b)
	return c.Conn.Write(b)
}
