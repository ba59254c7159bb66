package api

import "github.com/plurabase/plurabase/plugins/internal/access"

// requestsMissing is why there are no figures, for the operator.
const requestsMissing = "Nobody counts this: the gateway's log of requests is kept for a day, and no service says what it takes of the machine."

// AnalyticsResponse is what a query of logs or figures found.
type AnalyticsResponse struct {
	Result []map[string]any `json:"result"`
}

// SeriesResponse is a figure over time.
type SeriesResponse struct {
	Data []map[string]any `json:"data"`
}

// registerAnalytics registers figures that nobody has: nothing is invented in their place.
func (a *API) registerAnalytics() {
	const platform = "/platform/projects/{ref}"
	logs := access.InProject(access.AnalyticsRead, "logflare")
	none := AnalyticsResponse{[]map[string]any{}}
	for _, path := range []string{
		platform + "/analytics/endpoints/auth.metrics", platform + "/analytics/endpoints/project.metrics",
		platform + "/analytics/endpoints/functions.resource-usage",
	} {
		same(a, path, logs, "Figures that nobody counts: nothing", requestsMissing, none)
	}
}
