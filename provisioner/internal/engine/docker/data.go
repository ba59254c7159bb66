package docker

import (
	"context"
	"io"
	"maps"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// ReadFolder implements engine.Data.
func (e *Engine) ReadFolder(ctx context.Context, name, path string) (io.ReadCloser, error) {
	archive, _, err := e.client.CopyFromContainer(ctx, name, path+"/.")
	return archive, translate(err)
}

// WriteFolder implements engine.Data. Files belong to whom the archive says: CopyUIDGID, in spite of its name, would give them
// to the image's user.
func (e *Engine) WriteFolder(ctx context.Context, name, path string, archive io.Reader) error {
	return translate(e.client.CopyToContainer(ctx, name, path, archive, container.CopyToContainerOptions{}))
}

// CreateScratch implements engine.Data.
func (e *Engine) CreateScratch(ctx context.Context, service stack.Service) error {
	config := &container.Config{
		Image: service.Image, Entrypoint: service.Entrypoint, Cmd: service.Command, Env: service.Env.List(), Labels: service.Labels, Healthcheck: e.health(ctx, service.Health),
		StopSignal: service.StopSignal, StopTimeout: seconds(service.StopTimeout),
	}
	host := &container.HostConfig{
		NetworkMode: "none",
		Resources:   resources(service.Limits),
		LogConfig:   container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m", "max-file": "1"}},
		SecurityOpt: []string{"no-new-privileges"},
	}
	for _, one := range service.Mounts {
		mounted := mount.Mount{Type: mount.TypeVolume, Source: one.Volume, Target: one.Path}
		if one.Volume == "" {
			mounted.VolumeOptions = &mount.VolumeOptions{Labels: service.Labels}
		}
		host.Mounts = append(host.Mounts, mounted)
	}
	_, err := e.client.ContainerCreate(ctx, config, host, nil, nil, service.Container)
	return translate(err)
}

// RemoveScratch implements engine.Data.
func (e *Engine) RemoveScratch(ctx context.Context, labels map[string]string) error {
	by := labelFilter(labels)
	by.Add("label", stack.LabelScratch)
	containers, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: by})
	if err != nil {
		return translate(err)
	}
	for _, one := range containers {
		// RemoveVolumes takes anonymous volumes alone, never one that has a name.
		if err := gone(e.client.ContainerRemove(ctx, one.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})); err != nil {
			return err
		}
	}
	volumes, err := e.client.VolumeList(ctx, volume.ListOptions{Filters: by})
	if err != nil {
		return translate(err)
	}
	for _, one := range volumes.Volumes {
		if err := gone(e.client.VolumeRemove(ctx, one.Name, false)); err != nil {
			return err
		}
	}
	return nil
}

// Scratches implements engine.Data.
func (e *Engine) Scratches(ctx context.Context, target string) ([]map[string]string, error) {
	by := filters.NewArgs(filters.Arg("label", stack.LabelScratch+"="+target))
	containers, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: by})
	if err != nil {
		return nil, translate(err)
	}
	volumes, err := e.client.VolumeList(ctx, volume.ListOptions{Filters: by})
	if err != nil {
		return nil, translate(err)
	}
	var found []map[string]string
	for _, one := range containers {
		found = append(found, maps.Clone(one.Labels))
	}
	for _, one := range volumes.Volumes {
		found = append(found, maps.Clone(one.Labels))
	}
	return found, nil
}
