package api

import (
	"context"
	"net/http"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// FunctionStatsResponse says how a function was asked, in spans of time. Those in which it was not are left out.
type FunctionStatsResponse struct {
	Result []FunctionStats `json:"result"`
}

// FunctionStats is how a function was asked in a span of time, by the gateway's log of requests. What its worker took of the machine,
// nobody measures.
type FunctionStats struct {
	Timestamp    int64   `json:"timestamp" doc:"Microseconds since 1970."`
	Requests     int64   `json:"requests_count"`
	Successes    int64   `json:"success_count"`
	Redirects    int64   `json:"redirect_count"`
	ClientErrors int64   `json:"client_err_count"`
	ServerErrors int64   `json:"server_err_count"`
	Average      float64 `json:"avg_execution_time" doc:"Milliseconds."`
	Longest      float64 `json:"max_execution_time" doc:"Milliseconds."`
}

type functionStatsInput struct {
	Ref        string `path:"ref"`
	FunctionID string `query:"function_id" required:"true" maxLength:"64"`
	Interval   string `query:"interval" required:"true" enum:"15min,1hr,3hr,1day" doc:"How far back."`
}

func (a *API) registerFunctionStats() {
	logs := access.InProject(access.AnalyticsRead, "logflare")
	for _, path := range []string{
		"/platform/projects/{ref}/analytics/endpoints/functions.combined-stats", "/v1/projects/{ref}/analytics/endpoints/functions.combined-stats",
		"/platform/projects/{ref}/analytics/endpoints/functions.req-stats",
	} {
		handle(a, route{
			method: http.MethodGet, path: path, permission: logs, kind: Real, summary: "How a function was asked, and how it answered",
		}, a.functionStats)
	}
}

// functionStats counts by the hour where it looks back a day, and by the minute otherwise.
func (a *API) functionStats(ctx context.Context, c *call, in *functionStatsInput) (FunctionStatsResponse, error) {
	functions, err := a.store.Functions(ctx, c.project.ID)
	if err != nil {
		return FunctionStatsResponse{}, err
	}
	slug := ""
	for _, one := range functions {
		if one.ID == in.FunctionID {
			slug = one.Slug
		}
	}
	if slug == "" {
		return FunctionStatsResponse{}, problem.New(http.StatusNotFound, "The project has no function of this id.")
	}
	now := a.now()
	requests, err := a.store.EdgeLog(ctx, c.project.ID, functionsPath+slug, now.Add(-apiCountSpans[in.Interval]), now, edgeLogSize)
	step := time.Minute
	if in.Interval == "1day" {
		step = time.Hour
	}
	stats := []FunctionStats{}
	for i := len(requests) - 1; i >= 0; i-- { // the oldest first
		if functionOf(requests[i].Path) != slug {
			continue
		}
		at := requests[i].At.Truncate(step).UnixMicro()
		if len(stats) == 0 || stats[len(stats)-1].Timestamp != at {
			stats = append(stats, FunctionStats{Timestamp: at})
		}
		stats[len(stats)-1].add(requests[i])
	}
	return FunctionStatsResponse{stats}, err
}

func (s *FunctionStats) add(r store.EdgeRequest) {
	took := milliseconds(r.Origin)
	s.Average = (s.Average*float64(s.Requests) + took) / float64(s.Requests+1)
	s.Longest = max(s.Longest, took)
	s.Requests++
	switch {
	case r.Status >= 500:
		s.ServerErrors++
	case r.Status >= 400:
		s.ClientErrors++
	case r.Status >= 300:
		s.Redirects++
	default:
		s.Successes++
	}
}
