package store_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestAnAccessTokenOpensItsOwnersProfile(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, _ := member(t, s, ada, "ada@example.com")
	made, err := s.CreateAccessToken(t.Context(), actor(profile, "1"), "laptop", nil)
	require.NoError(t, err)
	require.Regexp(t, `^sbp_[0-9a-f]{40}$`, made.Token)

	found, err := s.ProfileByAccessToken(t.Context(), made.Token)
	require.NoError(t, err)
	require.Equal(t, store.TokenOwner{Profile: profile}, found)

	listed, err := s.AccessTokens(t.Context(), profile.ID)
	require.NoError(t, err)
	require.Len(t, listed, 1)
	require.Equal(t, storetest.Now, listed[0].LastUsedAt.UTC())
}

func TestATokenIsStoredAsItsDigestAlone(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, _ := member(t, s, ada, "ada@example.com")
	made, err := s.CreateAccessToken(t.Context(), actor(profile, "1"), "laptop", nil)
	require.NoError(t, err)

	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(t.Context()) })
	var rows string
	err = connection.QueryRow(t.Context(), `
		select string_agg(row::text, ' ') from (
			select t::text as row from platform.access_tokens t union all
			select r::text from platform.requests r union all
			select a::text from platform.audit_log a
		) everything`).Scan(&rows)
	require.NoError(t, err)
	require.Contains(t, rows, "laptop")
	require.NotContains(t, rows, made.Token[4:])
}

func TestExpiredAndRevokedTokensOpenNothing(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, _ := member(t, s, ada, "ada@example.com")
	past := storetest.Now.Add(-time.Second)
	expired, err := s.CreateAccessToken(t.Context(), actor(profile, "1"), "old", &past)
	require.NoError(t, err)
	revoked, err := s.CreateAccessToken(t.Context(), actor(profile, "2"), "lost", nil)
	require.NoError(t, err)
	_, err = s.DeleteAccessToken(t.Context(), actor(profile, "3"), revoked.ID)
	require.NoError(t, err)

	for _, token := range []string{expired.Token, revoked.Token, "sbp_0000000000000000000000000000000000000000"} {
		_, err = s.ProfileByAccessToken(t.Context(), token)
		require.ErrorIs(t, err, store.ErrNotFound)
	}
}

func TestNobodyRevokesSomebodyElsesToken(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	owner, _ := member(t, s, ada, "ada@example.com")
	stranger, _ := member(t, s, grace, "grace@example.com")
	made, err := s.CreateAccessToken(t.Context(), actor(owner, "1"), "laptop", nil)
	require.NoError(t, err)

	_, err = s.DeleteAccessToken(t.Context(), actor(stranger, "2"), made.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.ProfileByAccessToken(t.Context(), made.Token)
	require.NoError(t, err)
}
