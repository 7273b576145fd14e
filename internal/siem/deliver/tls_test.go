package deliver

import (
	"crypto/tls"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestTLSIsCheckedAndNew(t *testing.T) {
	cfg, err := clientTLS(TLS{}, zap.NewNop())
	require.NoError(t, err)
	require.False(t, cfg.InsecureSkipVerify)
	require.EqualValues(t, tls.VersionTLS12, cfg.MinVersion)
}

// A certificate that was renewed on the disk is shown at the next handshake; one that is too old is said at once.
func TestTLSOwnCertificateIsReadAtEachHandshake(t *testing.T) {
	ca := newAuthority(t, "site")
	old, renewed := ca.sign(t, "sensor.test", -time.Hour), ca.sign(t, "sensor.test", time.Hour)
	core, logs := observer.New(zap.WarnLevel)
	cfg, err := clientTLS(old, zap.New(core))
	require.NoError(t, err)
	require.Equal(t, 1, logs.FilterMessageSnippet("reject our certificate").Len())
	_, err = cfg.GetClientCertificate(nil)
	require.ErrorContains(t, err, "our certificate "+old.Cert+" expired on 20")
	require.NoError(t, os.Rename(renewed.Cert, old.Cert))
	require.NoError(t, os.Rename(renewed.Key, old.Key))
	shown, err := cfg.GetClientCertificate(nil)
	require.NoError(t, err)
	require.True(t, shown.Leaf.NotAfter.After(time.Now()))
}
