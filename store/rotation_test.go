package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// nextKey is what the tests rotate to.
func nextKey(t *testing.T) store.MasterKey {
	t.Helper()
	var key store.MasterKey
	require.NoError(t, key.UnmarshalText([]byte("bmV4dC1rZXktbmV4dC1rZXktbmV4dC1rZXktbmV4dC4=")))
	return key
}

func openWith(t *testing.T, url string, current, previous store.MasterKey) *store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), store.Settings{DatabaseURL: url, MasterKey: current, PreviousMasterKey: previous})
	require.NoError(t, err)
	t.Cleanup(opened.Close)
	return opened
}

func TestTheMasterKeyIsRotatedWhileOldProcessesRun(t *testing.T) {
	t.Parallel()
	before, url := storetest.NewWithURL(t)
	profile, organization := member(t, before, ada, "ada@example.com")
	old, err := before.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	secrets, err := before.ProjectSecrets(t.Context(), old.ID, old.Ref)
	require.NoError(t, err)

	after := openWith(t, url, nextKey(t), storetest.MasterKey(t))
	made, err := after.CreateProject(t.Context(), actor(profile, "2"), newProject(organization))
	require.NoError(t, err)
	requireSecrets(t, after, old.Project, secrets)
	repeated, err := after.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err, "a request that the gateway repeats over the change of keys")
	require.Equal(t, old.Ref, repeated.Ref)

	rotated, err := after.RotateMasterKey(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, rotated, "the one that was made with the new key needs nothing")
	rotated, err = after.RotateMasterKey(t.Context())
	require.NoError(t, err)
	require.Zero(t, rotated)

	requireSecrets(t, openWith(t, url, storetest.MasterKey(t), nextKey(t)), old.Project, secrets)
	alone := openWith(t, url, nextKey(t), store.MasterKey{})
	requireSecrets(t, alone, old.Project, secrets)
	_, err = alone.ProjectSecrets(t.Context(), made.ID, made.Ref)
	require.NoError(t, err)
	_, err = before.ProjectSecrets(t.Context(), old.ID, old.Ref)
	require.ErrorContains(t, err, "are sealed with master key", "the old key alone opens nothing any more")
}

func requireSecrets(t *testing.T, s *store.Store, project store.Project, want store.Secrets) {
	t.Helper()
	got, err := s.ProjectSecrets(t.Context(), project.ID, project.Ref)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestARotationLeavesWhatItCannotOpenAndGoesOn(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	lost, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	kept, err := s.CreateProject(t.Context(), actor(profile, "2"), newProject(organization))
	require.NoError(t, err)
	run(t, url, `update platform.project_keys set master_key_id = 'deadbeef' where project_id = (select min(project_id) from platform.project_keys)`)

	after := openWith(t, url, nextKey(t), storetest.MasterKey(t))
	rotated, err := after.RotateMasterKey(t.Context())
	require.ErrorContains(t, err, string(lost.Ref))
	require.ErrorContains(t, err, "deadbeef")
	require.Equal(t, 1, rotated)
	_, err = openWith(t, url, nextKey(t), store.MasterKey{}).ProjectSecrets(t.Context(), kept.ID, kept.Ref)
	require.NoError(t, err)
}
