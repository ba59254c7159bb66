package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// Why there are no figures, for the operator.
const (
	logsMissing    = "Logs are queried where a project has an analytics service. Projects here have none yet; the containers' logs are the operator's."
	metricsMissing = "How busy a project's containers are is not recorded: ask the operator's own monitoring."
)

// AnalyticsResponse is what a query of logs or figures found.
type AnalyticsResponse struct {
	Result []map[string]any `json:"result"`
}

// SeriesResponse is figures over time. Studio reads a set of them by `series`, and one alone without it.
type SeriesResponse struct {
	Data   []map[string]any          `json:"data"`
	Series map[string]map[string]any `json:"series,omitempty"`
}

// SQL for logs may be sent as a body: it is not looked at.
type logsInput struct {
	Ref  string `path:"ref"`
	Body map[string]any
}

// registerAnalytics registers logs and figures, of which there are none: nothing is invented in their place.
func (a *API) registerAnalytics() {
	const platform, v1 = "/platform/projects/{ref}", "/v1/projects/{ref}"
	logs, read := access.InProject(access.AnalyticsRead, "logflare"), access.InProject(access.Read, "projects")
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
	same(a, platform+"/infra-monitoring", read, "Figures over time: none", metricsMissing, SeriesResponse{Data: []map[string]any{}})
	same(a, "/platform/projects-resource-warnings", access.SignedInTo(access.Read, "projects"),
		"Projects that run short of something: none is known", metricsMissing, []never{})
}
