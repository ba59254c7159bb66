package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/plurabase/plurabase/store"
)

// A section of a project's configuration is read into the struct that the API answers with: it starts with the defaults,
// and what was set is laid over them. The struct's JSON names are the section's names.

// section reads a section over its defaults.
func section[T any](ctx context.Context, a *API, p store.Project, name store.ConfigSection, defaults T) (T, error) {
	config, err := a.store.ProjectConfig(ctx, p.ID, p.Ref, name)
	if err != nil {
		return defaults, err
	}
	return overlay(defaults, config[name])
}

// overlay lays what was set over the defaults.
func overlay[T any](defaults T, set store.SectionConfig) (T, error) {
	encoded, err := json.Marshal(map[string]any(set))
	if err == nil {
		err = json.Unmarshal(encoded, &defaults)
	}
	if err != nil {
		// The decoder's text may repeat a value, which may be a secret.
		return defaults, fmt.Errorf("a stored setting is not of the type that is expected: %T", err)
	}
	return defaults, nil
}

// updateSection changes what the body names of a section and returns the whole of it over its defaults. What the body
// leaves out stays as it is.
func updateSection[T any](ctx context.Context, a *API, c *call, name store.ConfigSection, body any, defaults T) (T, error) {
	patch, err := patchOf(body)
	if err != nil {
		return defaults, err
	}
	return changeSection(ctx, a, c, name, patch, defaults)
}

func changeSection[T any](ctx context.Context, a *API, c *call, name store.ConfigSection, patch store.SectionConfig, defaults T) (T, error) {
	if len(patch) == 0 {
		return section(ctx, a, c.project.Project, name, defaults)
	}
	set, err := a.store.UpdateProjectConfig(ctx, c.actor, c.project.Ref, name, patch)
	if err != nil {
		return defaults, err
	}
	return overlay(defaults, set)
}

// patchOf turns a body whose fields are left out where they are not set into the settings that it names.
func patchOf(body any) (store.SectionConfig, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode the settings: %w", err)
	}
	var patch store.SectionConfig
	err = json.Unmarshal(encoded, &patch)
	return patch, err
}
