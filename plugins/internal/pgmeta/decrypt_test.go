package pgmeta_test

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// decrypt reads CryptoJS' format with OpenSSL's own command, which the format comes from.
func decrypt(t *testing.T, passphrase, text string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "openssl", "enc", "-d", "-aes-256-cbc", "-md", "md5", "-base64", "-A", "-pass", "pass:"+passphrase)
	command.Stdin = bytes.NewBufferString(text)
	plain, err := command.Output()
	require.NoError(t, err)
	return string(plain)
}
