package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

// CustomContent is what a Studio that is built to ask for it shows in place of what it has compiled in: the keys and their forms
// are those of its custom-content.json. Upstream's own build asks for none of it.
type CustomContent struct {
	DeploymentTargets []DeploymentTarget `json:"project_creation:deployment_targets"`
	Services          []RuntimeService   `json:"project_creation:local_runtime_services"`
	Welcome           *string            `json:"instance:welcome" doc:"null: the operator says nothing."`
}

// DeploymentTarget is where a new project can go, and what can be had there.
type DeploymentTarget struct {
	ID            string   `json:"id" doc:"As region_selection.code and db_region take it."`
	Label         string   `json:"label"`
	Description   string   `json:"description" doc:"What to expect of it, in plain words; empty while it is not known."`
	Provider      string   `json:"provider" enum:"LOCAL"`
	Available     bool     `json:"available" doc:"Whether the smallest project could go there now."`
	DefaultSize   string   `json:"defaultInstanceSize" doc:"As a new project gets it there, no larger than the machine."`
	InstanceSizes []string `json:"instanceSizes" doc:"Those that fit on the machine."`
}

// RuntimeService is a service that a project can do without.
type RuntimeService struct {
	ID             string `json:"id" doc:"As local_runtime.exclude_services and services take it."`
	Label          string `json:"label"`
	Description    string `json:"description"`
	DefaultEnabled bool   `json:"defaultEnabled" doc:"Whether a new project on the default target has it where nobody decides."`
}

// serviceTexts are what the services are for, in words for those who choose.
var serviceTexts = map[string]struct{ label, description string }{
	store.ServiceAuth:      {"Auth", "Users, sign-in and sessions (GoTrue)."},
	store.ServiceRest:      {"Data API", "The database over REST and GraphQL (PostgREST)."},
	store.ServiceRealtime:  {"Realtime", "Changes, broadcasts and presence over WebSockets."},
	store.ServiceStorage:   {"Storage", "Files, with policies in the database."},
	store.ServiceImgproxy:  {"Image transformations", "Resizes what Storage keeps; of no use without it."},
	store.ServiceFunctions: {"Edge Functions", "Runs TypeScript beside the database (Deno)."},
	store.ServicePooler:    {"Pooler", "Lets many clients share few connections (Supavisor)."},
	store.ServiceAnalytics: {"Analytics", "Keeps logs and makes them searchable (Logflare)."},
}

func (a *API) registerCustomContent() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/custom-content", permission: access.SignedIn(), kind: Real,
		summary: "What this installation offers, by the keys of Studio's custom content",
	}, a.getCustomContent)
}

func (a *API) getCustomContent(ctx context.Context, _ *call, _ *none) (CustomContent, error) {
	offered, err := a.offeredTargets(ctx)
	content := CustomContent{DeploymentTargets: []DeploymentTarget{}}
	enabled := store.DefaultServices
	for _, target := range offered {
		content.DeploymentTargets = append(content.DeploymentTargets, deploymentTargetOf(target))
		if target.Name == a.settings.Target {
			enabled = defaultServices(target.Target)
		}
	}
	for _, service := range store.AllServices {
		if text, optional := serviceTexts[service]; optional {
			content.Services = append(content.Services, RuntimeService{service, text.label, text.description, slices.Contains(enabled, service)})
		}
	}
	if welcome := a.settings.Instance.Welcome; welcome != "" {
		content.Welcome = &welcome
	}
	return content, err
}

func deploymentTargetOf(target offeredTarget) DeploymentTarget {
	sizes := []string{}
	for _, size := range store.ComputeSizes {
		if target.fits(size) {
			sizes = append(sizes, size.Name)
		}
	}
	size := defaultSize
	if !slices.Contains(sizes, size) {
		size = ""
		if len(sizes) > 0 {
			size = sizes[len(sizes)-1]
		}
	}
	return DeploymentTarget{
		ID: cmp.Or(target.region.Code, target.Name), Label: target.region.Name, Description: target.guidance(), Provider: localProvider,
		Available: target.status(store.ComputeSizes[0]) == "", DefaultSize: size, InstanceSizes: sizes,
	}
}
