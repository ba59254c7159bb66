package dataplane

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/plurabase/plurabase/store"
)

const (
	// mintedFor is how long a JWT is good for that stands in for an opaque key, and so for how long whoever a service
	// shows it to could go on with it.
	mintedFor = time.Hour
	// lastsFor is that of the JWTs that Realtime keeps with a connection for as long as that is open.
	lastsFor = 365 * 24 * time.Hour
	// keptVerified bounds how many JWTs of a project are remembered. A project has two; what else comes is a trial, or temporary.
	keptVerified = 64
)

// KindClaim is the claim of JWTs that the platform signs with a project's secret, besides the project's legacy keys; it says what they are.
const KindClaim = "plurabase"

// What KindClaim says.
const (
	KindTemporary = "temporary" // an API key for a while, for Studio
	KindMinted    = "minted"    // in place of an opaque key, for services alone
)

// kind is what a JWT is good for, as an API key.
type kind uint8

const (
	noAPIKey     kind = iota // forged, expired, or somebody's session
	forgedSecret             // it says that it is a service_role's, and nobody of this project signed it
	legacyKey
	temporaryKey
)

// verified is what is known of a JWT.
type verified struct {
	kind    kind
	expires time.Time
	use     *legacyUse // of a legacy key of the platform's own making
}

// legacyUse is when a legacy key was used and that was not yet written down.
type legacyUse struct {
	role, signature string
	at              atomic.Int64 // in Unix seconds; 0: it was not
}

// signatureShown is how much of a key's signature tells it from others, as upstream's logs have it.
const signatureShown = 10

func newLegacyUse(role, token string) *legacyUse {
	signature := token[strings.LastIndexByte(token, '.')+1:]
	return &legacyUse{role: role, signature: signature[:min(len(signature), signatureShown)]}
}

type minted struct {
	token string
	renew time.Time
}

// tokens are what was made of a project's JWT secret: it is opened when it is first needed.
type tokens struct {
	mutex    sync.Mutex
	secret   []byte
	verified map[string]verified
}

// open opens the secret. The mutex is held.
func (t *tokens) open(source Source, p store.GatewayProject) error {
	if t.secret != nil {
		return nil
	}
	secret, err := source.GatewaySecret(p)
	if err != nil {
		return err
	}
	t.secret, t.verified = secret, map[string]verified{}
	return nil
}

// verify tells what a JWT is good for. An error says that this cannot be known.
func (t *tokens) verify(source Source, p store.GatewayProject, token string, now time.Time) (verified, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if err := t.open(source, p); err != nil {
		return verified{}, err
	}
	found, known := t.verified[token]
	if !known {
		found = t.check(p.Ref, token, now)
		if found.kind == noAPIKey || found.kind == forgedSecret {
			return found, nil // not remembered: there is no end to what can be made up
		}
		if len(t.verified) >= keptVerified {
			clear(t.verified)
		}
		t.verified[token] = found
	}
	if !found.expires.IsZero() && !now.Before(found.expires) {
		return verified{}, nil
	}
	return found, nil
}

// keyClaims are those of an API key that is a JWT.
type keyClaims struct {
	jwt.RegisteredClaims
	Role string `json:"role"`
	Ref  string `json:"ref"`
	Kind string `json:"plurabase"`
}

func (t *tokens) check(ref store.Ref, token string, now time.Time) verified {
	var claims keyClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return t.secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(func() time.Time { return now }))
	if claims.Role == "service_role" && errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		return verified{kind: forgedSecret}
	}
	if err != nil || claims.Role != "anon" && claims.Role != "service_role" || claims.Ref != "" && claims.Ref != string(ref) {
		return verified{}
	}
	found := verified{kind: legacyKey}
	switch claims.Kind {
	case "":
		if claims.Issuer == "supabase" { // else it is one that somebody signed by themselves
			found.use = newLegacyUse(claims.Role, token)
		}
	case KindTemporary:
		found.kind = temporaryKey
	default:
		return verified{}
	}
	if claims.ExpiresAt != nil {
		found.expires = claims.ExpiresAt.Time
	}
	return found
}

// takeUses returns when legacy keys were used since it was asked last.
func (t *tokens) takeUses(projectID int64) []store.LegacyKeyUse {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var uses []store.LegacyKeyUse
	for _, one := range t.verified {
		if one.use == nil {
			continue
		}
		if at := one.use.at.Swap(0); at != 0 {
			uses = append(uses, store.LegacyKeyUse{ProjectID: projectID, Role: one.use.role, Signature: one.use.signature, At: time.Unix(at, 0)})
		}
	}
	return uses
}

// mint returns the JWT that stands in for an opaque key, by its index. One that was made before costs no lock.
func (p *project) mint(source Source, key int, lasting bool, now time.Time) (string, error) {
	made, lifetime := &p.keys[key].tokens[0], mintedFor
	if lasting {
		made, lifetime = &p.keys[key].tokens[1], lastsFor
	}
	if found := made.Load(); found != nil && now.Before(found.renew) {
		return found.token, nil
	}
	claims := jwt.MapClaims{"role": "anon"}
	if p.keys[key].secret {
		claims["role"] = "service_role"
		maps.Copy(claims, p.Keys[key].Claims)
	}
	// What the gateway says of itself, no key's claims say otherwise.
	maps.Copy(claims, jwt.MapClaims{
		"iss": "supabase", "ref": string(p.Ref), "iat": now.Unix(), "exp": now.Add(lifetime).Unix(), KindClaim: KindMinted,
	})
	token, err := p.tokens.sign(source, p.GatewayProject, claims)
	if err != nil {
		return "", err
	}
	made.Store(&minted{token, now.Add(lifetime / 2)})
	return token, nil
}

func (t *tokens) sign(source Source, p store.GatewayProject, claims jwt.Claims) (string, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if err := t.open(source, p); err != nil {
		return "", err
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(t.secret)
	if err != nil {
		return "", fmt.Errorf("sign the JWT of a key: %w", err)
	}
	return token, nil
}
