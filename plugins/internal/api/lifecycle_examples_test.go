package api

import (
	"strconv"

	"github.com/plurabase/plurabase/store"
)

var lifecycleExamples = map[string]example{
	"PATCH /platform/projects/{ref}/db-password":                     {body: `{"password":"another horse"}`},
	"PATCH /v1/projects/{ref}/database/password":                     {body: `{"password":"another horse"}`},
	"PATCH /platform/projects/{ref}/config/secrets":                  {body: `{"jwt_secret":"ROLL","change_tracking_id":"one"}`},
	"POST /platform/projects/{ref}/restart-services":                 {body: `{"restartRequest":{"region":"local","services":["postgresql"]}}`},
	"POST /platform/projects/{ref}/config/realtime/shutdown":         {prepare: withAllServices},
	"POST /v1/projects/{ref}/config/realtime/shutdown":               {prepare: withAllServices},
	"POST /platform/projects/{ref}/billing/addons":                   {body: `{"addon_type":"compute_instance","addon_variant":"ci_large"}`},
	"PATCH /v1/projects/{ref}/billing/addons":                        {body: `{"addon_type":"compute_instance","addon_variant":"ci_large"}`},
	"DELETE /platform/projects/{ref}/billing/addons/{addon_variant}": {prepare: theComputeSize},
	"DELETE /v1/projects/{ref}/billing/addons/{addon_variant}":       {prepare: theComputeSize},
	"POST /v1/projects/{ref}/upgrade":                                {body: `{"target_version":"17"}`, prepare: upgradable},
	"GET /v1/projects/{ref}/upgrade/eligibility":                     {prepare: upgradable},
	"GET /v1/projects/{ref}/upgrade/status":                          {prepare: upgraded},
	"GET /v1/projects/{ref}/health":                                  {query: "services=auth,realtime,rest,storage,db", prepare: allHealthy},
	"GET /v1/projects/{ref}/actions/{run_id}":                        {prepare: aRun},
	"GET /v1/projects/{ref}/actions/{run_id}/logs":                   {prepare: aRun},
	"GET /platform/projects/{ref}/operations/{operation_id}":         {prepare: aRun},
}

// withAllServices gives the place's project every service that there is by default.
func withAllServices(w *world, p place) map[string]string {
	w.exec(`update platform.projects set services = $2 where ref = $1`, p.ref, store.DefaultServices)
	return nil
}

// aliveTarget has a provisioner that works for the places' deployment target, and offers one version of everything.
func (w *world) aliveTarget(images map[string]string) {
	w.t.Helper()
	err := w.store.BeatTarget(w.t.Context(), store.Target{Name: "local", Owner: "test", Version: "test", Images: images})
	if err != nil {
		w.t.Fatal(err)
	}
}

// seen notes services as the provisioner does.
func (w *world) seen(p place, healthy bool, message string, services ...string) {
	w.t.Helper()
	for _, service := range services {
		w.exec(`insert into platform.project_services (project_id, service, host, port, image, healthy, message, seen_at)
			select id, $2, '127.0.0.1', 1, $2 || ':1', $3, nullif($4, ''), now() from platform.projects where ref = $1
			on conflict (project_id, service) do update set healthy = excluded.healthy, message = excluded.message`,
			p.ref, service, healthy, message)
	}
}

func allHealthy(w *world, p place) map[string]string {
	withAllServices(w, p)
	w.aliveTarget(nil)
	w.seen(p, true, "", store.DefaultServices...)
	return nil
}

func theComputeSize(*world, place) map[string]string {
	return map[string]string{"addon_variant": "ci_" + defaultSize}
}

// upgradable gives the project an older Postgres than its target offers.
func upgradable(w *world, p place) map[string]string {
	w.exec(`insert into platform.project_images (project_id, service, image)
		select id, 'db', 'supabase/postgres:17.4.1' from platform.projects where ref = $1
		on conflict (project_id, service) do update set image = excluded.image`, p.ref)
	w.aliveTarget(map[string]string{"db": "supabase/postgres:17.6.1"})
	return nil
}

// upgraded notes an upgrade that was taken back. The project is the one of other examples, too: it stays as it is.
func upgraded(w *world, p place) map[string]string {
	upgradable(w, p)
	w.exec(`insert into platform.operations (project_id, project_ref, kind, generation, request_id, state, undone, created_at, finished_at)
		select id, ref, 'upgrade', generation, 'upgrade', 'failed', 'it did not become healthy', now(), now()
		from platform.projects where ref = $1`, p.ref)
	return nil
}

// aRun finds the operation that made the place's project, and gives it two steps.
func aRun(w *world, p place) map[string]string {
	var id int64
	err := w.connection.QueryRow(w.t.Context(), `select id from platform.operations where project_ref = $1 order by id limit 1`, p.ref).Scan(&id)
	if err != nil {
		w.t.Fatal(err)
	}
	w.exec(`insert into platform.operation_steps (operation_id, step, cause, attempt, started_at, finished_at, error, percent, detail) values
		($1, 'pull-image:db', 'the engine does not have it', 1, now(), now(), 'no route to host', 40, '4.0 of 10.0 MB'),
		($1, 'pull-image:db', 'the engine does not have it', 2, now(), now(), null, 100, '10.0 of 10.0 MB'),
		($1, 'start-container:db', 'the service does not run', 1, now(), null, null, null, null)`, id)
	text := strconv.FormatInt(id, 10)
	return map[string]string{"run_id": text, "operation_id": text}
}
