package store_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// keyed makes a store with a project in it.
func keyed(t *testing.T) (s *store.Store, url string, profile store.Profile, project store.CreatedProject) {
	t.Helper()
	s, url = storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "project"), newProject(organization))
	require.NoError(t, err)
	return s, url, profile, project
}

func TestANewProjectHasAPublishableAndASecretKey(t *testing.T) {
	t.Parallel()
	s, url, _, project := keyed(t)
	keys, err := s.APIKeys(t.Context(), project.ID, project.Ref)
	require.NoError(t, err)
	require.Len(t, keys, 2)
	require.Regexp(t, `^sb_publishable_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{8}$`, keys[0].Key)
	require.Regexp(t, `^sb_secret_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{8}$`, keys[1].Key)
	require.Equal(t, keys[1].Key[:len("sb_secret_")+5], keys[1].Prefix)
	require.NotContains(t, fmt.Sprintf("%v %#v", keys, keys), keys[1].Key)
	require.NotContains(t, run(t, url, `select string_agg(k::text, ' ') from platform.api_keys k`), keys[1].Key)
	require.NotContains(t, run(t, url, `select string_agg(l::text, ' ') from platform.audit_log l`), keys[1].Key)
}

func TestAPIKeysAreMadeChangedAndRevoked(t *testing.T) {
	t.Parallel()
	s, _, profile, project := keyed(t)
	made, err := s.CreateAPIKey(t.Context(), actor(profile, "1"), project.Ref, store.WantedAPIKey{
		Type: store.SecretKey, Name: "worker", Claims: map[string]any{"role": "worker"},
	})
	require.NoError(t, err)
	again, err := s.CreateAPIKey(t.Context(), actor(profile, "1"), project.Ref, store.WantedAPIKey{Type: store.SecretKey, Name: "worker"})
	require.NoError(t, err)
	require.Equal(t, made.Key, again.Key, "a request that the gateway runs again makes one key")

	_, err = s.CreateAPIKey(t.Context(), actor(profile, "2"), project.Ref, store.WantedAPIKey{Type: store.SecretKey, Name: "worker"})
	var conflict *store.ConflictError
	require.ErrorAs(t, err, &conflict)
	name := "cron"
	changed, err := s.UpdateAPIKey(t.Context(), actor(profile, "3"), project.Ref, made.ID, store.APIKeyPatch{Name: &name})
	require.NoError(t, err)
	require.Equal(t, "cron", changed.Name)
	require.Equal(t, map[string]any{"role": "worker"}, changed.Claims, "what is not named stays")
	found, err := s.APIKeyByID(t.Context(), project.ID, project.Ref, made.ID)
	require.NoError(t, err)
	require.Equal(t, made.Key, found.Key)

	_, err = s.DeleteAPIKey(t.Context(), actor(profile, "4"), project.Ref, made.ID, "left in a repository", true)
	require.NoError(t, err)
	_, err = s.APIKeyByID(t.Context(), project.ID, project.Ref, made.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.DeleteAPIKey(t.Context(), actor(profile, "5"), project.Ref, made.ID, "", false)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestTheGatewayKnowsWhatItNeedsOfAProjectAndNoMore(t *testing.T) {
	t.Parallel()
	s, url, profile, project := keyed(t)
	run(t, url, `insert into platform.project_subnets (target, subnet, project_id) values ('local', '10.9.0.0/27', $1)`, project.ID)
	for service, host := range map[string]string{"auth": "10.9.0.3", "rest": "10.9.1.3", "storage": "storage.internal"} {
		run(t, url, `insert into platform.project_services (project_id, service, host, port, image, healthy, seen_at)
			values ($1, $2, $3, 9999, 'image', true, now())`, project.ID, service, host)
	}
	made, err := s.CreateAPIKey(t.Context(), actor(profile, "1"), project.Ref, store.WantedAPIKey{
		Type: store.SecretKey, Name: "worker", Claims: map[string]any{"role": "worker"},
	})
	require.NoError(t, err)
	require.NoError(t, s.EnableLegacyAPIKeys(t.Context(), actor(profile, "2"), project.Ref, false))

	all, err := s.GatewayProjects(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	found := all[0]
	require.Equal(t, project.Ref, found.Ref)
	require.False(t, found.LegacyKeys)
	require.Equal(t, "map[auth:10.9.0.3:9999]", fmt.Sprint(found.Targets), "an address outside the project's subnet, or a name, is nowhere to go to")
	require.Contains(t, found.Keys, store.GatewayKey{
		ID: made.ID, Type: store.SecretKey, Digest: sha256.Sum256([]byte(made.Key)), Claims: map[string]any{"role": "worker"},
	})
	secret, err := s.GatewaySecret(found)
	require.NoError(t, err)
	secrets, err := s.ProjectSecrets(t.Context(), project.ID, project.Ref, store.SecretJWT)
	require.NoError(t, err)
	require.Equal(t, secrets[store.SecretJWT], string(secret))

	none, err := s.GatewayProjects(t.Context(), project.ID+1)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestTheGatewayConnectsToAProjectsOwnDatabaseAndToNothingElse(t *testing.T) {
	t.Parallel()
	s, url, _, project := keyed(t)
	run(t, url, `insert into platform.project_subnets (target, subnet, project_id) values ('local', '10.9.0.0/28', $1)`, project.ID)
	run(t, url, `insert into platform.project_ports (target, port, project_id, service) values ('local', 25001, $1, 'db')`, project.ID)
	for _, one := range []struct {
		host string
		port int
		goes bool
	}{
		{"10.9.0.2", 5432, true},
		{"127.0.0.1", 25001, true},
		{"127.0.0.1", 5432, false},
		{"127.0.0.1", 25002, false},
		{"10.9.0.18", 5432, false},
		{"169.254.169.254", 80, false},
		{"supabase-db", 5432, false},
	} {
		run(t, url, `update platform.projects set db_host = $2, db_port = $3 where id = $1`, project.ID, one.host, one.port)
		found, err := s.GatewayProjects(t.Context(), project.ID)
		require.NoError(t, err)
		require.Equal(t, one.goes, found[0].Database.IsValid(), "%s:%d", one.host, one.port)
	}
}

func TestTheGatewayIsToldOfWhatItHasToKnowAndOfNothingElse(t *testing.T) {
	t.Parallel()
	s, url, profile, project := keyed(t)
	ctx, cancel := context.WithCancel(t.Context())
	listening, changed, ended := make(chan struct{}), make(chan int64, 100), make(chan error)
	go func() {
		ended <- s.ListenForGateway(ctx, func() { close(listening) }, func(id int64) { changed <- id })
	}()
	<-listening

	for name, change := range map[string]func() error{
		"a key": func() error {
			_, err := s.CreateAPIKey(t.Context(), actor(profile, "1"), project.Ref, store.WantedAPIKey{Type: store.SecretKey, Name: "one"})
			return err
		},
		"the legacy keys": func() error { return s.EnableLegacyAPIKeys(t.Context(), actor(profile, "2"), project.Ref, false) },
		"a name":          func() error { return s.SetVanitySubdomain(t.Context(), actor(profile, "3"), project.Ref, "shop") },
		"the status":      func() error { run(t, url, `update platform.projects set status = 'ACTIVE_HEALTHY'`); return nil },
		"the JWT secret":  func() error { run(t, url, `update platform.project_secrets set sealed = sealed`); return nil },
	} {
		require.NoError(t, change(), name)
		require.Equal(t, project.ID, <-changed, name)
	}
	run(t, url, `update platform.projects set lease_owner = 'me', fence = fence + 1, generation = generation + 1`)
	run(t, url, `delete from platform.projects`)
	require.Equal(t, project.ID, <-changed, "it is gone")
	cancel()
	require.Error(t, <-ended)
	require.Empty(t, changed, "a lease is no gateway's business")
}
