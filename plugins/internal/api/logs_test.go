package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

const (
	noRequests           = "sql=select+id+from+edge_logs"
	noRequestsInOneTable = "sql=select+id+from+logs+where+source+%3D+'edge_logs'" // as newer clients ask
)

var logExamples = map[string]example{
	"GET /platform/projects/{ref}/analytics/endpoints/logs.all": {query: noRequests},
	"GET /v1/projects/{ref}/analytics/endpoints/logs.all":       {query: noRequests},
	"GET /v1/projects/{ref}/analytics/endpoints/logs": {
		query: noRequestsInOneTable, prepare: func(w *world, _ place) map[string]string { w.aliveTarget(nil); return nil },
	},
	"POST /platform/projects/{ref}/analytics/endpoints/logs.all": {body: `{"sql":"select id from edge_logs"}`},
}

// readLogs answers requests for logs as a provisioner does, with these lines, until the test ends. It tells what was asked.
func (w *world) readLogs(failure string, lines ...store.LogLine) chan store.LogRequest {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	asked, done := make(chan store.LogRequest, 100), make(chan struct{})
	work := make(chan struct{}, 1)
	w.t.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		_ = w.store.ListenForLogRequests(ctx, "local", func() {
			select {
			case work <- struct{}{}:
			default:
			}
		})
	}()
	answered := make(chan struct{})
	w.t.Cleanup(func() { stop(); <-answered })
	go func() {
		defer close(answered)
		for {
			select {
			case <-work:
			case <-ctx.Done():
				return
			}
			for {
				request, err := w.store.TakeLogRequest(ctx, "local")
				if errors.Is(err, store.ErrNotFound) || ctx.Err() != nil {
					break
				}
				asked <- request
				_ = w.store.AnswerLogRequest(ctx, request.ID, lines, failure)
			}
		}
	}()
	return asked
}

func logsPath(p place, sql string) string {
	return "/platform/projects/" + p.ref + "/analytics/endpoints/logs.all?iso_timestamp_start=2026-03-01T11:00:00.000Z&sql=" + url.QueryEscape(sql)
}

func TestWhatServicesPrintedIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	w.aliveTarget(nil)
	asked := w.readLogs("",
		store.LogLine{At: storetest.Now.Add(-2 * time.Minute), Text: `2026-03-01 11:58:00 UTC [7] postgres@postgres ERROR:  relation "a" does not exist`},
		store.LogLine{At: storetest.Now.Add(-time.Minute), Text: "2026-03-01 11:59:00.123 UTC [9] LOG:  checkpoint starting: time"})
	const list = `select identifier, postgres_logs.timestamp, id, event_message, parsed.error_severity, parsed.detail, parsed.hint from postgres_logs
		cross join unnest(metadata) as m cross join unnest(m.parsed) as parsed order by timestamp desc limit 100`
	lines := w.object(owner, http.MethodGet, logsPath(p, list), "")["result"].([]any)
	request := <-asked
	require.Equal(t, []any{store.Ref(p.ref), "db"}, []any{request.Ref, request.Service})
	require.WithinDuration(t, storetest.Now.Add(-time.Hour), request.Since, 0)
	require.WithinDuration(t, storetest.Now, request.Until, 0)
	require.Len(t, lines, 2)
	first := lines[0].(map[string]any)
	require.Equal(t, []any{p.ref, "LOG", float64(storetest.Now.Add(-time.Minute).UnixMicro())}, []any{first["identifier"], first["error_severity"], first["timestamp"]})

	one := w.object(owner, http.MethodGet, logsPath(p, "select id, timestamp, event_message, metadata from postgres_logs where id = '"+
		lines[1].(map[string]any)["id"].(string)+"' limit 1"), "")["result"].([]any)
	require.Len(t, one, 1)
	require.Equal(t, []any{map[string]any{"parsed": []any{map[string]any{"error_severity": "ERROR", "user_name": "postgres", "database_name": "postgres"}}}},
		one[0].(map[string]any)["metadata"])

	posted := w.object(owner, http.MethodPost, "/platform/projects/"+p.ref+"/analytics/endpoints/logs.all",
		`{"sql":"select count(*) as count from postgres_logs cross join unnest(metadata) as m cross join unnest(m.parsed) as parsed where parsed.error_severity in ('ERROR')"}`)
	require.Equal(t, []any{map[string]any{"count": 1.}}, posted["result"])

	unread := w.object(owner, http.MethodGet, logsPath(p, "with a as (select 1 from postgres_logs) select 1"), "")
	require.Empty(t, unread["result"])
	require.Contains(t, unread["error"], `cannot be asked for "with"`)
	require.Empty(t, w.object(owner, http.MethodGet, logsPath(p, "select id from auth_logs"), "")["result"], "the project has no Auth")
	require.Equal(t, http.StatusBadRequest, w.raw(owner, http.MethodGet, logsPath(p, list)+"&iso_timestamp_end=2026-03-01T10:00:00Z", "").Code)
	require.Equal(t, http.StatusNotFound, w.raw(callers[1].authorization(t), http.MethodGet, logsPath(p, list), "").Code)
	rows := 0
	require.NoError(t, w.connection.QueryRow(t.Context(), `select count(*) from platform.log_requests`).Scan(&rows))
	require.Zero(t, rows, "nothing is left of what was asked")
}

func TestWhatServicesPrintedIsShownInOneTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	w.aliveTarget(nil)
	asked := w.readLogs("", store.LogLine{At: storetest.Now.Add(-time.Minute), Text: "2026-03-01 11:59:00.123 UTC [9] LOG:  checkpoint starting: time"})
	path := func(sql string) string {
		return "/v1/projects/" + p.ref + "/analytics/endpoints/logs?sql=" + url.QueryEscape(sql)
	}
	const mcp = `select log_attributes['identifier'] as identifier, timestamp, id, event_message, log_attributes['parsed.error_severity'] as error_severity
		from logs where source = 'postgres_logs' order by timestamp desc limit 100`
	lines := w.object(owner, http.MethodGet, path(mcp), "")["result"].([]any)
	require.Equal(t, "db", (<-asked).Service)
	require.Len(t, lines, 1)
	require.Equal(t, []any{p.ref, "LOG"}, []any{lines[0].(map[string]any)["identifier"], lines[0].(map[string]any)["error_severity"]})

	whole := w.object(owner, http.MethodGet, path("select source, severity_text, log_attributes from logs"), "")["result"].([]any)
	require.Equal(t, []any{map[string]any{
		"source": "postgres_logs", "severity_text": "", "log_attributes": map[string]any{"identifier": p.ref, "parsed.error_severity": "LOG"},
	}}, whole, "all that the project has, where none is named")
	<-asked

	require.Empty(t, w.object(owner, http.MethodGet, path("select id from logs where source = 'edge_logs'"), "")["result"])
	require.Empty(t, asked, "nothing is read for a source that nobody keeps")
	require.Contains(t, w.object(owner, http.MethodGet, path("select id from logs where now() = 1"), "")["error"], `cannot be asked for "now"`)
}

func TestWhyThereAreNoLogsIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := logsPath(p, "select id from postgres_logs")
	require.Contains(t, w.refusedWith(http.StatusServiceUnavailable, owner, http.MethodGet, path, ""), "No provisioner works")
	w.aliveTarget(nil)
	w.readLogs("There is no such container.")
	require.Contains(t, w.refusedWith(http.StatusServiceUnavailable, owner, http.MethodGet, path, ""), "does not tell its logs now")
	w.exec(`insert into platform.log_requests (project_id, target, service, since, until)
		select id, 'elsewhere', 'db', now(), now() from platform.projects, generate_series(1, 8) where ref = $1`, p.ref)
	w.refusedWith(http.StatusTooManyRequests, owner, http.MethodGet, path, "")
}

func TestAuthsLinesAreReadAsItPrintsThem(t *testing.T) {
	t.Parallel()
	row := logRow("abcdefghijklmnopqrst", store.ServiceAuth, store.LogLine{
		At: storetest.Now, Text: `{"level":"error","msg":"400: Invalid login credentials","path":"/token","status":400,"nested":{"a":1}}`,
	})
	require.Equal(t, []any{"error", "/token", 400., nil}, []any{row["level"], row["path"], row["status"], row["nested"]})
	plain := logRow("abcdefghijklmnopqrst", store.ServiceRest, store.LogLine{At: storetest.Now, Text: "{not JSON"})
	require.Equal(t, "{not JSON", plain["event_message"])
}
