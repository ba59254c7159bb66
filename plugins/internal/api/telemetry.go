package api

import (
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// noTelemetry is what becomes of what Studio reports of its users.
const noTelemetry = "Nothing is recorded of what people do in Studio, and nothing is sent anywhere."

// registerTelemetry takes no notice. Studio reports before somebody has signed in, too.
func (a *API) registerTelemetry() {
	const telemetry = "/platform/telemetry"
	same(a, telemetry+"/feature-flags", access.Anyone(), "Experiments that you take part in: none", noTelemetry, map[string]any{})
	missing(a, route{
		method: http.MethodGet, path: telemetry + "/stream", permission: access.Anyone(), summary: "None: nothing is recorded",
	}, noTelemetry)
	for _, path := range []string{"/event", "/feature-flags/track", "/groups/identify", "/groups/reset", "/identify", "/reset"} {
		drop(a, route{
			method: http.MethodPost, path: telemetry + path, permission: access.Anyone(), status: http.StatusCreated,
			summary: "Dropped: nothing is recorded",
		}, noTelemetry)
	}
}
