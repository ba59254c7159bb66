package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// Why there are no figures, for the operator.
const (
	logsMissing = "Logs are queried where a project has an analytics service. Projects here have none yet; the containers' logs are the operator's."
)

// AnalyticsResponse is what a query of logs or figures found.
type AnalyticsResponse struct {
	Result []map[string]any `json:"result"`
}

// SeriesResponse is a figure over time.
type SeriesResponse struct {
	Data []map[string]any `json:"data"`
}

// SQL for logs may be sent as a body: it is not looked at.
type logsInput struct {
	Ref  string `path:"ref"`
	Body map[string]any
}

// registerAnalytics registers logs and figures, of which there are none: nothing is invented in their place.
func (a *API) registerAnalytics() {
	const platform, v1 = "/platform/projects/{ref}", "/v1/projects/{ref}"
	logs := access.InProject(access.AnalyticsRead, "logflare")
	none := AnalyticsResponse{[]map[string]any{}}
	for _, path := range []string{
		platform + "/analytics/endpoints/logs.all", v1 + "/analytics/endpoints/logs.all",
		platform + "/analytics/endpoints/auth.metrics", platform + "/analytics/endpoints/project.metrics",
		platform + "/analytics/endpoints/functions.combined-stats", v1 + "/analytics/endpoints/functions.combined-stats",
		platform + "/analytics/endpoints/functions.req-stats", platform + "/analytics/endpoints/functions.resource-usage",
	} {
		same(a, path, logs, "Logs and what is counted in them: nothing", logsMissing, none)
	}
	handle(a, route{
		method: http.MethodPost, path: platform + "/analytics/endpoints/logs.all", permission: logs, status: http.StatusCreated,
		kind: Empty, because: logsMissing, summary: "Logs: nothing",
	}, func(context.Context, *call, *logsInput) (AnalyticsResponse, error) { return none, nil })
}
