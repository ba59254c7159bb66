package pgmeta

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The wanted texts were written by crypto-js 4.2 itself, with this passphrase and this salt.
func TestEncryptWritesWhatCryptoJSWrites(t *testing.T) {
	t.Parallel()
	for plain, want := range map[string]string{
		"postgresql://postgres:p%C3%A4ss@127.0.0.1:54400/postgres": "U2FsdGVkX18BAgMEBQYHCA0zwNEs8rZFZrFy75qzaLYadx4VsMzUIfgwTDbWpcmHpy4runWk5AWMxJr0Oibc69ZMvA4FPLE42fie9IzzJvY=",
		"sixteen bytes ok": "U2FsdGVkX18BAgMEBQYHCNQ3uP1pg9U7eSGBeWEjsDWpxA9a0ZEbJrgg+4LwSlu6",
		"":                 "U2FsdGVkX18BAgMEBQYHCLfXiMO8tLd0nIVyHsn9juQ=",
	} {
		got, err := Encrypt(strings.NewReader("\x01\x02\x03\x04\x05\x06\x07\x08"), "pass phrase", plain)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func BenchmarkEncrypt(b *testing.B) {
	for b.Loop() {
		_, _ = Encrypt(rand.Reader, "a passphrase of some length", "postgresql://postgres:password@127.0.0.1:54400/postgres")
	}
}
