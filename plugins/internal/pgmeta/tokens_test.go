package pgmeta_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

const (
	shop = store.Ref("abcdefghijklmnopqrst")
	blog = store.Ref("tsrqponmlkjihgfedcba")
)

func TestATokenOpensItsOwnProjectForADay(t *testing.T) {
	t.Parallel()
	now := storetest.Now
	tokens := pgmeta.NewTokens(storetest.MasterKey(t), storetest.Random(), func() time.Time { return now })
	sealed, err := tokens.Seal(shop, pgmeta.ReadOnly)
	require.NoError(t, err)
	require.NotContains(t, sealed, string(shop))

	mode, err := tokens.Open(sealed, shop)
	require.NoError(t, err)
	require.Equal(t, pgmeta.ReadOnly, mode)

	_, err = tokens.Open(sealed, blog)
	require.ErrorIs(t, err, pgmeta.ErrToken, "for another project")
	for _, forged := range []string{"", "x", sealed[:len(sealed)-2] + "AA", "postgresql://postgres:postgres@10.0.0.1/postgres"} {
		_, err = tokens.Open(forged, shop)
		require.ErrorIs(t, err, pgmeta.ErrToken, forged)
	}
	now = now.Add(24 * time.Hour)
	_, err = tokens.Open(sealed, shop)
	require.ErrorIs(t, err, pgmeta.ErrToken, "stale")
}

func TestATokenIsGoodOverARotationOfTheMasterKey(t *testing.T) {
	t.Parallel()
	var next store.MasterKey
	require.NoError(t, next.UnmarshalText([]byte("bmV4dC1rZXktbmV4dC1rZXktbmV4dC1rZXktbmV4dC4=")))
	old := pgmeta.NewTokens(storetest.MasterKey(t), storetest.Random(), storetest.Clock)
	sealed, err := old.Seal(shop, pgmeta.ReadOnly)
	require.NoError(t, err)

	mode, err := pgmeta.NewTokens(next, storetest.Random(), storetest.Clock, storetest.MasterKey(t)).Open(sealed, shop)
	require.NoError(t, err)
	require.Equal(t, pgmeta.ReadOnly, mode)
	_, err = pgmeta.NewTokens(next, storetest.Random(), storetest.Clock, store.MasterKey{}).Open(sealed, shop)
	require.ErrorIs(t, err, pgmeta.ErrToken)
}

func FuzzTokensOpen(f *testing.F) {
	tokens := pgmeta.NewTokens(storetest.MasterKey(f), storetest.Random(), storetest.Clock)
	sealed, err := tokens.Seal(shop, pgmeta.ReadWrite)
	require.NoError(f, err)
	f.Add(sealed)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if mode, err := tokens.Open(text, blog); err == nil {
			t.Fatalf("%q opened another project as %s", text, mode)
		}
	})
}
