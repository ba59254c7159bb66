package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// What the gateway counts of each project's services, by the hour (store.ProjectTraffic), in the forms in which it is asked for.

// APICountsResponse says how often a project's services were asked, in spans of time. What nothing was counted in is left out.
type APICountsResponse struct {
	Result []APICounts `json:"result"`
}

// APICounts is how often a project's services were asked in a span of time.
type APICounts struct {
	Timestamp time.Time `json:"timestamp"`
	Auth      int64     `json:"total_auth_requests"`
	Realtime  int64     `json:"total_realtime_requests"`
	REST      int64     `json:"total_rest_requests"`
	Storage   int64     `json:"total_storage_requests"`
}

// APIRequestsResponse says how often a project was asked in the last day.
type APIRequestsResponse struct {
	Result []APIRequests `json:"result"`
}

// APIRequests is a number of requests.
type APIRequests struct {
	Count int64 `json:"count"`
}

type apiCountsInput struct {
	Ref      string `path:"ref"`
	Interval string `query:"interval" enum:"15min,30min,1hr,3hr,1day,3day,7day" default:"1day" doc:"How far back. What is counted, is counted by the hour."`
}

type dailyStatsInput struct {
	Ref       string `path:"ref"`
	Attribute string `query:"attribute" required:"true" maxLength:"64"`
	Start     string `query:"startDate" required:"true"`
	End       string `query:"endDate" required:"true"`
}

var apiCountSpans = map[string]time.Duration{
	"15min": 15 * time.Minute, "30min": 30 * time.Minute, "1hr": time.Hour, "3hr": 3 * time.Hour,
	"1day": 24 * time.Hour, "3day": 72 * time.Hour, "7day": 168 * time.Hour,
}

func (a *API) registerTraffic() {
	const platform, v1 = "/platform/projects/{ref}", "/v1/projects/{ref}"
	logs := access.InProject(access.AnalyticsRead, "logflare")
	for _, path := range []string{platform, v1} {
		handle(a, route{
			method: http.MethodGet, path: path + "/analytics/endpoints/usage.api-counts", permission: logs,
			kind: Real, summary: "How often the project's services were asked, as the gateway counted",
		}, a.apiCounts)
		handle(a, route{
			method: http.MethodGet, path: path + "/analytics/endpoints/usage.api-requests-count", permission: logs,
			kind: Real, summary: "How often the project was asked in the last day, as the gateway counted",
		}, a.apiRequests)
	}
	handle(a, route{
		method: http.MethodGet, path: platform + "/daily-stats", permission: access.InProject(access.Read, "projects"),
		kind: Real, summary: "What the gateway counted, by the day",
	}, a.dailyStats)
}

// apiCounts counts by the day where it looks back a week, and by the hour otherwise.
func (a *API) apiCounts(ctx context.Context, c *call, in *apiCountsInput) (APICountsResponse, error) {
	now := a.now()
	hours, err := a.store.ProjectTraffic(ctx, c.project.ID, now.Add(-apiCountSpans[in.Interval]), now)
	if err != nil {
		return APICountsResponse{}, err
	}
	step := time.Hour
	if in.Interval == "7day" {
		step = 24 * time.Hour
	}
	counts := []APICounts{}
	for _, hour := range hours {
		at := hour.Hour.UTC().Truncate(step)
		if len(counts) == 0 || !counts[len(counts)-1].Timestamp.Equal(at) {
			counts = append(counts, APICounts{Timestamp: at})
		}
		counts[len(counts)-1].add(hour)
	}
	return APICountsResponse{counts}, nil
}

func (n *APICounts) add(hour store.TrafficHour) {
	switch hour.Service {
	case "auth":
		n.Auth += hour.Requests
	case "realtime":
		n.Realtime += hour.Requests
	case "rest":
		n.REST += hour.Requests
	case "storage":
		n.Storage += hour.Requests
	}
}

func (a *API) apiRequests(ctx context.Context, c *call, _ *refPath) (APIRequestsResponse, error) {
	now := a.now()
	hours, err := a.store.ProjectTraffic(ctx, c.project.ID, now.Add(-24*time.Hour), now)
	count := int64(0)
	for _, hour := range hours {
		count += hour.Requests
	}
	return APIRequestsResponse{[]APIRequests{{count}}}, err
}

// measuredAttributes are what of the daily figures the gateway counts, by the service; empty for all of them.
var measuredAttributes = map[string]struct {
	service string
	egress  bool
}{
	"total_requests": {}, "total_egress": {egress: true},
	"total_rest_requests": {service: "rest"}, "total_rest_egress": {service: "rest", egress: true},
	"total_auth_requests": {service: "auth"}, "total_auth_egress": {service: "auth", egress: true},
	"total_storage_requests": {service: "storage"}, "total_storage_egress": {service: "storage", egress: true},
	"total_realtime_requests": {service: "realtime"}, "total_realtime_egress": {service: "realtime", egress: true},
	"total_func_invocations": {service: "functions"},
}

// dailyStats is empty for what nobody counts.
func (a *API) dailyStats(ctx context.Context, c *call, in *dailyStatsInput) (SeriesResponse, error) {
	series := SeriesResponse{Data: []map[string]any{}}
	from, to, err := parseSpan(in.Start, in.End)
	attribute, measured := measuredAttributes[in.Attribute]
	if err != nil || !measured {
		return series, err
	}
	hours, err := a.store.ProjectTraffic(ctx, c.project.ID, from, to)
	if err != nil {
		return series, err
	}
	byDay := map[time.Time]int64{}
	for _, hour := range hours {
		if attribute.service == "" || attribute.service == hour.Service {
			byDay[hour.Hour.UTC().Truncate(24*time.Hour)] += counted(hour, attribute.egress)
		}
	}
	for _, day := range sortedDays(byDay) {
		series.Data = append(series.Data, map[string]any{"period_start": day.Format(time.RFC3339), in.Attribute: byDay[day]})
	}
	return series, nil
}

func counted(hour store.TrafficHour, egress bool) int64 {
	if egress {
		return hour.Egress
	}
	return hour.Requests
}

func sortedDays[V any](byDay map[time.Time]V) []time.Time {
	days := make([]time.Time, 0, len(byDay))
	for day := range byDay {
		days = append(days, day)
	}
	slices.SortFunc(days, time.Time.Compare)
	return days
}

// maxSpan is more than Studio asks for: a quarter.
const maxSpan = 100 * 24 * time.Hour

// parseSpan reads a span of time as Studio sends it: by RFC 3339, or days of which the last one counts.
func parseSpan(start, end string) (from, to time.Time, err error) {
	from, err = parseMoment(start)
	if err == nil {
		to, err = parseMoment(end)
	}
	if err == nil && len(strings.TrimSpace(end)) == len(time.DateOnly) {
		to = to.AddDate(0, 0, 1)
	}
	switch {
	case err != nil:
		return from, to, problem.BadRequest("The span of time has to be two dates, or times by RFC 3339.")
	case to.Before(from) || to.Sub(from) > maxSpan:
		return from, to, problem.BadRequest("The span of time has to end after it begins, and may be 100 days long.")
	}
	return from, to, nil
}

func parseMoment(text string) (time.Time, error) {
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return at, nil
	}
	return time.Parse(time.RFC3339, text)
}
