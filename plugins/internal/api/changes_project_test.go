package api

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// projectChanges are those of one project.
var projectChanges = []change{
	{
		happens: "a project is renamed",
		answers: []string{"/platform/projects", "/v1/projects", "/v1/projects/{ref}", "/platform/projects/{ref}/settings"},
		do:      sends(http.MethodPatch, "/platform/projects/{ref}", `{"name":"renamed"}`),
	},
	{
		happens: "TLS is enforced",
		answers: []string{"/v1/projects/{ref}/ssl-enforcement"},
		do:      sends(http.MethodPut, "/v1/projects/{ref}/ssl-enforcement", `{"requestedConfig":{"database":true}}`),
	},
	{
		happens: "a project is backed up",
		answers: []string{
			"/platform/database/{ref}/backups/downloadable-backups", "/platform/database/{ref}/clone", "/v1/projects/{ref}/database/backups",
		},
		prepare: aBackup,
		do:      func(w *world, p place, _ map[string]string) { w.backup(p.ref, "verified") },
	},
	{
		happens: "a project is cloned",
		answers: []string{"/platform/database/{ref}/clone/status"},
		prepare: aBackup,
		do:      sends(http.MethodPost, "/platform/database/{ref}/clone", `{"newProjectName":"copy","newDbPass":"correct horse"}`),
	},
	{
		happens: "a step of an operation ends",
		answers: []string{
			"/platform/projects/{ref}/operations", "/platform/projects/{ref}/operations/{operation_id}",
			"/v1/projects/{ref}/actions", "/v1/projects/{ref}/actions/{run_id}", "/v1/projects/{ref}/actions/{run_id}/logs",
		},
		prepare: aRun,
		do: func(w *world, _ place, made map[string]string) {
			w.exec(`update platform.operation_steps set finished_at = now() where operation_id = $1::text::bigint and finished_at is null`, made["run_id"])
		},
	},
	{
		happens: "the gateway counts requests",
		answers: []string{
			"/platform/projects/{ref}/analytics/endpoints/usage.api-counts", "/v1/projects/{ref}/analytics/endpoints/usage.api-counts",
			"/v1/projects/{ref}/analytics/endpoints/usage.api-requests-count",
			"/platform/projects/{ref}/daily-stats?attribute=total_requests&startDate=2026-02-28&endDate=2026-03-01",
		},
		do: func(w *world, p place, _ map[string]string) {
			traffic := []store.Traffic{{ProjectID: w.projectID(p), Service: "rest", Requests: 3, Egress: 100}}
			require.NoError(w.t, w.store.AddTraffic(w.t.Context(), storetest.Now.Add(-time.Minute), traffic))
		},
	},
	{
		happens: "somebody asks an edge function",
		answers: []string{
			"/platform/projects/{ref}/analytics/endpoints/functions.req-stats?interval=1hr&function_id={function_id}",
			"/v1/projects/{ref}/analytics/endpoints/functions.combined-stats?interval=1hr&function_id={function_id}",
			"/v1/projects/{ref}/analytics/endpoints/logs.all?" + noRequests,
			"/v1/projects/{ref}/analytics/endpoints/logs?" + noRequestsInOneTable,
		},
		prepare: aFunction,
		do: func(w *world, p place, _ map[string]string) {
			w.requested(p, store.EdgeRequest{Method: "POST", Path: "/functions/v1/hello", Status: 200, Origin: time.Second, RequestID: "1"})
		},
	},
}
