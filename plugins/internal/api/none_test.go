package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// A list that is null, or an object where a list belongs, crashes all of Studio.
func TestWhatSelfHostingHasNoneOfIsEmptyInTheContractsShape(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	for path, want := range map[string]string{
		"/platform/integrations":                                      `[]`,
		"/platform/integrations/{slug}":                               `[]`,
		"/platform/integrations/private-link/{slug}":                  `{"appliedSuccessfully":false,"currentConfig":{"enabled":false}}`,
		"/platform/integrations/github/connections?organization_id=1": `{"connections":[]}`,
		"/platform/integrations/github/repositories":                  `{"partial_response_due_to_sso":false,"repositories":[]}`,
		"/platform/integrations/vercel/connections/project/{ref}":     `{"integrations":[],"marketplace_integrations":[]}`,
		"/platform/integrations/vercel/projects/1?limit=10":           `{"pagination":{"count":0,"next":null,"prev":null},"projects":[]}`,
		"/platform/replication/{ref}/destinations":                    `{"destinations":[]}`,
		"/platform/replication/{ref}/pipelines":                       `{"pipelines":[]}`,
		"/platform/replication/{ref}/sources":                         `{"sources":[]}`,
		"/platform/organizations/{slug}/apps":                         `{"apps":[]}`,
		"/platform/organizations/{slug}/apps/installations":           `{"installations":[]}`,
		"/platform/organizations/{slug}/documents/dpa-signed":         `{"checked_at":"2026-03-01T12:00:00Z","signed":false}`,
		"/platform/telemetry/feature-flags?project_ref={ref}":         `{}`,
		"/platform/workflow-runs?project_ref={ref}":                   `[]`,
		"/platform/status":                                            `{"status":"ok"}`,
		"/v1/projects/{ref}/branches":                                 `[]`,
		"/platform/plans/features?featureKey=log_drains":              `{"enterprise":{"log_drains":{"config":{"enabled":true},"type":"boolean"}}}`,
		"/platform/plans/features?featureKey=nothing":                 `{"enterprise":{}}`,
	} {
		require.JSONEq(t, want, w.succeed(w.as(store.RoleOwner), http.MethodGet, p.fill(path), "").Body.String(), path)
	}
}

func TestWhatSelfHostingCannotDoIsRefusedInWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	for _, one := range []struct {
		method, path string
		status       int
		words        string
	}{
		{http.MethodPost, "/platform/integrations/github/connections", http.StatusBadRequest, noGitHub},
		{http.MethodGet, "/platform/integrations/github/authorization", http.StatusNotFound, noGitHub},
		{http.MethodPost, "/platform/integrations/vercel/connections", http.StatusBadRequest, noVercel},
		{http.MethodPost, "/platform/replication/{ref}/tenants-sources", http.StatusBadRequest, noReplication},
		{http.MethodGet, "/platform/replication/{ref}/pipelines/1/status", http.StatusNotFound, noReplication},
		{http.MethodPost, "/platform/feedback/docs", http.StatusBadRequest, noFeedback},
		{http.MethodPost, "/platform/organizations/{slug}/documents/dpa", http.StatusBadRequest, noDocuments},
		{http.MethodPost, "/platform/organizations/{slug}/apps", http.StatusBadRequest, noApps},
		{http.MethodGet, "/platform/workflow-runs/1/logs", http.StatusNotFound, noWorkflows},
		{http.MethodGet, "/v1/organizations/{slug}/project-claim/token", http.StatusNotFound, noClaims},
		{http.MethodPost, "/platform/stripe/setup-intent", http.StatusBadRequest, nothingSold},
	} {
		status, refusal := w.send(w.as(store.RoleOwner), one.method, p.fill(one.path), anyBody(p))
		require.Equal(t, one.status, status, one.path)
		require.Equal(t, one.words, refusal["message"], one.path)
	}
}

// Studio reports before somebody has signed in, and demands an answer to its survey after a project was deleted.
func TestReportsAndSurveysAreDroppedWithoutAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/identify", "/event", "/reset", "/feature-flags/track"} {
		require.Equal(t, http.StatusCreated, w.raw("", http.MethodPost, "/platform/telemetry"+path, `{"user_id":"x"}`).Code, path)
	}
	status, answer := w.send(w.as(store.RoleOwner), http.MethodPost, "/platform/feedback/downgrade", `{"reasons":"none","exitAction":"delete"}`)
	require.Equal(t, http.StatusCreated, status)
	require.Equal(t, noSurvey, answer["result"])
}

func TestInvoicesAreCountedWhereStudioLooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorder := w.succeed(w.as(store.RoleOwner), http.MethodHead, "/platform/organizations/"+w.place().slug+"/billing/invoices", "")
	require.Equal(t, "0", recorder.Header().Get("X-Total-Count"))
}

func TestAnAccessTokenIsShownToItsOwnerAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.as(store.RoleOwner)
	_, made := w.send(owner, http.MethodPost, "/platform/profile/access-tokens", `{"name":"laptop"}`)
	path := "/platform/profile/access-tokens/1"
	status, seen := w.send(owner, http.MethodGet, path, "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "laptop", seen["name"])
	require.NotContains(t, seen, "token")
	require.Equal(t, made["token_alias"], seen["token_alias"])
	status, _ = w.send(w.outsider(), http.MethodGet, path, "")
	require.Equal(t, http.StatusNotFound, status)
	w.succeed(owner, http.MethodDelete, path, "")
	status, _ = w.send(owner, http.MethodGet, path, "")
	require.Equal(t, http.StatusNotFound, status)
}

func TestTheManagementAPIPagesAnOrganizationsProjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	w.runningProject(w.organizationID(p), "another")
	path := "/v1/organizations/" + p.slug + "/projects"
	var page OrganizationProjectsResponse
	w.list(w.as(store.RoleReadOnly), path+"?limit=1&sort=name_asc", &page)
	require.Equal(t, Pagination{Count: 2, Limit: 1}, page.Pagination)
	require.Equal(t, "another", page.Projects[0].Name)
	w.list(w.as(store.RoleReadOnly), path+"?search=shop", &page)
	require.EqualValues(t, 1, page.Pagination.Count)
}
