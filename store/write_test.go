package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestARepeatedRequestIsAnsweredNotRepeated(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, _ := member(t, s, ada, "ada@example.com")
	first, err := s.CreateAccessToken(t.Context(), actor(profile, "once"), "laptop", nil)
	require.NoError(t, err)
	second, err := s.CreateAccessToken(t.Context(), actor(profile, "once"), "laptop", nil)
	require.NoError(t, err)
	require.Equal(t, first.Token, second.Token)

	tokens, err := s.AccessTokens(t.Context(), profile.ID)
	require.NoError(t, err)
	require.Len(t, tokens, 1)
}

func TestRepetitionsAtTheSameTimeMakeOneThing(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	refs := make([]store.Ref, 20)
	var group errgroup.Group
	for i := range refs {
		group.Go(func() error {
			made, err := s.CreateProject(t.Context(), actor(profile, "once"), newProject(organization))
			refs[i] = made.Ref
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, ref := range refs {
		require.Equal(t, refs[0], ref)
	}
}

func TestTheSameRequestIDForSomethingElseIsSomethingElse(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, _ := member(t, s, ada, "ada@example.com")
	one, other := actor(profile, "once"), actor(profile, "once")
	other.Fingerprint[0] = 1
	first, err := s.CreateAccessToken(t.Context(), one, "laptop", nil)
	require.NoError(t, err)
	second, err := s.CreateAccessToken(t.Context(), other, "desktop", nil)
	require.NoError(t, err)
	require.NotEqual(t, first.ID, second.ID)
}

func TestAFailedWriteLeavesNothingAndIsTriedAnew(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)

	var conflict *store.ConflictError
	_, err = s.ChangeProject(t.Context(), actor(profile, "2"), project.Ref, store.OperationPause)
	require.ErrorAs(t, err, &conflict)
	_, err = s.ChangeProject(t.Context(), actor(profile, "2"), project.Ref, store.OperationPause)
	require.ErrorAs(t, err, &conflict)
}

func TestForgottenRequestsRunAgain(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, _ := member(t, s, ada, "ada@example.com")
	first, err := s.CreateAccessToken(t.Context(), actor(profile, "once"), "laptop", nil)
	require.NoError(t, err)
	require.NoError(t, s.ForgetRequests(t.Context(), -time.Second)) // the clock stands still: everything is older than this
	second, err := s.CreateAccessToken(t.Context(), actor(profile, "once"), "laptop", nil)
	require.NoError(t, err)
	require.NotEqual(t, first.ID, second.ID)
}

func newProject(organization store.Membership) store.NewProject {
	return store.NewProject{
		OrganizationID: organization.ID, Name: "shop", CloudProvider: "LOCAL", Region: "local", Target: "local",
		ComputeSize: "micro", Services: []string{"db"}, DatabasePassword: "correct horse",
	}
}
