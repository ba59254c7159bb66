package plan_test

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/plan"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

const (
	ref    = "abcdefghijklmnopqrst"
	prefix = "plurabase-" + ref
	image  = "postgres:17"
)

func labels(extra ...string) map[string]string {
	all := stack.Labels("local", ref)
	for i := 0; i < len(extra); i += 2 {
		all[extra[i]] = extra[i+1]
	}
	return all
}

// active is a project with a database, and with an auth that needs it.
func active() stack.Stack {
	return stack.Stack{
		Target: "local", Ref: ref,
		Network: &stack.Network{Name: prefix, Subnet: netip.MustParsePrefix("10.213.0.0/27"), Labels: labels(stack.LabelConfigHash, "net")},
		Volumes: []stack.Volume{{Name: prefix + "-db", Labels: labels()}},
		Services: []stack.Service{
			service("db", stack.Mount{Volume: prefix + "-db"}),
			service("auth"),
		},
		Shared:   []string{"kong", "meta"},
		Database: &stack.Database{Container: prefix + "-db", Mark: "mark"},
	}
}

func service(name string, mounts ...stack.Mount) stack.Service {
	one := stack.Service{
		Name: name, Container: prefix + "-" + name, Image: image, Mounts: mounts, MinimumAge: 3,
		Labels: labels(stack.LabelService, name, stack.LabelConfigHash, "hash", stack.LabelGeneration, "3"),
	}
	if name != "db" {
		one.DependsOn = []string{"db"}
	}
	return one
}

func inactive() stack.Stack { return stack.Stack{Target: "local", Ref: ref} }

func removed() stack.Stack { return stack.Stack{Target: "local", Ref: ref, Removed: true} }

// running is an engine that has everything of active.
func running() engine.Observed {
	return engine.Observed{
		Containers: []engine.Container{container("auth"), container("db")},
		Networks: []engine.Network{{
			Name: prefix, Labels: labels(stack.LabelConfigHash, "net"), Members: []string{prefix + "-auth", prefix + "-db", "kong", "meta"},
		}},
		Volumes:  []engine.Volume{{Name: prefix + "-db", Labels: labels()}},
		Images:   map[string]bool{image: true},
		Others:   map[string]bool{"kong": true, "meta": true},
		Database: &engine.Database{Version: "17.6", Mark: "mark"},
	}
}

func container(name string) engine.Container {
	return engine.Container{
		Name: prefix + "-" + name, State: engine.StateRunning, Healthy: true, Networks: []string{prefix},
		Labels: labels(stack.LabelService, name, stack.LabelConfigHash, "hash", stack.LabelGeneration, "3"),
	}
}

// change returns running with one container changed.
func change(name string, do func(*engine.Container)) engine.Observed {
	seen := running()
	for i := range seen.Containers {
		if seen.Containers[i].Name == prefix+"-"+name {
			do(&seen.Containers[i])
		}
	}
	return seen
}

func TestPlans(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		want stack.Stack
		seen engine.Observed
		plan string
	}{
		{name: "nothing is left to do", want: active(), seen: running()},
		{name: "nothing is there", want: active(), seen: engine.Observed{Others: map[string]bool{"kong": true}}, plan: `
			create-network: the project has no network
			connect:kong after create-network: it is not on the project's network
			create-volume:db: the project has no such volume
			pull-image:db: the engine does not have postgres:17
			create-container:db after create-network, create-volume:db, pull-image:db: the service has no container
			start-container:db after create-container:db: the service does not run
			wait-healthy:db after start-container:db: the service is not healthy yet
			configure-database:db after wait-healthy:db: the database could not say yet whether it is configured
			pull-image:auth: the engine does not have postgres:17
			create-container:auth after create-network, pull-image:auth: the service has no container
			start-container:auth after create-container:auth, configure-database:db: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "two networks were made at once", want: active(), seen: func() engine.Observed {
			return engine.Observed{Images: running().Images, Networks: []engine.Network{{
				Name: prefix, Labels: labels(stack.LabelConfigHash, "net"), Twice: true,
			}}, Volumes: running().Volumes}
		}(), plan: `
			remove-network: it is there twice
			create-network after remove-network: the project has no network
			create-container:db after create-network: the service has no container
			start-container:db after create-container:db: the service does not run
			wait-healthy:db after start-container:db: the service is not healthy yet
			configure-database:db after wait-healthy:db: the database could not say yet whether it is configured
			create-container:auth after create-network: the service has no container
			start-container:auth after create-container:auth, configure-database:db: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "one service is lost", want: active(), seen: func() engine.Observed {
			seen := running()
			seen.Containers = seen.Containers[1:]
			return seen
		}(), plan: `
			create-container:auth: the service has no container
			start-container:auth after create-container:auth: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "a container died", want: active(), seen: change("auth", func(c *engine.Container) {
			c.State, c.Healthy = engine.StateExited, false
		}), plan: `
			start-container:auth: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "a container is not well", want: active(), seen: change("auth", func(c *engine.Container) { c.Healthy = false }), plan: `
			wait-healthy:auth: the service is not healthy yet`},
		{name: "a container starts again by itself", want: active(), seen: change("auth", func(c *engine.Container) {
			c.State, c.Healthy = engine.StateRestarting, false
		}), plan: `
			wait-healthy:auth: the service is not healthy yet`},
		{name: "a container was paused by hand", want: active(), seen: change("auth", func(c *engine.Container) {
			c.State, c.Healthy = engine.StatePaused, false
		}), plan: `
			remove-container:auth: it is paused and cannot be started
			create-container:auth after remove-container:auth: the service has no container
			start-container:auth after create-container:auth: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "one service has another configuration", want: active(), seen: change("auth", func(c *engine.Container) {
			c.Labels[stack.LabelConfigHash] = "old"
		}), plan: `
			stop-container:auth: its configuration has changed
			remove-container:auth after stop-container:auth: its configuration has changed
			create-container:auth after remove-container:auth: the service has no container
			start-container:auth after create-container:auth: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "a service gets an image that has to be pulled", want: active(), seen: func() engine.Observed {
			seen := change("auth", func(c *engine.Container) { c.Labels[stack.LabelConfigHash] = "old" })
			seen.Images = nil
			return seen
		}(), plan: `
			pull-image:auth: the engine does not have postgres:17
			stop-container:auth after pull-image:auth: its configuration has changed
			remove-container:auth after stop-container:auth: its configuration has changed
			create-container:auth after remove-container:auth, pull-image:auth: the service has no container
			start-container:auth after create-container:auth: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "a restart was asked for after a container was made", want: active(), seen: change("auth", func(c *engine.Container) {
			c.Labels[stack.LabelGeneration] = "2"
		}), plan: `
			stop-container:auth: a restart was asked for
			remove-container:auth after stop-container:auth: a restart was asked for
			create-container:auth after remove-container:auth: the service has no container
			start-container:auth after create-container:auth: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "a service is no longer chosen", want: active(), seen: func() engine.Observed {
			seen := running()
			seen.Containers = append(seen.Containers, container("storage"))
			return seen
		}(), plan: `
			stop-container:storage: the project should not have it
			remove-container:storage after stop-container:storage: the project should not have it`},
		{name: "the network has another subnet", want: active(), seen: func() engine.Observed {
			seen := running()
			seen.Networks[0].Labels[stack.LabelConfigHash] = "old"
			return seen
		}(), plan: `
			stop-container:auth: it is not on the project's network
			remove-container:auth after stop-container:auth: it is not on the project's network
			stop-container:db: it is not on the project's network
			remove-container:db after stop-container:db: it is not on the project's network
			disconnect:kong: the network is removed
			disconnect:meta: the network is removed
			remove-network after remove-container:auth, remove-container:db, disconnect:kong, disconnect:meta: its configuration has changed
			create-network after remove-network: the project has no network
			connect:kong after create-network: it is not on the project's network
			connect:meta after create-network: it is not on the project's network
			create-container:db after remove-container:db, create-network: the service has no container
			start-container:db after create-container:db: the service does not run
			wait-healthy:db after start-container:db: the service is not healthy yet
			create-container:auth after remove-container:auth, create-network: the service has no container
			start-container:auth after create-container:auth, wait-healthy:db: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "the gateway was made anew", want: active(), seen: func() engine.Observed {
			seen := running()
			seen.Networks[0].Members = []string{"meta"}
			return seen
		}(), plan: `
			connect:kong: it is not on the project's network`},
		{name: "the database is not configured", want: active(), seen: func() engine.Observed {
			seen := running()
			seen.Database.Mark = ""
			return seen
		}(), plan: `
			configure-database:db: the database is not configured`},
		{name: "the passwords have changed", want: active(), seen: func() engine.Observed {
			seen := running()
			seen.Database.Mark = "old"
			return seen
		}(), plan: `
			configure-database:db: the database's configuration has changed`},
		{name: "a pause keeps the volume", want: inactive(), seen: running(), plan: `
			stop-container:auth: the project should not have it
			remove-container:auth after stop-container:auth: the project should not have it
			stop-container:db: the project should not have it
			remove-container:db after stop-container:db: the project should not have it
			disconnect:kong: the network is removed
			disconnect:meta: the network is removed
			remove-network after remove-container:auth, remove-container:db, disconnect:kong, disconnect:meta: the project should not have it`},
		{name: "a delete removes everything", want: removed(), seen: running(), plan: `
			stop-container:auth: the project should not have it
			remove-container:auth after stop-container:auth: the project should not have it
			stop-container:db: the project should not have it
			remove-container:db after stop-container:db: the project should not have it
			disconnect:kong: the network is removed
			disconnect:meta: the network is removed
			remove-network after remove-container:auth, remove-container:db, disconnect:kong, disconnect:meta: the project should not have it
			remove-volume:db after remove-container:auth, remove-container:db: the project is deleted`},
		{name: "a delete finds what was given another name", want: removed(), seen: func() engine.Observed {
			seen := engine.Observed{Containers: []engine.Container{container("db")}}
			seen.Containers[0].Name, seen.Containers[0].State = "renamed", engine.StateExited
			return seen
		}(), plan: `
			remove-container:renamed: the project should not have it`},
		{name: "a new password is set before anything is started with it", want: changed("auth", func(s *stack.Service) {
			s.Labels = labels(stack.LabelService, "auth", stack.LabelConfigHash, "other", stack.LabelGeneration, "4")
		}), seen: marked("old mark"), plan: `
			configure-database:db: the database's configuration has changed
			stop-container:auth after configure-database:db: its configuration has changed
			remove-container:auth after stop-container:auth: its configuration has changed
			create-container:auth after remove-container:auth: the service has no container
			start-container:auth after create-container:auth, configure-database:db: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "a new password is set before the database itself is made anew", want: changed("db", func(s *stack.Service) {
			s.MinimumAge = 4
		}), seen: marked("old mark"), plan: `
			configure-database:db: the database's configuration has changed
			stop-container:db after configure-database:db: a restart was asked for
			remove-container:db after stop-container:db: a restart was asked for
			create-container:db after remove-container:db: the service has no container
			start-container:db after create-container:db: the service does not run
			wait-healthy:db after start-container:db: the service is not healthy yet`},
		{name: "a larger size is given while it runs", want: changed("auth", func(s *stack.Service) {
			s.Limits = stack.Limits{MemoryBytes: 2, MilliCPUs: 2}
		}), seen: change("auth", func(c *engine.Container) { c.Limits = stack.Limits{MemoryBytes: 1, MilliCPUs: 2} }), plan: `
			update-container:auth: its limits have changed`},
		{name: "a smaller size takes a new container", want: active(), seen: change("auth", func(c *engine.Container) {
			c.Limits = stack.Limits{MemoryBytes: 1}
		}), plan: `
			stop-container:auth: it is to have less memory than it may hold
			remove-container:auth after stop-container:auth: it is to have less memory than it may hold
			create-container:auth after remove-container:auth: the service has no container
			start-container:auth after create-container:auth: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet`},
		{name: "a service that is left out goes, and its volume stays", want: func() stack.Stack {
			few := active()
			few.Services = few.Services[:1]
			return few
		}(), seen: func() engine.Observed {
			seen := running()
			seen.Volumes = append(seen.Volumes, engine.Volume{Name: prefix + "-auth", Labels: labels()})
			return seen
		}(), plan: `
			stop-container:auth: the project should not have it
			remove-container:auth after stop-container:auth: the project should not have it`},
		{name: "services come up side by side", want: func() stack.Stack {
			more := active()
			more.Services = append(more.Services, service("rest"))
			return more
		}(), seen: func() engine.Observed {
			seen := running()
			seen.Containers = seen.Containers[1:]
			return seen
		}(), plan: `
			create-container:auth: the service has no container
			start-container:auth after create-container:auth: the service does not run
			wait-healthy:auth after start-container:auth: the service is not healthy yet
			create-container:rest: the service has no container
			start-container:rest after create-container:rest: the service does not run
			wait-healthy:rest after start-container:rest: the service is not healthy yet`},
		{name: "a delete leaves alone what only looks like the project's", want: removed(), seen: foreign(running())},
		{name: "a pause leaves alone what only looks like the project's", want: inactive(), seen: foreign(running())},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := plan.Build(test.want, test.seen)
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(strings.ReplaceAll(test.plan, "\t", "")), strings.TrimSpace(got.String()))
			requireOrder(t, got)
		})
	}
}

// changed is active with one service changed.
func changed(name string, do func(*stack.Service)) stack.Stack {
	want := active()
	for i := range want.Services {
		if want.Services[i].Name == name {
			do(&want.Services[i])
		}
	}
	return want
}

// marked is running with a database that was set up otherwise.
func marked(mark string) engine.Observed {
	seen := running()
	seen.Database = &engine.Database{Version: "17.6", Mark: mark}
	return seen
}

// requireOrder checks that each step is named once and comes after those that it waits for.
func requireOrder(t *testing.T, todo plan.Plan) {
	t.Helper()
	earlier := map[string]bool{}
	for _, step := range todo.Steps {
		for _, name := range step.After {
			require.True(t, earlier[name], "%s waits for %s", step.Name(), name)
		}
		require.False(t, earlier[step.Name()], "%s is planned twice", step.Name())
		earlier[step.Name()] = true
	}
}

// foreign is the same without the project's labels.
func foreign(seen engine.Observed) engine.Observed {
	strip := func(labels map[string]string) { delete(labels, stack.LabelProject) }
	for _, one := range seen.Containers {
		strip(one.Labels)
	}
	for _, one := range seen.Networks {
		strip(one.Labels)
	}
	for _, one := range seen.Volumes {
		strip(one.Labels)
	}
	return seen
}

func TestANameThatBelongsToSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	all := foreign(running())
	for message, seen := range map[string]engine.Observed{
		"there is a container " + prefix + "-auth that Plurabase did not make: rename or remove it": {Containers: all.Containers},
		"there is a network " + prefix + " that Plurabase did not make: rename or remove it":        {Networks: all.Networks},
		"there is a volume " + prefix + "-db that Plurabase did not make: rename or remove it":      {Volumes: all.Volumes},
	} {
		_, err := plan.Build(active(), seen)
		var permanent *engine.PermanentError
		require.ErrorAs(t, err, &permanent)
		require.EqualError(t, err, message)
	}
}

func TestAnotherTargetsContainerIsForeign(t *testing.T) {
	t.Parallel()
	seen := change("auth", func(c *engine.Container) {
		c.Labels = maps.Clone(c.Labels)
		c.Labels[stack.LabelTarget] = "elsewhere"
	})
	_, err := plan.Build(active(), seen)
	require.ErrorContains(t, err, "that Plurabase did not make")
}

func TestARepairDoesNotWait(t *testing.T) {
	t.Parallel()
	seen := change("db", func(c *engine.Container) { c.State, c.Healthy = engine.StateExited, false })
	seen.Containers = seen.Containers[1:]
	seen.Database = nil
	todo, err := plan.Build(active(), seen)
	require.NoError(t, err)
	require.Equal(t, "start-container:db: the service does not run\ncreate-container:auth: the service has no container\n",
		todo.WithoutWaiting().String())
}
