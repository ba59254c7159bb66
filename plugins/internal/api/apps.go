package api

import (
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// noApps is why there are none, in the words that Studio shows.
const noApps = "Private apps are not offered here. Make an access token with scopes, which reaches one organization or project alone."

// PlatformApps lists an organization's private apps: none.
type PlatformApps struct {
	Apps []never `json:"apps"`
}

// PlatformAppInstallations lists the apps that are installed in an organization: none.
type PlatformAppInstallations struct {
	Installations []never `json:"installations"`
}

func (a *API) registerApps() {
	const apps = "/platform/organizations/{slug}/apps"
	read := access.InOrganization(access.Read, "oauth_apps")
	same(a, apps, read, "Private apps: none", noApps, PlatformApps{[]never{}})
	same(a, apps+"/installations", read, "Installed apps: none", noApps, PlatformAppInstallations{[]never{}})
	// One installation alone is not among them: its path and the signing keys' cannot be told apart by ServeMux, and no
	// client asks for it.
	for _, path := range []string{"/{app_id}", "/{app_id}/signing-keys"} {
		missing(a, route{method: http.MethodGet, path: apps + path, permission: read, summary: "None: no private apps"}, noApps)
	}
	for _, r := range []route{
		{method: http.MethodPost, path: apps},
		{method: http.MethodPatch, path: apps + "/{app_id}"},
		{method: http.MethodDelete, path: apps + "/{app_id}"},
		{method: http.MethodPost, path: apps + "/installations"},
		{method: http.MethodPatch, path: apps + "/installations/{installation_id}"},
		{method: http.MethodDelete, path: apps + "/installations/{installation_id}"},
		{method: http.MethodPost, path: apps + "/{app_id}/signing-keys"},
		{method: http.MethodDelete, path: apps + "/{app_id}/signing-keys/{key_id}"},
	} {
		r.permission, r.summary = access.InOrganization(access.Update, "oauth_apps"), "Refused: no private apps"
		refuse(a, r, noApps)
	}
}
