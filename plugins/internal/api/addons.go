package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// Of upstream's add-ons there is one here: the compute size. Nothing is charged for it.

// Addons lists what a project has and what it could have. V is a variant as the platform API or as the management API has it.
type Addons[V any] struct {
	Ref       string              `json:"ref,omitempty"`
	Selected  []SelectedAddon[V]  `json:"selected_addons"`
	Available []AvailableAddon[V] `json:"available_addons"`
}

// SelectedAddon is what a project has.
type SelectedAddon[V any] struct {
	Type    string `json:"type"`
	Variant V      `json:"variant"`
}

// AvailableAddon is what a project could have.
type AvailableAddon[V any] struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	Variants []V    `json:"variants"`
}

// ComputeVariant is a compute size in the platform API.
type ComputeVariant struct {
	Identifier       string      `json:"identifier"`
	Name             string      `json:"name"`
	Meta             ComputeMeta `json:"meta"`
	Price            float64     `json:"price"`
	PriceDescription string      `json:"price_description"`
	PriceInterval    string      `json:"price_interval"`
	PriceType        string      `json:"price_type"`
}

// V1ComputeVariant is a compute size in the management API.
type V1ComputeVariant struct {
	ID    string      `json:"id"`
	Name  string      `json:"name"`
	Meta  ComputeMeta `json:"meta"`
	Price V1Price     `json:"price"`
}

// V1Price is what something costs: nothing.
type V1Price struct {
	Amount      float64 `json:"amount"`
	Description string  `json:"description"`
	Interval    string  `json:"interval"`
	Type        string  `json:"type"`
}

// ComputeMeta is what a compute size is made of.
type ComputeMeta struct {
	CPUCores     int64   `json:"cpu_cores"`
	CPUDedicated bool    `json:"cpu_dedicated" doc:"Never: the sizes are limits on a machine that projects share."`
	MemoryGB     float64 `json:"memory_gb"`
}

// AddonBody asks for an add-on.
type AddonBody struct {
	Type    string `json:"addon_type"`
	Variant string `json:"addon_variant"`
}

type addonInput struct {
	Ref  string `path:"ref"`
	Body AddonBody
}

type dropAddonInput struct {
	Ref     string `path:"ref"`
	Variant string `path:"addon_variant"`
}

const (
	computeAddon = "compute_instance"
	// smallestSize is what a project has without the add-on: upstream has no variant for it.
	smallestSize = "nano"
	free         = "No charge"
)

func (a *API) registerAddons() {
	read := access.InProject(access.Read, "projects")
	write := access.InProject(access.BillingWrite, "stripe.subscriptions")
	const platform, v1 = "/platform/projects/{ref}/billing/addons", "/v1/projects/{ref}/billing/addons"
	handle(a, route{method: http.MethodGet, path: platform, permission: read, kind: Real, summary: "A project's compute size, and what it could have"}, a.listAddons)
	handle(a, route{method: http.MethodGet, path: v1, permission: read, kind: Real, summary: "A project's compute size, and what it could have"}, a.v1ListAddons)
	act(a, route{
		method: http.MethodPost, path: platform, permission: write, status: http.StatusCreated, kind: Real, summary: "Give a project another compute size",
	}, a.applyAddon)
	act(a, route{method: http.MethodPatch, path: v1, permission: write, kind: Real, summary: "Give a project another compute size"}, a.applyAddon)
	for _, path := range []string{platform, v1} {
		act(a, route{
			method: http.MethodDelete, path: path + "/{addon_variant}", permission: write, kind: Real, summary: "Give a project the smallest compute size",
		}, a.dropAddon)
	}
	// Studio's own dialog for it is deprecated upstream: it asks for a size of the disk.
	refuse(a, route{
		method: http.MethodPost, path: "/platform/projects/{ref}/resize", permission: access.InProject(access.Update, "projects"),
		summary: "Resize a project's disk: not here",
	}, diskMissing)
}

// offeredSizes are the compute sizes that fit on a project's deployment target, and the one that it has.
func (a *API) offeredSizes(ctx context.Context, project store.Project) ([]store.ComputeSize, error) {
	targets, err := a.store.Targets(ctx)
	memory := int64(0) // unknown: all sizes are offered
	for _, target := range targets {
		if target.Name == project.Target {
			memory = target.MemoryBytes
		}
	}
	var sizes []store.ComputeSize
	for _, size := range store.ComputeSizes {
		if memory == 0 || size.MemoryBytes <= memory || size.Name == project.ComputeSize {
			sizes = append(sizes, size)
		}
	}
	return sizes, err
}

func (a *API) listAddons(ctx context.Context, c *call, _ *refPath) (Addons[ComputeVariant], error) {
	sizes, err := a.offeredSizes(ctx, c.project.Project)
	addons := addonsOf(c.project.Project, sizes, func(size store.ComputeSize) ComputeVariant {
		return ComputeVariant{
			Identifier: "ci_" + size.Name, Name: sizeName(size), Meta: metaOf(size), PriceDescription: free,
			PriceInterval: "monthly", PriceType: "fixed",
		}
	})
	addons.Ref = string(c.project.Ref)
	return addons, err
}

func (a *API) v1ListAddons(ctx context.Context, c *call, _ *refPath) (Addons[V1ComputeVariant], error) {
	sizes, err := a.offeredSizes(ctx, c.project.Project)
	return addonsOf(c.project.Project, sizes, func(size store.ComputeSize) V1ComputeVariant {
		return V1ComputeVariant{
			ID: "ci_" + size.Name, Name: sizeName(size), Meta: metaOf(size),
			Price: V1Price{Description: free, Interval: "monthly", Type: "fixed"},
		}
	}), err
}

func addonsOf[V any](project store.Project, sizes []store.ComputeSize, variant func(store.ComputeSize) V) Addons[V] {
	available := AvailableAddon[V]{Type: computeAddon, Name: "Compute size", Variants: []V{}}
	addons := Addons[V]{Selected: []SelectedAddon[V]{}}
	for _, size := range sizes {
		if size.Name == smallestSize {
			continue
		}
		available.Variants = append(available.Variants, variant(size))
		if size.Name == project.ComputeSize {
			addons.Selected = append(addons.Selected, SelectedAddon[V]{computeAddon, variant(size)})
		}
	}
	addons.Available = []AvailableAddon[V]{available}
	return addons
}

func metaOf(size store.ComputeSize) ComputeMeta {
	return ComputeMeta{CPUCores: size.Cores, MemoryGB: float64(size.MemoryBytes) / (1 << 30)}
}

// sizeName is a size's name as upstream writes it: `Micro`, `2XL`.
func sizeName(size store.ComputeSize) string {
	names := map[string]string{
		"nano": "Nano", "micro": "Micro", "small": "Small", "medium": "Medium", "large": "Large", "xlarge": "XL", "2xlarge": "2XL",
		"4xlarge": "4XL", "8xlarge": "8XL", "12xlarge": "12XL", "16xlarge": "16XL",
	}
	return names[size.Name]
}

func (a *API) applyAddon(ctx context.Context, c *call, in *addonInput) error {
	if in.Body.Type != computeAddon {
		return problem.BadRequest("addon_type: " + nothingSold)
	}
	size, known := store.ComputeSizeNamed(in.Body.Variant)
	if !known {
		return problem.BadRequest(fmt.Sprintf("addon_variant: there is no compute size %.40q.", in.Body.Variant))
	}
	offered, err := a.offeredSizes(ctx, c.project.Project)
	if err != nil {
		return err
	}
	if !slices.Contains(offered, size) {
		return problem.BadRequest(fmt.Sprintf("addon_variant: the deployment target %q has less memory than the size %q takes.",
			c.project.Target, size.Name))
	}
	_, err = a.store.ResizeProject(ctx, c.actor, c.project.Ref, size.Name)
	return err
}

func (a *API) dropAddon(ctx context.Context, c *call, in *dropAddonInput) error {
	size, known := store.ComputeSizeNamed(in.Variant)
	if !known || size.Name != c.project.ComputeSize {
		return problem.NotFound("The project has no such add-on.")
	}
	_, err := a.store.ResizeProject(ctx, c.actor, c.project.Ref, smallestSize)
	return err
}
