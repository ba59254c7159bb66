package pgmeta_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/identity"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// people signs in whoever says who they are.
type people struct{}

func (people) Authenticate(_ context.Context, authorization string) (identity.Caller, error) {
	ids := map[string]int64{"owner": 1, "reader": 2, "stranger": 3}
	if id, ok := ids[authorization]; ok {
		return identity.Caller{Profile: store.Profile{ID: id}}, nil
	}
	return identity.Caller{}, identity.ErrUnauthenticated
}

// projects holds one running and one paused project.
type projects struct{}

func (projects) ProjectByRef(_ context.Context, profileID int64, ref store.Ref) (store.ProjectAccess, error) {
	role, member := map[int64]store.Role{1: store.RoleOwner, 2: store.RoleReadOnly}[profileID]
	status, exists := map[store.Ref]store.Status{shop: store.StatusActiveHealthy, blog: store.StatusInactive}[ref]
	if !member || !exists {
		return store.ProjectAccess{}, store.ErrNotFound
	}
	host, port := "127.0.0.1", int32(54400)
	return store.ProjectAccess{OrganizationRole: role, Project: store.Project{ProjectSummary: store.ProjectSummary{Ref: ref, Status: status}, DBHost: &host, DBPort: &port}}, nil
}

func (projects) ProjectSecrets(_ context.Context, _ int64, _ store.Ref, names ...string) (store.Secrets, error) {
	all := store.Secrets{store.SecretDatabasePassword: "p@ss/word", store.SecretReadOnlyPassword: "look"}
	return store.Secrets{names[0]: all[names[0]]}, nil
}

func TestTheGateRefusesWhatIsNotAllowed(t *testing.T) {
	t.Parallel()
	tokens := pgmeta.NewTokens(storetest.MasterKey(t), storetest.Random(), storetest.Clock)
	gate := &pgmeta.Gate{Authenticator: people{}, Projects: projects{}, Tokens: tokens, CryptoKey: "key"}
	token := func(ref store.Ref, mode pgmeta.Mode) string {
		sealed, err := tokens.Seal(ref, mode)
		require.NoError(t, err)
		return sealed
	}
	query := pgmeta.PathPrefix + string(shop) + "/query"
	tests := []struct {
		name                     string
		method, path, who, token string
		status                   int
	}{
		{"no token of the caller's", "POST", query, "", token(shop, pgmeta.ReadWrite), http.StatusUnauthorized},
		{"a stranger", "POST", query, "stranger", token(shop, pgmeta.ReadWrite), http.StatusNotFound},
		{"a stranger at an endpoint that does not exist", "POST", query + "x", "stranger", "", http.StatusNotFound},
		{"a ref that is none", "POST", pgmeta.PathPrefix + "shop/query", "owner", token(shop, pgmeta.ReadWrite), http.StatusNotFound},
		{"an endpoint that is not let through", "POST", pgmeta.PathPrefix + string(shop) + "/tables", "owner", token(shop, pgmeta.ReadWrite), http.StatusNotFound},
		{"another service's path", "GET", pgmeta.PathPrefix + string(shop) + "/config/version", "owner", token(shop, pgmeta.ReadWrite), http.StatusNotFound},
		{"no connection token", "POST", query, "owner", "", http.StatusForbidden},
		{"a connection string for a token", "POST", query, "owner", "postgresql://postgres:postgres@10.0.0.1/postgres", http.StatusForbidden},
		{"another project's token", "POST", query, "owner", token(blog, pgmeta.ReadWrite), http.StatusForbidden},
		{"a colleague's token", "POST", query, "reader", token(shop, pgmeta.ReadWrite), http.StatusForbidden},
		{"a paused project", "POST", pgmeta.PathPrefix + string(blog) + "/query", "owner", token(blog, pgmeta.ReadWrite), http.StatusConflict},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := gate.Admit(t.Context(), pgmeta.Request{Method: test.method, Path: test.path, Authorization: test.who, Token: test.token})
			require.Error(t, err)
			refusal := problem.Of(t.Context(), nil, "", err)
			require.Equal(t, test.status, refusal.Status, refusal.Message)
		})
	}
}

func TestTheGateSendsEachRoleToItsOwnDatabaseRole(t *testing.T) {
	t.Parallel()
	tokens := pgmeta.NewTokens(storetest.MasterKey(t), storetest.Random(), storetest.Clock)
	gate := &pgmeta.Gate{Authenticator: people{}, Projects: projects{}, Tokens: tokens, CryptoKey: "key"}
	for who, want := range map[string]struct {
		mode       pgmeta.Mode
		connection string
	}{
		"owner":  {pgmeta.ReadWrite, "postgresql://postgres:p%40ss%2Fword@127.0.0.1:54400/postgres"},
		"reader": {pgmeta.ReadOnly, "postgresql://supabase_read_only_user:look@127.0.0.1:54400/postgres"},
	} {
		sealed, err := tokens.Seal(shop, want.mode)
		require.NoError(t, err)
		upstream, err := gate.Admit(t.Context(), pgmeta.Request{
			Method: http.MethodPost, Path: pgmeta.PathPrefix + string(shop) + "/query", Authorization: who, Token: sealed,
		})
		require.NoError(t, err)
		require.Equal(t, "/query", upstream.Path)
		require.Equal(t, want.connection, decrypt(t, "key", upstream.Connection))
	}
}
