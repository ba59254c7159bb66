package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
)

// registerSSO says what is so: the platform's GoTrue signs people in for all organizations alike, and an identity provider
// for one of them alone cannot be set up here.
func (a *API) registerSSO() {
	const path = "/platform/organizations/{slug}/sso"
	act(a, route{
		method: http.MethodGet, path: path, permission: access.InOrganization(access.Read, "organizations"),
		kind: Unavailable, because: noOrganizationSSO, summary: "The organization's identity provider: none",
	}, func(context.Context, *call, *SlugPath) error {
		// By these words Studio knows that none is set up (data/sso/sso-config-query.ts).
		return problem.NotFound("Failed to find an existing SSO Provider")
	})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		refuse(a, route{
			method: method, path: path, permission: access.InOrganization(access.Update, "organizations"),
			summary: "Refused: identity providers are the platform's",
		}, noOrganizationSSO)
	}
}

// noOrganizationSSO is why there is none, in the words that Studio shows.
const noOrganizationSSO = "Single sign-on is set up for the whole platform, in its GoTrue, not for one organization."
