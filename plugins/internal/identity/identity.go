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
}

// Settings say which session tokens are good.
type Settings struct {
	// JWTSecret is the platform's GoTrue's own (its GOTRUE_JWT_SECRET), for tokens signed HS256.
	JWTSecret string `env:"PLURABASE_JWT_SECRET,required,notEmpty"`
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

// New returns an Authenticator that takes the session tokens that settings describe.
func New(profiles Profiles, settings Settings, now func() time.Time) *Authenticator {
	return &Authenticator{
		profiles:  profiles,
		jwtSecret: []byte(settings.JWTSecret),
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{"HS256"}),
			jwt.WithAudience(sessionAudience),
			jwt.WithExpirationRequired(),
			jwt.WithLeeway(clockSkew),
			jwt.WithTimeFunc(now),
		),
	}
}

// Authenticate says who sent the Authorization header. The first good session token of an unknown user makes the
// profile.
func (a *Authenticator) Authenticate(ctx context.Context, authorization string) (Caller, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return Caller{}, ErrUnauthenticated
	}
	if store.IsAccessToken(token) {
		return a.byAccessToken(ctx, token)
	}
	return a.bySession(ctx, token)
}

func (a *Authenticator) byAccessToken(ctx context.Context, token string) (Caller, error) {
	profile, err := a.profiles.ProfileByAccessToken(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, ErrUnauthenticated
	}
	return Caller{Profile: profile, AccessToken: true}, err
}

type sessionClaims struct {
	jwt.RegisteredClaims
	Email string `json:"email"`
	Role  string `json:"role"`
	AAL   AAL    `json:"aal"`
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func (a *Authenticator) bySession(ctx context.Context, token string) (Caller, error) {
	var claims sessionClaims
	_, err := a.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return a.jwtSecret, nil })
	if err != nil {
		return Caller{}, fmt.Errorf("%w: %w", ErrUnauthenticated, err)
	}
	// API keys are signed with the same secret: they name no user, and another role.
	if !uuidPattern.MatchString(claims.Subject) || claims.Role != sessionAudience {
		return Caller{}, fmt.Errorf("%w: not a user's session", ErrUnauthenticated)
	}
	profile, err := a.profiles.EnsureProfile(ctx, claims.Subject, claims.Email)
	return Caller{Profile: profile, AAL: claims.AAL}, err
}
