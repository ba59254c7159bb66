package api

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

var edgeLogExamples = map[string]example{
	"GET /platform/projects/{ref}/analytics/endpoints/functions.combined-stats": {prepare: aFunction, query: "interval=1hr&function_id={function_id}"},
	"GET /v1/projects/{ref}/analytics/endpoints/functions.combined-stats":       {prepare: aFunction, query: "interval=1hr&function_id={function_id}"},
	"GET /platform/projects/{ref}/analytics/endpoints/functions.req-stats":      {prepare: aFunction, query: "interval=1hr&function_id={function_id}"},
}

// requested writes requests into a project's log, each a minute after the one before, the last one a minute ago.
func (w *world) requested(p place, requests ...store.EdgeRequest) {
	w.t.Helper()
	var id int64
	require.NoError(w.t, w.connection.QueryRow(w.t.Context(), `select id from platform.projects where ref = $1`, p.ref).Scan(&id))
	for i := range requests {
		requests[i].ProjectID, requests[i].At = id, storetest.Now.Add(-time.Duration(len(requests)-i)*time.Minute)
	}
	require.NoError(w.t, w.store.AddEdgeLog(w.t.Context(), requests))
}

func someRequests() []store.EdgeRequest {
	return []store.EdgeRequest{
		{
			Method: "GET", Path: "/rest/v1/todos", Search: "?select=*", Host: "shop.localhost", Status: 200, RequestID: "1", UserAgent: "node",
			Client: netip.MustParseAddr("192.0.2.7"), Received: 10, Sent: 2_000_000, Took: 5 * time.Millisecond, Origin: 4 * time.Millisecond,
		},
		{Method: "POST", Path: "/auth/v1/token", Host: "shop.localhost", Status: 401, RequestID: "2"},
		{
			Method: "GET", Path: "/rest/v1/todos", Search: "?select=*", Host: "shop.localhost", Status: 500, RequestID: "3", Received: 30, Sent: 1_000_000,
			Origin: 8 * time.Millisecond,
		},
	}
}

func TestTheLogOfRequestsIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	ask := func(sql string) []any {
		t.Helper()
		answer := w.object(owner, http.MethodGet, logsPath(p, sql), "")
		require.Empty(t, answer["error"], sql)
		return answer["result"].([]any)
	}
	const joins = ` cross join unnest(metadata) as m cross join unnest(m.request) as request cross join unnest(m.response) as response `
	// Studio: genDefaultQuery of components/interfaces/Settings/Logs/Logs.utils.ts. No provisioner has to be there.
	const list = `select id, identifier, timestamp, event_message, request.method, request.path, request.search, response.status_code
		from edge_logs` + joins
	require.Empty(t, ask(list+"order by timestamp desc limit 100"))
	w.requested(p, someRequests()...)
	lines := ask(list + "order by timestamp desc limit 100")
	require.Len(t, lines, 3)
	last := lines[2].(map[string]any)
	require.NotEmpty(t, last["id"])
	delete(last, "id")
	require.Equal(t, map[string]any{
		"identifier": p.ref, "timestamp": float64(storetest.Now.Add(-3 * time.Minute).UnixMicro()), "method": "GET", "path": "/rest/v1/todos",
		"search": "?select=*", "status_code": 200., "event_message": "GET | 200 | 192.0.2.7 | 1 | shop.localhost/rest/v1/todos?select=* | node",
	}, last)
	require.Len(t, ask(list+"where (request.path like '/auth/%') and response.status_code between 400 and 499 order by timestamp desc limit 100"), 1)
	one := ask("select id, timestamp, event_message, metadata from edge_logs where id = '" + lines[0].(map[string]any)["id"].(string) + "' limit 1")
	details := one[0].(map[string]any)["metadata"].([]any)[0].(map[string]any)
	require.Equal(t, []any{map[string]any{"status_code": 500., "origin_time": 8., "headers": []any{map[string]any{"content_length": "1000000"}}}}, details["response"])
	require.Equal(t, http.StatusNotFound, w.raw(callers[1].authorization(t), http.MethodGet, logsPath(p, list), "").Code, "nobody else's")

	// Studio: components/interfaces/Reports/SharedAPIReport/SharedAPIReport.constants.ts.
	const headers = ` cross join unnest(request.headers) as headers `
	hour := float64(storetest.Now.Truncate(time.Hour).Add(-time.Hour).UnixMicro())
	require.Equal(t, []any{map[string]any{"timestamp": hour, "count": 3.}},
		ask(`select cast(timestamp_trunc(t.timestamp, hour) as datetime) as timestamp, count(t.id) as count FROM edge_logs t`+joins+headers+`GROUP BY timestamp ORDER BY timestamp ASC`))
	require.Equal(t, map[string]any{"path": "/rest/v1/todos", "method": "GET", "search": "?select=*", "status_code": 500., "count": 1., "avg": 8.},
		ask(`select request.path as path, request.method as method, request.search as search, response.status_code as status_code, count(t.id) as count,
			avg(response.origin_time) as avg from edge_logs t` + joins + headers + `group by request.path, request.method, request.search, response.status_code order by avg desc limit 10`)[0])
	require.Equal(t, []any{map[string]any{"timestamp": hour, "ingress_mb": 0.00004, "egress_mb": 3.}},
		ask(`select cast(timestamp_trunc(t.timestamp, hour) as datetime) as timestamp,
			coalesce(safe_divide(sum(cast(coalesce(headers.content_length, "0") as int64)), 1000000), 0) as ingress_mb,
			coalesce(safe_divide(sum(cast(coalesce(resp_headers.content_length, "0") as int64)), 1000000), 0) as egress_mb,
			FROM edge_logs t`+joins+headers+`cross join unnest(response.headers) as resp_headers GROUP BY timestamp ORDER BY timestamp ASC`))
	// Studio: components/interfaces/Observability/usePostgrestOverviewMetrics.ts.
	require.Equal(t, []any{map[string]any{"timestamp": hour, "ok_count": 1., "warning_count": 0., "error_count": 1.}},
		ask(`select cast(timestamp_trunc(t.timestamp, hour) as datetime) as timestamp, countif(response.status_code < 300) as ok_count,
			countif(response.status_code >= 300 and response.status_code < 400) as warning_count, countif(response.status_code >= 400) as error_count
			FROM edge_logs t`+joins+`WHERE request.path like '/rest/%' GROUP BY timestamp ORDER BY timestamp ASC`))
	// Studio: components/interfaces/Auth/Users/UserLogs.tsx. Whose a request was, nobody notes.
	require.Empty(t, ask(`select cast(timestamp as datetime) as timestamp, event_message, metadata from edge_logs
		WHERE (metadata[SAFE_OFFSET(0)].request[SAFE_OFFSET(0)].sb[SAFE_OFFSET(0)].auth_user = 'x') limit 100`))
	require.Len(t, ask(`select id from edge_logs WHERE metadata[SAFE_OFFSET(0)].request[SAFE_OFFSET(0)].method = 'POST'`), 1)
}

func TestTheLogOfRequestsIsShownInTheOneTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	w.requested(p, someRequests()...)
	// The MCP server: get_logs of the service api.
	found := w.object(owner, http.MethodGet, "/v1/projects/"+p.ref+"/analytics/endpoints/logs?sql="+url.QueryEscape(`
		select id, log_attributes['identifier'] as identifier, timestamp, event_message, log_attributes['request.method'] as method,
			log_attributes['request.path'] as path, log_attributes['response.status_code'] as status_code, log_attributes
		from logs where source = 'edge_logs' order by timestamp desc limit 100`), "")["result"].([]any)
	require.Len(t, found, 3)
	first := found[2].(map[string]any)
	require.Equal(t, []any{p.ref, "GET", "/rest/v1/todos", "200"}, []any{first["identifier"], first["method"], first["path"], first["status_code"]})
	require.Equal(t, map[string]any{
		"identifier": p.ref, "request.method": "GET", "request.path": "/rest/v1/todos", "request.search": "?select=*", "request.host": "shop.localhost",
		"request.headers.user_agent": "node", "request.headers.x_real_ip": "192.0.2.7", "request.headers.content_length": "10",
		"response.status_code": "200", "response.origin_time": "4", "response.headers.content_length": "2000000",
	}, first["log_attributes"])
}

func TestHowFunctionsWereAskedIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	made := w.object(owner, http.MethodPost, "/v1/projects/"+p.ref+"/functions", `{"slug":"hello","name":"Hello","body":"Deno.serve(() => new Response())"}`)
	id := made["id"].(string)
	stats := func(interval string) []any {
		return w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/analytics/endpoints/functions.combined-stats?interval="+interval+"&function_id="+id, "")["result"].([]any)
	}
	require.Empty(t, stats("1hr"))
	call := func(path string, status int, took time.Duration) store.EdgeRequest {
		return store.EdgeRequest{Method: "POST", Path: path, Status: status, Origin: took, RequestID: path}
	}
	w.requested(p, call("/functions/v1/hello", 200, 20*time.Millisecond), call("/functions/v1/hello/a", 404, 40*time.Millisecond),
		call("/functions/v1/gone", 404, 0), call("/functions/v1/hello", 546, 30*time.Millisecond), call("/rest/v1/hello", 200, 0))
	require.Equal(t, map[string]any{
		"timestamp": float64(storetest.Now.Truncate(time.Hour).Add(-time.Hour).UnixMicro()), "requests_count": 3., "success_count": 1., "redirect_count": 0.,
		"client_err_count": 1., "server_err_count": 1., "avg_execution_time": 30., "max_execution_time": 40.,
	}, stats("1day")[0])
	require.Len(t, stats("1hr"), 3, "by the minute")
	require.Equal(t, http.StatusNotFound, w.raw(owner, http.MethodGet,
		"/platform/projects/"+p.ref+"/analytics/endpoints/functions.req-stats?interval=1hr&function_id=x", "").Code)

	// Studio: data/edge-functions/edge-functions-last-hour-stats-query.ts.
	found := w.object(owner, http.MethodGet, logsPath(p, `select function_id, count(distinct id) as requests_count,
		count(distinct case when response.status_code >= 500 then id end) as server_err_count
		from function_edge_logs cross join unnest(metadata) as m cross join unnest(m.response) as response
		where function_id is not null and function_id in ('`+id+`') group by function_id`), "")["result"]
	require.Equal(t, []any{map[string]any{"function_id": id, "requests_count": 3., "server_err_count": 1.}}, found)
	lines := w.object(owner, http.MethodGet, logsPath(p, `select id, function_edge_logs.timestamp, event_message, response.status_code, request.method, request.pathname,
		m.function_id, m.execution_id, m.execution_time_ms, m.deployment_id, m.version from function_edge_logs
		cross join unnest(metadata) as m cross join unnest(m.response) as response cross join unnest(m.request) as request order by timestamp desc limit 100`), "")["result"].([]any)
	require.Len(t, lines, 3)
	first := lines[0].(map[string]any)
	require.Equal(t, []any{546., "POST", "/functions/v1/hello", id, 30., "1"},
		[]any{first["status_code"], first["method"], first["pathname"], first["function_id"], first["execution_time_ms"], first["version"]})
}
