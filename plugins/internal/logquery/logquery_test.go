package logquery

import (
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(after time.Duration) float64 { return float64(noon.Add(after).UnixMicro()) }

// rows are three lines of an Auth, the newest first.
var rows = []Row{
	{"id": "c", "timestamp": at(2 * time.Minute), "event_message": "no such user", "level": "error", "status": 400., "path": "/token"},
	{"id": "b", "timestamp": at(time.Minute + time.Second), "event_message": "request completed", "level": "info", "status": 200., "path": "/signup"},
	{"id": "a", "timestamp": at(time.Minute), "event_message": "API started", "level": "info"},
}

func ids(t *testing.T, sql string) []any {
	t.Helper()
	query, err := Parse(sql)
	require.NoError(t, err, sql)
	found := []any{}
	for _, one := range query.Run(rows) {
		found = append(found, one["id"])
	}
	return found
}

func TestTheLogPagesQueriesAreAnswered(t *testing.T) {
	t.Parallel()
	// Studio: genDefaultQuery of components/interfaces/Settings/Logs/Logs.utils.ts, with its filters.
	list := func(where string) string {
		return `select id, auth_logs.timestamp, event_message, metadata.level, metadata.status, metadata.path, metadata.msg as msg, metadata.error from auth_logs
  cross join unnest(metadata) as metadata
  ` + where + `
  order by timestamp desc
  limit 100
    `
	}
	for where, want := range map[string][]any{
		"": {"c", "b", "a"},
		"where (regexp_contains(event_message, 'started|USER')) ":                                     {"a"},
		"where ((metadata.level = 'error' or metadata.level = 'fatal'))":                              {"c"},
		"where ((metadata.level = 'info') ) and (cast(metadata.status as int64) between 200 and 299)": {"b"},
		"where ((REGEXP_CONTAINS(metadata.path, \"/token|/authorize|/callback|/otp|/magiclink\")))":   {"c"},
		"where id = 'b'": {"b"},
		"where metadata.level not in ('info', 'it''s')":                    {"c"},
		"where metadata.path like '/sign%' and not metadata.status >= 300": {"b"},
		"where metadata.status is null":                                    {"a"},
		"where timestamp > '2026-03-01T12:01:00Z' -- newer":                {"c", "b"},
		"where SAFE_CAST(event_message AS INT64) > 1":                      {},
		"where metadata.level != 'info' or metadata.nothing != 'x'":        {"c"},
	} {
		require.Equal(t, want, ids(t, list(where)), where)
	}
	query, err := Parse(list(""))
	require.NoError(t, err)
	require.Equal(t, "auth_logs", query.Table)
	require.Equal(t, map[string]any{
		"id": "c", "timestamp": at(2 * time.Minute), "event_message": "no such user", "level": "error", "status": 400., "path": "/token", "msg": nil, "error": nil,
	}, query.Run(rows)[0])
	require.Equal(t, []any{"a"}, ids(t, "select id, timestamp from auth_logs order by timestamp asc limit 1"))
	require.Equal(t, []any{"c", "b"}, ids(t, "select `id` from `auth_logs` limit 2"))
}

func TestTheLogPagesCountsAreAnswered(t *testing.T) {
	t.Parallel()
	run := func(sql string) []map[string]any {
		query, err := Parse(sql)
		require.NoError(t, err)
		return query.Run(rows)
	}
	require.Equal(t, []map[string]any{{"count": 2.}}, run("SELECT count(*) as count FROM auth_logs cross join unnest(metadata) as metadata where (metadata.level = 'info')"))
	require.Equal(t, []map[string]any{{"count": 0.}}, run("SELECT count(*) as count FROM auth_logs where id = 'z'"))
	// Studio: genChartQuery.
	require.Equal(t, []map[string]any{
		{"timestamp": at(time.Minute), "ok_count": 2., "error_count": 0., "warning_count": 0.},
		{"timestamp": at(2 * time.Minute), "ok_count": 0., "error_count": 1., "warning_count": 0.},
	}, run(`
SELECT
-- log-event-chart
  timestamp_trunc(t.timestamp, minute) as timestamp,
  count(CASE WHEN NOT (metadata.level = 'error' OR SAFE_CAST(metadata.status AS INT64) >= 400 OR metadata.level = 'warning') THEN 1 END) as ok_count,
  count(CASE WHEN metadata.level = 'error' OR SAFE_CAST(metadata.status AS INT64) >= 400 THEN 1 END) as error_count,
  count(CASE WHEN metadata.level = 'warning' THEN 1 END) as warning_count,
FROM
  auth_logs t
  cross join unnest(metadata) as metadata
  where t.timestamp > '2026-03-01T06:00:00.000Z'
GROUP BY
timestamp
ORDER BY
  timestamp ASC
  `))
}

func TestQueriesInClickHousesDialectAreAnswered(t *testing.T) {
	t.Parallel()
	// The MCP server: get_logs.
	query, err := Parse(`
        select id, timestamp, event_message, log_attributes['level'] as level, log_attributes['status'] as status, log_attributes['nothing'] as nothing
        from logs
        where source = 'auth_logs'
        order by timestamp desc
        limit 2
      `)
	require.NoError(t, err)
	require.Equal(t, "logs", query.Table)
	sourced := make([]Row, len(rows))
	for i, row := range rows {
		sourced[i] = Row{"source": "auth_logs"}
		maps.Copy(sourced[i], row)
	}
	sourced = append(sourced, Row{"id": "x", "source": "postgres_logs", "timestamp": at(time.Minute), "error_severity": "FATAL", "event_message": "Äs failed"})
	found := query.Run(sourced)
	require.Len(t, found, 2)
	require.Equal(t, map[string]any{
		"id": "c", "timestamp": at(2 * time.Minute), "event_message": "no such user", "level": "error", "status": "400", "nothing": "",
	}, found[0])

	// The CLI: supabase logs --level error --search …
	query, err = Parse(`select id, toUnixTimestamp64Milli(timestamp) as ts_ms, source, multiIf(
  source = 'postgres_logs', multiIf(upper(log_attributes['parsed.error_severity']) in ('ERROR','FATAL','PANIC'), 'error', 'other'),
  source = 'auth_logs', if(lower(log_attributes['level']) in ('error','fatal') or toInt32OrZero(log_attributes['status']) >= 400, 'error', lower(log_attributes['level'])),
  '') as level from logs where (source = 'postgres_logs' or source = 'auth_logs')
  and (toUnixTimestamp64Milli(timestamp) > ` + strconv.FormatInt(noon.UnixMilli(), 10) + `) and positionCaseInsensitiveUTF8(event_message, 'S') > 1
  order by ts_ms desc, id asc limit 1000`)
	require.NoError(t, err)
	require.Equal(t, []map[string]any{
		{"id": "c", "ts_ms": at(2*time.Minute) / 1000, "source": "auth_logs", "level": "error"},
		{"id": "b", "ts_ms": at(time.Minute+time.Second) / 1000, "source": "auth_logs", "level": "info"},
		{"id": "a", "ts_ms": at(time.Minute) / 1000, "source": "auth_logs", "level": "info"},
		{"id": "x", "ts_ms": at(time.Minute) / 1000, "source": "postgres_logs", "level": "error"},
	}, query.Run(sourced))
}

func TestWhatIsNoQueryOfTheLogPagesIsRefusedByName(t *testing.T) {
	t.Parallel()
	for sql, at := range map[string]string{
		"select id from auth_logs where pg_sleep(10) = 1":                  "pg_sleep",
		"select id from auth_logs a, postgres_logs b":                      ",",
		"select id from auth_logs union select 1 from auth_logs":           "select",
		"delete from auth_logs":                                            "delete",
		"select id from auth_logs where regexp_contains(id, '(')":          "'('",
		"select id from auth_logs where id like '\xa6%'":                   `\xa6`,
		"select id from auth_logs where regexp_contains(id, id)":           "id",
		"select id from auth_logs limit all":                               "",
		"select id from auth_logs where id = 'a' and":                      "",
		"with x as (select 1) select id from x":                            "with",
		"select timestamp_trunc(timestamp, fortnight) as t from auth_logs": "fortnight",
		"select upper(id, id) as x from logs":                              ")",
		"select log_attributes[id] as x from logs":                         "id",
		"select id from auth_logs where id = 'a":                           "'",
	} {
		_, err := Parse(sql)
		require.Error(t, err, sql)
		require.Contains(t, err.Error(), at, sql)
	}
	require.Equal(t, "auth_logs", Table("with x as (select 1 from auth_logs) select 1"))
	require.Empty(t, Table("select 1"))
}

func FuzzParse(f *testing.F) {
	f.Add("select id from auth_logs where id = 'a' and not (x like '%' or y in (1, 2)) group by id order by id desc limit 3")
	f.Fuzz(func(_ *testing.T, sql string) {
		if query, err := Parse(sql); err == nil {
			query.Run(rows)
		}
	})
}

func TestTheLastOfEachGroupIsFound(t *testing.T) {
	t.Parallel()
	query, err := Parse("select unix_millis(max(timestamp)) as timestamp, m.`level` from auth_logs group by m.`level`")
	require.NoError(t, err)
	require.Equal(t, []map[string]any{
		{"timestamp": float64(noon.Add(2 * time.Minute).UnixMilli()), "level": "error"},
		{"timestamp": float64(noon.Add(time.Minute + time.Second).UnixMilli()), "level": "info"},
	}, query.Run(rows))
	require.Empty(t, query.Run(nil))

	whole, err := Parse("select max(timestamp) as last, count(*) as count from auth_logs")
	require.NoError(t, err)
	require.Equal(t, []map[string]any{{"last": nil, "count": 0.}}, whole.Run(nil))
}
