package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/logquery"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// What the project's containers printed, as upstream's log tables have it. Nobody collects it: the project's provisioner reads
// what the container engine has kept (store.Logs). Requests are the gateway's log (edge_logs.go).

// LogsResponse is what a query of logs found, or why it could not be run.
type LogsResponse struct {
	Result []map[string]any `json:"result"`
	Error  string           `json:"error,omitempty"`
}

// LogsBody is a query of logs.
type LogsBody struct {
	SQL   string `json:"sql,omitempty"`
	Start string `json:"iso_timestamp_start,omitempty"`
	End   string `json:"iso_timestamp_end,omitempty"`
}

type logsQuery struct {
	Ref   string `path:"ref"`
	SQL   string `query:"sql" doc:"As Studio's log pages, the MCP server and the supabase CLI write it."`
	Start string `query:"iso_timestamp_start" doc:"By RFC 3339; an hour before the end where it is left out."`
	End   string `query:"iso_timestamp_end" doc:"By RFC 3339; now where it is left out."`
}

type postLogsInput struct {
	Ref  string `path:"ref"`
	Body LogsBody
}

// logTables are the services whose logs upstream's tables are made of. What is not here, but for the gateway's, nobody keeps.
var logTables = map[string]string{
	"postgres_logs": store.ServiceDatabase, "pg_cron_logs": store.ServiceDatabase, "auth_logs": store.ServiceAuth,
	"postgrest_logs": store.ServiceRest, "realtime_logs": store.ServiceRealtime, "storage_logs": store.ServiceStorage,
	"function_logs": store.ServiceFunctions, "supavisor_logs": store.ServicePooler, "pgbouncer_logs": store.ServicePooler,
}

// logSources are the tables that the unified table `logs` is made of.
var logSources = []string{
	edgeLogs, functionEdgeLogs, "postgres_logs", "auth_logs", "postgrest_logs", "realtime_logs", "storage_logs", "function_logs", "supavisor_logs",
}

func (a *API) registerLogs() {
	const path = "/projects/{ref}/analytics/endpoints/logs.all"
	logs := access.InProject(access.AnalyticsRead, "logflare")
	for _, prefix := range []string{"/platform", "/v1"} {
		handle(a, route{
			method: http.MethodGet, path: prefix + path, permission: logs, kind: Real, summary: "What the project's services printed, or were asked",
		}, a.queryLogs)
	}
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/analytics/endpoints/logs", permission: logs,
		kind: Real, summary: "What the project's services printed and were asked, in one table",
	}, a.queryAllLogs)
	handle(a, route{
		method: http.MethodPost, path: "/platform" + path, permission: logs, status: http.StatusCreated,
		kind: Real, summary: "What the project's services printed, or were asked",
	}, func(ctx context.Context, c *call, in *postLogsInput) (LogsResponse, error) {
		return a.queryLogs(ctx, c, &logsQuery{SQL: in.Body.SQL, Start: in.Body.Start, End: in.Body.End})
	})
}

// logSpan is how far back is looked where nobody says.
const logSpan = time.Hour

func (a *API) queryLogs(ctx context.Context, c *call, in *logsQuery) (LogsResponse, error) {
	if asksForKeys(in.SQL) {
		return a.answerLogs(in, func(from, to time.Time) ([]logquery.Row, error) { return a.keyUses(ctx, c, from, to) })
	}
	table := logquery.Table(in.SQL)
	if !keepsLog(c.project.Project, table) {
		return LogsResponse{Result: []map[string]any{}}, nil
	}
	return a.answerFromLogs(ctx, c, in, []string{table}, func(from, to time.Time) ([]logquery.Row, error) {
		return a.readLog(ctx, c, table, from, to)
	})
}

// keepsLog tells whether one of upstream's tables is kept of a project.
func keepsLog(project store.Project, table string) bool {
	service, printed := logTables[table]
	return isEdgeLog(table) || printed && slices.Contains(project.Services, service)
}

func isEdgeLog(table string) bool { return table == edgeLogs || table == functionEdgeLogs }

// queryAllLogs answers from the one table that newer clients ask, which has the services' lines by their `source`. Those that the
// query has no word of are not read.
func (a *API) queryAllLogs(ctx context.Context, c *call, in *logsQuery) (LogsResponse, error) {
	var asked, all []string
	for _, source := range logSources {
		if !keepsLog(c.project.Project, source) {
			continue
		}
		all = append(all, source)
		if strings.Contains(in.SQL, "'"+source+"'") {
			asked = append(asked, source)
		}
	}
	if !strings.Contains(in.SQL, "_logs'") { // it asks for no source by name
		asked = all
	}
	return a.answerFromLogs(ctx, c, in, asked, func(from, to time.Time) ([]logquery.Row, error) {
		read := make([][]logquery.Row, len(asked))
		var reading errgroup.Group
		for i, source := range asked {
			reading.Go(func() (err error) {
				read[i], err = a.readLog(ctx, c, source, from, to)
				for _, row := range read[i] {
					unify(row, source)
				}
				return err
			})
		}
		err := reading.Wait()
		return slices.Concat(read...), err
	})
}

// unify makes a row one of the table `logs`.
func unify(row logquery.Row, source string) {
	attributes := map[string]string{}
	for name, value := range row {
		switch name {
		case "id", "timestamp", "event_message", "metadata":
		default:
			attributes[attributeOf(source, name)] = fmt.Sprint(value)
		}
	}
	severity, _ := row["level"].(string)
	row["source"], row["severity_text"], row["log_attributes"] = source, severity, attributes
}

// attributeOf is how the table `logs` calls what a row of another table has.
func attributeOf(source, name string) string {
	switch {
	case name == "identifier":
		return name
	case source == "postgres_logs":
		return "parsed." + name
	case isEdgeLog(source):
		if path, nested := edgeAttributes[name]; nested {
			return path
		}
	}
	return name
}

var edgeAttributes = map[string]string{
	"method": "request.method", "path": "request.path", "pathname": "request.pathname", "search": "request.search", "host": "request.host",
	"user_agent": "request.headers.user_agent", "x_real_ip": "request.headers.x_real_ip", "headers.content_length": "request.headers.content_length",
	"status_code": "response.status_code", "origin_time": "response.origin_time", "resp_headers.content_length": "response.headers.content_length",
}

// answerFromLogs answers a query from the tables that it is about. What containers printed, their provisioner has to read.
func (a *API) answerFromLogs(
	ctx context.Context, c *call, in *logsQuery, tables []string, read func(from, to time.Time) ([]logquery.Row, error),
) (LogsResponse, error) {
	if !slices.ContainsFunc(tables, func(table string) bool { return !isEdgeLog(table) }) {
		return a.answerLogs(in, read)
	}
	if c.project.Target == store.TargetAdopted {
		return LogsResponse{
			Result: []map[string]any{}, Error: "The logs of an installation that was taken in are its own: look where it keeps them.",
		}, nil
	}
	if silent, err := a.silentTarget(ctx, c.project.Target); err != nil {
		return LogsResponse{}, err
	} else if silent != "" {
		return LogsResponse{}, problem.New(http.StatusServiceUnavailable, silent)
	}
	return a.answerLogs(in, func(from, to time.Time) ([]logquery.Row, error) {
		rows, err := read(from, to)
		if err != nil {
			err = a.logProblem(ctx, c, err)
		}
		return rows, err
	})
}

// answerLogs reads the query, then the rows that it is to be answered from.
func (a *API) answerLogs(in *logsQuery, read func(from, to time.Time) ([]logquery.Row, error)) (LogsResponse, error) {
	found := LogsResponse{Result: []map[string]any{}}
	query, err := logquery.Parse(in.SQL)
	if err != nil {
		found.Error = err.Error()
		return found, nil
	}
	from, to, err := a.logSpanOf(in)
	if err != nil {
		return found, err
	}
	rows, err := read(from, to)
	if err != nil {
		return found, err
	}
	found.Result = query.Run(rows)
	return found, nil
}

// readLog returns the rows of a table, newest first.
func (a *API) readLog(ctx context.Context, c *call, table string, from, to time.Time) ([]logquery.Row, error) {
	switch table {
	case edgeLogs:
		return a.edgeRows(ctx, c, from, to)
	case functionEdgeLogs:
		return a.functionEdgeRows(ctx, c, from, to)
	}
	service := logTables[table]
	lines, err := a.store.Logs(ctx, c.project.Project, service, from, to)
	rows := make([]logquery.Row, len(lines))
	for i, line := range lines {
		rows[len(lines)-1-i] = logRow(c.project.Ref, service, line)
	}
	return rows, err
}

func (a *API) logSpanOf(in *logsQuery) (from, to time.Time, err error) {
	to = a.now()
	if in.End != "" {
		to, err = parseMoment(in.End)
	}
	from = to.Add(-logSpan)
	if in.Start != "" && err == nil {
		from, err = parseMoment(in.Start)
	}
	if err != nil || to.Before(from) {
		return from, to, problem.BadRequest("iso_timestamp_start, iso_timestamp_end: expected times by RFC 3339, the one before the other.")
	}
	return from, to, nil
}

func (a *API) logProblem(ctx context.Context, c *call, err error) error {
	switch {
	case errors.Is(err, store.ErrTooManyLogs):
		return problem.New(http.StatusTooManyRequests, "The project's logs are being read for others. Try again in a moment.")
	case errors.Is(err, store.ErrNoLogs):
		a.log.WarnContext(ctx, "logs could not be read", "request_id", requestID(ctx), "project", c.project.Ref, "error", err.Error())
		return problem.New(http.StatusServiceUnavailable, "The project's provisioner does not tell its logs now. Try again in a moment.")
	}
	return err
}

// logSpace makes lines' ids: the same for the same line.
var logSpace = uuid.MustParse("5b1f0a0e-6a0d-5a86-9f5e-0d1c61a6c7f4")

func logID(line []byte) string { return uuid.NewSHA1(logSpace, line).String() }

func logRow(ref store.Ref, service string, line store.LogLine) logquery.Row {
	row := logquery.Row{}
	switch {
	case service == store.ServiceDatabase:
		row = postgresFields(line.Text)
	case strings.HasPrefix(line.Text, "{"):
		row = jsonFields(line.Text)
	}
	details := map[string]any{}
	for name, value := range row {
		details[name] = value
	}
	if service == store.ServiceDatabase {
		details = map[string]any{"parsed": []any{details}}
	}
	row["id"] = logID(fmt.Appendf(nil, "%s %s %d %s", ref, service, line.At.UnixNano(), line.Text))
	row["timestamp"], row["event_message"], row["identifier"] = float64(line.At.UnixMicro()), line.Text, string(ref)
	row["metadata"] = []any{details}
	return row
}

// postgresLine is what Postgres prints before its messages, whatever the prefix of its lines is.
var postgresLine = regexp.MustCompile(`(?:^|\s)(?:([A-Za-z0-9_]+)@([A-Za-z0-9_]+)\s.*?)?(DEBUG[1-5]|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC|DETAIL|HINT|STATEMENT|CONTEXT|QUERY): {1,2}`)

func postgresFields(text string) logquery.Row {
	found := postgresLine.FindStringSubmatch(text)
	if found == nil {
		return logquery.Row{}
	}
	row := logquery.Row{"error_severity": found[3]}
	if found[1] != "" {
		row["user_name"], row["database_name"] = found[1], found[2]
	}
	return row
}

// jsonFields is what a service says of a line, where it prints JSON: texts, numbers and the like.
func jsonFields(text string) logquery.Row {
	said := map[string]any{}
	row := logquery.Row{}
	if json.Unmarshal([]byte(text), &said) != nil {
		return row
	}
	for name, value := range said {
		switch value.(type) {
		case string, float64, bool:
			row[name] = value
		}
	}
	return row
}
