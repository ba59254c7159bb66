package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// object sends a request that has to be answered with a 2xx and an object.
func (w *world) object(authorization, method, path, body string) map[string]any {
	w.t.Helper()
	answer := map[string]any{}
	require.NoError(w.t, json.Unmarshal(w.succeed(authorization, method, path, body).Body.Bytes(), &answer))
	return answer
}

func TestSettingsShowSecretsOnlyToThoseWhoMayReadThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	path := "/platform/projects/" + p.ref + "/settings"
	w.exec(`insert into platform.project_ports (target, port, project_id, service) select 'local', 54999, id, 'db' from platform.projects where ref = $1`, p.ref)

	full := w.object(w.as(store.RoleOwner), http.MethodGet, path, "")
	require.Len(t, full["service_api_keys"], 2)
	require.NotEmpty(t, full["jwt_secret"])
	require.InEpsilon(t, 54999, full["db_port"], 0)
	require.Equal(t, p.ref+".localhost:8000", full["app_config"].(map[string]any)["endpoint"])
	require.NotContains(t, full["app_config"], "storage_endpoint", "Studio would reach it by https")

	readOnly := w.object(w.as(store.RoleReadOnly), http.MethodGet, path, "")
	require.NotContains(t, readOnly, "service_api_keys")
	require.NotContains(t, readOnly, "jwt_secret")
}

func TestARenamedAndASensitiveProjectSaySo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	for _, prefix := range []string{"/platform/projects/", "/v1/projects/"} {
		renamed := w.object(owner, http.MethodPatch, prefix+p.ref, `{"name":"by `+prefix+`"}`)
		require.Equal(t, "by "+prefix, renamed["name"])
		require.Equal(t, "by "+prefix, w.object(owner, http.MethodGet, "/platform/projects/"+p.ref, "")["name"])
	}
	w.succeed(owner, http.MethodPatch, "/platform/projects/"+p.ref+"/settings/sensitivity", `{"is_sensitive":true}`)
	require.Equal(t, true, w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/settings", "")["is_sensitive"])
}

func TestMembersAreThoseWhoSeeTheProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	listed := w.object(w.as(store.RoleOwner), http.MethodGet, "/platform/projects/"+p.ref+"/members", "")
	require.Len(t, listed["members"], 5)
	w.join(w.organizationID(p), outsiderID, 0)
	require.Len(t, w.object(w.as(store.RoleOwner), http.MethodGet, "/platform/projects/"+p.ref+"/members", "")["members"], 5)
	w.scope(p.ref, outsiderID, store.RoleDeveloper)
	require.Len(t, w.object(w.as(store.RoleOwner), http.MethodGet, "/platform/projects/"+p.ref+"/members", "")["members"], 6)
}

func TestVersionsAreThoseThatWereSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref
	w.exec(`update platform.projects set db_version = null where ref = $1`, p.ref)
	require.Equal(t, map[string]any{"supabase-postgres": "UNKNOWN"}, w.object(owner, http.MethodGet, path+"/service-versions", ""))
	require.Empty(t, w.object(owner, http.MethodGet, path+"/restore/versions", "")["available_versions"])

	w.exec(`update platform.projects set db_version = '15.8' where ref = $1`, p.ref)
	w.service(p, "auth", "10.0.0.2", 9999, "registry:5000/supabase/gotrue:v2.180.0@sha256:abc")
	require.Equal(t, map[string]any{"supabase-postgres": "15.8", "gotrue": "v2.180.0"}, w.object(owner, http.MethodGet, path+"/service-versions", ""))
	require.Equal(t, []any{map[string]any{"version": "15.8", "postgres_engine": "15", "release_channel": "ga"}},
		w.object(owner, http.MethodGet, path+"/restore/versions", "")["available_versions"])
}

// service writes down one of a project's services as the provisioner would.
func (w *world) service(p place, name, host string, port int, image string) {
	w.t.Helper()
	w.exec(`insert into platform.project_services (project_id, service, host, port, image, healthy, seen_at)
		select id, $2, $3, $4, $5, true, now() from platform.projects where ref = $1`, p.ref, name, host, port, image)
}

func TestADatabaseHasTokensWhileItRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	var listed []map[string]any
	w.list(owner, "/platform/projects/"+p.ref+"/databases", &listed)
	require.Equal(t, p.ref, listed[0]["identifier"])
	require.NotEmpty(t, listed[0]["connectionString"])
	require.NotEmpty(t, listed[0]["connection_string_read_only"])

	w.exec(`update platform.projects set status = 'INACTIVE' where ref = $1`, p.ref)
	w.list(owner, "/platform/projects/"+p.ref+"/databases", &listed)
	require.Nil(t, listed[0]["connectionString"])
	require.Nil(t, listed[0]["connection_string_read_only"])
}

func TestANewProjectGetsThePostgresThatTheTargetOffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path, body := "/platform/organizations/"+p.slug+"/available-versions", `{"provider":"AWS","region":"local"}`
	require.Empty(t, w.object(owner, http.MethodPost, path, body)["available_versions"], "no provisioner was heard of")
	w.aliveTarget(map[string]string{"db": "registry:5000/supabase/postgres:17.6.1.132"})
	require.Equal(t, []any{map[string]any{"version": "17.6.1.132", "postgres_engine": "17", "release_channel": "ga"}},
		w.object(owner, http.MethodPost, path, body)["available_versions"])
}

func TestOnlyWhatRestsCanBeRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	status := func() any {
		t.Helper()
		_, answer := w.send(w.as(store.RoleReadOnly), http.MethodGet, "/platform/projects/"+p.ref+"/pause/status", "")
		return answer["can_restore"]
	}
	require.Equal(t, false, status(), "it runs")
	paused(w, p)
	require.Equal(t, true, status())
	w.exec(`update platform.projects set target = $2 where ref = $1`, p.ref, store.TargetAdopted)
	require.Equal(t, false, status(), "it is started where it is installed")
}
