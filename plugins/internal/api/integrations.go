package api

import (
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// Why there are no integrations, in the words that Studio shows.
const (
	noGitHub      = "This platform has no GitHub App of its own: repositories cannot be connected. Deploy from your CI with the supabase CLI."
	noVercel      = "The Vercel integration works with Supabase's own cloud alone. Set the project's URL and keys in Vercel by hand."
	noPartners    = "Partners' integrations work with Supabase's own cloud alone."
	noPrivateLink = "AWS PrivateLink needs Supabase's own cloud. Here, the operator decides which networks reach the databases."
)

// GitHubConnections lists connected repositories: none.
type GitHubConnections struct {
	Connections []never `json:"connections"`
}

// GitHubRepositories lists repositories that could be connected: none.
type GitHubRepositories struct {
	PartialResponseDueToSSO bool    `json:"partial_response_due_to_sso"`
	Repositories            []never `json:"repositories"`
}

// VercelConnections lists a project's connections to Vercel: none.
type VercelConnections struct {
	Integrations            []never `json:"integrations"`
	MarketplaceIntegrations []never `json:"marketplace_integrations"`
}

// VercelProjects is a page of projects at Vercel: none.
type VercelProjects struct {
	Pagination VercelPagination `json:"pagination"`
	Projects   []never          `json:"projects"`
}

// VercelPagination says which part of a list a page is.
type VercelPagination struct {
	Count int    `json:"count"`
	Next  *int64 `json:"next"`
	Prev  *int64 `json:"prev"`
}

// PrivateLink says whether an organization is reached by AWS PrivateLink: it is not.
type PrivateLink struct {
	AppliedSuccessfully bool              `json:"appliedSuccessfully"`
	CurrentConfig       PrivateLinkConfig `json:"currentConfig"`
}

// PrivateLinkConfig is what was asked for: nothing.
type PrivateLinkConfig struct {
	Enabled bool `json:"enabled"`
}

func (a *API) registerIntegrations() {
	const integrations = "/platform/integrations"
	same(a, integrations, access.SignedIn(), "Your organizations' integrations: none", "There are no integrations: "+noGitHub, []never{})
	same(a, integrations+"/{slug}", access.InOrganization(access.Read, "integrations.vercel_connections"),
		"The organization's integrations: none", "There are no integrations: "+noGitHub, []never{})
	refuse(a, route{
		method: http.MethodPost, path: integrations + "/partners/{ref}/{listing_id}",
		permission: access.InProject(access.Create, "integrations.partners"), summary: "Refused: no partners",
	}, noPartners)
	same(a, integrations+"/private-link/{slug}", access.InOrganization(access.Read, "organizations"),
		"Whether AWS PrivateLink is set up: no", noPrivateLink, PrivateLink{})
	refuse(a, route{
		method: http.MethodPut, path: integrations + "/private-link/{slug}",
		permission: access.InOrganization(access.Update, "organizations"), summary: "Refused: no AWS PrivateLink",
	}, noPrivateLink)
	a.registerGitHub(integrations + "/github")
	a.registerVercel(integrations + "/vercel")
}

// registerGitHub has no organization in its paths: a stranger learns nothing from answers that are the same for all.
func (a *API) registerGitHub(github string) {
	same(a, github+"/connections", access.SignedIn(), "Connected repositories: none", noGitHub, GitHubConnections{[]never{}})
	same(a, github+"/repositories", access.SignedIn(), "Repositories to connect: none", noGitHub, GitHubRepositories{Repositories: []never{}})
	for _, path := range []string{"/authorization", "/repositories/{repository_id}/branches", "/repositories/{repository_id}/branches/{branch_name}"} {
		missing(a, route{method: http.MethodGet, path: github + path, permission: access.SignedIn(), summary: "None: no GitHub"}, noGitHub)
	}
	for _, r := range []route{
		{method: http.MethodPost, path: github + "/authorization"},
		{method: http.MethodDelete, path: github + "/authorization"},
		{method: http.MethodPost, path: github + "/connections"},
		{method: http.MethodPatch, path: github + "/connections/{connection_id}"},
		{method: http.MethodDelete, path: github + "/connections/{connection_id}"},
	} {
		r.permission, r.summary = access.SignedIn(), "Refused: no GitHub"
		refuse(a, r, noGitHub)
	}
}

func (a *API) registerVercel(vercel string) {
	same(a, vercel+"/connections/project/{ref}", access.InProject(access.Read, "integrations.vercel_connections"),
		"The project's connections to Vercel: none", noVercel, VercelConnections{[]never{}, []never{}})
	same(a, vercel+"/projects/{organization_integration_id}", access.SignedIn(), "Projects at Vercel: none", noVercel, VercelProjects{Projects: []never{}})
	missing(a, route{
		method: http.MethodGet, path: "/platform/vercel/redirect/{installation_id}", permission: access.SignedIn(), summary: "None: no Vercel",
	}, noVercel)
	for _, r := range []route{
		{method: http.MethodPost, path: vercel},
		{method: http.MethodPost, path: vercel + "/connections"},
		{method: http.MethodPatch, path: vercel + "/connections/{connection_id}"},
		{method: http.MethodDelete, path: vercel + "/connections/{connection_id}"},
		{method: http.MethodPost, path: vercel + "/connections/{connection_id}/sync-envs"},
	} {
		r.permission, r.summary = access.SignedIn(), "Refused: no Vercel"
		refuse(a, r, noVercel)
	}
}
