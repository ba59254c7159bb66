//go:build unix

// Package storetest opens a Store on a fresh database of a real Postgres, with a clock that stands still and a source of
// randomness that reads the same every time.
package storetest

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
)

// Now is the time at which everything in a test's store happens.
var Now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// Clock returns Now.
func Clock() time.Time { return Now }

// MasterKeyText is a master key that protects nothing, as an operator would write it.
const MasterKeyText = "cGx1cmFiYXNlLXRlc3Qta2V5LTMyLWJ5dGVzLWxvbmc="

// MasterKey is the key of MasterKeyText.
func MasterKey(t testing.TB) store.MasterKey {
	var key store.MasterKey
	require.NoError(t, key.UnmarshalText([]byte(MasterKeyText)))
	return key
}

// New returns a Store on a database of its own.
func New(t testing.TB) *store.Store {
	t.Helper()
	opened, _ := NewWithURL(t)
	return opened
}

// NewWithURL is New for tests that have a second look at the database, or want more of the Store.
func NewWithURL(t testing.TB, options ...store.Option) (*store.Store, string) {
	t.Helper()
	url := pgtest.URL(t)
	opened, err := store.Open(t.Context(), store.Settings{DatabaseURL: url, MasterKey: MasterKey(t)},
		append([]store.Option{store.WithClock(Clock), store.WithRandom(Random())}, options...)...)
	require.NoError(t, err)
	t.Cleanup(opened.Close)
	return opened, url
}

// Random returns a source of randomness that starts from the same seed every time. It is safe for concurrent use.
func Random() *Source {
	return &Source{source: rand.NewChaCha8([32]byte([]byte(strings.Repeat("plurabase test s", 2))))}
}

// Source is what Random returns.
type Source struct {
	mutex  sync.Mutex
	source *rand.ChaCha8
}

// Read fills p. It never fails.
func (s *Source) Read(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.source.Read(p)
}
