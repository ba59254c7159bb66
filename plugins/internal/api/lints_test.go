package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
	"github.com/plurabase/plurabase/store/storetest"
)

const exceptionsPath = "/platform/projects/{ref}/notifications/advisor/exceptions"

var lintExamples = map[string]example{
	"GET /platform/projects/{ref}/run-lints/{name}": {prepare: func(*world, place) map[string]string {
		return map[string]string{"name": "rls_disabled_in_public"}
	}},
	"GET " + exceptionsPath:             {prepare: anException},
	"POST " + exceptionsPath:            {body: `{"exceptions":[{"is_disabled":true,"lint_name":"no_primary_key"}]}`},
	"PATCH " + exceptionsPath + "/{id}": {prepare: anException, body: `{"note":"later"}`},
	"DELETE " + exceptionsPath: {query: "ids=" + exampleContent, prepare: func(w *world, p place) map[string]string {
		w.exec(`update platform.advisor_exceptions set id = $1 where id = $2`, exampleContent, anException(w, p)["id"])
		return nil
	}},
}

func anException(w *world, p place) map[string]string {
	made := w.object(w.as(store.RoleOwner), http.MethodPost, p.fill(exceptionsPath),
		`{"exceptions":[{"is_disabled":true,"lint_name":"no_primary_key","lint_metadata":{"name":"a"},"note":"it is a log"}]}`)
	return map[string]string{"id": made["exceptions"].([]any)[0].(map[string]any)["id"].(string)}
}

// lintsOf lists the lints of a name.
func (w *world) lintsOf(p place, name string) []Lint {
	w.t.Helper()
	var found LintsResponse
	w.list(w.as(store.RoleReadOnly), "/platform/projects/"+p.ref+"/run-lints/"+name, &found)
	return found.Lints
}

func TestTheAdvisorsLookIntoTheProjectsOwnDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.realDatabase()
	p, owner := w.place(), w.as(store.RoleOwner)
	w.succeed(owner, http.MethodPost, "/v1/projects/"+p.ref+"/database/query", `{"query":"create table advised (a int); grant select on advised to anon"}`)
	open := w.lintsOf(p, "rls_disabled_in_public")
	require.Len(t, open, 1)
	require.Equal(t, "rls_disabled_in_public_public_advised", open[0].CacheKey)
	require.Equal(t, projectdb.LintMetadata{Name: "advised", Schema: "public", Type: "table"}, open[0].Metadata)

	var security, performance LintsResponse
	w.list(owner, "/v1/projects/"+p.ref+"/advisors/security", &security)
	w.list(owner, "/v1/projects/"+p.ref+"/advisors/performance", &performance)
	require.Contains(t, security.Lints, open[0])
	require.NotContains(t, performance.Lints, open[0])
	require.Contains(t, performance.Lints, w.lintsOf(p, "no_primary_key")[0])

	w.succeed(owner, http.MethodPatch, "/platform/projects/"+p.ref+"/config/postgrest", `{"db_schema":"api"}`)
	w.exec(`update platform.projects set observed_generation = generation, status = 'ACTIVE_HEALTHY' where ref = $1`, p.ref)
	require.Empty(t, w.lintsOf(p, "rls_disabled_in_public"), "the data API does not show it any more")
	require.Equal(t, http.StatusNotFound, w.raw(owner, http.MethodGet, "/platform/projects/"+p.ref+"/run-lints/nothing", "").Code)
}

func TestTheAdvisorsLookAtAuthsSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.realDatabase()
	p, owner := w.place(), w.as(store.RoleOwner)
	require.Empty(t, w.lintsOf(p, "auth_otp_long_expiry"), "the project has no Auth")
	w.exec(`update platform.projects set services = '{db,auth}' where ref = $1`, p.ref)
	names := []string{"auth_otp_long_expiry", "auth_leaked_password_protection", "auth_insufficient_mfa_options"}
	for _, name := range names {
		require.Len(t, w.lintsOf(p, name), 1, name)
	}
	w.succeed(owner, http.MethodPatch, p.authConfig(), `{"MAILER_OTP_EXP":3600,"PASSWORD_HIBP_ENABLED":true,"MFA_PHONE_ENROLL_ENABLED":true}`)
	w.exec(`update platform.projects set observed_generation = generation, status = 'ACTIVE_HEALTHY' where ref = $1`, p.ref)
	for _, name := range names {
		require.Empty(t, w.lintsOf(p, name), name)
	}
}

func TestWhatSomebodyLivesWithIsNotShownAnyMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.realDatabase()
	p, owner := w.place(), w.as(store.RoleOwner)
	w.succeed(owner, http.MethodPost, "/v1/projects/"+p.ref+"/database/query", `{"query":"create table a (a int); create table b (a int)"}`)
	require.Len(t, w.lintsOf(p, "no_primary_key"), 2)
	path := p.fill(exceptionsPath)
	id := anException(w, p)["id"]
	require.Len(t, w.lintsOf(p, "no_primary_key"), 1, "the exception is about the table a alone")
	w.succeed(owner, http.MethodPatch, path+"/"+id, `{"is_disabled":false}`)
	require.Len(t, w.lintsOf(p, "no_primary_key"), 2)
	listed := w.object(owner, http.MethodGet, path, "")["exceptions"].([]any)[0].(map[string]any)
	require.Equal(t, "it is a log", listed["note"])
	require.Equal(t, false, listed["is_disabled"])
	w.succeed(owner, http.MethodDelete, path+"?ids="+id, "")
	require.Empty(t, w.object(owner, http.MethodGet, path, "")["exceptions"])
	require.Equal(t, http.StatusNotFound, w.raw(owner, http.MethodDelete, path+"?ids="+id, "").Code)
	require.Equal(t, http.StatusBadRequest, w.raw(owner, http.MethodPost, path, `{"exceptions":[{"is_disabled":true}]}`).Code)
}

func TestAnOrganizationWithOneOwnerAloneIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref + "/run-lints/no-backup-admin"
	require.Len(t, w.object(owner, http.MethodGet, path, "")["lints"], 1)
	w.exec(`update platform.members m set role = 1 from platform.profiles u where u.id = m.profile_id and u.gotrue_id = $1`, victimID)
	require.Empty(t, w.object(owner, http.MethodGet, path, "")["lints"])
}

var transferExamples = map[string]example{
	"POST /platform/projects/{ref}/transfer":          {prepare: transferTarget, body: `{"target_organization_slug":"elsewhere"}`},
	"POST /platform/projects/{ref}/transfer/preview":  {body: `{"target_organization_slug":"{slug}"}`},
	"PUT /v1/projects/{ref}/config/database/postgres": {body: `{"max_connections":50}`},
	"GET /platform/projects/{ref}/daily-stats":        {query: "attribute=total_requests&startDate=2026-02-28&endDate=2026-03-01"},
	"GET /v1/projects/{ref}/database/openapi":         {prepare: servicesAnswer},
}

func transferTarget(w *world, _ place) map[string]string {
	other := w.place()
	w.exec(`update platform.organizations set slug = 'elsewhere' where slug = $1`, other.slug)
	return nil
}

func TestAProjectMovesWhereItsOwnerMayMakeOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other, owner := w.place(), w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref + "/transfer"
	body := `{"target_organization_slug":"` + other.slug + `"}`
	preview := w.object(owner, http.MethodPost, path+"/preview", body)
	require.Equal(t, true, preview["valid"])
	require.Equal(t, false, w.object(owner, http.MethodPost, path+"/preview", `{"target_organization_slug":"`+p.slug+`"}`)["valid"])
	nowhere := w.object(owner, http.MethodPost, path+"/preview", `{"target_organization_slug":"nowhere"}`)
	require.Equal(t, []any{false, false, true}, []any{nowhere["valid"], nowhere["has_access_to_target_organization"], nowhere["has_permissions_on_source_organization"]})

	require.Equal(t, http.StatusForbidden, w.raw(w.as(store.RoleDeveloper), http.MethodPost, path, body).Code)
	w.exec(`update platform.members m set role = 3 from platform.organizations o, platform.profiles u
		where o.id = m.organization_id and o.slug = $1 and u.id = m.profile_id and u.gotrue_id = $2`, other.slug, callers[2].id)
	require.Equal(t, http.StatusForbidden, w.raw(owner, http.MethodPost, path, body).Code, "a Developer there makes no projects")
	w.exec(`update platform.members m set role = 1 from platform.organizations o, platform.profiles u
		where o.id = m.organization_id and o.slug = $1 and u.id = m.profile_id and u.gotrue_id = $2`, other.slug, callers[2].id)
	w.succeed(owner, http.MethodPost, path, body)
	var listed OrganizationProjectsResponse
	w.list(owner, "/platform/organizations/"+other.slug+"/projects", &listed)
	require.Len(t, listed.Projects, 2)
	require.Equal(t, http.StatusConflict, w.raw(owner, http.MethodPost, path, body).Code)
}

func TestWhatTheGatewayCountedIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	project := "/platform/projects/" + p.ref
	counts, requests := project+"/analytics/endpoints/usage.api-counts", project+"/analytics/endpoints/usage.api-requests-count"
	daily := project + "/daily-stats?startDate=2026-02-28&endDate=2026-03-01&attribute="
	require.Empty(t, w.object(owner, http.MethodGet, counts, "")["result"])
	require.Equal(t, []any{map[string]any{"count": 0.}}, w.object(owner, http.MethodGet, requests, "")["result"])
	require.Empty(t, w.object(owner, http.MethodGet, daily+"total_requests", "")["data"])
	id := int64(0)
	require.NoError(t, w.connection.QueryRow(t.Context(), `select id from platform.projects where ref = $1`, p.ref).Scan(&id))
	for at, requests := range map[time.Time]int64{storetest.Now.Add(-time.Hour): 3, storetest.Now.Add(-20 * time.Hour): 4} {
		require.NoError(t, w.store.AddTraffic(t.Context(), at, []store.Traffic{
			{ProjectID: id, Service: "rest", Requests: requests, Egress: 100}, {ProjectID: id, Service: "auth", Requests: 1, Egress: 10},
		}))
	}
	require.Equal(t, []any{
		map[string]any{"timestamp": "2026-02-28T16:00:00Z", "total_auth_requests": 1., "total_realtime_requests": 0., "total_rest_requests": 4., "total_storage_requests": 0.},
		map[string]any{"timestamp": "2026-03-01T11:00:00Z", "total_auth_requests": 1., "total_realtime_requests": 0., "total_rest_requests": 3., "total_storage_requests": 0.},
	}, w.object(owner, http.MethodGet, counts+"?interval=1day", "")["result"])
	require.Equal(t, []any{map[string]any{"count": 9.}}, w.object(owner, http.MethodGet, requests, "")["result"])
	require.Equal(t, []any{
		map[string]any{"period_start": "2026-02-28T00:00:00Z", "total_rest_egress": 100.},
		map[string]any{"period_start": "2026-03-01T00:00:00Z", "total_rest_egress": 100.},
	}, w.object(owner, http.MethodGet, daily+"total_rest_egress", "")["data"])
	require.Empty(t, w.object(owner, http.MethodGet, daily+"total_storage_ingress", "")["data"], "nobody counts it")
	usage := "/platform/organizations/" + p.slug + "/usage"
	egress := w.object(owner, http.MethodGet, usage+"?start=2026-02-01T00:00:00Z&end=2026-03-02T00:00:00Z", "")["usages"].([]any)[0].(map[string]any)
	require.Equal(t, []any{"EGRESS", 220.}, []any{egress["metric"], egress["usage_original"]})
	require.Len(t, egress["project_allocations"], 1)
	days := w.object(owner, http.MethodGet, usage+"/daily?start=2026-02-01T00:00:00Z&end=2026-03-02T00:00:00Z", "")["usages"].([]any)
	require.Len(t, days, 2)
	require.InEpsilon(t, 100, days[0].(map[string]any)["breakdown"].(map[string]any)["egress_rest"], 0)
	elsewhere := w.place()
	require.Empty(t, w.object(owner, http.MethodGet, "/platform/organizations/"+elsewhere.slug+"/usage/daily", "")["usages"])
	require.Equal(t, http.StatusBadRequest, w.raw(owner, http.MethodGet, project+"/daily-stats?attribute=total_requests&startDate=yesterday&endDate=2026-03-01", "").Code)
}

func TestPostgresIsSetByItsOwnNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/config/database/postgres"
	require.Empty(t, w.object(owner, http.MethodGet, path, ""))
	w.succeed(owner, http.MethodPut, path, `{"max_connections":50,"restart_database":true}`)
	w.succeed(owner, http.MethodPut, path, `{"max_connections":50,"work_mem":"8MB"}`)
	require.Equal(t, map[string]any{"max_connections": 50., "work_mem": "8MB"}, w.object(owner, http.MethodGet, path, ""))
	require.Equal(t, map[string]any{"work_mem": "9MB"}, w.object(owner, http.MethodPut, path, `{"work_mem":"9MB"}`), "what is left out is taken back")
	for _, body := range []string{`{"work_mem":"8MB'; drop"}`, `{"max_connections":1}`, `{"session_replication_role":"none"}`} {
		require.Equal(t, http.StatusBadRequest, w.raw(owner, http.MethodPut, path, body).Code, body)
	}
}
