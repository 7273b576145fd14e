package deliver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"avbeacon/internal/setting"
)

// TLS says whom to trust, and who we are.
type TLS struct {
	CA         string `yaml:"ca" about:"file with the trusted authorities; empty: the system's"`
	Cert       string `yaml:"cert" about:"file with our certificate"`
	Key        string `yaml:"key" about:"file with its key"`
	ServerName string `yaml:"server-name" about:"name that the server's certificate must have; empty: the one in the address"`
	Insecure   bool   `yaml:"insecure" about:"do not check the server's certificate; logged as a warning at every start"`
}

// Check reports what is wrong with the section.
func (t *TLS) Check(k setting.Check) {
	if (t.Cert == "") != (t.Key == "") {
		k.Fail("cert and key go together")
	}
	if t.Insecure && t.CA != "" {
		k.At("insecure").Fail("makes ca useless: set one of the two")
	}
}

// clientTLS turns a sink's configuration into that of crypto/tls: TLS 1.2 or newer, the receiver's certificate checked
// against the system's authorities or those of the file. Our own certificate is read again at each handshake, so that a
// renewed one is used without a restart; a bad one is an error here already. Errors name the key.
func clientTLS(cfg TLS, log *zap.Logger) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cfg.ServerName, InsecureSkipVerify: cfg.Insecure}
	if cfg.Insecure {
		log.Warn("THE RECEIVER'S CERTIFICATE IS NOT CHECKED: anybody on the path can read and drop the alerts; " +
			"tls.insecure is for tests only")
	}
	if cfg.CA != "" {
		pool, err := authorities(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		out.RootCAs = pool
	}
	if cfg.Cert == "" {
		return out, nil
	}
	own, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	if err := expired(own.Leaf, cfg.Cert); err != nil {
		log.Warn("the receiver will reject our certificate", zap.Error(err))
	}
	out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return ownCertificate(cfg) }
	return out, nil
}

// authorities reads a file of certificates in PEM.
func authorities(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", path)
	}
	return pool, nil
}

// ownCertificate is what we show at a handshake.
func ownCertificate(cfg TLS) (*tls.Certificate, error) {
	own, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	if err := expired(own.Leaf, cfg.Cert); err != nil {
		return nil, fmt.Errorf("tls.cert: %w", err)
	}
	return &own, nil
}

func expired(leaf *x509.Certificate, path string) error {
	if leaf == nil || !time.Now().After(leaf.NotAfter) {
		return nil
	}
	return fmt.Errorf("our certificate %s expired on %s", path, leaf.NotAfter.UTC().Format(time.RFC3339))
}

// explainTLS puts what a failed handshake means for the configuration before the library's words, and leaves other
// errors as they are.
func explainTLS(err error) error {
	if words := tlsWords(err); words != "" {
		return fmt.Errorf("%s: %w", words, err)
	}
	return err
}

func tlsWords(err error) string {
	var (
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		said    *net.OpError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return validity(invalid.Cert)
	case errors.As(err, &invalid):
		return "the receiver's certificate is not valid"
	case errors.As(err, &unknown):
		return "the receiver's certificate is not from a trusted authority (tls.ca)"
	case errors.As(err, &name):
		return "the receiver's certificate is for another name (tls.server-name)"
	case errors.As(err, &said) && said.Op == "remote error": // crypto/tls marks so what the other side said
		return saidWords(said.Err)
	case errors.As(err, &record):
		return "the receiver does not use TLS on this port"
	}
	return ""
}

func validity(c *x509.Certificate) string {
	if c == nil {
		return "a certificate of the receiver has expired or is not valid yet"
	}
	if time.Now().Before(c.NotBefore) {
		return "the receiver's certificate is not valid before " + c.NotBefore.UTC().Format(time.RFC3339)
	}
	return "the receiver's certificate expired on " + c.NotAfter.UTC().Format(time.RFC3339)
}

// saidWords explains the alerts of RFC 8446 section 6.2 by which a receiver rejects a client's certificate. Their type is
// crypto/tls's own, so they are recognised by their text.
func saidWords(said error) string {
	const (
		handshakeFailure    = 40
		badCertificate      = 42
		unsupported         = 43
		revoked             = 44
		tooOld              = 45
		certificateUnknown  = 46
		unknownCA           = 48
		accessDenied        = 49
		certificateRequired = 116
	)
	is := func(codes ...tls.AlertError) bool {
		return slices.ContainsFunc(codes, func(c tls.AlertError) bool { return c.Error() == said.Error() })
	}
	switch {
	case is(tooOld):
		return "the receiver says that our certificate has expired (tls.cert)"
	case is(unknownCA):
		return "the receiver does not trust the authority of our certificate (tls.cert)"
	case is(certificateRequired):
		return "the receiver requires a client certificate (tls.cert, tls.key)"
	case is(badCertificate, unsupported, revoked, certificateUnknown, accessDenied):
		return "the receiver rejects our certificate, or requires one (tls.cert, tls.key)"
	case is(handshakeFailure):
		return "the receiver found no common TLS parameters, or requires a client certificate (tls.cert, tls.key)"
	}
	return "the receiver aborted the handshake"
}
