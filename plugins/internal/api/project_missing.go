package api

import (
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// Why a project here has none of it, in the words that Studio shows.
const (
	diskMissing = "A project's data lies on the operator's own disk: it has no size, speed or growth of its own that could be set or told from here."
	linkMissing = "AWS PrivateLink is Amazon's: this platform does not run there."
	jitMissing  = "Access to the database for a while is not something that this platform hands out. Make a database role with an expiry, or use the CLI."
	sodiumKept  = "The root key of pgsodium stays inside the project's database: it is neither shown nor set from here."
	drainsNone  = "This platform runs no log pipeline that could be drained. Collect the containers' logs with your own tools."
	resourcesNo = "This platform keeps no such resource."
)

// PrivateLinkResponse lists AWS accounts: none.
type PrivateLinkResponse struct {
	PrivateLinkAssociations []never `json:"private_link_associations"`
}

// JITListResponse lists who has access to a database for a while: nobody.
type JITListResponse struct {
	Items []never `json:"items"`
}

// registerProjectMissing registers what upstream's projects have and projects here have not.
func (a *API) registerProjectMissing() {
	const platform, v1 = "/platform/projects/{ref}", "/v1/projects/{ref}"
	read, update := access.InProject(access.Read, "projects"), access.InProject(access.Update, "projects")
	same(a, platform+"/privatelink/associations", read, "PrivateLink: none", linkMissing, PrivateLinkResponse{[]never{}})
	same(a, platform+"/analytics/log-drains", access.InProject(access.AnalyticsRead, "logflare"), "Log drains: none", drainsNone, []never{})
	same(a, v1+"/database/jit/list", read, "Access to the database for a while: nobody's", jitMissing, JITListResponse{[]never{}})
	drains := access.InProject(access.AnalyticsAdminWrite, "logflare")
	for _, missing := range []struct {
		method, path string
		permission   access.Permission
		why          string
	}{
		{http.MethodGet, platform + "/disk", read, diskMissing},
		{http.MethodPost, platform + "/disk", update, diskMissing},
		{http.MethodPost, platform + "/disk/custom-config", update, diskMissing},
		{http.MethodGet, v1 + "/config/disk", read, diskMissing},
		{http.MethodPost, v1 + "/config/disk", update, diskMissing},
		{http.MethodPost, platform + "/privatelink/associations/aws-account", update, linkMissing},
		{http.MethodDelete, platform + "/privatelink/associations/aws-account/{aws_account_id}", update, linkMissing},
		{http.MethodPost, platform + "/analytics/log-drains", drains, drainsNone},
		{http.MethodPut, platform + "/analytics/log-drains/{token}", drains, drainsNone},
		{http.MethodPatch, platform + "/analytics/log-drains/{token}", drains, drainsNone},
		{http.MethodDelete, platform + "/analytics/log-drains/{token}", drains, drainsNone},
		{http.MethodGet, platform + "/resources/{id}", read, resourcesNo},
		{http.MethodPatch, platform + "/resources/{id}", update, resourcesNo},
		{http.MethodGet, v1 + "/jit-access", read, jitMissing},
		{http.MethodPut, v1 + "/jit-access", update, jitMissing},
		{http.MethodGet, v1 + "/database/jit", read, jitMissing},
		{http.MethodPost, v1 + "/database/jit", update, jitMissing},
		{http.MethodPut, v1 + "/database/jit", update, jitMissing},
		{http.MethodDelete, v1 + "/database/jit/{user_id}", update, jitMissing},
		{http.MethodGet, v1 + "/pgsodium", access.InProject(access.SecretsRead, "*"), sodiumKept},
		{http.MethodPut, v1 + "/pgsodium", access.InProject(access.SecretsWrite, "*"), sodiumKept},
		{http.MethodPost, v1 + "/restore/cancel", access.InProject(access.InfraExecute, "queue_jobs.projects.initialize_or_resume"), "A restore cannot be called off here: it ends by itself, or fails and says why."},
	} {
		refuse(a, route{method: missing.method, path: missing.path, permission: missing.permission, summary: "Not here"}, missing.why)
	}
}
