package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

const aDay = "startDate=2026-03-01T00:00:00Z&endDate=2026-03-02T00:00:00Z"

var measureExamples = map[string]example{
	"GET /platform/projects/{ref}/disk/util":         {prepare: measuredOnce},
	"GET /v1/projects/{ref}/config/disk/util":        {prepare: measuredOnce},
	"GET /platform/projects/{ref}/infra-monitoring":  {prepare: measuredOnce, query: "attributes=ram_usage&attributes=avg_cpu_usage&interval=1m&" + aDay},
	"GET /platform/projects-resource-warnings":       {prepare: shortOfAll, query: "slug={slug}"},
	"GET /platform/organizations/{slug}/usage":       {prepare: measuredOnce, query: "start=2026-03-01&end=2026-03-01"},
	"GET /platform/organizations/{slug}/usage/daily": {prepare: measuredOnce, query: "start=2026-03-01&end=2026-03-01"},
}

func measuredOnce(w *world, p place) map[string]string {
	w.measured(p, aMeasure())
	return nil
}

func shortOfAll(w *world, p place) map[string]string {
	short := aMeasure()
	*short.DiskUsedBytes, *short.MemoryBytes = 960, 95
	w.measured(p, short)
	return nil
}

func pointerTo[T any](value T) *T { return &value }

func aMeasure() store.Measure {
	return store.Measure{
		DatabaseBytes: pointerTo[int64](300), WALBytes: pointerTo[int64](100), StorageBytes: pointerTo[int64](42),
		DiskBytes: pointerTo[int64](1000), DiskUsedBytes: pointerTo[int64](500), DiskFreeBytes: pointerTo[int64](500),
		MemoryBytes: pointerTo[int64](25), MemoryLimitBytes: pointerTo[int64](100), CPUPercent: pointerTo(12.5),
		Connections: pointerTo[int64](7), MaxConnections: pointerTo[int64](60),
	}
}

// measured notes a measure of a place's project, as its provisioner does.
func (w *world) measured(p place, measure store.Measure) {
	w.t.Helper()
	var project store.Project
	require.NoError(w.t, w.connection.QueryRow(w.t.Context(), `select id, organization_id, name from platform.projects where ref = $1`, p.ref).
		Scan(&project.ID, &project.OrganizationID, &project.Name))
	require.NoError(w.t, w.store.NoteMeasure(w.t.Context(), project, measure))
}

func TestWhatIsMeasuredIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	project := "/platform/projects/" + p.ref
	require.Equal(t, measuresMissing, w.refusedWith(http.StatusNotFound, owner, http.MethodGet, project+"/disk/util", ""))
	w.measured(p, aMeasure())
	require.Equal(t, map[string]any{
		"metrics":   map[string]any{"fs_size_bytes": 1000., "fs_used_bytes": 500., "fs_avail_bytes": 500.},
		"timestamp": storetest.Now.UTC().Format(time.RFC3339),
	}, w.object(owner, http.MethodGet, project+"/disk/util", ""))
	w.measured(p, store.Measure{DiskUsedBytes: pointerTo[int64](600)})
	require.InDelta(t, 600, w.object(owner, http.MethodGet, "/v1/projects/"+p.ref+"/config/disk/util", "")["metrics"].(map[string]any)["fs_used_bytes"], 0)

	usage := "/platform/organizations/" + p.slug + "/usage"
	const span = "?start=2026-03-01T00:00:00Z&end=2026-03-02T00:00:00Z"
	sizes := map[any]any{}
	for _, one := range w.object(owner, http.MethodGet, usage+span, "")["usages"].([]any) {
		sizes[one.(map[string]any)["metric"]] = one.(map[string]any)["usage_original"]
	}
	require.Equal(t, map[any]any{"DATABASE_SIZE": 300., "STORAGE_SIZE": 42.}, sizes)
	days := w.object(owner, http.MethodGet, usage+"/daily"+span, "")["usages"].([]any)
	require.Len(t, days, 2)
	require.Equal(t, map[string]any{"date": "2026-03-01T00:00:00Z", "metric": "DATABASE_SIZE", "usage": 300. / gigabyte, "usage_original": 300., "breakdown": nil}, days[0])
}

func TestADatabasesFiguresAreShownOverTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/platform/projects/" + p.ref + "/infra-monitoring?" + aDay
	require.Equal(t, map[string]any{"data": []any{}, "format": "%", "yAxisLimit": 100., "total": 0., "totalAverage": 0.},
		w.object(owner, http.MethodGet, path+"&attributes=ram_usage", ""), "nothing was measured")
	w.measured(p, aMeasure())
	require.Equal(t, map[string]any{
		"data": []any{map[string]any{"period_start": "2026-03-01T12:00:00Z", "ram_usage": "25"}}, "format": "%", "yAxisLimit": 100., "total": 25., "totalAverage": 25.,
	}, w.object(owner, http.MethodGet, path+"&attributes=ram_usage", ""))
	several := w.object(owner, http.MethodGet, path+"&attributes=disk_fs_used_system,pg_stat_database_num_backends&attributes=disk_iops_read", "")
	require.Equal(t, []any{map[string]any{"period_start": "2026-03-01T12:00:00Z", "values": map[string]any{"disk_fs_used_system": "100", "pg_stat_database_num_backends": "7"}}},
		several["data"], "what is not measured is left out")
	require.InDelta(t, 100, several["series"].(map[string]any)["disk_fs_used_system"].(map[string]any)["totalAverage"], 0)
	for _, query := range []string{"", "&attributes="} {
		require.Equal(t, http.StatusBadRequest, w.raw(owner, http.MethodGet, path+query, "").Code)
	}
}

func TestAProjectThatRunsShortIsWarnedOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, elsewhere, owner := w.place(), w.place(), w.as(store.RoleOwner)
	warnings := func(query string) []map[string]any {
		list := []map[string]any{}
		w.list(owner, "/platform/projects-resource-warnings"+query, &list)
		return list
	}
	w.measured(p, aMeasure())
	require.Empty(t, warnings(""))
	shortOfAll(w, p)
	all := warnings("?ref=" + p.ref)
	require.Len(t, all, 1)
	require.Equal(t, []any{p.ref, "critical", "warning", nil, false},
		[]any{all[0]["project"], all[0]["disk_space_exhaustion"], all[0]["memory_and_swap_exhaustion"], all[0]["cpu_exhaustion"], all[0]["is_readonly_mode_enabled"]})
	closed := aMeasure()
	closed.ReadOnly = pointerTo(true)
	w.measured(elsewhere, closed)
	require.Equal(t, []any{elsewhere.ref, true, nil}, []any{
		warnings("?slug=" + elsewhere.slug)[0]["project"], warnings("?slug=" + elsewhere.slug)[0]["is_readonly_mode_enabled"],
		warnings("?slug=" + elsewhere.slug)[0]["disk_space_exhaustion"],
	})
	open := aMeasure()
	open.ReadOnly = pointerTo(false)
	w.measured(elsewhere, open)
	require.Empty(t, warnings("?slug="+elsewhere.slug))
	none := []map[string]any{}
	w.list(callers[1].authorization(t), "/platform/projects-resource-warnings", &none)
	require.Empty(t, none, "they are nobody else's business")

	shortOfAll(w, p)
	var told []NotificationResponse
	w.list(owner, "/platform/notifications?project_ref="+p.ref, &told)
	require.Len(t, told, 2, "and once a day its members are told")
	require.ElementsMatch(t, []string{"projects.disk.critical", "projects.memory.warning"}, []string{told[0].Name, told[1].Name})
}
