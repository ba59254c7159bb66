package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// standIn stands in for GoTrue: it signs sessions and serves its public keys.
type standIn struct {
	*httptest.Server
	mu    sync.Mutex
	keys  []any // JSON Web Keys
	down  bool
	asked int
}

func newStandIn(t testing.TB) *standIn {
	t.Helper()
	s := &standIn{keys: []any{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	switch {
	case r.URL.Path != "/.well-known/jwks.json":
		http.NotFound(w, r)
	case s.down:
		w.WriteHeader(http.StatusBadGateway)
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": s.keys})
	}
}

// publish replaces the keys that GoTrue serves.
func (s *standIn) publish(keys ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append([]any{}, keys...) // GoTrue serves an empty list where it has none, never null
}

func (s *standIn) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// questions is how often the keys were asked for.
func (s *standIn) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// signer signs sessions with one key.
type signer struct {
	id      string
	method  jwt.SigningMethod
	private crypto.Signer
}

func newSigner(t testing.TB, id string, method jwt.SigningMethod) signer {
	t.Helper()
	var private crypto.Signer
	var err error
	switch method {
	case jwt.SigningMethodES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jwt.SigningMethodES384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jwt.SigningMethodRS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jwt.SigningMethodEdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	require.NoError(t, err)
	return signer{id: id, method: method, private: private}
}

// jwk is the signer's public key as GoTrue publishes it.
func (s signer) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: s.private.Public(), KeyID: s.id, Algorithm: s.method.Alg(), Use: "sig"}
}

// session is the Authorization header of a session.
func (s signer) session(t testing.TB, changes jwt.MapClaims) string {
	t.Helper()
	return signed(t, s.method, s.private, s.id, changes)
}

func signed(t testing.TB, method jwt.SigningMethod, key any, id string, changes jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims(changes))
	if id != "" {
		token.Header["kid"] = id
	}
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return "Bearer " + text
}
