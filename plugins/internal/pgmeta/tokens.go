// Package pgmeta stands between Studio and postgres-meta: the connection tokens that Studio holds, and the encrypted
// connection strings that postgres-meta takes.
package pgmeta

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

// Mode is which database role a token opens.
type Mode string

// The modes.
const (
	ReadWrite Mode = "rw" // the role `postgres`
	ReadOnly  Mode = "ro" // the role `supabase_read_only_user`
)

// tokenLifetime is as long as a page of Studio may stay open. A token is no credential: the caller's rights are checked
// with every request.
const tokenLifetime = 24 * time.Hour

// tokenContext binds the sealed bytes to their use.
const tokenContext = "pg-meta connection token v1"

// ErrToken says that a connection token is missing, forged, stale or for another project. Which of them is not told.
var ErrToken = errors.New("not a valid connection token")

// openedTokens bounds how many tokens are remembered. A page of Studio sends one with each of its queries.
const openedTokens = 1000

// Tokens seals and opens connection tokens. A token tells nothing to a browser, least of all a connection string.
type Tokens struct {
	keys   [][]byte // tokens are sealed with the first, and opened with any
	random io.Reader
	now    func() time.Time
	opened *lru.Cache[string, token] // by their text: what one says never changes
}

// NewTokens returns Tokens under a key that is derived from the master key. Tokens under a previous one, which a page that
// stayed open over a rotation still holds, are opened too; a zero key is none.
func NewTokens(master store.MasterKey, random io.Reader, now func() time.Time, previous ...store.MasterKey) *Tokens {
	opened, err := lru.New[string, token](openedTokens)
	if err != nil { // only for a size that is not positive
		panic(err)
	}
	t := &Tokens{keys: [][]byte{master.Derive(tokenContext)}, random: random, now: now, opened: opened}
	for _, key := range previous {
		if !key.IsZero() {
			t.keys = append(t.keys, key.Derive(tokenContext))
		}
	}
	return t
}

type token struct {
	Ref     store.Ref `json:"r"`
	Mode    Mode      `json:"m"`
	Expires int64     `json:"e"` // Unix seconds
}

// Seal returns a token for a project, in URL-safe Base64.
func (t *Tokens) Seal(ref store.Ref, mode Mode) (string, error) {
	plain, err := json.Marshal(token{Ref: ref, Mode: mode, Expires: t.now().Add(tokenLifetime).Unix()})
	if err != nil {
		return "", fmt.Errorf("encode a connection token: %w", err)
	}
	sealed, err := store.Seal(t.random, t.keys[0], plain, tokenContext)
	if err != nil {
		return "", fmt.Errorf("seal a connection token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open returns the mode of a token that is good for the project now, or ErrToken.
func (t *Tokens) Open(text string, ref store.Ref) (Mode, error) {
	opened, known := t.opened.Get(text)
	if !known {
		var err error
		if opened, err = t.decode(text); err != nil {
			return "", ErrToken
		}
		t.opened.Add(text, opened)
	}
	if opened.Ref != ref || t.now().Unix() >= opened.Expires {
		return "", ErrToken
	}
	return opened.Mode, nil
}

func (t *Tokens) decode(text string) (opened token, err error) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return opened, err
	}
	plain, err := t.unseal(sealed)
	if err != nil {
		return opened, err
	}
	err = json.Unmarshal(plain, &opened)
	return opened, err
}

func (t *Tokens) unseal(sealed []byte) (plain []byte, err error) {
	for _, key := range t.keys {
		if plain, err = store.Unseal(key, sealed, tokenContext); err == nil {
			return plain, nil
		}
	}
	return nil, err
}

// ModeOf returns the database role that somebody may use in a project: those who may not change tables read only.
func ModeOf(project store.ProjectAccess) Mode {
	if access.AllowsInProject(project, access.TenantSQLAdminWrite, "tables") {
		return ReadWrite
	}
	return ReadOnly
}
