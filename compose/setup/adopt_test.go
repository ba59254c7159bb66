package main

import (
	"bytes"
	"net"
	"net/url"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

// anInstallation is a platform with an organization, and the settings to adopt an installation with, whose database is a real
// Postgres and whose GoTrue a port that accepts connections.
func anInstallation(t *testing.T) (*store.Store, store.Profile, adoptSettings) {
	t.Helper()
	s, platform := storetest.NewWithURL(t)
	profile, err := s.EnsureProfile(t.Context(), uuid.NewString(), "ada@plurabase.test")
	require.NoError(t, err)
	_, err = s.CreateOrganization(t.Context(), store.Actor{ProfileID: profile.ID, RequestID: uuid.NewString()}, "Main")
	require.NoError(t, err)
	parsed, err := url.Parse(pgtest.URL(t))
	require.NoError(t, err)
	port, err := strconv.ParseUint(parsed.Port(), 10, 16)
	require.NoError(t, err)
	password, _ := parsed.User.Password()
	auth, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = auth.Close() })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	settings := adoptSettings{
		Settings: store.Settings{DatabaseURL: platform, MasterKey: storetest.MasterKey(t)}, Name: "Ours",
		DatabaseHost: parsed.Hostname(), DatabasePort: uint16(port), Password: password, JWTSecret: "its own JWT secret of 32 characters",
		AnonKey: "its anon key", ServiceKey: "its service key",
	}
	require.NoError(t, settings.Services.UnmarshalText([]byte("auth="+auth.Addr().String()+",storage="+gone.Addr().String())))
	return s, profile, settings
}

func adopted(t *testing.T, s *store.Store) []store.AdoptedProject {
	t.Helper()
	list, err := s.AdoptedProjects(t.Context())
	require.NoError(t, err)
	return list
}

func TestAnInstallationBecomesAProjectOnce(t *testing.T) {
	t.Parallel()
	s, profile, settings := anInstallation(t)
	var told bytes.Buffer
	require.NoError(t, settings.adopt(t.Context(), false, &told))
	settings.AnonKey = "its next anon key"
	require.NoError(t, settings.adopt(t.Context(), false, &told), "what has changed in its .env is taken over")
	list := adopted(t, s)
	require.Len(t, list, 1)
	project := list[0].Project
	require.Contains(t, told.String(), `is the project `+string(project.Ref)+` ("Ours"), with db, auth.`)
	require.NotContains(t, told.String(), settings.Password)
	require.Equal(t, store.StatusActiveHealthy, project.Status)
	require.Equal(t, []string{"db", "auth"}, project.Services, "what does not answer is none of the installation's")
	secrets, err := s.ProjectSecrets(t.Context(), project.ID, project.Ref)
	require.NoError(t, err)
	require.Equal(t, settings.Password, secrets[store.SecretDatabasePassword])
	require.Equal(t, "its next anon key", secrets[store.SecretAnonKey])
	seen, err := s.ProjectByRef(t.Context(), profile.ID, project.Ref)
	require.NoError(t, err)
	require.Equal(t, settings.DatabaseHost, *seen.DBHost)
}

func TestNothingOfAnAdoptedInstallationIsStoppedOrChanged(t *testing.T) {
	t.Parallel()
	s, profile, settings := anInstallation(t)
	require.NoError(t, settings.adopt(t.Context(), false, &bytes.Buffer{}))
	project := adopted(t, s)[0].Project
	actor := func() store.Actor { return store.Actor{ProfileID: profile.ID, RequestID: uuid.NewString()} }
	refused := map[string]error{}
	for _, kind := range []store.OperationKind{store.OperationPause, store.OperationRestart, store.OperationRestore, store.OperationUpgrade} {
		_, refused[string(kind)] = s.ChangeProject(t.Context(), actor(), project.Ref, kind)
	}
	_, refused["password"] = s.ChangeDatabasePassword(t.Context(), actor(), project.Ref, "another")
	_, refused["jwt"] = s.RotateJWTSecret(t.Context(), actor(), project.Ref, "another secret of 32 characters at least", "")
	_, refused["size"] = s.ResizeProject(t.Context(), actor(), project.Ref, "small")
	for what, err := range refused {
		var conflict *store.ConflictError
		require.ErrorAs(t, err, &conflict, what)
		require.Contains(t, conflict.Message, "an installation of its own", what)
	}
	secrets, err := s.ProjectSecrets(t.Context(), project.ID, project.Ref)
	require.NoError(t, err)
	require.Equal(t, settings.Password, secrets[store.SecretDatabasePassword], "what was refused changed nothing")
	for _, target := range []string{"local", "any"} {
		claim, err := s.ClaimProject(t.Context(), target, "a provisioner", 1, []store.Ref{project.Ref})
		require.NoError(t, err)
		require.Nil(t, claim, "no provisioner ever takes it")
	}
}

func TestDeletingAnAdoptedProjectDetachesIt(t *testing.T) {
	t.Parallel()
	s, profile, settings := anInstallation(t)
	require.NoError(t, settings.adopt(t.Context(), false, &bytes.Buffer{}))
	project := adopted(t, s)[0].Project
	_, err := s.ChangeProject(t.Context(), store.Actor{ProfileID: profile.ID, RequestID: uuid.NewString()}, project.Ref, store.OperationDelete)
	require.NoError(t, err)
	_, err = s.ProjectByRef(t.Context(), profile.ID, project.Ref)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = store.InstallationVersion(t.Context(), settings.DatabaseHost, settings.DatabasePort, settings.Password)
	require.NoError(t, err, "the installation's database goes on")

	var told bytes.Buffer
	require.NoError(t, settings.adopt(t.Context(), false, &told))
	require.Contains(t, told.String(), "detached since", "the next start does not take it in again by itself")
	require.Empty(t, adopted(t, s))
	require.NoError(t, settings.adopt(t.Context(), true, &told))
	require.Len(t, adopted(t, s), 1)
}

func TestAdoptingWaitsForAnOrganizationAndRefusesWhatItCannotReach(t *testing.T) {
	t.Parallel()
	_, _, settings := anInstallation(t)
	settings.DatabasePort = 1
	require.ErrorContains(t, settings.adopt(t.Context(), false, &bytes.Buffer{}), "reach the installation's database")
	settings.DatabaseURL = pgtest.URL(t)
	var told bytes.Buffer
	require.NoError(t, settings.adopt(t.Context(), false, &told))
	require.Contains(t, told.String(), "no organization yet")
	for _, text := range []string{"auth", "auth=auth", "db=db:5432", "nothing=auth:9999", "auth=auth:99999"} {
		require.Error(t, (&adoptServices{}).UnmarshalText([]byte(text)), text)
	}
}
