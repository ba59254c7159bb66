package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// finish ends what was last asked of a place's project, as the provisioner does.
func (w *world) finish(p place, state store.OperationState) {
	w.t.Helper()
	w.exec(`update platform.operations set state = $2, finished_at = now() where project_ref = $1 and state in ('pending', 'running')`, p.ref, state)
	w.exec(`update platform.projects set status = 'ACTIVE_HEALTHY', observed_generation = generation where ref = $1`, p.ref)
}

// secret opens one of the secrets of a place's project.
func (w *world) secret(p place, name string) string {
	w.t.Helper()
	var id int64
	require.NoError(w.t, w.connection.QueryRow(w.t.Context(), `select id from platform.projects where ref = $1`, p.ref).Scan(&id))
	secrets, err := w.store.ProjectSecrets(w.t.Context(), id, store.Ref(p.ref), name)
	require.NoError(w.t, err)
	return secrets[name]
}

func TestAChangedPasswordIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	for path, password := range map[string]string{
		"/platform/projects/" + p.ref + "/db-password": "first horse", "/v1/projects/" + p.ref + "/database/password": "second horse",
	} {
		w.finish(p, store.OperationSucceeded)
		w.succeed(owner, http.MethodPatch, path, `{"password":"`+password+`"}`)
		require.Equal(t, password, w.secret(p, store.SecretDatabasePassword))
		code, _ := w.send(owner, http.MethodPatch, path, `{"password":"a\u0007b  c"}`)
		require.Equal(t, http.StatusBadRequest, code)
		require.Equal(t, password, w.secret(p, store.SecretDatabasePassword))
	}
}

func TestAJWTSecretIsRotatedAndFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref + "/config/secrets"
	status := func() map[string]any {
		return w.object(owner, http.MethodGet, path+"/update-status", "")["update_status"].(map[string]any)
	}
	require.InDelta(t, secretUpdated, status()["status"], 0, "what is kept is in use")
	w.finish(p, store.OperationSucceeded)
	before := w.secret(p, store.SecretJWT)
	for _, wrong := range []string{"short", strings.Repeat("x", 31) + "$", strings.Repeat("é", 32)} {
		code, _ := w.send(owner, http.MethodPatch, path, `{"jwt_secret":"`+wrong+`","change_tracking_id":"one"}`)
		require.Equal(t, http.StatusBadRequest, code, wrong)
	}
	require.Equal(t, before, w.secret(p, store.SecretJWT))

	w.succeed(owner, http.MethodPatch, path, `{"jwt_secret":"ROLL","change_tracking_id":"one"}`)
	random := w.secret(p, store.SecretJWT)
	require.NotEqual(t, before, random)
	require.Len(t, random, 64)
	require.InDelta(t, secretUpdating, status()["status"], 0)
	require.Equal(t, "one", status()["change_tracking_id"])
	w.finish(p, store.OperationSucceeded)
	require.InDelta(t, secretUpdated, status()["status"], 0)

	chosen := strings.Repeat("chosen-", 5)
	w.succeed(owner, http.MethodPatch, path, `{"jwt_secret":"`+chosen+`","change_tracking_id":"two"}`)
	require.Equal(t, chosen, w.secret(p, store.SecretJWT))
	w.finish(p, store.OperationFailed)
	require.InDelta(t, secretUpdateFailed, status()["status"], 0)
	require.Equal(t, "two", status()["change_tracking_id"])
}

func TestServicesAreRestartedByUpstreamsNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref + "/restart-services"
	w.finish(p, store.OperationSucceeded)
	code, answer := w.send(owner, http.MethodPost, path, `{"restartRequest":{"region":"local","services":["walg"]}}`)
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, answer["message"], `"walg" is not a service`)
	code, _ = w.send(owner, http.MethodPost, path, `{"restartRequest":{"region":"local","services":["realtime"]}}`)
	require.Equal(t, http.StatusConflict, code, "the project does without")

	withAllServices(w, p)
	w.succeed(owner, http.MethodPost, path, `{"restartRequest":{"region":"local","services":["postgresql","gotrue"]}}`)
	require.Equal(t, "RESTARTING", w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/status", "")["status"])
	var services []string
	require.NoError(t, w.connection.QueryRow(t.Context(), `select services from platform.operations order by id desc limit 1`).Scan(&services))
	require.Equal(t, []string{"db", "auth"}, services)
}

func TestAComputeSizeIsChosenAmongThoseThatFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref + "/billing/addons"
	selected := func() string {
		var addons Addons[ComputeVariant]
		w.list(owner, path, &addons)
		if len(addons.Selected) == 0 {
			return ""
		}
		return addons.Selected[0].Variant.Identifier
	}
	require.NoError(t, w.store.BeatTarget(t.Context(), store.Target{Name: "local", MemoryBytes: 3 << 30}))
	require.Equal(t, "ci_micro", selected())
	var addons Addons[V1ComputeVariant]
	w.list(owner, "/v1/projects/"+p.ref+"/billing/addons", &addons)
	require.Len(t, addons.Available[0].Variants, 2, "micro and small")

	w.finish(p, store.OperationSucceeded)
	code, answer := w.send(owner, http.MethodPost, path, `{"addon_type":"compute_instance","addon_variant":"ci_large"}`)
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, answer["message"], "less memory")
	code, _ = w.send(owner, http.MethodPost, path, `{"addon_type":"pitr","addon_variant":"pitr_7"}`)
	require.Equal(t, http.StatusBadRequest, code)
	w.succeed(owner, http.MethodPost, path, `{"addon_type":"compute_instance","addon_variant":"ci_small"}`)
	require.Equal(t, "ci_small", selected())
	require.Equal(t, "RESIZING", w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/status", "")["status"])
	w.finish(p, store.OperationSucceeded)
	code, _ = w.send(owner, http.MethodDelete, path+"/ci_micro", "")
	require.Equal(t, http.StatusNotFound, code)
	w.succeed(owner, http.MethodDelete, path+"/ci_small", "")
	require.Empty(t, selected())
	require.Equal(t, "nano", w.object(owner, http.MethodGet, "/platform/projects/"+p.ref, "")["infra_compute_size"])
}

func TestAnUpgradeIsOfferedAskedForAndFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/upgrade"
	eligibility := func() map[string]any { return w.object(owner, http.MethodGet, path+"/eligibility", "") }
	require.Equal(t, false, eligibility()["eligible"])
	require.Nil(t, w.object(owner, http.MethodGet, path+"/status", "")["databaseUpgradeStatus"])

	upgradable(w, p)
	w.finish(p, store.OperationSucceeded)
	offer := eligibility()
	require.Equal(t, true, offer["eligible"])
	require.Equal(t, "supabase-postgres-17.4.1", offer["current_app_version"])
	require.Equal(t, "supabase-postgres-17.6.1", offer["latest_app_version"])
	code, _ := w.send(owner, http.MethodPost, path, `{"target_version":"15"}`)
	require.Equal(t, http.StatusBadRequest, code)
	begun := w.object(owner, http.MethodPost, path, `{"target_version":"17","release_channel":"ga"}`)
	status := func() map[string]any {
		return w.object(owner, http.MethodGet, path+"/status?tracking_id="+begun["tracking_id"].(string), "")["databaseUpgradeStatus"].(map[string]any)
	}
	require.Equal(t, "0_requested", status()["progress"])
	require.InDelta(t, 17, status()["target_version"], 0)
	require.Equal(t, false, eligibility()["eligible"])
	w.finish(p, store.OperationFailed)
	require.InDelta(t, 2, status()["status"], 0)
	require.Zero(t, eligibility()["duration_estimate_hours"], "none has succeeded that it could be known by")
	w.exec(`update platform.operations set state = 'succeeded', started_at = now(), finished_at = now() + interval '30 minutes' where kind = 'upgrade'`)
	require.InDelta(t, 0.5, eligibility()["duration_estimate_hours"], 1e-9)

	w.aliveTarget(map[string]string{"db": "supabase/postgres:18.1"})
	offer = eligibility()
	require.Equal(t, false, offer["eligible"])
	require.Equal(t, "Postgres 17 cannot be upgraded to 18 in place: restore a backup into a new project.", offer["reason"])
	code, _ = w.send(owner, http.MethodPost, path, `{"target_version":"18"}`)
	require.Equal(t, http.StatusConflict, code)
}

func TestHealthIsWhatWasSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	health := func(query string) map[string]string {
		var list []ServiceHealth
		w.list(owner, "/v1/projects/"+p.ref+"/health?"+query, &list)
		statuses := map[string]string{}
		for _, one := range list {
			require.Equal(t, one.Status == serviceHealthy, one.Healthy)
			statuses[one.Name] = one.Status
		}
		return statuses
	}
	require.Equal(t, map[string]string{"db": serviceUnhealthy}, health("services=db"), "there is no provisioner")
	w.aliveTarget(nil)
	w.seen(p, true, "", "db")
	require.Equal(t, map[string]string{"db": serviceHealthy, "auth": serviceUnhealthy}, health("services=db,auth"))
	w.exec(`update platform.projects set services = '{db,auth}' where ref = $1`, p.ref)
	require.Equal(t, map[string]string{"db": serviceHealthy, "auth": serviceComingUp}, health("services=db&services=auth"))
	w.seen(p, false, "its health check fails", "auth")
	require.Equal(t, map[string]string{"auth": serviceUnhealthy}, health("services=auth"))
	w.exec(`update platform.targets set heartbeat_at = now() - interval '1 hour'`)
	require.Equal(t, map[string]string{"auth": serviceUnhealthy}, health("services=auth"))
	w.aliveTarget(nil)
	w.exec(`update platform.projects set status = 'RESTARTING' where ref = $1`, p.ref)
	require.Equal(t, map[string]string{"auth": serviceComingUp}, health("services=auth"))
	for _, query := range []string{"", "?services=mail"} {
		code, _ := w.send(owner, http.MethodGet, "/v1/projects/"+p.ref+"/health"+query, "")
		require.Equal(t, http.StatusBadRequest, code)
	}
}

func TestAnOperationsStepsCanBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other, owner := w.place(), w.place(), w.as(store.RoleOwner)
	id := aRun(w, p)["run_id"]
	base := "/v1/projects/" + p.ref + "/actions"
	var runs []Run
	w.list(owner, base, &runs)
	require.Len(t, runs, 1)
	require.Equal(t, id, runs[0].ID)
	require.Equal(t, "pull EXITED, deploy RUNNING", runs[0].Steps[0].Name+" "+runs[0].Steps[0].Status+", "+runs[0].Steps[1].Name+" "+runs[0].Steps[1].Status)
	require.Equal(t, "1", w.succeed(owner, http.MethodHead, base, "").Header().Get("X-Total-Count"))
	log := w.succeed(owner, http.MethodGet, base+"/"+id+"/logs", "")
	require.Equal(t, "text/plain; charset=utf-8", log.Header().Get("Content-Type"))
	require.Contains(t, log.Body.String(), "pull-image:db: the engine does not have it: no route to host, 4.0 of 10.0 MB")
	require.Contains(t, log.Body.String(), "start-container:db: the service does not run\n")

	operation := w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/operations/"+id, "")
	require.Equal(t, "create", operation["kind"])
	require.Equal(t, "start-container:db", operation["current_step"])
	require.Len(t, operation["steps"], 3)
	var page OperationsResponse
	w.list(owner, "/platform/projects/"+p.ref+"/operations?limit=1&offset=1", &page)
	require.Empty(t, page.Operations)
	require.Equal(t, int64(1), page.Pagination.Count)
	for _, path := range []string{"/v1/projects/" + other.ref + "/actions/" + id, "/platform/projects/" + other.ref + "/operations/" + id, base + "/none"} {
		code, _ := w.send(owner, http.MethodGet, path, "")
		require.Equal(t, http.StatusNotFound, code, path)
	}
}
