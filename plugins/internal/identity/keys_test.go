package identity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/plugins/internal/gotrue"
	"github.com/plurabase/plurabase/plugins/internal/identity"
)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// long is a session that outlives every test here.
var long = jwt.MapClaims{"exp": now.Add(24 * time.Hour).Unix()}

func setup(t testing.TB) (*identity.Authenticator, *standIn, *clock) {
	t.Helper()
	standIn, clock := newStandIn(t), &clock{now: now}
	return identity.New(profiles{}, identity.Settings{JWTSecret: secret, GoTrueURL: standIn.URL}, clock.Now), standIn, clock
}

func TestEveryAlgorithmOfGoTruesIsTaken(t *testing.T) {
	t.Parallel()
	authenticator, standIn, _ := setup(t)
	var keys []any
	var sessions []string
	for _, method := range []jwt.SigningMethod{jwt.SigningMethodRS256, jwt.SigningMethodES256, jwt.SigningMethodEdDSA} {
		s := newSigner(t, method.Alg(), method)
		keys, sessions = append(keys, s.jwk()), append(sessions, s.session(t, jwt.MapClaims{"aal": "aal2"}))
	}
	standIn.publish(keys...)
	for _, session := range sessions {
		caller, err := authenticator.Authenticate(t.Context(), session)
		require.NoError(t, err)
		require.Equal(t, user, caller.Profile.GotrueID)
		require.Equal(t, identity.AAL2, caller.AAL)
		require.False(t, caller.AccessToken)
	}
	require.Equal(t, 1, standIn.questions())
}

func TestAKeyIsGoodForItsOwnAlgorithmAlone(t *testing.T) {
	t.Parallel()
	rs256, es256 := newSigner(t, "rsa", jwt.SigningMethodRS256), newSigner(t, "ec", jwt.SigningMethodES256)
	es384, stranger := newSigner(t, "p384", jwt.SigningMethodES384), newSigner(t, "ec", jwt.SigningMethodES256)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	encrypting, forPS256, private := newSigner(t, "enc", jwt.SigningMethodES256), newSigner(t, "ps", jwt.SigningMethodRS256), newSigner(t, "private", jwt.SigningMethodES256)
	der, err := x509.MarshalPKIXPublicKey(rs256.private.Public())
	require.NoError(t, err)
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})

	published := []any{
		rs256.jwk(), es256.jwk(), es384.jwk(),
		jose.JSONWebKey{Key: small.Public(), KeyID: "small", Algorithm: "RS256"},
		jose.JSONWebKey{Key: encrypting.private.Public(), KeyID: "enc", Use: "enc"},
		jose.JSONWebKey{Key: forPS256.private.Public(), KeyID: "ps", Algorithm: "PS256"},
		jose.JSONWebKey{Key: private.private, KeyID: "private"},
		jose.JSONWebKey{Key: []byte(secret), KeyID: "oct", Algorithm: "HS256"},
		map[string]any{"kty": "AKP", "kid": "of the future", "alg": "ML-DSA-44"},
	}
	authenticator, standIn, clock := setup(t)
	standIn.publish(published...)
	_, err = authenticator.Authenticate(t.Context(), rs256.session(t, nil))
	require.NoError(t, err)
	_, err = authenticator.Authenticate(t.Context(), es256.session(t, nil))
	require.NoError(t, err)

	refused := map[string]string{
		"a public key as the secret":          signed(t, jwt.SigningMethodHS256, publicPEM, "rsa", nil),
		"a public key's DER as the secret":    signed(t, jwt.SigningMethodHS256, der, "rsa", nil),
		"an RSA token that names an EC key":   signed(t, jwt.SigningMethodRS256, rs256.private, "ec", nil),
		"an EC token that names an RSA key":   signed(t, jwt.SigningMethodES256, es256.private, "rsa", nil),
		"another algorithm of the same key":   signed(t, jwt.SigningMethodRS512, rs256.private, "rsa", nil),
		"a padding that GoTrue does not use":  signed(t, jwt.SigningMethodPS256, rs256.private, "rsa", nil),
		"a curve that GoTrue does not use":    es384.session(t, nil),
		"somebody else's key of the same id":  stranger.session(t, nil),
		"no key id":                           signed(t, jwt.SigningMethodES256, es256.private, "", nil),
		"an unknown key id":                   signed(t, jwt.SigningMethodES256, es256.private, "other", nil),
		"too short a key":                     signed(t, jwt.SigningMethodRS256, small, "small", nil),
		"a key that is for encryption":        encrypting.session(t, nil),
		"a key that is for another algorithm": forPS256.session(t, nil),
		"a key that is not secret any more":   private.session(t, nil),
		"alg none with a key's id":            signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "rsa", nil),
		"an expired session":                  es256.session(t, jwt.MapClaims{"exp": now.Add(-time.Minute).Unix()}),
		"a service key":                       es256.session(t, jwt.MapClaims{"role": "service_role"}),
	}
	for name, session := range refused {
		t.Run(name, func(t *testing.T) {
			clock.pass(6 * time.Second) // so that GoTrue is asked again
			_, err := authenticator.Authenticate(t.Context(), session)
			require.ErrorIs(t, err, identity.ErrUnauthenticated)
		})
	}
}

func TestWhatIsNotSetUpIsRefused(t *testing.T) {
	t.Parallel()
	standIn := newStandIn(t)
	es256 := newSigner(t, "ec", jwt.SigningMethodES256)
	standIn.publish(es256.jwk())
	clock := func() time.Time { return now }
	bySecret, byKey := signed(t, jwt.SigningMethodHS256, []byte(secret), "", nil), es256.session(t, nil)
	tests := map[string]struct {
		settings         identity.Settings
		session, refused string
	}{
		"the secret alone": {identity.Settings{JWTSecret: secret}, bySecret, byKey},
		"GoTrue alone":     {identity.Settings{GoTrueURL: standIn.URL}, byKey, bySecret},
		"GoTrue alone, no secret in the token either": {
			identity.Settings{GoTrueURL: standIn.URL}, byKey, signed(t, jwt.SigningMethodHS256, []byte{}, "ec", nil),
		},
		"an issuer": {
			identity.Settings{JWTSecret: secret, Issuer: "https://a.example.com/auth/v1"},
			signed(t, jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"iss": "https://a.example.com/auth/v1"}), bySecret,
		},
		"another issuer": {
			identity.Settings{JWTSecret: secret, Issuer: "https://a.example.com/auth/v1"},
			signed(t, jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"iss": "https://a.example.com/auth/v1"}),
			signed(t, jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"iss": "https://b.example.com/auth/v1"}),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authenticator := identity.New(profiles{}, test.settings, clock)
			_, err := authenticator.Authenticate(t.Context(), test.session)
			require.NoError(t, err)
			_, err = authenticator.Authenticate(t.Context(), test.refused)
			require.ErrorIs(t, err, identity.ErrUnauthenticated)
		})
	}
}

func TestARotatedKeyIsFound(t *testing.T) {
	t.Parallel()
	authenticator, standIn, clock := setup(t)
	first, second := newSigner(t, "1", jwt.SigningMethodES256), newSigner(t, "2", jwt.SigningMethodES256)
	standIn.publish(first.jwk())
	_, err := authenticator.Authenticate(t.Context(), first.session(t, long))
	require.NoError(t, err)

	clock.pass(6 * time.Second)
	standIn.publish(second.jwk())
	_, err = authenticator.Authenticate(t.Context(), second.session(t, long))
	require.NoError(t, err)
	_, err = authenticator.Authenticate(t.Context(), first.session(t, long))
	require.ErrorIs(t, err, identity.ErrUnauthenticated, "GoTrue has taken the key back")
}

func TestAKeyThatIsTakenBackIsGoodForTenMinutesAtMost(t *testing.T) {
	t.Parallel()
	authenticator, standIn, clock := setup(t)
	key := newSigner(t, "1", jwt.SigningMethodES256)
	standIn.publish(key.jwk())
	_, err := authenticator.Authenticate(t.Context(), key.session(t, long))
	require.NoError(t, err)
	standIn.publish()
	clock.pass(9 * time.Minute)
	_, err = authenticator.Authenticate(t.Context(), key.session(t, long))
	require.NoError(t, err)
	clock.pass(time.Minute)
	_, err = authenticator.Authenticate(t.Context(), key.session(t, long))
	require.ErrorIs(t, err, identity.ErrUnauthenticated)
}

func TestKnownKeysOutliveGoTrue(t *testing.T) {
	t.Parallel()
	authenticator, standIn, clock := setup(t)
	known, unknown := newSigner(t, "1", jwt.SigningMethodES256), newSigner(t, "2", jwt.SigningMethodES256)
	standIn.publish(known.jwk())
	_, err := authenticator.Authenticate(t.Context(), known.session(t, long))
	require.NoError(t, err)

	standIn.setDown(true)
	clock.pass(time.Hour)
	_, err = authenticator.Authenticate(t.Context(), known.session(t, long))
	require.NoError(t, err)
	// Whether this one is good cannot be known: nobody is signed out for it.
	_, err = authenticator.Authenticate(t.Context(), unknown.session(t, long))
	require.ErrorIs(t, err, gotrue.ErrUnavailable)
	require.NotErrorIs(t, err, identity.ErrUnauthenticated)

	standIn.setDown(false)
	standIn.publish(known.jwk(), unknown.jwk())
	clock.pass(6 * time.Second)
	_, err = authenticator.Authenticate(t.Context(), unknown.session(t, long))
	require.NoError(t, err)
}

func TestNoKeyIsKnownWhileGoTrueWasNeverReached(t *testing.T) {
	t.Parallel()
	authenticator, standIn, _ := setup(t)
	standIn.setDown(true)
	_, err := authenticator.Authenticate(t.Context(), newSigner(t, "1", jwt.SigningMethodES256).session(t, nil))
	require.ErrorIs(t, err, gotrue.ErrUnavailable)
	_, err = authenticator.Authenticate(t.Context(), signed(t, jwt.SigningMethodHS256, []byte(secret), "", nil))
	require.NoError(t, err, "the shared secret needs no GoTrue")
}

func TestMadeUpKeyIDsDoNotReachGoTrueEachTime(t *testing.T) {
	t.Parallel()
	authenticator, standIn, clock := setup(t)
	stranger := newSigner(t, "", jwt.SigningMethodES256)
	var group errgroup.Group
	for range 50 {
		group.Go(func() error {
			_, _ = authenticator.Authenticate(t.Context(), signed(t, stranger.method, stranger.private, rand.Text(), nil))
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, 1, standIn.questions())
	clock.pass(6 * time.Second)
	_, err := authenticator.Authenticate(t.Context(), signed(t, stranger.method, stranger.private, rand.Text(), nil))
	require.ErrorIs(t, err, identity.ErrUnauthenticated)
	require.Equal(t, 2, standIn.questions())
}

func TestAnOutageIsNotMadeWorseByAsking(t *testing.T) {
	t.Parallel()
	authenticator, standIn, clock := setup(t)
	key := newSigner(t, "1", jwt.SigningMethodES256)
	standIn.publish(key.jwk())
	_, err := authenticator.Authenticate(t.Context(), key.session(t, long))
	require.NoError(t, err)
	standIn.setDown(true)
	clock.pass(time.Hour)
	for range 20 {
		_, err := authenticator.Authenticate(t.Context(), key.session(t, long))
		require.NoError(t, err)
	}
	require.Equal(t, 2, standIn.questions())
}

func TestWhatIsNoKeySetIsAnOutage(t *testing.T) {
	t.Parallel()
	session := newSigner(t, "1", jwt.SigningMethodES256).session(t, nil)
	for name, handler := range map[string]http.HandlerFunc{
		"a page":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"other JSON":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"a redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) },
		"a rejection": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			authenticator := identity.New(profiles{}, identity.Settings{GoTrueURL: server.URL}, func() time.Time { return now })
			_, err := authenticator.Authenticate(t.Context(), session)
			require.ErrorIs(t, err, gotrue.ErrUnavailable)
		})
	}
}
