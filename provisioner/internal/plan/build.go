package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// Build returns what has to be done to get from seen to want. A PermanentError says that something which is not the
// project's has one of its names: that is never touched.
func Build(want stack.Stack, seen engine.Observed) (Plan, error) {
	if err := refuseForeigners(want, seen); err != nil {
		return Plan{}, err
	}
	b := &builder{want: want, seen: seen, ready: map[string][]string{}}
	b.configureRunning()
	b.removeContainers()
	b.removeNetworks()
	b.removeVolumes()
	b.network()
	b.volumes()
	for _, service := range want.Services {
		b.service(service)
	}
	return b.plan, nil
}

type builder struct {
	want stack.Stack
	seen engine.Observed
	plan Plan
	// ready names the steps after which a service is ready; none when it is already.
	ready map[string][]string
	// configured is the step that sets up the database as it runs.
	configured []string
}

// add appends a step and returns its name.
func (b *builder) add(step Step) string {
	b.plan.Steps = append(b.plan.Steps, step)
	return step.Name()
}

// planned returns those of the names that are steps of the plan.
func (b *builder) planned(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return !slices.ContainsFunc(b.plan.Steps, func(s Step) bool { return s.Name() == name })
	})
}

// part is what follows the project in the name of one of its objects: `db`.
func (b *builder) part(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, stack.Prefix(b.want.Ref)), "-")
}

// removeContainers removes what is not wanted, or not as it is.
func (b *builder) removeContainers() {
	for _, container := range b.seen.Containers {
		if !b.want.Owns(container.Labels) {
			continue
		}
		cause := b.misfit(container)
		if cause == "" {
			continue
		}
		step := Step{
			Kind: RemoveContainer, Subject: b.part(container.Name), Object: container.Name, Cause: cause,
			After: b.pullImage(b.want.Service(container.Labels[stack.LabelService])),
		}
		if b.wants(container) { // its successor knows what the database is only now told
			step.After = append(step.After, b.configured...)
		}
		if container.Runs() {
			stop := step
			stop.Kind = StopContainer
			step.After = []string{b.add(stop)}
		}
		b.add(step)
	}
}

// pullImage plans to get a service's image where the engine lacks it. It comes before anything that the service has is
// taken away: an image that cannot be had costs nothing.
func (b *builder) pullImage(service stack.Service) []string {
	if service.Image == "" || b.seen.Images[service.Image] {
		return nil
	}
	step := Step{Kind: PullImage, Subject: service.Name, Object: service.Image, Cause: "the engine does not have " + service.Image}
	if planned := b.planned(step.Name()); len(planned) > 0 {
		return planned
	}
	return []string{b.add(step)}
}

// wants tells whether the project should have a container of this name.
func (b *builder) wants(container engine.Container) bool {
	return slices.ContainsFunc(b.want.Services, func(s stack.Service) bool { return s.Container == container.Name })
}

// misfit says why a container cannot stay, and nothing when it can.
func (b *builder) misfit(container engine.Container) string {
	i := slices.IndexFunc(b.want.Services, func(s stack.Service) bool { return s.Container == container.Name })
	if i < 0 {
		return "the project should not have it"
	}
	service := b.want.Services[i]
	switch {
	case container.Labels[stack.LabelConfigHash] != service.Labels[stack.LabelConfigHash]:
		return "its configuration has changed"
	case container.Limits.MemoryBytes > service.Limits.MemoryBytes:
		return "it is to have less memory than it may hold" // it could only be killed for it
	case generation(container.Labels) < service.MinimumAge:
		return "a restart was asked for"
	case !b.networkFits() || !slices.Contains(container.Networks, b.want.Network.Name):
		return "it is not on the project's network"
	case container.State == engine.StatePaused, container.State == engine.StateRemoving, container.State == engine.StateDead:
		return "it is " + string(container.State) + " and cannot be started"
	}
	return ""
}

// generation returns the generation that a container was made for; 0 without one.
func generation(labels map[string]string) int64 {
	number, _ := strconv.ParseInt(labels[stack.LabelGeneration], 10, 64)
	return number
}

// networkFits tells whether the project's network is there as it should be.
func (b *builder) networkFits() bool {
	return slices.ContainsFunc(b.seen.Networks, func(n engine.Network) bool { return b.want.Owns(n.Labels) && b.wantsNetwork(n) })
}

func (b *builder) wantsNetwork(network engine.Network) bool {
	return b.want.Network != nil && network.Name == b.want.Network.Name && !network.Twice &&
		network.Labels[stack.LabelConfigHash] == b.want.Network.Labels[stack.LabelConfigHash]
}

// removeNetworks removes what is not wanted, or not as it is, when nothing is on it any more.
func (b *builder) removeNetworks() {
	for _, network := range b.seen.Networks {
		if !b.want.Owns(network.Labels) || b.wantsNetwork(network) {
			continue
		}
		step := Step{Kind: RemoveNetwork, Subject: b.part(network.Name), Object: network.Name, Cause: "the project should not have it"}
		if b.want.Network != nil {
			step.Cause = "its configuration has changed"
		}
		if network.Twice {
			step.Cause = "it is there twice"
		}
		for _, container := range b.seen.Containers {
			if b.want.Owns(container.Labels) {
				step.After = append(step.After, b.planned(string(RemoveContainer)+":"+b.part(container.Name))...)
			}
		}
		for _, member := range network.Members {
			if !b.isOurContainer(member) {
				step.After = append(step.After, b.add(Step{
					Kind: Disconnect, Subject: member, Object: network.Name, Cause: "the network is removed",
				}))
			}
		}
		b.add(step)
	}
}

func (b *builder) isOurContainer(name string) bool {
	return slices.ContainsFunc(b.seen.Containers, func(c engine.Container) bool { return c.Name == name && b.want.Owns(c.Labels) })
}

// removeVolumes removes every volume of a project that is deleted, and none otherwise, whatever is wanted.
func (b *builder) removeVolumes() {
	if !b.want.Removed {
		return
	}
	for _, volume := range b.seen.Volumes {
		if !b.want.Owns(volume.Labels) {
			continue
		}
		step := Step{Kind: RemoveVolume, Subject: b.part(volume.Name), Object: volume.Name, Cause: "the project is deleted"}
		for _, container := range b.seen.Containers {
			step.After = append(step.After, b.planned(string(RemoveContainer)+":"+b.part(container.Name))...)
		}
		b.add(step)
	}
}

func (b *builder) network() {
	if b.want.Network == nil {
		return
	}
	name := b.want.Network.Name
	var after []string
	if !b.networkFits() {
		after = []string{b.add(Step{
			Kind: CreateNetwork, Object: name, Cause: "the project has no network", After: b.planned(string(RemoveNetwork)),
		})}
	}
	for _, other := range b.want.Shared {
		if b.seen.Others[other] && (after != nil || !b.isMember(other)) {
			b.add(Step{Kind: Connect, Subject: other, Object: name, Cause: "it is not on the project's network", After: after})
		}
	}
}

func (b *builder) isMember(container string) bool {
	return slices.ContainsFunc(b.seen.Networks, func(n engine.Network) bool {
		return n.Name == b.want.Network.Name && slices.Contains(n.Members, container)
	})
}

func (b *builder) volumes() {
	for _, volume := range b.want.Volumes {
		if slices.ContainsFunc(b.seen.Volumes, func(v engine.Volume) bool { return v.Name == volume.Name }) {
			continue
		}
		b.add(Step{Kind: CreateVolume, Subject: b.part(volume.Name), Object: volume.Name, Cause: "the project has no such volume"})
	}
}

// service brings one service up, after those that it depends on.
func (b *builder) service(service stack.Service) {
	container, exists := b.container(service)
	step := Step{Subject: service.Name, Object: service.Container}
	var after []string
	if !exists {
		step.Kind, step.Cause, step.After = CreateContainer, "the service has no container", b.beforeCreate(service)
		after = []string{b.add(step)}
	}
	if exists && container.Limits != service.Limits {
		step.Kind, step.Cause, step.After = UpdateContainer, "its limits have changed", nil
		after = []string{b.add(step)}
	}
	if !exists || !container.Runs() {
		step.Kind, step.Cause = StartContainer, "the service does not run"
		step.After = after
		for _, dependency := range service.DependsOn {
			step.After = append(step.After, b.ready[dependency]...)
		}
		after = []string{b.add(step)}
	}
	if !exists || !container.Runs() || !container.Healthy {
		step.Kind, step.Cause, step.After = WaitHealthy, "the service is not healthy yet", after
		after = []string{b.add(step)}
	}
	if database := b.want.Database; database != nil && database.Container == service.Container {
		after = b.configureDatabase(step, after)
	}
	b.ready[service.Name] = after
}

// container returns the service's container, if there is one that stays.
func (b *builder) container(service stack.Service) (engine.Container, bool) {
	for _, container := range b.seen.Containers {
		if container.Name == service.Container && b.misfit(container) == "" {
			return container, true
		}
	}
	return engine.Container{}, false
}

func (b *builder) beforeCreate(service stack.Service) []string {
	after := b.planned(string(RemoveContainer)+":"+service.Name, string(CreateNetwork))
	for _, mount := range service.Mounts {
		after = append(after, b.planned(string(CreateVolume)+":"+b.part(mount.Volume))...)
	}
	return append(after, b.pullImage(service)...)
}

// configureRunning plans the setup of a database that runs and was set up otherwise before, ahead of all else: a new password
// is good before anything is started with it.
func (b *builder) configureRunning() {
	if b.want.Database == nil || b.seen.Database == nil {
		return
	}
	for _, service := range b.want.Services {
		if service.Container == b.want.Database.Container {
			b.configured = b.configureDatabase(Step{Subject: service.Name, Object: service.Container}, nil)
		}
	}
}

// configureDatabase plans the setup unless the database says that it was done, and with the same passwords.
func (b *builder) configureDatabase(step Step, after []string) []string {
	seen := b.seen.Database
	switch {
	case len(b.configured) > 0:
		return append(after, b.configured...)
	case seen != nil && seen.Mark == b.want.Database.Mark:
		return after
	case seen == nil:
		step.Cause = "the database could not say yet whether it is configured"
	case seen.Mark == "":
		step.Cause = "the database is not configured"
	default:
		step.Cause = "the database's configuration has changed"
	}
	step.Kind, step.After = ConfigureDatabase, after
	return []string{b.add(step)}
}

// refuseForeigners fails when a name that the project needs belongs to something that is not the project's.
func refuseForeigners(want stack.Stack, seen engine.Observed) error {
	for _, container := range seen.Containers {
		wanted := slices.ContainsFunc(want.Services, func(s stack.Service) bool { return s.Container == container.Name })
		if wanted && !want.Owns(container.Labels) {
			return foreign("container", container.Name)
		}
	}
	for _, network := range seen.Networks {
		if want.Network != nil && network.Name == want.Network.Name && !want.Owns(network.Labels) {
			return foreign("network", network.Name)
		}
	}
	for _, volume := range seen.Volumes {
		wanted := slices.ContainsFunc(want.Volumes, func(v stack.Volume) bool { return v.Name == volume.Name })
		if wanted && !want.Owns(volume.Labels) {
			return foreign("volume", volume.Name)
		}
	}
	return nil
}

func foreign(kind, name string) error {
	return &engine.PermanentError{Err: fmt.Errorf("there is a %s %s that Plurabase did not make: rename or remove it", kind, name)}
}
