package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/instance"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// RegionSelection is where a new project is to go.
type RegionSelection struct {
	Code string `json:"code" minLength:"1" maxLength:"64" doc:"A region's code: its own name, or that of the deployment target."`
	Type string `json:"type" enum:"specific,smartGroup"`
}

// or returns the code of what was selected, and else what was sent in its place.
func (s *RegionSelection) or(name string) string {
	if s != nil {
		return s.Code
	}
	return name
}

// RegionsInfo is where a new project can go: the deployment targets. What the platform's contract calls a smart group leaves it to
// the operator.
type RegionsInfo struct {
	All struct {
		SmartGroup []RegionGroup    `json:"smartGroup"`
		Specific   []SpecificRegion `json:"specific"`
	} `json:"all"`
	Recommendations struct {
		SmartGroup RegionGroup      `json:"smartGroup"`
		Specific   []SpecificRegion `json:"specific"`
	} `json:"recommendations"`
}

// RegionGroup leads to the deployment target of who chooses none.
type RegionGroup struct {
	Code string `json:"code" enum:"americas,emea,apac"`
	Name string `json:"name"`
	Type string `json:"type" enum:"smartGroup"`
}

// SpecificRegion is one deployment target.
type SpecificRegion struct {
	Code     string `json:"code" doc:"The one of Studio's regions that leads there; the target's own name where none does."`
	Name     string `json:"name"`
	Provider string `json:"provider" doc:"As it was asked for. A project is on the operator's own machines all the same: its cloud_provider is LOCAL."`
	Type     string `json:"type" enum:"specific"`
	Status   string `json:"status,omitempty" enum:"capacity,other" doc:"capacity: no such project fits there now. other: its provisioner is silent. Absent: it can be chosen."`
}

// anywhereName begins the name of the smart group, which an older Studio sends back in place of its code.
const anywhereName = "Default: "

type regionsInput struct {
	CloudProvider string `query:"cloud_provider" enum:"AWS,FLY,AWS_K8S,AWS_NIMBUS" default:"AWS"`
	Size          string `query:"desired_instance_size" maxLength:"64"`
}

type organizationRegionsInput struct {
	SlugPath
	CloudProvider string `query:"cloud_provider" enum:"AWS,FLY,AWS_K8S,AWS_NIMBUS" default:"AWS"`
	Size          string `query:"desired_instance_size" maxLength:"64"`
}

func (a *API) registerRegions() {
	const summary = "Where a new project can go: the deployment targets"
	for _, path := range []string{"/platform/projects/available-regions", "/v1/projects/available-regions"} {
		handle(a, route{
			method: http.MethodGet, path: path, permission: access.SignedInTo(access.Read, "projects"), kind: Real, summary: summary,
		}, func(ctx context.Context, _ *call, in *regionsInput) (RegionsInfo, error) {
			return a.availableRegions(ctx, in.CloudProvider, in.Size)
		})
	}
	handle(a, route{
		method: http.MethodGet, path: "/platform/organizations/{slug}/available-regions",
		permission: access.InOrganization(access.Read, "projects"), kind: Real, summary: summary,
	}, func(ctx context.Context, _ *call, in *organizationRegionsInput) (RegionsInfo, error) {
		return a.availableRegions(ctx, in.CloudProvider, in.Size)
	})
}

// regionOf is what users call the deployment target that a project is on.
func (a *API) regionOf(p store.ProjectSummary) string {
	if p.Adopted() {
		return p.Region
	}
	return a.settings.Instance.RegionOf(p.Target).Name
}

func (a *API) availableRegions(ctx context.Context, provider, sizeName string) (RegionsInfo, error) {
	size, known := store.ComputeSizeNamed(cmp.Or(sizeName, defaultSize))
	if !known {
		return RegionsInfo{}, problem.BadRequest(fmt.Sprintf("desired_instance_size: there is no compute size %.40q.", sizeName))
	}
	offered, err := a.offeredTargets(ctx)
	info := RegionsInfo{}
	info.All.Specific, info.Recommendations.Specific = []SpecificRegion{}, []SpecificRegion{}
	for _, one := range offered {
		region := SpecificRegion{
			Code: cmp.Or(one.region.Code, one.Name), Name: one.region.Name, Provider: provider, Type: "specific", Status: one.status(size),
		}
		info.All.Specific = append(info.All.Specific, region)
		if region.Status == "" {
			info.Recommendations.Specific = append(info.Recommendations.Specific, region)
		}
	}
	// Each of the three groups leads to the same: one is enough.
	anywhere := RegionGroup{Code: "americas", Name: anywhereName + a.settings.Instance.RegionOf(a.settings.Target).Name, Type: "smartGroup"}
	info.All.SmartGroup, info.Recommendations.SmartGroup = []RegionGroup{anywhere}, anywhere
	return info, err
}

// offeredTarget is a deployment target with what it is called, and how many projects are to run there.
type offeredTarget struct {
	store.Target
	region   instance.Region
	projects int
}

// offeredTargets are the deployment targets that have ever had a provisioner, the one of who chooses none first.
func (a *API) offeredTargets(ctx context.Context) ([]offeredTarget, error) {
	targets, err := a.store.Targets(ctx)
	if err != nil {
		return nil, err
	}
	loads, err := a.store.TargetLoads(ctx)
	offered := make([]offeredTarget, len(targets))
	for i, target := range targets {
		offered[i] = offeredTarget{target, a.settings.Instance.RegionOf(target.Name), loads[target.Name]}
	}
	slices.SortStableFunc(offered, func(x, y offeredTarget) int {
		switch a.settings.Target {
		case x.Name:
			return -1
		case y.Name:
			return 1
		}
		return 0
	})
	return offered, err
}

// full tells whether the operator lets no more projects run there.
func (t offeredTarget) full() bool { return t.region.Projects > 0 && t.projects >= t.region.Projects }

// fits tells whether the machine has the memory that a database of that size may use. What is not known fits.
func (t offeredTarget) fits(size store.ComputeSize) bool {
	return t.MemoryBytes == 0 || size.MemoryBytes <= t.MemoryBytes
}

func (t offeredTarget) status(size store.ComputeSize) string {
	switch {
	case !t.Alive:
		return "other"
	case t.full() || !t.fits(size):
		return "capacity"
	}
	return ""
}

// chooseTarget finds the deployment target for a new project: the one that a region names, or that the operator has it lead to.
// Regions that only a hosted cloud has, and no region at all, lead to the operator's own choice; that one may be silent, and the
// project waits for it. One that somebody chose may not.
func (a *API) chooseTarget(ctx context.Context, wanted string, size store.ComputeSize) (store.Target, error) {
	offered, err := a.offeredTargets(ctx)
	if err != nil {
		return store.Target{}, err
	}
	name, chosen, err := a.targetNamed(offered, wanted)
	if err != nil {
		return store.Target{}, err
	}
	i := slices.IndexFunc(offered, func(t offeredTarget) bool { return t.Name == name })
	switch {
	case i < 0 && !chosen:
		return store.Target{Name: name}, nil
	case i < 0 || chosen && !offered[i].Alive:
		return store.Target{}, &store.ConflictError{Message: fmt.Sprintf("No provisioner works for the deployment target %q now: choose another region.", name)}
	case !offered[i].fits(size):
		return store.Target{}, problem.BadRequest(fmt.Sprintf(
			"desired_instance_size: the deployment target %q has less memory than the size %q takes.", name, size.Name))
	}
	return offered[i].Target, nil
}

// targetNamed returns the name of the deployment target that a region leads to, and whether somebody chose just that one.
func (a *API) targetNamed(offered []offeredTarget, wanted string) (name string, chosen bool, err error) {
	if wanted == "" {
		return a.settings.Target, false, nil
	}
	code, ofStudio := instance.StudioRegion(wanted)
	for _, region := range a.settings.Instance.Regions {
		if strings.EqualFold(wanted, region.Target) || strings.EqualFold(wanted, region.Name) || ofStudio && code == region.Code {
			return region.Target, true, nil
		}
	}
	for _, target := range offered {
		if strings.EqualFold(wanted, target.Name) {
			return target.Name, true, nil
		}
	}
	if ofStudio || strings.EqualFold(wanted, a.settings.Target) || strings.HasPrefix(wanted, anywhereName) {
		return a.settings.Target, false, nil
	}
	names := make([]string, len(offered))
	for i, target := range offered {
		names[i] = target.region.Name
	}
	return "", false, problem.BadRequest(fmt.Sprintf("There is no region %.64q. There are: %s.", wanted, strings.Join(names, ", ")))
}

// guidance says in plain words what to expect of a deployment target.
func (t offeredTarget) guidance() string {
	switch {
	case !t.Alive:
		return "Its provisioner was last heard of at " + t.HeartbeatAt.UTC().Format(time.RFC3339) + ": nothing can be made there now."
	case t.full():
		return fmt.Sprintf("%d projects may run there, and do.", t.region.Projects)
	}
	parts := []string{}
	if t.CPUs > 0 {
		parts = append(parts, fmt.Sprintf("%d processors", t.CPUs))
	}
	if t.MemoryBytes > 0 {
		parts = append(parts, fmt.Sprintf("%.1f GB of memory", float64(t.MemoryBytes)/(1<<30)))
	}
	if image := t.Images[store.ServiceDatabase]; image != "" {
		parts = append(parts, "Postgres "+imageTag(image))
	}
	return strings.Join(parts, ", ")
}
