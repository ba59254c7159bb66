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

	"github.com/plurabase/plurabase/store"
)

// ErrUnauthenticated says that the request carries no token, or none that is good. Why is not told to the client.
var ErrUnauthenticated = errors.New("unauthenticated")

// Profiles is what identity needs of the store.
type Profiles interface {
	EnsureProfile(ctx context.Context, gotrueID, email string) (store.Profile, error)
	ProfileByAccessToken(ctx context.Context, token string) (store.Profile, error)
}

// Authenticator checks bearer tokens. It is safe for concurrent use.
type Authenticator struct {
	profiles  Profiles
	jwtSecret []byte
	parser    *jwt.Parser
}

// sessionAudience is what GoTrue signs every user's session for (its GOTRUE_JWT_AUD, as Supabase sets it).
const sessionAudience = "authenticated"

// clockSkew is how far the clocks of GoTrue and this machine may differ.
const clockSkew = 10 * time.Second

// New returns an Authenticator that takes session tokens signed HS256 with jwtSecret.
func New(profiles Profiles, jwtSecret string, now func() time.Time) *Authenticator {
	return &Authenticator{
		profiles:  profiles,
		jwtSecret: []byte(jwtSecret),
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{"HS256"}),
			jwt.WithAudience(sessionAudience),
			jwt.WithExpirationRequired(),
			jwt.WithLeeway(clockSkew),
			jwt.WithTimeFunc(now),
		),
	}
}

// Authenticate returns the profile of whoever sent the Authorization header. The first good session token of an
// unknown user makes the profile.
func (a *Authenticator) Authenticate(ctx context.Context, authorization string) (store.Profile, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return store.Profile{}, ErrUnauthenticated
	}
	if store.IsAccessToken(token) {
		return a.byAccessToken(ctx, token)
	}
	return a.bySession(ctx, token)
}

func (a *Authenticator) byAccessToken(ctx context.Context, token string) (store.Profile, error) {
	profile, err := a.profiles.ProfileByAccessToken(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		return store.Profile{}, ErrUnauthenticated
	}
	return profile, err
}

type sessionClaims struct {
	jwt.RegisteredClaims
	Email string `json:"email"`
	Role  string `json:"role"`
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func (a *Authenticator) bySession(ctx context.Context, token string) (store.Profile, error) {
	var claims sessionClaims
	_, err := a.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return a.jwtSecret, nil })
	if err != nil {
		return store.Profile{}, fmt.Errorf("%w: %w", ErrUnauthenticated, err)
	}
	// API keys are signed with the same secret: they name no user, and another role.
	if !uuidPattern.MatchString(claims.Subject) || claims.Role != sessionAudience {
		return store.Profile{}, fmt.Errorf("%w: not a user's session", ErrUnauthenticated)
	}
	return a.profiles.EnsureProfile(ctx, claims.Subject, claims.Email)
}
