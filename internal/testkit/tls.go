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

// Flight is what one side of a stream says before the other speaks again.
type Flight struct {
	FromClient bool
	Data       []byte
}

// TLS is a session to be recorded.
type TLS struct {
	Name    string   // server name that the client asks for
	SANs    []string // names in the certificate, the first being its common name; Name where there are none
	Issuer  string   // common name of the authority
	Version uint16   // highest version that the client offers, tls.VersionTLS13 where it is 0
	ALPN    []string
	Classic bool // no post-quantum key share: the hello fits in one segment
	Seed    uint64
	// Ask and Answer are how many bytes of application data go each way, once.
	Ask, Answer int
}

// sessionTime is when all certificates are valid.
var sessionTime = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// Record runs the session between the client and the server of crypto/tls and gives what they said. What they draw at
// random (nonces, key shares, signatures over them) and all that is encrypted is then overwritten with bytes drawn from
// the seed: an onlooker cannot tell, and the same session is the same bytes each time, for one version of Go and for
// processors with AES in hardware (crypto/tls orders its ciphers by that). crypto/tls itself draws the same bytes twice
// only within a test binary.
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

// Hello gives the client's first flight alone.
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
		InsecureSkipVerify: true, // the certificate is no one's
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
	cert, err := certificate(s.Issuer, names)
	if err != nil {
		return nil, fmt.Errorf("make certificate for %s: %w", s.Name, err)
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{cert},
		NextProtos:             s.ALPN,
		SessionTicketsDisabled: true, // a ticket would cross the client's first bytes, now this side, now that side of them
		Time:                   func() time.Time { return sessionTime },
	}, nil
}

// certificate makes a leaf for the names, signed by an authority of the name given. Ed25519 signs the same way each
// time, so the certificate is the same each time.
func certificate(issuer string, names []string) (tls.Certificate, error) {
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

// TLSAlert is a fatal alert in the clear (RFC 8446 6), as a server or a filter sends it instead of its hello.
func TLSAlert(description byte) []byte { return []byte{21, 3, 3, 0, 2, 2, description} }

// flightLog joins what is written, in order, into flights.
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

// logged is an end of a pipe that logs what is written to it, before the other end can answer.
type logged struct {
	net.Conn
	log        *flightLog
	fromClient bool
}

func (c logged) Write(b []byte) (int, error) {
	c.log.add(c.fromClient, b)
	return c.Conn.Write(b)
}
