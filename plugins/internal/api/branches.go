package api

import (
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// noBranches is why there are none, in the words that Studio shows.
const noBranches = "Branches are not offered here. Make a second project, and bring your migrations to it with the supabase CLI."

func (a *API) registerBranches() {
	const ofProject, branch = "/v1/projects/{ref}/branches", "/v1/branches/{branch_id_or_ref}"
	read := access.InProject(access.Read, "preview_branches")
	same(a, ofProject, read, "The project's branches: none", noBranches, []never{})
	missing(a, route{method: http.MethodGet, path: ofProject + "/{name}", permission: read, summary: "None: no branches"}, noBranches)
	refuse(a, route{
		method: http.MethodPost, path: ofProject, permission: access.InProject(access.Create, "preview_branches"), summary: "Refused: no branches",
	}, noBranches)
	refuse(a, route{
		method: http.MethodDelete, path: ofProject, permission: access.InProject(access.Delete, "preview_branches"), summary: "Refused: no branches",
	}, noBranches)
	// No id is one of a branch, so there is no project to look a role up in.
	for _, path := range []string{"", "/diff"} {
		missing(a, route{method: http.MethodGet, path: branch + path, permission: access.SignedIn(), summary: "None: no branches"}, noBranches)
	}
	for _, r := range []route{
		{method: http.MethodPatch, path: branch},
		{method: http.MethodDelete, path: branch},
		{method: http.MethodPost, path: branch + "/merge"},
		{method: http.MethodPost, path: branch + "/push"},
		{method: http.MethodPost, path: branch + "/reset"},
		{method: http.MethodPost, path: branch + "/restore"},
	} {
		r.permission, r.summary = access.SignedIn(), "None: no branches"
		missing(a, r, noBranches)
	}
	const runs = "/platform/workflow-runs"
	same(a, runs, access.SignedIn(), "What branches are being made of: nothing", noBranches, []never{})
	missing(a, route{method: http.MethodGet, path: runs + "/{workflow_run_id}/logs", permission: access.SignedIn(), summary: "None: no branches"}, noBranches)
}
