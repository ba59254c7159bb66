package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

// UsageResponse is what was measured of an organization's projects. Nothing is billed by it.
type UsageResponse struct {
	UsageBillingEnabled bool    `json:"usage_billing_enabled"`
	Usages              []Usage `json:"usages"`
}

// Usage is one measure.
type Usage struct {
	Metric             string            `json:"metric" enum:"EGRESS,FUNCTION_INVOCATIONS,DATABASE_SIZE,STORAGE_SIZE"`
	Usage              float64           `json:"usage" doc:"Gigabytes, or a number. Of sizes, what was measured last."`
	UsageOriginal      float64           `json:"usage_original" doc:"Bytes, or a number."`
	ProjectAllocations []UsageAllocation `json:"project_allocations"`
	AvailableInPlan    bool              `json:"available_in_plan"`
	Unlimited          bool              `json:"unlimited"`
	Capped             bool              `json:"capped"`
	Cost               int               `json:"cost"`
	PricingStrategy    string            `json:"pricing_strategy" enum:"NONE"`
	UnitPriceDesc      string            `json:"unit_price_desc"`
}

// UsageAllocation is a project's part of a measure.
type UsageAllocation struct {
	Ref   string  `json:"ref"`
	Name  string  `json:"name"`
	Usage float64 `json:"usage"`
}

// DailyUsageResponse is what was measured, by the day.
type DailyUsageResponse struct {
	Usages []DailyUsage `json:"usages"`
}

// DailyUsage is one measure on one day.
type DailyUsage struct {
	Date          string          `json:"date"`
	Metric        string          `json:"metric" enum:"EGRESS,FUNCTION_INVOCATIONS,DATABASE_SIZE,STORAGE_SIZE"`
	Usage         float64         `json:"usage"`
	UsageOriginal float64         `json:"usage_original"`
	Breakdown     *UsageBreakdown `json:"breakdown" doc:"Of egress, in bytes; null for what is no egress."`
}

// UsageBreakdown is egress by the service that sent it. GraphQL goes by REST here, and logs are drained nowhere. The pooler's is what
// databases sent through the gateway's Postgres port; a pooler of the project's own goes past the gateway.
type UsageBreakdown struct {
	Functions int64 `json:"egress_function"`
	GraphQL   int64 `json:"egress_graphql"`
	LogDrain  int64 `json:"egress_logdrain"`
	Realtime  int64 `json:"egress_realtime"`
	REST      int64 `json:"egress_rest"`
	Storage   int64 `json:"egress_storage"`
	Pooler    int64 `json:"egress_supavisor"`
}

type usageInput struct {
	Slug       string `path:"slug"`
	ProjectRef string `query:"project_ref" maxLength:"20" doc:"Of one project alone."`
	Start      string `query:"start" doc:"By RFC 3339; the beginning of the month where it is left out."`
	End        string `query:"end" doc:"By RFC 3339; now where it is left out."`
}

const (
	egressMetric     = "EGRESS"
	invocationMetric = "FUNCTION_INVOCATIONS"
	databaseMetric   = "DATABASE_SIZE"
	storageMetric    = "STORAGE_SIZE"
	gigabyte         = 1 << 30
)

func (a *API) registerUsage() {
	const path = "/platform/organizations/{slug}/usage"
	subscription := access.InOrganization(access.BillingRead, "stripe.subscriptions")
	handle(a, route{
		method: http.MethodGet, path: path, permission: subscription, kind: Real, summary: "What was counted and measured of the organization's projects",
	}, a.organizationUsage)
	handle(a, route{
		method: http.MethodGet, path: path + "/daily", permission: subscription, kind: Real, summary: "The same by the day",
	}, a.organizationDailyUsage)
}

// countedProject is a project and what was counted and measured of it.
type countedProject struct {
	project  store.ProjectSummary
	hours    []store.TrafficHour
	measured []store.Measure
}

// sizes are the two sizes that are measured.
var sizes = map[string]func(store.Measure) *int64{
	databaseMetric: func(m store.Measure) *int64 { return m.DatabaseBytes },
	storageMetric:  func(m store.Measure) *int64 { return m.StorageBytes },
}

// countedProjects reads what was counted of the projects that the caller may see.
func (a *API) countedProjects(ctx context.Context, c *call, in *usageInput) ([]countedProject, error) {
	from, to := a.now().UTC().AddDate(0, 0, 1-a.now().UTC().Day()).Truncate(24*time.Hour), a.now()
	if in.Start != "" && in.End != "" {
		var err error
		if from, to, err = parseSpan(in.Start, in.End); err != nil {
			return nil, err
		}
	}
	page, err := a.store.Projects(ctx, c.Profile.ID, store.ProjectFilter{OrganizationID: c.membership.ID, Limits: c.Limits})
	if err != nil {
		return nil, err
	}
	var all []countedProject
	var ids []int64
	for _, project := range page.Projects {
		if in.ProjectRef == "" || string(project.Ref) == in.ProjectRef {
			all, ids = append(all, countedProject{project: project}), append(ids, project.ID)
		}
	}
	hours, err := a.store.ProjectsTraffic(ctx, ids, from, to)
	if err != nil {
		return nil, err
	}
	measured, err := a.store.ProjectsMeasures(ctx, ids, from, to)
	for i := range all {
		all[i].hours, all[i].measured = hours[all[i].project.ID], measured[all[i].project.ID]
	}
	return all, err
}

func (a *API) organizationUsage(ctx context.Context, c *call, in *usageInput) (UsageResponse, error) {
	all, err := a.countedProjects(ctx, c, in)
	if err != nil {
		return UsageResponse{}, err
	}
	egress, invocations := newUsage(egressMetric), newUsage(invocationMetric)
	database, storage := newUsage(databaseMetric), newUsage(storageMetric)
	for _, one := range all {
		var sent, called int64
		for _, hour := range one.hours {
			sent += hour.Egress
			if hour.Service == "functions" {
				called += hour.Requests
			}
		}
		egress.add(one.project, float64(sent), gigabyte)
		invocations.add(one.project, float64(called), 1)
		database.add(one.project, lastSize(one.measured, sizes[databaseMetric]), gigabyte)
		storage.add(one.project, lastSize(one.measured, sizes[storageMetric]), gigabyte)
	}
	usages := []Usage{} // what was never counted is not known, rather than nothing
	for _, one := range []Usage{egress, invocations, database, storage} {
		if one.UsageOriginal > 0 {
			usages = append(usages, one)
		}
	}
	return UsageResponse{Usages: usages}, nil
}

// lastSize is what was measured last; 0 where nothing was.
func lastSize(measured []store.Measure, of func(store.Measure) *int64) float64 {
	for _, m := range slices.Backward(measured) {
		if size := of(m); size != nil {
			return float64(*size)
		}
	}
	return 0
}

func newUsage(metric string) Usage {
	return Usage{Metric: metric, ProjectAllocations: []UsageAllocation{}, AvailableInPlan: true, Unlimited: true, PricingStrategy: "NONE"}
}

func (u *Usage) add(p store.ProjectSummary, amount, unit float64) {
	if amount == 0 {
		return
	}
	u.UsageOriginal += amount
	u.Usage = u.UsageOriginal / unit
	u.ProjectAllocations = append(u.ProjectAllocations, UsageAllocation{string(p.Ref), p.Name, amount / unit})
}

func (a *API) organizationDailyUsage(ctx context.Context, c *call, in *usageInput) (DailyUsageResponse, error) {
	all, err := a.countedProjects(ctx, c, in)
	if err != nil {
		return DailyUsageResponse{}, err
	}
	egress, invocations := map[time.Time]*DailyUsage{}, map[time.Time]*DailyUsage{}
	for _, one := range all {
		for _, hour := range one.hours {
			day := hour.Hour.UTC().Truncate(24 * time.Hour)
			onDay(egress, day, egressMetric).addEgress(hour)
			if hour.Service == "functions" {
				onDay(invocations, day, invocationMetric).addRequests(hour)
			}
		}
	}
	usages := []DailyUsage{}
	for _, byDay := range []map[time.Time]*DailyUsage{egress, invocations, dailySizes(all, databaseMetric), dailySizes(all, storageMetric)} {
		for _, day := range sortedDays(byDay) {
			usages = append(usages, *byDay[day])
		}
	}
	return DailyUsageResponse{usages}, nil
}

// dailySizes sums up what each project was measured as last on each day.
func dailySizes(all []countedProject, metric string) map[time.Time]*DailyUsage {
	byDay := map[time.Time]*DailyUsage{}
	for _, one := range all {
		last := map[time.Time]int64{}
		for _, m := range one.measured {
			if size := sizes[metric](m); size != nil {
				last[m.At.UTC().Truncate(24*time.Hour)] = *size
			}
		}
		for day, size := range last {
			usage := onDay(byDay, day, metric)
			usage.UsageOriginal += float64(size)
			usage.Usage = usage.UsageOriginal / gigabyte
		}
	}
	return byDay
}

func onDay(byDay map[time.Time]*DailyUsage, day time.Time, metric string) *DailyUsage {
	if byDay[day] == nil {
		byDay[day] = &DailyUsage{Date: day.Format(time.RFC3339), Metric: metric}
	}
	return byDay[day]
}

func (u *DailyUsage) addRequests(hour store.TrafficHour) {
	u.UsageOriginal += float64(hour.Requests)
	u.Usage = u.UsageOriginal
}

func (u *DailyUsage) addEgress(hour store.TrafficHour) {
	u.UsageOriginal += float64(hour.Egress)
	u.Usage = u.UsageOriginal / gigabyte
	if u.Breakdown == nil {
		u.Breakdown = &UsageBreakdown{}
	}
	switch hour.Service {
	case "functions":
		u.Breakdown.Functions += hour.Egress
	case "realtime":
		u.Breakdown.Realtime += hour.Egress
	case "rest":
		u.Breakdown.REST += hour.Egress
	case "storage":
		u.Breakdown.Storage += hour.Egress
	case store.ServiceDatabase:
		u.Breakdown.Pooler += hour.Egress
	}
}
