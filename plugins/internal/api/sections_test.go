package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func TestASectionIsItsDefaultsUntilItIsChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	tests := []struct{ name, path, patch, setting string }{
		{"postgrest", "/platform/projects/" + p.ref + "/config/postgrest", `{"db_schema":"public, api"}`, "db_schema"},
		{"realtime", "/platform/projects/" + p.ref + "/config/realtime", `{"max_concurrent_users":7}`, "max_concurrent_users"},
		{"storage", "/platform/projects/" + p.ref + "/config/storage", `{"fileSizeLimit":4096}`, "fileSizeLimit"},
		{"storage's features", "/v1/projects/" + p.ref + "/config/storage", `{"features":{"s3Protocol":{"enabled":false}}}`, "features"},
		{"pooler", "/platform/projects/" + p.ref + "/config/pgbouncer", `{"default_pool_size":33}`, "default_pool_size"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := w.object(owner, http.MethodGet, test.path, "")
			w.succeed(owner, http.MethodPatch, test.path, test.patch)
			after := w.object(owner, http.MethodGet, test.path, "")
			require.NotEqual(t, before[test.setting], after[test.setting])
			delete(before, test.setting)
			delete(after, test.setting)
			require.Equal(t, before, after, "the rest stays as it was")
		})
	}
}

func TestStorageKeepsTheFeaturesThatAChangeDoesNotName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref + "/config/storage"
	w.succeed(owner, http.MethodPatch, path, `{"features":{"imageTransformation":{"enabled":false}}}`)
	changed := w.object(owner, http.MethodPatch, path, `{"features":{"s3Protocol":{"enabled":false}}}`)
	features := changed["features"].(map[string]any)
	require.Equal(t, map[string]any{"enabled": false}, features["imageTransformation"])
	require.Equal(t, map[string]any{"enabled": false}, features["s3Protocol"])
}

func TestSettingsThatCannotBeAreRefusedAndNothingChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	project := "/platform/projects/" + p.ref
	tests := []struct{ path, body, message string }{
		{"/config/postgrest", `{"db_schema":"public\"; drop"}`, "db_schema: expected names of schemas, separated by commas."},
		{"/config/postgrest", `{"max_rows":-1}`, "max_rows: expected number >= 0."},
		{"/config/storage", `{"features":{"vectorBuckets":{"enabled":true,"maxBuckets":1,"maxIndexes":1}}}`, "features.vectorBuckets: " + noVectorBuckets},
		{"/config/realtime", `{"max_concurrent_users":0}`, "max_concurrent_users: expected number >= 1."},
		{"/config/pgbouncer", `{"pgbouncer_enabled":true}`, "pgbouncer_enabled: whether a project runs a pooler is said by its services."},
		{"/config/pgbouncer", `{"ignore_startup_parameters":"a\nb"}`, "ignore_startup_parameters: expected string to be names of parameters, separated by commas."},
	}
	for _, test := range tests {
		status, refusal := w.send(owner, http.MethodPatch, project+test.path, test.body)
		require.Equal(t, http.StatusBadRequest, status, test.body)
		require.Equal(t, test.message, refusal["message"])
	}
	var sections int
	require.NoError(t, w.connection.QueryRow(t.Context(), `select count(*) from platform.project_config`).Scan(&sections))
	require.Zero(t, sections)
}

func TestTheDataAPIsSettingsHoldThisProjectsOwnSecretByRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := w.place(), w.place()
	secretOf := func(p place, role store.Role) any {
		return w.object(w.as(role), http.MethodGet, "/platform/projects/"+p.ref+"/config/postgrest", "")["jwt_secret"]
	}
	require.Len(t, secretOf(p, store.RoleOwner), 64)
	require.NotEqual(t, secretOf(p, store.RoleOwner), secretOf(other, store.RoleOwner))
	require.Empty(t, secretOf(p, store.RoleReadOnly))
}

func TestAProjectWithoutAPoolerListsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref + "/config"
	var poolers []map[string]any
	w.list(owner, path+"/supavisor", &poolers)
	require.Equal(t, []map[string]any{}, poolers)
	require.Equal(t, false, w.object(owner, http.MethodGet, path+"/pgbouncer/status", "")["active"])

	w.exec(`update platform.projects set services = '{db,pooler}' where ref = $1`, p.ref)
	w.exec(`insert into platform.project_ports (target, port, project_id, service) select 'local', 54998, id, 'pooler' from platform.projects where ref = $1`, p.ref)
	w.service(p, "pooler", "10.0.0.9", 6543, "supavisor:2")
	w.list(owner, path+"/supavisor", &poolers)
	require.Equal(t, "postgresql://postgres."+p.ref+":[YOUR-PASSWORD]@localhost:54998/postgres", poolers[0]["connection_string"])
	require.Equal(t, true, w.object(owner, http.MethodGet, path+"/pgbouncer/status", "")["active"])
}
