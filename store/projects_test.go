package store_test

import (
	"fmt"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestANewProjectHasKeysSignedWithItsOwnSecret(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	one, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	other, err := s.CreateProject(t.Context(), actor(profile, "2"), newProject(organization))
	require.NoError(t, err)

	secrets, err := s.ProjectSecrets(t.Context(), one.ID, one.Ref)
	require.NoError(t, err)
	require.Equal(t, "correct horse", secrets[store.SecretDatabasePassword])
	for role, key := range map[string]string{"anon": one.AnonKey, "service_role": one.ServiceKey} {
		claims := jwt.MapClaims{}
		_, err := jwt.NewParser(jwt.WithTimeFunc(storetest.Clock)).ParseWithClaims(key, claims,
			func(*jwt.Token) (any, error) { return []byte(secrets[store.SecretJWT]), nil })
		require.NoError(t, err)
		require.Equal(t, role, claims["role"])
		require.Equal(t, string(one.Ref), claims["ref"])
	}

	foreign, err := s.ProjectSecrets(t.Context(), other.ID, other.Ref, store.SecretJWT)
	require.NoError(t, err)
	require.Len(t, foreign, 1)
	require.NotEqual(t, secrets[store.SecretJWT], foreign[store.SecretJWT])
}

func TestSecretsAreSealedForTheirProjectAndTheirName(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)

	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(t.Context()) })
	_, err = connection.Exec(t.Context(), `
		update platform.project_secrets set sealed = (
			select sealed from platform.project_secrets where name = 'db_password'
		) where name = 'jwt_secret'`)
	require.NoError(t, err)

	_, err = s.ProjectSecrets(t.Context(), project.ID, project.Ref)
	require.ErrorIs(t, err, store.ErrSealed)
}

func TestAProjectIsNotFoundByThoseWhoAreNotMembers(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	owner, organization := member(t, s, ada, "ada@example.com")
	stranger, _ := member(t, s, grace, "grace@example.com")
	project, err := s.CreateProject(t.Context(), actor(owner, "1"), newProject(organization))
	require.NoError(t, err)

	_, err = s.ProjectByRef(t.Context(), stranger.ID, project.Ref)
	require.ErrorIs(t, err, store.ErrNotFound)
	page, err := s.Projects(t.Context(), stranger.ID, store.ProjectFilter{})
	require.NoError(t, err)
	require.Empty(t, page.Projects)

	found, err := s.ProjectByRef(t.Context(), owner.ID, project.Ref)
	require.NoError(t, err)
	require.Equal(t, store.RoleOwner, found.OrganizationRole)
	require.Equal(t, project.Project, found.Project)
}

func TestProjectsArePagedSortedAndSearched(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	for i, name := range []string{"Beta", "alpha", "gamma", "Alphabet"} {
		wanted := newProject(organization)
		wanted.Name = name
		_, err := s.CreateProject(t.Context(), actor(profile, fmt.Sprint(i)), wanted)
		require.NoError(t, err)
	}
	tests := []struct {
		name   string
		filter store.ProjectFilter
		want   []string
		count  int64
	}{
		{"all, by name", store.ProjectFilter{}, []string{"alpha", "Alphabet", "Beta", "gamma"}, 4},
		{"newest first", store.ProjectFilter{Order: store.OrderCreatedDescending}, []string{"Alphabet", "gamma", "alpha", "Beta"}, 4},
		{"one page", store.ProjectFilter{Limit: 2, Offset: 1}, []string{"Alphabet", "Beta"}, 4},
		{"past the end", store.ProjectFilter{Limit: 2, Offset: 9}, []string{}, 4},
		{"searched in any case", store.ProjectFilter{Search: "ALPHA"}, []string{"alpha", "Alphabet"}, 2},
		{"a search is no pattern", store.ProjectFilter{Search: "%"}, []string{}, 0},
		{"by status", store.ProjectFilter{Statuses: []store.Status{store.StatusInactive}}, []string{}, 0},
		{"another organization", store.ProjectFilter{OrganizationID: organization.ID + 1}, []string{}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			page, err := s.Projects(t.Context(), profile.ID, test.filter)
			require.NoError(t, err)
			names := []string{}
			for _, project := range page.Projects {
				names = append(names, project.Name)
			}
			require.Equal(t, test.want, names)
			require.Equal(t, test.count, page.Count)
		})
	}
}
