package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/plurabase/plurabase/plugins/internal/gotrue"
)

const (
	// keysFreshFor is how long a key is believed without asking again: what GoTrue's Cache-Control says of its keys.
	keysFreshFor = 10 * time.Minute
	// keysInterval is the least time between two questions to GoTrue, whatever key ids strangers make up.
	keysInterval = 5 * time.Second
	// keysTimeout is the deadline of one question.
	keysTimeout = 3 * time.Second
	// minRSABits is what RFC 7518, section 3.3, demands of a key for RS256.
	minRSABits = 2048
)

// keySet holds GoTrue's public keys. It asks for them when a token first needs one, when a token names a key that it does not
// have, and when they are old; never in the background. While GoTrue is down, the keys that it gave go on to be good.
type keySet struct {
	gotrue *gotrue.Client
	now    func() time.Time
	asking sync.Mutex // held while GoTrue is asked
	last   atomic.Pointer[keyAnswer]
}

// keyAnswer is what came of asking GoTrue. It is never changed.
type keyAnswer struct {
	keys       map[string]verificationKey // by key id
	askedAt    time.Time
	freshUntil time.Time
	err        error // of the last question; keys are older then
}

// verificationKey is a public key with the only algorithm that it is used for.
type verificationKey struct {
	algorithm string
	key       any // as golang-jwt takes it for the algorithm
}

func newKeySet(client *gotrue.Client, now func() time.Time) *keySet {
	s := &keySet{gotrue: client, now: now}
	s.last.Store(&keyAnswer{})
	return s
}

// find returns the key that a token was signed with. The error is GoTrue's where the key is not known because GoTrue
// could not be asked.
func (s *keySet) find(ctx context.Context, token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	known, ok := s.lookup(ctx, id)
	if !ok {
		if err := s.last.Load().err; err != nil {
			return nil, err
		}
		return nil, errors.New("no such key")
	}
	if known.algorithm != token.Method.Alg() {
		return nil, fmt.Errorf("the key is for %s", known.algorithm)
	}
	return known.key, nil
}

func (s *keySet) lookup(ctx context.Context, id string) (verificationKey, bool) {
	last := s.last.Load()
	key, ok := last.keys[id]
	switch {
	case ok && s.now().Before(last.freshUntil):
		return key, true
	case !ok:
		s.asking.Lock()
	case !s.asking.TryLock():
		return key, true // somebody asks already, and this key was good a moment ago
	}
	defer s.asking.Unlock()
	key, ok = s.ask(ctx).keys[id]
	return key, ok
}

// ask asks GoTrue, unless it was asked a moment ago.
func (s *keySet) ask(ctx context.Context) *keyAnswer {
	last := s.last.Load()
	if s.now().Before(last.askedAt.Add(keysInterval)) {
		return last
	}
	// The answer is for everybody: it does not depend on what is left of this request's time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	found, err := s.gotrue.Keys(ctx)
	now := s.now()
	answer := &keyAnswer{keys: last.keys, askedAt: now, freshUntil: last.freshUntil, err: err}
	if err == nil {
		answer.keys, answer.freshUntil = usable(found), now.Add(keysFreshFor)
	}
	s.last.Store(answer)
	return answer
}

// usable leaves out what is not for signatures, and gives every other key its one algorithm.
func usable(found []jose.JSONWebKey) map[string]verificationKey {
	keys := make(map[string]verificationKey, len(found))
	for _, candidate := range found {
		algorithm := algorithmOf(candidate.Key)
		forSignatures := candidate.Use == "" || candidate.Use == "sig"
		saysOtherwise := candidate.Algorithm != "" && candidate.Algorithm != algorithm
		if algorithm != "" && candidate.KeyID != "" && forSignatures && !saysOtherwise {
			keys[candidate.KeyID] = verificationKey{algorithm: algorithm, key: candidate.Key}
		}
	}
	return keys
}

// algorithmOf returns the algorithm that GoTrue uses a kind of key for; empty for a kind that it does not use.
func algorithmOf(key any) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSABits {
			return jwt.SigningMethodRS256.Alg()
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return jwt.SigningMethodES256.Alg()
		}
	case ed25519.PublicKey:
		return jwt.SigningMethodEdDSA.Alg()
	}
	return ""
}
