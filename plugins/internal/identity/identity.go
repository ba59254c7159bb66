// Package identity finds out who sends a request: the owner of a session token of the platform's GoTrue, or of a
// personal access token.
package identity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/plurabase/plurabase/plugins/internal/gotrue"
	"github.com/plurabase/plurabase/store"
)

// ErrUnauthenticated says that the request carries no token, or none that is good. Why is not told to the client.
var ErrUnauthenticated = errors.New("unauthenticated")

// Profiles is what identity needs of the store.
type Profiles interface {
	EnsureProfile(ctx context.Context, gotrueID, email string) (store.Profile, error)
	ProfileByAccessToken(ctx context.Context, token string) (store.TokenOwner, error)
}

// AAL is GoTrue's authenticator assurance level: how surely a session's user is who they say.
type AAL string

// The levels that GoTrue's session tokens have in their claim `aal`.
const (
	AAL1 AAL = "aal1" // one factor
	AAL2 AAL = "aal2" // a second one was verified in this session
)

// Caller is who sends a request, and how they proved it.
type Caller struct {
	Profile store.Profile
	// AAL is of the session; empty for an access token, which has no session.
	AAL AAL
	// AccessToken tells a personal access token from a session.
	AccessToken bool
	// Limits are of an access token with scopes; nil for everything else.
	Limits *store.TokenLimits
}

// Authenticator checks bearer tokens. It is safe for concurrent use.
type Authenticator struct {
	profiles  Profiles
	jwtSecret []byte
	keys      *keySet
	parser    *jwt.Parser
	checked   checked
}

// sessionAudience is what GoTrue signs every user's session for (its GOTRUE_JWT_AUD, as Supabase sets it).
const sessionAudience = "authenticated"

// clockSkew is how far the clocks of GoTrue and this machine may differ.
const clockSkew = 10 * time.Second

// maxToken is more than nginx takes in a header unless told otherwise (8 KB), in bytes: what is longer is not looked at.
const maxToken = 16 << 10

// New returns an Authenticator that takes the session tokens that settings describe. It connects to nothing.
func New(profiles Profiles, settings Settings, now func() time.Time) *Authenticator {
	return &Authenticator{
		profiles:  profiles,
		jwtSecret: []byte(settings.JWTSecret),
		keys:      newKeySet(gotrue.New(settings.GoTrueURL), now),
		parser:    newParser(settings, now),
		checked:   newChecked(now),
	}
}

func newParser(settings Settings, now func() time.Time) *jwt.Parser {
	var methods []string
	if settings.JWTSecret != "" {
		methods = append(methods, "HS256")
	}
	if settings.GoTrueURL != "" {
		methods = append(methods, "RS256", "ES256", "EdDSA")
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(methods),
		jwt.WithAudience(sessionAudience),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(clockSkew),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(now),
	}
	if settings.Issuer != "" {
		options = append(options, jwt.WithIssuer(settings.Issuer))
	}
	return jwt.NewParser(options...)
}

// Authenticate says who sent the Authorization header. The first good session token of an unknown user makes the
// profile. The error is ErrUnauthenticated where the token is not good, and gotrue.ErrUnavailable where that could not be found
// out.
func (a *Authenticator) Authenticate(ctx context.Context, authorization string) (Caller, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > maxToken {
		return Caller{}, ErrUnauthenticated
	}
	if store.IsAccessToken(token) {
		return a.byAccessToken(ctx, token)
	}
	return a.bySession(ctx, token)
}

func (a *Authenticator) byAccessToken(ctx context.Context, token string) (Caller, error) {
	owner, err := a.profiles.ProfileByAccessToken(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, ErrUnauthenticated
	}
	return Caller{Profile: owner.Profile, AccessToken: true, Limits: owner.Limits}, err
}

type sessionClaims struct {
	jwt.RegisteredClaims
	Email string `json:"email"`
	Role  string `json:"role"`
	AAL   AAL    `json:"aal"`
	// Anonymous is true for a user whom GoTrue made without asking for anything.
	Anonymous bool `json:"is_anonymous"`
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func (a *Authenticator) bySession(ctx context.Context, token string) (Caller, error) {
	claims, known := a.checked.find(token)
	if !known {
		var err error
		if claims, err = a.check(ctx, token); err != nil {
			return Caller{}, err
		}
		a.checked.keep(token, claims)
	}
	profile, err := a.profiles.EnsureProfile(ctx, claims.Subject, claims.Email)
	return Caller{Profile: profile, AAL: claims.AAL}, err
}

func (a *Authenticator) check(ctx context.Context, token string) (sessionClaims, error) {
	var claims sessionClaims
	_, err := a.parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) { return a.key(ctx, t) })
	if errors.Is(err, gotrue.ErrUnavailable) {
		return claims, err
	}
	if err != nil {
		return claims, fmt.Errorf("%w: %w", ErrUnauthenticated, err)
	}
	// API keys are signed with the same secret: they name no user, and another role.
	if !uuidPattern.MatchString(claims.Subject) || claims.Role != sessionAudience || claims.Anonymous {
		return claims, fmt.Errorf("%w: not a user's session", ErrUnauthenticated)
	}
	return claims, nil
}

// key returns what a token's signature is checked with. The parser lets only the methods through that are set up, and a
// shared secret is never mistaken for a public key: they are of different types.
func (a *Authenticator) key(ctx context.Context, token *jwt.Token) (any, error) {
	if token.Method == jwt.SigningMethodHS256 {
		return a.jwtSecret, nil
	}
	return a.keys.find(ctx, token)
}
