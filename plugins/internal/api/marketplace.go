package api

import (
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// Why there is nothing of it, in the words that Studio shows.
const (
	noMarketplace = "Marketplaces sell Supabase's own cloud. " + nothingSold
	noClaims      = "Projects are claimed from Supabase's partners alone, and there are none here."
)

// registerMarketplace refuses what leads to buying, and to taking over what a partner has made.
func (a *API) registerMarketplace() {
	const organization = "/platform/organizations/{slug}"
	for _, path := range []string{"contract-linking-eligibility", "onboarding-info"} {
		missing(a, route{
			method: http.MethodGet, path: "/platform/cloud-marketplace/buyers/{buyer_id}/" + path, permission: access.SignedIn(),
			summary: "None: no marketplace",
		}, noMarketplace)
	}
	missing(a, route{
		method: http.MethodGet, path: organization + "/cloud-marketplace/redirect", summary: "None: no marketplace",
		permission: access.InOrganization(access.BillingRead, "stripe.subscriptions"),
	}, noMarketplace)
	missing(a, route{
		method: http.MethodGet, path: "/platform/stripe/projects/provisioning/account_requests/{id}", permission: access.SignedIn(),
		summary: "None: no Stripe",
	}, nothingSold)
	missing(a, route{
		method: http.MethodGet, path: "/v1/organizations/{slug}/project-claim/{token}", summary: "None: no claims",
		permission: access.InOrganization(access.Create, "projects"),
	}, noClaims)
	missing(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/claim-token", summary: "None: no claims",
		permission: access.InProject(access.Read, "projects"),
	}, noClaims)
	refuse(a, route{method: http.MethodGet, path: "/v1/oauth/authorize/project-claim", summary: "Refused: no claims", permission: access.Anyone()}, noClaims)
	for _, one := range []struct {
		route
		why string
	}{
		{route{method: http.MethodPost, path: "/v1/projects/{ref}/claim-token", permission: access.InProject(access.Update, "projects")}, noClaims},
		{route{method: http.MethodDelete, path: "/v1/projects/{ref}/claim-token", permission: access.InProject(access.Update, "projects")}, noClaims},
		{route{method: http.MethodPost, path: "/platform/organizations/cloud-marketplace", permission: access.SignedIn()}, noMarketplace},
		{route{method: http.MethodPost, path: "/platform/organizations/confirm-subscription", permission: access.SignedIn()}, nothingSold},
		{route{method: http.MethodPost, path: "/platform/stripe/setup-intent", permission: access.SignedIn()}, nothingSold},
		{route{method: http.MethodPost, path: "/platform/stripe/projects/provisioning/account_requests/{id}/confirm", permission: access.SignedIn()}, nothingSold},
		{route{method: http.MethodPut, path: organization + "/cloud-marketplace/link", permission: access.InOrganization(access.BillingWrite, "stripe.subscriptions")}, noMarketplace},
		{route{method: http.MethodPost, path: "/v1/organizations/{slug}/project-claim/{token}", permission: access.InOrganization(access.Create, "projects")}, noClaims},
	} {
		one.summary = "Refused: nothing is sold or claimed here"
		refuse(a, one.route, one.why)
	}
}
