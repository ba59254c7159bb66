package api

import "github.com/plurabase/plurabase/plugins/internal/access"

// requestsMissing is why there are no figures, for the operator.
const requestsMissing = "Requests are logged by the gateway, which all projects share, and are counted by the hour alone: what is said of each is the operator's."

// AnalyticsResponse is what a query of logs or figures found.
type AnalyticsResponse struct {
	Result []map[string]any `json:"result"`
}

// SeriesResponse is a figure over time.
type SeriesResponse struct {
	Data []map[string]any `json:"data"`
}

// registerAnalytics registers figures of requests, of which there are none: nothing is invented in their place.
func (a *API) registerAnalytics() {
	const platform, v1 = "/platform/projects/{ref}", "/v1/projects/{ref}"
	logs := access.InProject(access.AnalyticsRead, "logflare")
	none := AnalyticsResponse{[]map[string]any{}}
	for _, path := range []string{
		platform + "/analytics/endpoints/auth.metrics", platform + "/analytics/endpoints/project.metrics",
		platform + "/analytics/endpoints/functions.combined-stats", v1 + "/analytics/endpoints/functions.combined-stats",
		platform + "/analytics/endpoints/functions.req-stats", platform + "/analytics/endpoints/functions.resource-usage",
	} {
		same(a, path, logs, "What is counted in logs of requests: nothing", requestsMissing, none)
	}
}
