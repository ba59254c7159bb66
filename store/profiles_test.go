package store_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

const (
	ada   = "11111111-1111-4111-8111-111111111111"
	grace = "22222222-2222-4222-8222-222222222222"
)

func TestFirstSightMakesOneProfileUnderAnyRace(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	ids := make([]int64, 200)
	var group errgroup.Group
	for i := range ids {
		group.Go(func() error {
			profile, err := s.EnsureProfile(t.Context(), ada, "ada@example.com")
			ids[i] = profile.ID
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
}

func TestTheSameLocalPartGivesDifferentUsernames(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	first, err := s.EnsureProfile(t.Context(), ada, "info@example.com")
	require.NoError(t, err)
	second, err := s.EnsureProfile(t.Context(), grace, "info@example.org")
	require.NoError(t, err)
	require.Equal(t, "info", first.Username)
	require.Equal(t, "info-2222", second.Username)
}

func TestAProfileFollowsTheAddressThatSomebodySignsInWith(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	first, err := s.EnsureProfile(t.Context(), ada, "ada@example.com")
	require.NoError(t, err)
	changed, err := s.EnsureProfile(t.Context(), ada, "lovelace@example.com")
	require.NoError(t, err)
	require.Equal(t, first.ID, changed.ID)
	require.Equal(t, "lovelace@example.com", changed.PrimaryEmail)
	require.Equal(t, "ada", changed.Username)
	same, err := s.EnsureProfile(t.Context(), ada, "")
	require.NoError(t, err)
	require.Equal(t, changed, same)
}

func TestManyWithTheSameLocalPartAtOnceAllGetAProfile(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	var group errgroup.Group
	for range 50 {
		group.Go(func() error {
			_, err := s.EnsureProfile(t.Context(), uuid.NewString(), "info@example.com")
			return err
		})
	}
	require.NoError(t, group.Wait())
}

// member returns a profile that owns an organization.
func member(t *testing.T, s *store.Store, gotrueID, email string) (store.Profile, store.Membership) {
	t.Helper()
	profile, err := s.EnsureProfile(t.Context(), gotrueID, email)
	require.NoError(t, err)
	organization, err := s.CreateOrganization(t.Context(), actor(profile, "make-organization"), "Acme")
	require.NoError(t, err)
	return profile, organization
}

func actor(profile store.Profile, requestID string) store.Actor {
	return store.Actor{ProfileID: profile.ID, RequestID: requestID}
}
