package keysets

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const someKeys = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
	"d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","kid":"1"}]}`

// local is a Client that reaches this machine too, and a server on it.
func local(t *testing.T, answers map[string]string) (*Client, string) {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, found := answers[r.URL.Path]
		switch {
		case strings.HasPrefix(answer, "->"):
			http.Redirect(w, r, answer[2:], http.StatusFound)
		case found:
			_, _ = io.WriteString(w, strings.ReplaceAll(answer, "{url}", server.URL))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return newClient(func(netip.Addr) bool { return true }, func(transport *http.Transport) {
		transport.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	}), server.URL
}

func TestAnIssuersPublicKeysAreFound(t *testing.T) {
	t.Parallel()
	client, url := local(t, map[string]string{
		"/.well-known/openid-configuration":       `{"issuer":"{url}","jwks_uri":"{url}/keys"}`,
		"/other/.well-known/openid-configuration": `{"issuer":"{url}","jwks_uri":"{url}/keys"}`,
		"/keys":  someKeys,
		"/moved": "->/keys",
		"/large": strings.Repeat(" ", maxAnswer+1),
	})
	keys, err := client.OfIssuer(t.Context(), url+"/")
	require.NoError(t, err)
	var set struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(keys, &set))
	require.Equal(t, "1", set.Keys[0]["kid"])
	require.NotContains(t, set.Keys[0], "d", "what is private is not kept")
	for _, address := range []string{url + "/none", url + "/moved", url + "/large", strings.Replace(url, "https", "http", 1) + "/keys"} {
		_, err := client.At(t.Context(), address)
		var unusable *Error
		require.ErrorAs(t, err, &unusable, address)
	}
	_, err = client.OfIssuer(t.Context(), url+"/other")
	require.ErrorContains(t, err, "another issuer")
}

func TestOnlyPublicAddressesAreReached(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"127.0.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::", "fe80::1", "fd00::1",
		"224.0.0.1", "255.255.255.255", "198.18.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
	} {
		require.False(t, isPublic(netip.MustParseAddr(address)), address)
	}
	for _, address := range []string{"192.0.2.1", "8.8.8.8", "2606:4700::1"} {
		require.True(t, isPublic(netip.MustParseAddr(address)), address)
	}
	_, url := local(t, map[string]string{"/keys": someKeys})
	_, err := New().At(t.Context(), url+"/keys")
	require.ErrorContains(t, err, "cannot be reached")
}

func TestASharedSecretIsNoPublicKey(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`, `{"keys":[]}`, `[]`, `{}`, `x`} {
		_, err := Public([]byte(keys))
		var unusable *Error
		require.ErrorAs(t, err, &unusable, keys)
	}
}
