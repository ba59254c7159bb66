package fake

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// Info implements engine.Engine.
func (e *Engine) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: "fake", CPUs: 2, MemoryBytes: 4 << 30}, nil
}

// Observe implements engine.Engine.
func (e *Engine) Observe(_ context.Context, question engine.Question) (engine.Observed, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	concerns := func(name string, labels map[string]string) bool {
		return strings.HasPrefix(name, stack.Prefix(question.Ref)) ||
			labels[stack.LabelTarget] == question.Target && labels[stack.LabelProject] == question.Ref
	}
	seen := engine.Observed{Images: map[string]bool{}, Others: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(e.containers)) {
		if one := e.seen(name); concerns(name, one.Labels) {
			seen.Containers = append(seen.Containers, one)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.networks)) {
		if one := e.networks[name].Network; concerns(name, one.Labels) {
			one.Members = e.members(name)
			seen.Networks = append(seen.Networks, one)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.volumes)) {
		if one := e.volumes[name].Volume; concerns(name, one.Labels) {
			seen.Volumes = append(seen.Volumes, one)
		}
	}
	for _, image := range question.Images {
		seen.Images[image] = e.pulled[image]
	}
	for _, other := range question.Others {
		if one, exists := e.containers[other]; exists {
			seen.Others[other] = one.Runs()
		}
	}
	return seen, nil
}

// seen returns a container as it is looked at from outside.
func (e *Engine) seen(name string) engine.Container {
	one := e.containers[name].Container
	one.Healthy = one.State == engine.StateRunning && !e.ails(name)
	one.Networks = slices.Clone(one.Networks)
	one.Limits = e.containers[name].service.Limits
	return one
}

// members returns the running containers on a network.
func (e *Engine) members(network string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(e.containers)) {
		if one := e.containers[name]; one.Runs() && slices.Contains(one.Networks, network) {
			names = append(names, name)
		}
	}
	return names
}

// Survey implements engine.Engine.
func (e *Engine) Survey(_ context.Context, target string, others []string) (engine.Survey, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	var survey engine.Survey
	for _, name := range slices.Sorted(maps.Keys(e.containers)) {
		one := e.seen(name)
		if one.Labels[stack.LabelTarget] == target {
			survey.Containers = append(survey.Containers, one)
		}
		if slices.Contains(others, name) {
			survey.Others = append(survey.Others, one)
		}
	}
	return survey, nil
}

// Belongings implements engine.Engine.
func (e *Engine) Belongings(_ context.Context, target string) ([]engine.Object, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	var objects []engine.Object
	add := func(kind, name string, labels map[string]string) {
		if ref, has := labels[stack.LabelProject]; has && labels[stack.LabelTarget] == target {
			objects = append(objects, engine.Object{Kind: kind, Name: name, Ref: ref})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.containers)) {
		add(engine.KindContainer, name, e.containers[name].Labels)
	}
	for _, name := range slices.Sorted(maps.Keys(e.networks)) {
		add(engine.KindNetwork, name, e.networks[name].Labels)
	}
	for _, name := range slices.Sorted(maps.Keys(e.volumes)) {
		add(engine.KindVolume, name, e.volumes[name].Labels)
	}
	return objects, nil
}

// Container implements engine.Engine.
func (e *Engine) Container(_ context.Context, name string) (engine.Container, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.containers[name] == nil {
		return engine.Container{}, engine.ErrNotFound
	}
	one := e.seen(name)
	if e.broken[e.containers[name].service.Image] {
		one.Restarts = hopeless
	}
	return one, nil
}

// hopeless is how often a container of a broken image has died: enough for anybody to give it up.
const hopeless = 100

// Subnets implements engine.Engine.
func (e *Engine) Subnets(context.Context) ([]netip.Prefix, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	var subnets []netip.Prefix
	for _, one := range e.networks {
		subnets = append(subnets, one.subnet)
	}
	return subnets, nil
}

// ails tells whether a container's health check fails.
func (e *Engine) ails(name string) bool {
	return e.sick[name] || e.broken[e.containers[name].service.Image]
}
