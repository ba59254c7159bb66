// Package docker is the engine.Engine of a Docker daemon, from Engine 20.10 (API 1.41) on.
package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// Engine talks to one Docker daemon.
type Engine struct {
	client *client.Client
	end    func() error
}

var _ engine.Engine = (*Engine)(nil)

// New prepares a client of the daemon that an environment names (NewClient). A daemon which is down does not keep the provisioner
// from starting.
func New(environment map[string]string) (*Engine, error) {
	docker, end, err := NewClient(environment)
	if err != nil {
		return nil, fmt.Errorf("prepare the Docker client: %w", err)
	}
	return &Engine{client: docker, end: end}, nil
}

// Close gives the connections back.
func (e *Engine) Close() error { return e.end() }

// Ping tells whether the daemon answers.
func (e *Engine) Ping(ctx context.Context) error {
	_, err := e.client.Ping(ctx)
	return translate(err)
}

// Info implements engine.Engine.
func (e *Engine) Info(ctx context.Context) (engine.Info, error) {
	info, err := e.client.Info(ctx)
	if err != nil {
		return engine.Info{}, fmt.Errorf("ask Docker what it has: %w", translate(err))
	}
	return engine.Info{Version: info.ServerVersion, CPUs: info.NCPU, MemoryBytes: info.MemTotal}, nil
}

// Observe implements engine.Engine. Labels find what is the project's under any name, names find what is not.
func (e *Engine) Observe(ctx context.Context, question engine.Question) (engine.Observed, error) {
	var seen engine.Observed
	var err error
	if seen.Containers, err = e.containers(ctx, question); err != nil {
		return engine.Observed{}, fmt.Errorf("list the containers: %w", translate(err))
	}
	if seen.Networks, err = e.networks(ctx, question); err != nil {
		return engine.Observed{}, fmt.Errorf("list the networks: %w", translate(err))
	}
	if seen.Volumes, err = e.volumes(ctx, question); err != nil {
		return engine.Observed{}, fmt.Errorf("list the volumes: %w", translate(err))
	}
	if seen.Images, err = e.images(ctx, question.Images); err != nil {
		return engine.Observed{}, fmt.Errorf("list the images: %w", translate(err))
	}
	others, err := e.named(ctx, question.Others)
	if err != nil {
		return engine.Observed{}, fmt.Errorf("list the shared containers: %w", translate(err))
	}
	seen.Others = map[string]bool{}
	for _, other := range others {
		seen.Others[other.Name] = other.Runs()
	}
	return seen, nil
}

// searches are the two filters by which a project's objects are found: its labels, and its names.
func searches(question engine.Question, namePattern string) []filters.Args {
	return []filters.Args{labelFilter(stack.Labels(question.Target, question.Ref)), filters.NewArgs(filters.Arg("name", namePattern))}
}

func labelFilter(labels map[string]string) filters.Args {
	args := filters.NewArgs()
	for name, value := range labels {
		args.Add("label", name+"="+value)
	}
	return args
}

func (e *Engine) containers(ctx context.Context, question engine.Question) ([]engine.Container, error) {
	found := newSet(func(c engine.Container) string { return c.Name })
	for _, search := range searches(question, "^/"+stack.Prefix(question.Ref)+"-") {
		list, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: search})
		if err != nil {
			return nil, err
		}
		for _, summary := range list {
			one := fromSummary(summary)
			inspected, err := e.client.ContainerInspect(ctx, summary.ID) // the list tells no limits
			if errdefs.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			one.Limits = fromResources(inspected.HostConfig.Resources)
			found.add(one)
		}
	}
	return found.items, nil
}

func (e *Engine) networks(ctx context.Context, question engine.Question) ([]engine.Network, error) {
	found, ids := newSet(func(n engine.Network) string { return n.Name }), map[string]string{}
	for _, search := range searches(question, stack.Prefix(question.Ref)) {
		list, err := e.client.NetworkList(ctx, network.ListOptions{Filters: search})
		if err != nil {
			return nil, err
		}
		for _, summary := range list {
			inspected, err := e.client.NetworkInspect(ctx, summary.ID, network.InspectOptions{}) // the list tells no members
			if errdefs.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			one := fromNetwork(inspected)
			found.add(one)
			if first, known := ids[one.Name]; known && first != summary.ID {
				found.of(one.Name).Twice = true
			} else {
				ids[one.Name] = summary.ID
			}
		}
	}
	return found.items, nil
}

func fromNetwork(inspected network.Inspect) engine.Network {
	one := engine.Network{Name: inspected.Name, Labels: inspected.Labels}
	for _, endpoint := range inspected.Containers {
		one.Members = append(one.Members, endpoint.Name)
	}
	return one
}

func (e *Engine) volumes(ctx context.Context, question engine.Question) ([]engine.Volume, error) {
	found := newSet(func(v engine.Volume) string { return v.Name })
	for _, search := range searches(question, stack.Prefix(question.Ref)) {
		list, err := e.client.VolumeList(ctx, volume.ListOptions{Filters: search})
		if err != nil {
			return nil, err
		}
		for _, one := range list.Volumes {
			found.add(engine.Volume{Name: one.Name, Labels: one.Labels})
		}
	}
	return found.items, nil
}

func (e *Engine) images(ctx context.Context, names []string) (map[string]bool, error) {
	present := make(map[string]bool, len(names))
	for _, name := range names {
		_, err := e.client.ImageInspect(ctx, name)
		if err != nil && !errdefs.IsNotFound(err) {
			return nil, err
		}
		present[name] = err == nil
	}
	return present, nil
}

// named returns those of the containers that exist.
func (e *Engine) named(ctx context.Context, names []string) ([]engine.Container, error) {
	if len(names) == 0 {
		return nil, nil
	}
	args := filters.NewArgs()
	for _, name := range names {
		args.Add("name", "^/"+name+"$")
	}
	list, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: args})
	if err != nil {
		return nil, err
	}
	return fromSummaries(list), nil
}

// Survey implements engine.Engine.
func (e *Engine) Survey(ctx context.Context, target string, others []string) (engine.Survey, error) {
	list, err := e.client.ContainerList(ctx, container.ListOptions{
		All: true, Filters: labelFilter(map[string]string{stack.LabelTarget: target}),
	})
	if err != nil {
		return engine.Survey{}, fmt.Errorf("list the target's containers: %w", translate(err))
	}
	named, err := e.named(ctx, others)
	if err != nil {
		return engine.Survey{}, fmt.Errorf("list the shared containers: %w", translate(err))
	}
	return engine.Survey{Containers: fromSummaries(list), Others: named}, nil
}

// Belongings implements engine.Engine.
func (e *Engine) Belongings(ctx context.Context, target string) ([]engine.Object, error) {
	by := filters.NewArgs(filters.Arg("label", stack.LabelTarget+"="+target), filters.Arg("label", stack.LabelProject))
	var objects []engine.Object
	containers, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: by})
	if err != nil {
		return nil, fmt.Errorf("list the target's containers: %w", translate(err))
	}
	for _, one := range fromSummaries(containers) {
		objects = append(objects, engine.Object{Kind: engine.KindContainer, Name: one.Name, Ref: one.Labels[stack.LabelProject]})
	}
	networks, err := e.client.NetworkList(ctx, network.ListOptions{Filters: by})
	if err != nil {
		return nil, fmt.Errorf("list the target's networks: %w", translate(err))
	}
	for _, one := range networks {
		objects = append(objects, engine.Object{Kind: engine.KindNetwork, Name: one.Name, Ref: one.Labels[stack.LabelProject]})
	}
	volumes, err := e.client.VolumeList(ctx, volume.ListOptions{Filters: by})
	if err != nil {
		return nil, fmt.Errorf("list the target's volumes: %w", translate(err))
	}
	for _, one := range volumes.Volumes {
		objects = append(objects, engine.Object{Kind: engine.KindVolume, Name: one.Name, Ref: one.Labels[stack.LabelProject]})
	}
	return objects, nil
}

func fromSummaries(list []container.Summary) []engine.Container {
	containers := make([]engine.Container, len(list))
	for i, summary := range list {
		containers[i] = fromSummary(summary)
	}
	return containers
}

func fromSummary(summary container.Summary) engine.Container {
	one := engine.Container{Labels: summary.Labels, State: engine.State(summary.State)}
	if len(summary.Names) > 0 {
		one.Name = strings.TrimPrefix(summary.Names[0], "/")
	}
	// A list tells the health in words alone: `Up 5 seconds (healthy)`, `(unhealthy)`, `(health: starting)`, and
	// nothing for a container without a health check.
	unwell := strings.Contains(summary.Status, "(unhealthy)") || strings.Contains(summary.Status, "(health: starting)")
	one.Healthy = one.State == engine.StateRunning && !unwell
	if summary.NetworkSettings != nil {
		for name := range summary.NetworkSettings.Networks {
			one.Networks = append(one.Networks, name)
		}
	}
	return one
}

func fromResources(resources container.Resources) stack.Limits {
	limits := stack.Limits{MemoryBytes: resources.Memory}
	if resources.CPUPeriod > 0 {
		limits.MilliCPUs = resources.CPUQuota * 1000 / resources.CPUPeriod
	}
	if resources.PidsLimit != nil {
		limits.Processes = *resources.PidsLimit
	}
	return limits
}

// Container implements engine.Engine.
func (e *Engine) Container(ctx context.Context, name string) (engine.Container, error) {
	inspected, err := e.client.ContainerInspect(ctx, name)
	if err != nil {
		return engine.Container{}, translate(err)
	}
	state := inspected.State
	one := engine.Container{
		Name: strings.TrimPrefix(inspected.Name, "/"), Labels: inspected.Config.Labels, State: engine.State(state.Status),
		Healthy:  state.Running && !state.Restarting && (state.Health == nil || state.Health.Status == container.Healthy),
		Restarts: inspected.RestartCount, ExitCode: state.ExitCode,
	}
	for network := range inspected.NetworkSettings.Networks {
		one.Networks = append(one.Networks, network)
	}
	return one, nil
}

// Watch implements engine.Engine.
func (e *Engine) Watch(ctx context.Context, changed func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages, failures := e.client.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", string(events.ContainerEventType)),
		filters.Arg("event", string(events.ActionStart)),
		filters.Arg("event", string(events.ActionDie)),
		filters.Arg("event", string(events.ActionDestroy)),
		filters.Arg("event", string(events.ActionHealthStatus)),
	)})
	for {
		select {
		case <-messages:
			changed()
		case err := <-failures:
			return fmt.Errorf("watch Docker's events: %w", translate(err))
		}
	}
}

// set keeps things once by their name, in the order in which they came.
type set[T any] struct {
	name  func(T) string
	known map[string]bool
	items []T
}

func newSet[T any](name func(T) string) *set[T] { return &set[T]{name: name, known: map[string]bool{}} }

func (s *set[T]) add(item T) {
	if !s.known[s.name(item)] {
		s.known[s.name(item)] = true
		s.items = append(s.items, item)
	}
}

// of returns the thing of that name, which is there.
func (s *set[T]) of(name string) *T {
	for i := range s.items {
		if s.name(s.items[i]) == name {
			return &s.items[i]
		}
	}
	return nil
}
