package pgproxy_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

func packet(code uint32, rest string) []byte {
	sent := binary.BigEndian.AppendUint32(nil, uint32(8+len(rest)))
	return append(binary.BigEndian.AppendUint32(sent, code), rest...)
}

func TestWhatIsNoPostgresIsClosed(t *testing.T) {
	t.Parallel()
	w := bare(t)
	for name, sent := range map[string]string{
		"a page":             "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"too short":          "\x00\x00\x00\x04",
		"too much":           "\x00\x00\x27\x11" + strings.Repeat("x", 20_000),
		"an old version":     string(packet(2<<16, "postgres\x00")),
		"no end":             string(packet(3<<16, "user\x00postgres."+string(shop))),
		"a cancel of no key": string(packet(80877102, "")),
		"TLS that is none":   "\x16\x03\x01\x00\x05hello",
	} {
		answer := w.say([]byte(sent))
		if name == "TLS that is none" {
			require.NotEmpty(t, answer, "an alert")
			continue
		}
		require.Empty(t, answer, name)
	}
	require.Equal(t, "NN", string(w.say(bytes.Repeat(packet(80877104, ""), 3))[:2]), "asked for GSSAPI again and again")
}

// TestWhatFollowsTheRequestForTLSIsNoPartOfIt: what somebody between the two has put there must not be taken for the client's.
func TestWhatFollowsTheRequestForTLSIsNoPartOfIt(t *testing.T) {
	t.Parallel()
	w := bare(t)
	start, err := (&pgproto3.StartupMessage{ProtocolVersion: 3 << 16, Parameters: map[string]string{"user": asShop}}).Encode(nil)
	require.NoError(t, err)
	answer := w.say(append(packet(80877103, ""), start...))
	require.Equal(t, byte('S'), answer[0])
	require.NotContains(t, string(answer), "SCRAM")
}
