package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestWhoCreatesAnOrganizationOwnsIt(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, made := member(t, s, ada, "ada@example.com")
	require.Equal(t, store.RoleOwner, made.Role)
	require.Regexp(t, `^[a-z]{20}$`, made.Slug)
	require.Equal(t, "ada@example.com", *made.BillingEmail)

	found, err := s.MembershipBySlug(t.Context(), profile.ID, made.Slug)
	require.NoError(t, err)
	require.Equal(t, made, found)
	listed, err := s.Memberships(t.Context(), profile.ID)
	require.NoError(t, err)
	require.Equal(t, []store.Membership{made}, listed)
}

func TestAnOrganizationIsUnknownToStrangers(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	_, organization := member(t, s, ada, "ada@example.com")
	stranger, _ := member(t, s, grace, "grace@example.com")
	_, err := s.MembershipBySlug(t.Context(), stranger.ID, organization.Slug)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestAnOrganizationWithProjectsIsNotDeleted(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	_, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	var conflict *store.ConflictError
	require.ErrorAs(t, s.DeleteOrganization(t.Context(), actor(profile, "2"), organization.ID), &conflict)

	other, err := s.CreateOrganization(t.Context(), actor(profile, "3"), "Empty")
	require.NoError(t, err)
	require.NoError(t, s.DeleteOrganization(t.Context(), actor(profile, "4"), other.ID))
	_, err = s.MembershipBySlug(t.Context(), profile.ID, other.Slug)
	require.ErrorIs(t, err, store.ErrNotFound)
}
