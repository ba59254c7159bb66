package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// What each project's provisioner measures every now and then (store.Measure), in the forms in which it is asked for.

// measuresMissing is why there is no figure, in the words that Studio shows.
const measuresMissing = "This project was not measured yet, or not for a day: its deployment target's provisioner does that while the project runs."

// DiskUtilization is the disk that a project's data lies on.
type DiskUtilization struct {
	Metrics   DiskMetrics `json:"metrics"`
	Timestamp time.Time   `json:"timestamp"`
}

// DiskMetrics are of the whole disk: projects share it with each other and with the host.
type DiskMetrics struct {
	SizeBytes  int64 `json:"fs_size_bytes"`
	UsedBytes  int64 `json:"fs_used_bytes"`
	AvailBytes int64 `json:"fs_avail_bytes"`
}

// DiskGrowth is how a disk grows by itself: not at all.
type DiskGrowth struct {
	GrowthPercent  *float64 `json:"growth_percent"`
	MaxSizeGB      *float64 `json:"max_size_gb"`
	MinIncrementGB *float64 `json:"min_increment_gb"`
}

// ResourceWarnings is what a project runs short of. Studio warns of what is not null.
type ResourceWarnings struct {
	Project           string  `json:"project"`
	CPU               *string `json:"cpu_exhaustion" enum:"critical,warning" nullable:"true"`
	Memory            *string `json:"memory_and_swap_exhaustion" enum:"critical,warning" nullable:"true"`
	DiskSpace         *string `json:"disk_space_exhaustion" enum:"critical,warning" nullable:"true"`
	DiskIO            *never  `json:"disk_io_exhaustion" doc:"Not measured."`
	AuthRateLimit     *never  `json:"auth_rate_limit_exhaustion" doc:"Not measured."`
	AuthEmailOffender *never  `json:"auth_email_offender"`
	AuthEmailSending  *never  `json:"auth_restricted_email_sending"`
	NeedPITR          *never  `json:"need_pitr"`
	ReadOnly          bool    `json:"is_readonly_mode_enabled" doc:"default_transaction_read_only, as it was when the database was measured; GET /v1/projects/{ref}/readonly asks it now."`
}

type resourceWarningsInput struct {
	Ref  string `query:"ref" maxLength:"20" doc:"Of one project alone."`
	Slug string `query:"slug" maxLength:"63" doc:"Of one organization alone."`
}

// InfraSeries is one or several figures over time: with several, each row has them in `values`, and `series` sums each up; of
// one alone both stand beside each other, as Studio reads them.
type InfraSeries struct {
	Data         []map[string]any       `json:"data"`
	Series       map[string]InfraTotals `json:"series,omitempty"`
	*InfraTotals `json:",omitempty"`
}

// InfraTotals sum a figure up.
type InfraTotals struct {
	Format       string  `json:"format" enum:"%,bytes,number"`
	YAxisLimit   float64 `json:"yAxisLimit"`
	Total        float64 `json:"total"`
	TotalAverage float64 `json:"totalAverage"`
}

type infraInput struct {
	Ref        string `path:"ref"`
	Start      string `query:"startDate" required:"true"`
	End        string `query:"endDate" required:"true"`
	Interval   string `query:"interval" maxLength:"10" doc:"Not heeded: what is measured, is kept by the hour."`
	attributes []string
}

// Resolve reads the attributes: Studio repeats the parameter, or names one as `attribute`; others separate them by commas.
func (in *infraInput) Resolve(ctx huma.Context) []error {
	asked := ctx.URL()
	for _, list := range append(asked.Query()["attributes"], asked.Query()["attribute"]...) {
		in.attributes = append(in.attributes, split[string](list)...)
	}
	return nil
}

var _ huma.Resolver = (*infraInput)(nil)

const (
	measuredLately = 24 * time.Hour // what is older says nothing of a disk any more
	warnedOf       = 2 * time.Hour  // and nothing of a processor
)

func (a *API) registerMeasures() {
	const platform, v1 = "/platform/projects/{ref}", "/v1/projects/{ref}"
	read := access.InProject(access.Read, "projects")
	for _, path := range []string{platform + "/disk/util", v1 + "/config/disk/util"} {
		handle(a, route{
			method: http.MethodGet, path: path, permission: read, kind: Real, summary: "How full the disk is that the project's data lies on",
		}, a.getDiskUtilization)
	}
	for _, path := range []string{platform + "/disk/custom-config", v1 + "/config/disk/autoscale"} {
		same(a, path, read, "How the disk grows by itself: not at all", diskMissing, DiskGrowth{})
	}
	handle(a, route{
		method: http.MethodGet, path: platform + "/infra-monitoring", permission: read, kind: Real, summary: "What the project's database used, by the hour",
	}, a.infraMonitoring)
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects-resource-warnings", permission: access.SignedInTo(access.Read, "projects"),
		kind: Real, summary: "Your projects that run short of something",
	}, a.listResourceWarnings)
}

func (a *API) getDiskUtilization(ctx context.Context, c *call, _ *refPath) (DiskUtilization, error) {
	last, err := a.store.LastMeasures(ctx, []int64{c.project.ID}, a.now().Add(-measuredLately))
	if err != nil {
		return DiskUtilization{}, err
	}
	for _, m := range last[c.project.ID] {
		if m.DiskBytes != nil && m.DiskUsedBytes != nil && m.DiskFreeBytes != nil {
			return DiskUtilization{DiskMetrics{*m.DiskBytes, *m.DiskUsedBytes, *m.DiskFreeBytes}, m.At.UTC()}, nil
		}
	}
	return DiskUtilization{}, problem.NotFound(measuresMissing)
}

func (a *API) listResourceWarnings(ctx context.Context, c *call, in *resourceWarningsInput) ([]ResourceWarnings, error) {
	page, err := a.store.Projects(ctx, c.Profile.ID, store.ProjectFilter{WithoutMFA: !access.HasSecondFactor(c.Caller), Limits: c.Limits})
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, project := range page.Projects {
		ids = append(ids, project.ID)
	}
	last, err := a.store.LastMeasures(ctx, ids, a.now().Add(-warnedOf))
	warnings := []ResourceWarnings{}
	for _, project := range page.Projects {
		asked := (in.Ref == "" || in.Ref == string(project.Ref)) && (in.Slug == "" || in.Slug == string(project.OrganizationSlug))
		for _, m := range last[project.ID] {
			readOnly := m.ReadOnly != nil && *m.ReadOnly
			if asked && project.Running() && (readOnly || cmp.Or(m.CPU(), m.Memory(), m.Disk()) != "") {
				warnings = append(warnings, ResourceWarnings{
					Project: string(project.Ref), CPU: shortage(m.CPU()), Memory: shortage(m.Memory()), DiskSpace: shortage(m.Disk()),
					ReadOnly: readOnly,
				})
			}
		}
	}
	return warnings, err
}

// shortage is null where there is none.
func shortage(s store.Shortage) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

// infraAttribute is one of Studio's figures of a project's database.
type infraAttribute struct {
	format string
	of     func(store.Measure) (value float64, known bool)
}

const percentFormat, bytesFormat, numberFormat = "%", "bytes", "number"

// infraAttributes are those that are measured; of the others there is nothing.
var infraAttributes = map[string]infraAttribute{
	"cpu_usage":                     {percentFormat, cpuOf},
	"avg_cpu_usage":                 {percentFormat, cpuOf},
	"ram_usage":                     {percentFormat, ramOf},
	"ram_usage_total":               {bytesFormat, bytesOf(func(m store.Measure) *int64 { return m.MemoryLimitBytes })},
	"ram_usage_used":                {bytesFormat, bytesOf(func(m store.Measure) *int64 { return m.MemoryBytes })},
	"ram_usage_free":                {bytesFormat, lessOf(func(m store.Measure) []*int64 { return []*int64{m.MemoryLimitBytes, m.MemoryBytes} })},
	"pg_database_size":              {bytesFormat, bytesOf(func(m store.Measure) *int64 { return m.DatabaseBytes })},
	"disk_fs_size":                  {bytesFormat, bytesOf(func(m store.Measure) *int64 { return m.DiskBytes })},
	"disk_fs_avail":                 {bytesFormat, bytesOf(func(m store.Measure) *int64 { return m.DiskFreeBytes })},
	"disk_fs_used":                  {bytesFormat, bytesOf(func(m store.Measure) *int64 { return m.DiskUsedBytes })},
	"disk_fs_used_wal":              {bytesFormat, bytesOf(func(m store.Measure) *int64 { return m.WALBytes })},
	"disk_fs_used_system":           {bytesFormat, lessOf(func(m store.Measure) []*int64 { return []*int64{m.DiskUsedBytes, m.DatabaseBytes, m.WALBytes} })},
	"pg_stat_database_num_backends": {numberFormat, bytesOf(func(m store.Measure) *int64 { return m.Connections })},
	"max_db_connections":            {numberFormat, bytesOf(func(m store.Measure) *int64 { return m.MaxConnections })},
}

func cpuOf(m store.Measure) (float64, bool) {
	if m.CPUPercent == nil {
		return 0, false
	}
	return *m.CPUPercent, true
}

func ramOf(m store.Measure) (float64, bool) {
	return m.MemoryPercent(), m.MemoryBytes != nil && m.MemoryLimitBytes != nil
}

func bytesOf(field func(store.Measure) *int64) func(store.Measure) (float64, bool) {
	return lessOf(func(m store.Measure) []*int64 { return []*int64{field(m)} })
}

// lessOf is what is left of the first figure without the others.
func lessOf(fields func(store.Measure) []*int64) func(store.Measure) (float64, bool) {
	return func(m store.Measure) (float64, bool) {
		all := fields(m)
		if slices.Contains(all, nil) {
			return 0, false
		}
		left := *all[0]
		for _, other := range all[1:] {
			left -= *other
		}
		return float64(max(left, 0)), true
	}
}

func (a *API) infraMonitoring(ctx context.Context, c *call, in *infraInput) (InfraSeries, error) {
	series := InfraSeries{Data: []map[string]any{}}
	from, to, err := parseSpan(in.Start, in.End)
	if err != nil {
		return series, err
	}
	if len(in.attributes) == 0 {
		return series, problem.BadRequest("attributes: expected the names of figures.")
	}
	measured, err := a.store.ProjectsMeasures(ctx, []int64{c.project.ID}, from, to)
	if err != nil {
		return series, err
	}
	totals := map[string]InfraTotals{}
	for _, name := range in.attributes {
		totals[name] = totalsOf(infraAttributes[name], measured[c.project.ID])
	}
	if len(in.attributes) == 1 {
		only := totals[in.attributes[0]]
		series.InfraTotals = &only
	} else {
		series.Series = totals
	}
	for _, m := range measured[c.project.ID] {
		row := map[string]any{"period_start": m.At.UTC().Format(time.RFC3339)}
		values := map[string]string{}
		for _, name := range in.attributes {
			if attribute, measured := infraAttributes[name]; measured {
				if value, known := attribute.of(m); known {
					values[name] = strconv.FormatFloat(value, 'f', -1, 64)
				}
			}
		}
		switch {
		case len(values) == 0:
			continue
		case series.Series != nil:
			row["values"] = values
		default:
			row[in.attributes[0]] = values[in.attributes[0]]
		}
		series.Data = append(series.Data, row)
	}
	return series, nil
}

// totalsOf sums a figure up; zero for what is not measured.
func totalsOf(attribute infraAttribute, measured []store.Measure) InfraTotals {
	totals := InfraTotals{Format: cmp.Or(attribute.format, numberFormat)}
	if attribute.of == nil {
		return totals
	}
	count := 0
	for _, m := range measured {
		if value, known := attribute.of(m); known {
			totals.Total += value
			totals.YAxisLimit = max(totals.YAxisLimit, value)
			count++
		}
	}
	if count > 0 {
		totals.TotalAverage = totals.Total / float64(count)
	}
	if totals.Format == percentFormat {
		totals.YAxisLimit = 100
	}
	return totals
}
