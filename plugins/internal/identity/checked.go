package identity

import (
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// checkedFor is for how long a signature is not checked again: so long a key that GoTrue withdraws still counts here.
	checkedFor = time.Minute
	// checkedSessions bounds how many sessions are remembered.
	checkedSessions = 10_000
)

// checked remembers the claims of session tokens whose signature was good: checking one signed
// ES256 takes longer than everything else that is done for a request. What a token says of its own end is looked at with every request.
type checked struct {
	sessions *lru.Cache[[sha256.Size]byte, checkedSession]
	now      func() time.Time
}

type checkedSession struct {
	claims sessionClaims
	until  time.Time
}

func newChecked(now func() time.Time) checked {
	sessions, err := lru.New[[sha256.Size]byte, checkedSession](checkedSessions)
	if err != nil { // only for a size that is not positive
		panic(err)
	}
	return checked{sessions, now}
}

func (c checked) find(token string) (sessionClaims, bool) {
	found, ok := c.sessions.Get(sha256.Sum256([]byte(token)))
	return found.claims, ok && c.now().Before(found.until)
}

// keep remembers claims that were checked a moment ago, no longer than they are good.
func (c checked) keep(token string, claims sessionClaims) {
	until := c.now().Add(checkedFor)
	if end := claims.ExpiresAt.Add(clockSkew); end.Before(until) {
		until = end
	}
	c.sessions.Add(sha256.Sum256([]byte(token)), checkedSession{claims, until})
}
