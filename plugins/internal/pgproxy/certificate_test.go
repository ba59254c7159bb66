package pgproxy

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writeCertificate writes a fresh one into a folder, and returns what is in it.
func writeCertificate(t *testing.T, dir string, at time.Time) (certificate, key string, content []byte) {
	t.Helper()
	made, err := selfSigned(at)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	require.NoError(t, err)
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: made.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	return certificate, key, made.Certificate[0]
}

func shown(t *testing.T, get Certificates) []byte {
	t.Helper()
	got, err := get(&tls.ClientHelloInfo{})
	require.NoError(t, err)
	return got.Certificate[0]
}

func TestACertificateThatIsRenewedIsShownWithoutARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key, first := writeCertificate(t, dir, time.Now().Add(-time.Hour))
	f := &files{certificate: certificate, key: key, log: slog.New(slog.DiscardHandler)}
	require.NoError(t, f.read())
	require.Equal(t, first, shown(t, f.get))

	_, _, second := writeCertificate(t, dir, time.Now())
	require.Equal(t, first, shown(t, f.get), "it is not looked at for every client")
	f.looked = f.looked.Add(-lookEvery)
	require.Equal(t, second, shown(t, f.get))

	require.NoError(t, os.WriteFile(key, []byte("half of"), 0o600))
	f.looked = f.looked.Add(-lookEvery)
	require.Equal(t, second, shown(t, f.get), "one that cannot be read takes none away")
}

// TestACertificateThatCannotBeReadIsNotReplacedByOneOfOurs: whoever checks it would be turned away, and whoever does not would not know.
func TestACertificateThatCannotBeReadIsNotReplacedByOneOfOurs(t *testing.T) {
	t.Parallel()
	p := New(nil, Settings{Certificate: filepath.Join(t.TempDir(), "none"), Key: "none"}, slog.New(slog.DiscardHandler))
	_, err := p.certificates()
	require.ErrorIs(t, err, os.ErrNotExist)
}
