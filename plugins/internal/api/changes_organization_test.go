package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// organizationChanges are those of people, organizations, and what is kept beside projects.
var organizationChanges = slices.Concat(organizationsOwnChanges, membersChanges, tokensChanges, contentChanges)

var organizationsOwnChanges = []change{
	{
		happens: "an organization is renamed",
		answers: []string{
			"/platform/organizations", "/v1/organizations", "/v1/organizations/{slug}",
			"/platform/organizations/{slug}/audit?" + auditedDay, "/platform/profile/audit?" + auditedDay,
		},
		do: sends(http.MethodPatch, "/platform/organizations/{slug}", `{"name":"Renamed","billing_email":"ada@example.com"}`),
	},
	{
		happens: "another address for bills is given",
		answers: []string{"/platform/organizations/{slug}/customer"},
		do:      sends(http.MethodPut, "/platform/organizations/{slug}/customer", `{"additional_emails":["bills@example.com"]}`),
	},
	{
		happens: "the operator calls the one plan otherwise",
		answers: []string{"/platform/organizations/{slug}/billing/subscription"},
		do:      func(w *world, _ place, _ map[string]string) { w.settings.Instance.Plan = "Ours" },
	},
	{
		happens: "an identity provider is described anew",
		answers: []string{"/platform/organizations/{slug}/sso"},
		prepare: aDescribedProvider,
		do:      sends(http.MethodPut, "/platform/organizations/{slug}/sso", strings.Replace(aProvider, "idp.example.com", "idp.example.org", 1)),
	},
	{
		happens: "one of an organization's projects is renamed",
		answers: []string{"/platform/organizations/{slug}/projects", "/v1/organizations/{slug}/projects"},
		do:      sends(http.MethodPatch, "/platform/projects/{ref}", `{"name":"renamed"}`),
	},
	{
		happens: "a project is measured",
		answers: usageOfTheDay,
		do:      func(w *world, p place, _ map[string]string) { w.measured(p, aMeasure()) },
	},
	{
		happens: "a project's API sends something",
		answers: usageOfTheDay,
		do: func(w *world, p place, _ map[string]string) {
			traffic := []store.Traffic{{ProjectID: w.projectID(p), Service: "functions", Requests: 3, Egress: 100}}
			require.NoError(w.t, w.store.AddTraffic(w.t.Context(), storetest.Now, traffic))
		},
	},
	{
		happens: "a project cannot be created",
		answers: []string{"/platform/notifications/summary"},
		do:      func(w *world, p place, _ map[string]string) { w.fail(w.organizationID(p), "lost", "no such image") },
	},
	{
		happens: "a provisioner begins to work for another deployment target",
		answers: []string{"/platform/projects/available-regions", "/v1/projects/available-regions"},
		do:      func(w *world, _ place, _ map[string]string) { w.beat("attic", 1<<30) },
	},
	{
		happens: "a deployment target's provisioner falls silent",
		answers: []string{"/platform/projects/available-regions", "/v1/projects/available-regions"},
		prepare: twoTargets,
		do:      func(w *world, _ place, _ map[string]string) { w.silence("attic") },
	},
	{
		happens: "a project gets another compute size",
		answers: []string{"/v1/projects/{ref}/billing/addons"},
		do:      sends(http.MethodPatch, "/v1/projects/{ref}/billing/addons", `{"addon_type":"compute_instance","addon_variant":"ci_small"}`),
	},
	{
		happens: "an API key is made",
		answers: []string{"/v1/projects/{ref}/api-keys"},
		do:      sends(http.MethodPost, "/v1/projects/{ref}/api-keys", `{"type":"secret","name":"backend"}`),
	},
}

var usageOfTheDay = []string{
	"/platform/organizations/{slug}/usage?start=2026-03-01&end=2026-03-01",
	"/platform/organizations/{slug}/usage/daily?start=2026-03-01&end=2026-03-01",
}

const memberPath = "/platform/organizations/{slug}/members/{gotrue_id}"

var membersChanges = []change{
	{
		happens: "a member gets a role in one project",
		answers: []string{"/platform/organizations/{slug}/roles"},
		do:      sends(http.MethodPatch, memberPath, `{"role_id":3,"role_scoped_projects":["{ref}"]}`),
	},
	{
		happens: "a member may read alone",
		answers: []string{"/v1/organizations/{slug}/members"},
		do:      sends(http.MethodPatch, memberPath, `{"role_id":4}`),
	},
	{
		happens: "somebody is invited",
		answers: []string{"/platform/organizations/{slug}/members/invitations"},
		do:      sends(http.MethodPost, "/platform/organizations/{slug}/members/invitations", inviteOutsider),
	},
	{
		happens: "an invitation is accepted",
		answers: []string{"/platform/organizations/{slug}/members/invitations/{token}"},
		as:      outsiderID,
		prepare: anInvitation,
		do: func(w *world, p place, made map[string]string) {
			w.succeed(w.outsider(), http.MethodPost, p.invitations()+"/"+made["token"], "")
		},
	},
	{
		happens: "somebody changes their name",
		answers: []string{"/v1/profile"},
		do:      sends(http.MethodPatch, "/platform/profile", `{"username":"ada"}`),
	},
}

var tokensChanges = []change{
	{
		happens: "an access token is made",
		answers: []string{"/platform/profile/access-tokens"},
		do:      sends(http.MethodPost, "/platform/profile/access-tokens", `{"name":"ci"}`),
	},
	{
		happens: "an access token is used",
		answers: []string{"/platform/profile/access-tokens/{id}"},
		prepare: func(w *world, _ place) map[string]string {
			made := w.object(w.as(store.RoleOwner), http.MethodPost, "/platform/profile/access-tokens", `{"name":"ci"}`)
			return map[string]string{"id": fmt.Sprint(made["id"]), "secret": made["token"].(string)}
		},
		do: func(w *world, _ place, made map[string]string) {
			w.succeed("Bearer "+made["secret"], http.MethodGet, "/v1/profile", "")
		},
	},
	{
		happens: "an access token with scopes is made",
		answers: []string{scopedTokens},
		do:      sends(http.MethodPost, scopedTokens, `{"name":"ci","permissions":["projects_read"]}`),
	},
	{
		// Each token is handed out once: a second answer to the same code is of a second sign-in, with a token of its own.
		happens: "a CLI signs in anew",
		once:    true,
		answers: []string{"/platform/cli/login/{session_id}"},
		prepare: aCLILogin,
		do:      func(w *world, p place, _ map[string]string) { aCLILogin(w, p) },
	},
	{
		happens: "an OAuth app is let act for somebody",
		answers: []string{"/platform/oauth/authorizations/{id}"},
		prepare: anOAuthRequest,
		do:      sends(http.MethodPost, "/platform/organizations/{slug}/oauth/authorizations/{id}", ""),
	},
	{
		happens: "an OAuth app exchanges the code that it was given",
		answers: []string{"/platform/organizations/{slug}/oauth/apps?type=authorized"},
		prepare: anAuthorizedApp,
		do: func(w *world, _ place, _ map[string]string) {
			one := oauthExamples["POST /v1/oauth/token"]
			answer := w.rawAs(one.contentType, "", http.MethodPost, "/v1/oauth/token", one.body)
			require.Less(w.t, answer.Code, 300, answer.Body)
		},
	},
	{
		happens: "an OAuth app is renamed",
		answers: []string{"/platform/organizations/{slug}/oauth/apps?type=published"},
		prepare: anOAuthApp,
		do: sends(http.MethodPut, "/platform/organizations/{slug}/oauth/apps/{id}",
			strings.Replace(anOAuthAppBody, "Robot", "Automaton", 1)),
	},
}

// savesSnippet is a change of the example's snippet.
func savesSnippet(body string) func(*world, place, map[string]string) {
	return sends(http.MethodPut, "/platform/projects/{ref}/content", `{"id":"{id}","type":"sql","visibility":"user",`+body+`}`)
}

var contentChanges = []change{
	{
		happens: "a snippet is renamed",
		answers: []string{"/platform/projects/{ref}/content?type=sql", "/v1/snippets", "/v1/snippets?project_ref={ref}"},
		prepare: aSnippet,
		do:      savesSnippet(`"name":"renamed"`),
	},
	{
		happens: "a snippet's SQL is changed",
		answers: []string{"/platform/projects/{ref}/content/item/{id}", "/v1/snippets/{id}"},
		prepare: aSnippet,
		do:      savesSnippet(`"name":"q","content":{"sql":"select 2"}`),
	},
}

// Only a session with a second factor may demand one, and only such a one is told of it from then on.
func TestThatASecondFactorIsDemandedIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), secondFactor(t, callers[2].id)
	enforcement := "/platform/organizations/" + p.slug + "/members/mfa/enforcement"
	enforced := func() any { return w.object(owner, http.MethodGet, enforcement, "")["enforced"] }
	require.Equal(t, false, enforced())
	w.succeed(owner, http.MethodPatch, enforcement, `{"enforced":true}`)
	require.Equal(t, true, enforced())
}

// A browser is led to Studio's page only with what the app may still ask for.
func TestWhatAnOAuthAppMayAskForIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	app := anOAuthApp(w, p)
	query := url.Values{
		"response_type": {"code"}, "client_id": {exampleClient}, "scope": {"projects:read"},
		"redirect_uri": {"https://robot.example.com/callback"},
	}
	leads := func() string {
		t.Helper()
		answer := w.raw("", http.MethodGet, "/v1/oauth/authorize?"+query.Encode(), "")
		require.Equal(t, http.StatusFound, answer.Code, answer.Body)
		return answer.Header().Get("Location")
	}
	require.Contains(t, leads(), w.settings.PublicURL+"/authorize?")
	w.succeed(w.as(store.RoleOwner), http.MethodPut, p.oauth("apps/"+app["id"]), strings.Replace(anOAuthAppBody, `"projects:read",`, "", 1))
	require.Contains(t, leads(), "https://robot.example.com/callback?error=invalid_scope")
}

// projectID is the number of a place's project.
func (w *world) projectID(p place) (id int64) {
	w.t.Helper()
	require.NoError(w.t, w.connection.QueryRow(w.t.Context(), `select id from platform.projects where ref = $1`, p.ref).Scan(&id))
	return id
}
