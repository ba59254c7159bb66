package api

import "net/http"

// organizationChanges are those of people, organizations, and what is kept beside projects.
var organizationChanges = []change{
	{
		happens: "an organization is renamed",
		answers: []string{"/platform/organizations", "/v1/organizations", "/v1/organizations/{slug}"},
		do:      sends(http.MethodPatch, "/platform/organizations/{slug}", `{"name":"Renamed","billing_email":"ada@example.com"}`),
	},
}
