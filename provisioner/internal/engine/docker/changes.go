package docker

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/go-connections/nat"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// CreateNetwork implements engine.Engine.
func (e *Engine) CreateNetwork(ctx context.Context, wanted stack.Network) error {
	addresses := network.IPAMConfig{Subnet: wanted.Subnet.String()}
	if wanted.Gateway.IsValid() {
		addresses.Gateway = wanted.Gateway.String()
	}
	if wanted.Dynamic.IsValid() {
		addresses.IPRange = wanted.Dynamic.String()
	}
	_, err := e.client.NetworkCreate(ctx, wanted.Name, network.CreateOptions{
		Driver: "bridge", IPAM: &network.IPAM{Config: []network.IPAMConfig{addresses}}, Labels: wanted.Labels,
	})
	return translate(err)
}

// RemoveNetwork implements engine.Engine. There may be two of the name: Docker looks for a namesake before it makes a
// network, but not while it does.
func (e *Engine) RemoveNetwork(ctx context.Context, name string) error {
	list, err := e.client.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(
		filters.Arg("name", "^"+name+"$"), filters.Arg("label", stack.LabelProject))})
	if err != nil {
		return translate(err)
	}
	for _, one := range list {
		if err := gone(e.client.NetworkRemove(ctx, one.ID)); err != nil {
			return err
		}
	}
	return nil
}

// Connect implements engine.Engine.
func (e *Engine) Connect(ctx context.Context, networkName, containerName string) error {
	return translate(e.client.NetworkConnect(ctx, networkName, containerName, nil))
}

// Disconnect implements engine.Engine.
func (e *Engine) Disconnect(ctx context.Context, networkName, containerName string) error {
	return gone(e.client.NetworkDisconnect(ctx, networkName, containerName, true))
}

// CreateVolume implements engine.Engine.
func (e *Engine) CreateVolume(ctx context.Context, wanted stack.Volume) error {
	_, err := e.client.VolumeCreate(ctx, volume.CreateOptions{Name: wanted.Name, Labels: wanted.Labels})
	return translate(err)
}

// RemoveVolume implements engine.Engine.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	return gone(e.client.VolumeRemove(ctx, name, false))
}

// CreateContainer implements engine.Engine.
func (e *Engine) CreateContainer(ctx context.Context, networkName string, service stack.Service) error {
	config := &container.Config{
		Image:       service.Image,
		Entrypoint:  service.Entrypoint,
		Cmd:         service.Command,
		Env:         service.Env.List(),
		Labels:      service.Labels,
		Healthcheck: e.health(ctx, service.Health),
		StopSignal:  service.StopSignal,
		StopTimeout: seconds(service.StopTimeout),
	}
	host := &container.HostConfig{
		NetworkMode:   container.NetworkMode(networkName),
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
		Resources:     resources(service.Limits),
		LogConfig:     container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m", "max-file": "3"}},
		SecurityOpt:   []string{"no-new-privileges"},
	}
	for _, one := range service.Mounts {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: one.Volume, Target: one.Path})
	}
	config.ExposedPorts, host.PortBindings = nat.PortSet{}, nat.PortMap{}
	for _, one := range service.Ports {
		port := nat.Port(strconv.Itoa(int(one.Container)) + "/tcp")
		config.ExposedPorts[port] = struct{}{}
		host.PortBindings[port] = []nat.PortBinding{{HostIP: one.Host.Addr().String(), HostPort: strconv.Itoa(int(one.Host.Port()))}}
	}
	// Inside the network a service is known by its own name, `db`, as in upstream's docker-compose.yml.
	endpoint := &network.EndpointSettings{Aliases: []string{service.Name}}
	if service.Address.IsValid() {
		endpoint.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: service.Address.String()}
	}
	networking := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{networkName: endpoint}}
	_, err := e.client.ContainerCreate(ctx, config, host, networking, nil, service.Container)
	return translate(err)
}

// steadyInterval is how often a service is asked by a daemon that knows no start interval: it came with API 1.44. A start must
// not take longer because of it.
const steadyInterval = 5 * time.Second

func (e *Engine) health(ctx context.Context, wanted stack.Health) *container.HealthConfig {
	if len(wanted.Command) == 0 {
		return nil
	}
	health := &container.HealthConfig{
		Test: append([]string{"CMD"}, wanted.Command...), Interval: wanted.Interval, Timeout: wanted.Timeout,
		Retries: wanted.Retries, StartPeriod: wanted.StartPeriod, StartInterval: wanted.StartInterval,
	}
	e.client.NegotiateAPIVersion(ctx)
	if versions.LessThan(e.client.ClientVersion(), "1.44") {
		health.StartInterval, health.Interval = 0, min(health.Interval, steadyInterval)
	}
	return health
}

// cpuPeriod is the kernel's default for a CPU quota, in microseconds.
const cpuPeriod = 100_000

// resources sets the CPU limit as a quota: unlike NanoCPUs, Docker accepts one above the host's own cores.
func resources(limits stack.Limits) container.Resources {
	return container.Resources{
		Memory: limits.MemoryBytes,
		// Docker's own default for a new container. Said, for an update would keep the old one, below the new memory.
		MemorySwap: 2 * limits.MemoryBytes,
		CPUPeriod:  cpuPeriod,
		CPUQuota:   limits.MilliCPUs * cpuPeriod / 1000,
		PidsLimit:  &limits.Processes,
	}
}

func seconds(duration time.Duration) *int {
	whole := int(math.Ceil(duration.Seconds()))
	return &whole
}

// StartContainer implements engine.Engine.
func (e *Engine) StartContainer(ctx context.Context, name string) error {
	return translate(e.client.ContainerStart(ctx, name, container.StartOptions{}))
}

// UpdateContainer implements engine.Engine.
func (e *Engine) UpdateContainer(ctx context.Context, name string, limits stack.Limits) error {
	_, err := e.client.ContainerUpdate(ctx, name, container.UpdateConfig{
		Resources:     resources(limits),
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped}, // an empty one would be none
	})
	return translate(err)
}

// StopContainer implements engine.Engine. The container's own timeout applies.
func (e *Engine) StopContainer(ctx context.Context, name string) error {
	return gone(e.client.ContainerStop(ctx, name, container.StopOptions{}))
}

// RemoveContainer implements engine.Engine. Volumes are kept, the named ones as the anonymous ones.
func (e *Engine) RemoveContainer(ctx context.Context, name string) error {
	return gone(e.client.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}))
}

// gone is translate for a call that wants something away: that it is away already is no error.
func gone(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return translate(err)
}
