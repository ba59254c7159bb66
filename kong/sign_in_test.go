package kong_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// goTrue stands in for GoTrue: it has a key pair, and takes every sign-up.
type goTrue struct {
	*httptest.Server
	key     *ecdsa.PrivateKey
	signUps chan string // the bodies
}

func newGoTrue(t *testing.T) *goTrue {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	g := &goTrue{key: key, signUps: make(chan string, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /signup", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.signUps <- string(body)
		_, _ = io.WriteString(w, "{}")
	})
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

// session is the Authorization header of a session signed with the key pair.
func (g *goTrue) session(t *testing.T) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"sub": ada, "email": "ada@example.com", "aud": "authenticated", "role": "authenticated", "aal": "aal1",
		"exp": time.Now().Add(time.Hour).Unix(),
	})
	token.Header["kid"] = "1"
	signed, err := token.SignedString(g.key)
	require.NoError(t, err)
	return "Bearer " + signed
}

func TestASessionSignedWithAKeyPairIsTakenByBothPlugins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.project()
	detail := b.send(http.MethodGet, "/api/platform/projects/"+ref, "", "Authorization", b.goTrue.session(t))
	require.Equal(t, http.StatusOK, detail.status, string(detail.body))
	query := b.send(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", `{"query":"select 1"}`,
		"Authorization", b.goTrue.session(t), "x-connection-encrypted", detail.json(t)["connectionString"].(string))
	require.Equal(t, http.StatusOK, query.status, string(query.body))
}

func TestAVisitorSignsUpThroughTheGateway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.send(http.MethodPost, "/api/platform/signup", `{"email":"ada@example.com","password":"Correct-horse-1","hcaptchaToken":null}`, "Content-Type", "application/json")
	require.Equal(t, http.StatusCreated, made.status, string(made.body))
	require.JSONEq(t, `{"email":"ada@example.com","password":"Correct-horse-1","gotrue_meta_security":{}}`, <-b.goTrue.signUps)

	refused := b.send(http.MethodPost, "/api/platform/signup", `{"email":"ada@example.org","password":"Correct-horse-1"}`, "Content-Type", "application/json")
	require.Equal(t, http.StatusForbidden, refused.status)
	require.Equal(t, "Sign-ups are limited to e-mail addresses at example.com.", refused.json(t)["message"])
}

func TestTooManyBadTokensHaveToWaitButGoodOnesDoNot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ method, path string }{
		"a read":    {http.MethodGet, "/api/platform/profile"},
		"a write":   {http.MethodPost, "/api/platform/organizations"},
		"a query":   {http.MethodPost, "/api/platform/pg-meta/abcdefghijklmnopqrst/query"},
		"the CLI's": {http.MethodGet, "/api/v1/projects"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			// As many as an address may send at once (identity.Failures), and what it earns back while it sends them.
			const enough = 200
			var refused answer
			for range enough {
				refused = b.send(test.method, test.path, "{}", "Authorization", "Bearer sbp_0123456789abcdef0123456789abcdef01234567")
				if refused.status != http.StatusUnauthorized {
					break
				}
			}
			require.Equal(t, http.StatusTooManyRequests, refused.status)
			require.Equal(t, "too_many_requests", refused.json(t)["code"])
			require.NotEmpty(t, refused.json(t)["message"])
			seconds, err := strconv.Atoi(refused.header.Get("Retry-After"))
			require.NoError(t, err)
			require.Positive(t, seconds)

			good := b.signedIn(http.MethodGet, "/api/platform/profile", "")
			require.Equal(t, http.StatusOK, good.status, string(good.body))
		})
	}
}
