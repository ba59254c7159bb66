package identity_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/store"
)

const (
	secret = "a-secret-of-at-least-32-characters-here"
	user   = "11111111-1111-4111-8111-111111111111"
	good   = "sbp_0123456789abcdef0123456789abcdef01234567"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// profiles knows one access token and makes a profile for everybody.
type profiles struct{}

func (profiles) EnsureProfile(_ context.Context, gotrueID, email string) (store.Profile, error) {
	return store.Profile{GotrueID: gotrueID, PrimaryEmail: email}, nil
}

func (profiles) ProfileByAccessToken(_ context.Context, token string) (store.TokenOwner, error) {
	if token == good {
		return store.TokenOwner{Profile: store.Profile{GotrueID: user}}, nil
	}
	return store.TokenOwner{}, store.ErrNotFound
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
	hs256 := func(changes jwt.MapClaims) string {
		return signed(t, jwt.SigningMethodHS256, []byte(secret), "", changes)
	}
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
		{"alg none", signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", nil), false},
		{"another secret", signed(t, jwt.SigningMethodHS256, []byte("another"), "", nil), false},
		{"another algorithm", signed(t, jwt.SigningMethodHS512, []byte(secret), "", nil), false},
		{"expired", hs256(jwt.MapClaims{"exp": now.Add(-time.Minute).Unix()}), false},
		{"no expiry", hs256(jwt.MapClaims{"exp": nil}), false},
		{"not yet", hs256(jwt.MapClaims{"nbf": now.Add(time.Minute).Unix()}), false},
		{"another audience", hs256(jwt.MapClaims{"aud": "somewhere"}), false},
		{"no audience", hs256(jwt.MapClaims{"aud": nil}), false},
		{"an anon key", hs256(jwt.MapClaims{"sub": nil, "role": "anon"}), false},
		{"a service key", hs256(jwt.MapClaims{"role": "service_role"}), false},
		{"no subject", hs256(jwt.MapClaims{"sub": nil}), false},
		{"an anonymous user", hs256(jwt.MapClaims{"is_anonymous": true}), false},
		{"longer than any token", hs256(jwt.MapClaims{"filler": strings.Repeat("x", 16<<10)}), false},
		{"the last bits of the signature changed", malleable(hs256(nil)), false},
		{"a signature that is missing", strings.TrimRight(hs256(nil), "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), false},
		{"two tokens", hs256(nil) + "." + hs256(nil)[7:], false},
		{"claims that are no object", unsigned(`{"alg":"HS256"}`, `[]`), false},
		{"a header that is no object", unsigned(`null`, `{}`), false},
		{"an algorithm that is no text", unsigned(`{"alg":1}`, `{}`), false},
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

// malleable changes bits that Base64 leaves over behind a signature of 32 bytes: a lenient reader does not see them.
func malleable(session string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, session[len(session)-1])
	return session[:len(session)-1] + string(digits[last^1])
}

// unsigned is a token of these JSON texts whose signature is none.
func unsigned(header, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return "Bearer " + encode([]byte(header)) + "." + encode([]byte(claims)) + ".AA"
}

func TestACallerIsKnownByWhatTheyProved(t *testing.T) {
	t.Parallel()
	authenticator := identity.New(profiles{}, identity.Settings{JWTSecret: secret}, func() time.Time { return now })
	tests := map[string]struct {
		authorization string
		want          identity.Caller
	}{
		"a session of one factor": {
			signed(t, jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"aal": "aal1"}),
			identity.Caller{Profile: store.Profile{GotrueID: user, PrimaryEmail: "ada@example.com"}, AAL: identity.AAL1},
		},
		"a session of two": {
			signed(t, jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"aal": "aal2"}),
			identity.Caller{Profile: store.Profile{GotrueID: user, PrimaryEmail: "ada@example.com"}, AAL: identity.AAL2},
		},
		"an access token": {"Bearer " + good, identity.Caller{Profile: store.Profile{GotrueID: user}, AccessToken: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caller, err := authenticator.Authenticate(t.Context(), test.authorization)
			require.NoError(t, err)
			require.Equal(t, test.want, caller)
		})
	}
}

// Whatever is made of a good token's text, only the very token is somebody.
func FuzzAuthenticate(f *testing.F) {
	authenticator := identity.New(profiles{}, identity.Settings{JWTSecret: secret}, func() time.Time { return now })
	session := signed(f, jwt.SigningMethodHS256, []byte(secret), "", nil)
	f.Add(session)
	f.Add(malleable(session))
	f.Add(unsigned(`{"alg":"none"}`, `{}`))
	f.Add("Bearer " + good)
	f.Add("Bearer " + good[:43])
	f.Fuzz(func(t *testing.T, authorization string) {
		_, err := authenticator.Authenticate(t.Context(), authorization)
		_, token, _ := strings.Cut(authorization, " ")
		if genuine := token == good || token == session[len("Bearer "):]; err == nil && !genuine {
			t.Fatalf("%q was taken for somebody", authorization)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	standIn := newStandIn(b)
	authenticator := identity.New(profiles{}, identity.Settings{JWTSecret: secret, GoTrueURL: standIn.URL}, func() time.Time { return now })
	es256 := newSigner(b, "ec", jwt.SigningMethodES256)
	standIn.publish(es256.jwk())
	for name, session := range map[string]string{
		"HS256": signed(b, jwt.SigningMethodHS256, []byte(secret), "", nil),
		"ES256": es256.session(b, nil),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := authenticator.Authenticate(b.Context(), session); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestASessionThatWasCheckedEndsWhenItSays(t *testing.T) {
	t.Parallel()
	at := now
	standIn := newStandIn(t)
	authenticator := identity.New(profiles{}, identity.Settings{JWTSecret: secret, GoTrueURL: standIn.URL}, func() time.Time { return at })
	short := signed(t, jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"exp": now.Add(20 * time.Second).Unix()})
	_, err := authenticator.Authenticate(t.Context(), short)
	require.NoError(t, err)
	at = now.Add(29 * time.Second) // within the clocks' difference
	_, err = authenticator.Authenticate(t.Context(), short)
	require.NoError(t, err)
	at = now.Add(30 * time.Second)
	_, err = authenticator.Authenticate(t.Context(), short)
	require.ErrorIs(t, err, identity.ErrUnauthenticated)
}

func TestAWithdrawnKeyCountsForAMinuteAtMost(t *testing.T) {
	t.Parallel()
	at := now
	standIn := newStandIn(t)
	authenticator := identity.New(profiles{}, identity.Settings{GoTrueURL: standIn.URL}, func() time.Time { return at })
	old, next := newSigner(t, "old", jwt.SigningMethodES256), newSigner(t, "next", jwt.SigningMethodES256)
	standIn.publish(old.jwk())
	session := old.session(t, nil)
	_, err := authenticator.Authenticate(t.Context(), session)
	require.NoError(t, err)
	standIn.publish(next.jwk())
	at = now.Add(time.Minute)
	// Somebody with the new key makes the keys be read again.
	_, err = authenticator.Authenticate(t.Context(), next.session(t, jwt.MapClaims{"exp": now.Add(time.Hour).Unix()}))
	require.NoError(t, err)
	_, err = authenticator.Authenticate(t.Context(), session)
	require.ErrorIs(t, err, identity.ErrUnauthenticated)
}
