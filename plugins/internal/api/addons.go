package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// ProjectAddonsResponse lists what a project has bought, and what it could: nothing.
type ProjectAddonsResponse struct {
	Ref             string  `json:"ref,omitempty"`
	SelectedAddons  []never `json:"selected_addons"`
	AvailableAddons []never `json:"available_addons"`
}

func (a *API) registerAddons() {
	read := access.InProject(access.Read, "projects")
	write := access.InProject(access.BillingWrite, "stripe.subscriptions")
	same(a, "/v1/projects/{ref}/billing/addons", read, "Add-ons: none", nothingSold,
		ProjectAddonsResponse{SelectedAddons: []never{}, AvailableAddons: []never{}})
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/billing/addons", permission: read,
		kind: Empty, because: nothingSold, summary: "Add-ons: none",
	}, a.listAddons)
	for _, r := range []route{
		{method: http.MethodPost, path: "/platform/projects/{ref}/billing/addons"},
		{method: http.MethodDelete, path: "/platform/projects/{ref}/billing/addons/{addon_variant}"},
		{method: http.MethodPatch, path: "/v1/projects/{ref}/billing/addons"},
		{method: http.MethodDelete, path: "/v1/projects/{ref}/billing/addons/{addon_variant}"},
	} {
		r.permission, r.summary = write, "Buy or drop an add-on: not here"
		refuse(a, r, nothingSold)
	}
}

func (a *API) listAddons(_ context.Context, c *call, _ *refPath) (ProjectAddonsResponse, error) {
	return ProjectAddonsResponse{Ref: string(c.project.Ref), SelectedAddons: []never{}, AvailableAddons: []never{}}, nil
}
