package api

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/logquery"
	"github.com/plurabase/plurabase/store"
)

// What the gateway keeps of each request (store.EdgeLog), as upstream's tables edge_logs and function_edge_logs have it.

// Sources of logs that are the gateway's.
const (
	edgeLogs         = "edge_logs"
	functionEdgeLogs = "function_edge_logs"
)

// edgeLogSize is how many requests a query is answered from at most, the newest ones.
const edgeLogSize = 10_000

// functionsPath is what leads to a project's functions.
const functionsPath = "/functions/v1/"

// edgeRows returns a project's requests, newest first.
func (a *API) edgeRows(ctx context.Context, c *call, from, to time.Time) ([]logquery.Row, error) {
	requests, err := a.store.EdgeLog(ctx, c.project.ID, "", from, to, edgeLogSize)
	rows := make([]logquery.Row, len(requests))
	for i, r := range requests {
		rows[i] = edgeRow(c.project.Ref, r)
	}
	return rows, err
}

func edgeRow(ref store.Ref, r store.EdgeRequest) logquery.Row {
	received, sent := strconv.FormatInt(r.Received, 10), strconv.FormatInt(r.Sent, 10)
	request := map[string]any{
		"method": r.Method, "path": r.Path, "search": r.Search, "host": r.Host,
		"headers": []any{map[string]any{"user_agent": r.UserAgent, "x_real_ip": addressText(r.Client), "content_length": received}},
	}
	response := map[string]any{
		"status_code": float64(r.Status), "origin_time": milliseconds(r.Origin), "headers": []any{map[string]any{"content_length": sent}},
	}
	return logquery.Row{
		"id": edgeLogID(ref, r), "timestamp": float64(r.At.UnixMicro()), "identifier": string(ref), "event_message": edgeMessage(r),
		"method": r.Method, "path": r.Path, "search": r.Search, "host": r.Host, "user_agent": r.UserAgent, "x_real_ip": addressText(r.Client),
		"status_code": float64(r.Status), "origin_time": milliseconds(r.Origin),
		"headers.content_length": received, "resp_headers.content_length": sent,
		"metadata": []any{map[string]any{"request": []any{request}, "response": []any{response}}},
	}
}

// functionEdgeRows returns the requests to those of a project's functions that it has, newest first.
func (a *API) functionEdgeRows(ctx context.Context, c *call, from, to time.Time) ([]logquery.Row, error) {
	functions, err := a.store.Functions(ctx, c.project.ID)
	if err != nil || len(functions) == 0 {
		return nil, err
	}
	bySlug := make(map[string]store.Function, len(functions))
	for _, one := range functions {
		bySlug[one.Slug] = one
	}
	requests, err := a.store.EdgeLog(ctx, c.project.ID, functionsPath, from, to, edgeLogSize)
	var rows []logquery.Row
	for _, r := range requests {
		if function, has := bySlug[functionOf(r.Path)]; has {
			rows = append(rows, functionEdgeRow(c.project.Ref, function, r))
		}
	}
	return rows, err
}

// functionOf is the slug of the function that a path leads to; empty where it leads to none.
func functionOf(path string) string {
	within, leads := strings.CutPrefix(path, functionsPath)
	slug, _, _ := strings.Cut(within, "/")
	if !leads {
		return ""
	}
	return slug
}

func functionEdgeRow(ref store.Ref, function store.Function, r store.EdgeRequest) logquery.Row {
	row := logquery.Row{
		"id": edgeLogID(ref, r), "timestamp": float64(r.At.UnixMicro()), "identifier": string(ref), "event_message": edgeMessage(r),
		"method": r.Method, "pathname": r.Path, "search": r.Search, "host": r.Host, "status_code": float64(r.Status),
		"function_id": function.ID, "version": strconv.Itoa(int(function.Version)), "execution_time_ms": milliseconds(r.Origin),
	}
	row["metadata"] = []any{map[string]any{
		"function_id": function.ID, "version": row["version"], "execution_time_ms": row["execution_time_ms"],
		"request":  []any{map[string]any{"method": r.Method, "pathname": r.Path, "search": r.Search, "host": r.Host}},
		"response": []any{map[string]any{"status_code": row["status_code"]}},
	}}
	return row
}

// edgeMessage is upstream's line of a request.
func edgeMessage(r store.EdgeRequest) string {
	return strings.Join([]string{r.Method, strconv.Itoa(r.Status), addressText(r.Client), r.RequestID, r.Host + r.Path + r.Search, r.UserAgent}, " | ")
}

// edgeLogID is made of all that tells one line from another: who repeats a request may repeat its id.
func edgeLogID(ref store.Ref, r store.EdgeRequest) string {
	return logID(fmt.Appendf(nil, "%s edge %d %s", ref, r.At.UnixNano(), r.RequestID))
}

func addressText(address netip.Addr) string {
	if !address.IsValid() {
		return ""
	}
	return address.String()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
