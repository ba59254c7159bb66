package fake

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// PullImage implements engine.Engine.
func (e *Engine) PullImage(ctx context.Context, image string, progress func(engine.Progress)) error {
	progress(engine.Progress{Percent: 50, Detail: "1 of 2 layers"})
	return e.change(ctx, "PullImage", image, func() error {
		if !slices.Contains(e.Images, image) {
			return &engine.PermanentError{Err: fmt.Errorf("manifest for %s not found", image)}
		}
		e.pulled[image] = true
		return nil
	})
}

// CreateNetwork implements engine.Engine.
func (e *Engine) CreateNetwork(ctx context.Context, wanted stack.Network) error {
	return e.change(ctx, "CreateNetwork", wanted.Name, func() error {
		if e.networks[wanted.Name] != nil {
			return fmt.Errorf("network with name %s already exists", wanted.Name)
		}
		used := slices.Clone(e.subnets)
		for _, other := range e.networks {
			used = append(used, other.subnet)
		}
		if slices.ContainsFunc(used, wanted.Subnet.Overlaps) {
			return engine.ErrSubnetTaken
		}
		e.networks[wanted.Name] = &network{engine.Network{Name: wanted.Name, Labels: wanted.Labels}, wanted.Subnet}
		return nil
	})
}

// RemoveNetwork implements engine.Engine.
func (e *Engine) RemoveNetwork(ctx context.Context, name string) error {
	return e.change(ctx, "RemoveNetwork", name, func() error {
		if members := e.members(name); len(members) > 0 {
			return fmt.Errorf("network %s has active endpoints: %v", name, members)
		}
		delete(e.networks, name)
		return nil
	})
}

// Connect implements engine.Engine.
func (e *Engine) Connect(ctx context.Context, network, name string) error {
	return e.change(ctx, "Connect", name, func() error {
		one := e.containers[name]
		if one == nil || e.networks[network] == nil {
			return engine.ErrNotFound
		}
		one.Networks = append(one.Networks, network)
		return nil
	})
}

// Disconnect implements engine.Engine.
func (e *Engine) Disconnect(ctx context.Context, network, name string) error {
	return e.change(ctx, "Disconnect", name, func() error {
		if one := e.containers[name]; one != nil {
			one.Networks = slices.DeleteFunc(one.Networks, func(other string) bool { return other == network })
		}
		return nil
	})
}

// CreateVolume implements engine.Engine. As Docker's, it leaves one that exists as it is.
func (e *Engine) CreateVolume(ctx context.Context, wanted stack.Volume) error {
	return e.change(ctx, "CreateVolume", wanted.Name, func() error {
		if e.volumes[wanted.Name] == nil {
			e.volumes[wanted.Name] = newVolume(wanted.Name, wanted.Labels)
		}
		return nil
	})
}

// RemoveVolume implements engine.Engine.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	return e.change(ctx, "RemoveVolume", name, func() error {
		for _, one := range e.containers {
			if slices.ContainsFunc(one.service.Mounts, func(m stack.Mount) bool { return m.Volume == name }) {
				return fmt.Errorf("volume %s is in use by %s", name, one.Name)
			}
		}
		delete(e.volumes, name)
		return nil
	})
}

// CreateContainer implements engine.Engine.
func (e *Engine) CreateContainer(ctx context.Context, network string, service stack.Service) error {
	return e.change(ctx, "CreateContainer", service.Container, func() error {
		switch {
		case e.containers[service.Container] != nil:
			return fmt.Errorf("the container name %s is already in use", service.Container)
		case !e.pulled[service.Image]:
			return fmt.Errorf("image %s: %w", service.Image, engine.ErrNotFound)
		case e.networks[network] == nil:
			return fmt.Errorf("network %s: %w", network, engine.ErrNotFound)
		case service.Address.IsValid() && !e.networks[network].subnet.Contains(service.Address):
			return fmt.Errorf("%s is not in the subnet of network %s", service.Address, network)
		}
		e.containers[service.Container] = &container{engine.Container{
			Name: service.Container, Labels: service.Labels, State: engine.StateCreated, Networks: []string{network},
		}, service}
		return nil
	})
}

// StartContainer implements engine.Engine.
func (e *Engine) StartContainer(ctx context.Context, name string) error {
	return e.change(ctx, "StartContainer", name, func() error {
		one := e.containers[name]
		if one == nil {
			return engine.ErrNotFound
		}
		for _, network := range one.Networks {
			if e.networks[network] == nil {
				return fmt.Errorf("network %s: %w", network, engine.ErrNotFound)
			}
		}
		for _, port := range one.service.Ports {
			if e.ports[port.Host] || e.bound(port) {
				return engine.ErrPortTaken
			}
		}
		if e.addressed(one) {
			return fmt.Errorf("address %s is already in use", one.service.Address)
		}
		one.State = engine.StateRunning
		return nil
	})
}

// addressed tells whether something that runs has the container's address already.
func (e *Engine) addressed(one *container) bool {
	for name, other := range e.containers {
		if name != one.Name && other.Runs() && one.service.Address.IsValid() && other.service.Address == one.service.Address {
			return true
		}
	}
	return false
}

func (e *Engine) bound(port stack.Port) bool {
	for _, other := range e.containers {
		if other.Runs() && slices.Contains(other.service.Ports, port) {
			return true
		}
	}
	return false
}

// UpdateContainer implements engine.Engine.
func (e *Engine) UpdateContainer(ctx context.Context, name string, limits stack.Limits) error {
	return e.change(ctx, "UpdateContainer", name, func() error {
		one := e.containers[name]
		if one == nil {
			return engine.ErrNotFound
		}
		one.service.Limits = limits
		return nil
	})
}

// StopContainer implements engine.Engine.
func (e *Engine) StopContainer(ctx context.Context, name string) error {
	return e.change(ctx, "StopContainer", name, func() error {
		if one := e.containers[name]; one != nil {
			one.State = engine.StateExited
		}
		return nil
	})
}

// RemoveContainer implements engine.Engine.
func (e *Engine) RemoveContainer(ctx context.Context, name string) error {
	return e.change(ctx, "RemoveContainer", name, func() error {
		delete(e.containers, name)
		return nil
	})
}

// markPattern finds what the setup of a database leaves in it.
var markPattern = regexp.MustCompile(`plurabase\.configured = '([0-9a-f]+)'`)

// Version is the Postgres version that every database reports.
const Version = "17.6"

// Run implements engine.Engine: it is a database that knows the setup and the inspection of stack.Database.
func (e *Engine) Run(ctx context.Context, name string, command stack.Command) (string, error) {
	setup := markPattern.FindStringSubmatch(command.Input)
	if setup == nil {
		e.mutex.Lock()
		defer e.mutex.Unlock()
		data, err := e.data(name)
		if err != nil {
			return "", err
		}
		return Version + "\n" + data.mark + "\n", nil
	}
	return "", e.change(ctx, "Configure", name, func() error {
		data, err := e.data(name)
		if err != nil {
			return err
		}
		data.mark = setup[1]
		return nil
	})
}

// data returns the volume that holds a running database's data.
func (e *Engine) data(name string) (*volume, error) {
	one := e.containers[name]
	if one == nil || one.State != engine.StateRunning || e.ails(name) || len(one.service.Mounts) == 0 {
		return nil, fmt.Errorf("%s does not answer", name)
	}
	return e.volumes[one.service.Mounts[0].Volume], nil
}
