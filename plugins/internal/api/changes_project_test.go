package api

import "net/http"

// projectChanges are those of one project.
var projectChanges = []change{
	{
		happens: "a project is renamed",
		answers: []string{"/platform/projects", "/v1/projects", "/v1/projects/{ref}", "/platform/projects/{ref}/settings"},
		do:      sends(http.MethodPatch, "/platform/projects/{ref}", `{"name":"renamed"}`),
	},
}
