package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/store"
)

const (
	secret = "a-secret-of-at-least-32-characters-here"
	user   = "11111111-1111-4111-8111-111111111111"
	good   = "sbp_0123456789abcdef0123456789abcdef01234567"
)

var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// profiles knows one access token and makes a profile for everybody.
type profiles struct{}

func (profiles) EnsureProfile(_ context.Context, gotrueID, email string) (store.Profile, error) {
	return store.Profile{GotrueID: gotrueID, PrimaryEmail: email}, nil
}

func (profiles) ProfileByAccessToken(_ context.Context, token string) (store.Profile, error) {
	if token == good {
		return store.Profile{GotrueID: user}, nil
	}
	return store.Profile{}, store.ErrNotFound
}

func claims(changes jwt.MapClaims) jwt.MapClaims {
	all := jwt.MapClaims{
		"sub": user, "email": "ada@example.com", "aud": "authenticated", "role": "authenticated",
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
	}
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

func TestOnlyGoodTokensSayWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	authenticator := identity.New(profiles{}, identity.Settings{JWTSecret: secret}, func() time.Time { return now })
	signed := func(method jwt.SigningMethod, key any, changes jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(method, claims(changes)).SignedString(key)
		require.NoError(t, err)
		return "Bearer " + token
	}
	hs256 := func(changes jwt.MapClaims) string { return signed(jwt.SigningMethodHS256, []byte(secret), changes) }
	tests := []struct {
		name, authorization string
		good                bool
	}{
		{"a session", hs256(nil), true},
		{"a session, scheme in small letters", "b" + hs256(nil)[1:], true},
		{"an access token", "Bearer " + good, true},
		{"a session that has just ended elsewhere", hs256(jwt.MapClaims{"exp": now.Add(-5 * time.Second).Unix()}), true},
		{"nothing", "", false},
		{"no token", "Bearer ", false},
		{"another scheme", "Basic " + good, false},
		{"an unknown access token", "Bearer sbp_ffffffffffffffffffffffffffffffffffffffff", false},
		{"an access token in capitals", "Bearer sbp_0123456789ABCDEF0123456789ABCDEF01234567", false},
		{"alg none", signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), false},
		{"another secret", signed(jwt.SigningMethodHS256, []byte("another"), nil), false},
		{"another algorithm", signed(jwt.SigningMethodHS512, []byte(secret), nil), false},
		{"expired", hs256(jwt.MapClaims{"exp": now.Add(-time.Minute).Unix()}), false},
		{"no expiry", hs256(jwt.MapClaims{"exp": nil}), false},
		{"not yet", hs256(jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}), false},
		{"another audience", hs256(jwt.MapClaims{"aud": "somewhere"}), false},
		{"no audience", hs256(jwt.MapClaims{"aud": nil}), false},
		{"an anon key", hs256(jwt.MapClaims{"sub": nil, "role": "anon"}), false},
		{"a service key", hs256(jwt.MapClaims{"role": "service_role"}), false},
		{"a subject that is no UUID", hs256(jwt.MapClaims{"sub": "1; drop table"}), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			caller, err := authenticator.Authenticate(t.Context(), test.authorization)
			if !test.good {
				require.ErrorIs(t, err, identity.ErrUnauthenticated)
				return
			}
			require.NoError(t, err)
			require.Equal(t, user, caller.Profile.GotrueID)
		})
	}
}

func FuzzAuthenticate(f *testing.F) {
	authenticator := identity.New(profiles{}, identity.Settings{JWTSecret: secret}, func() time.Time { return now })
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.")
	f.Add("Bearer " + good[:43])
	f.Fuzz(func(t *testing.T, authorization string) {
		if _, err := authenticator.Authenticate(t.Context(), authorization); err == nil && authorization[7:] != good {
			t.Fatalf("%q was taken for somebody", authorization)
		}
	})
}
