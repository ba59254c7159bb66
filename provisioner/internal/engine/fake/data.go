package fake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// Snapshot is the snapshot that every database exports.
const Snapshot = "00000003-0000001B-1"

// working is the name of the database that users and services work in.
const working = "postgres"

// Pipe implements engine.Data: it is a cluster whose databases have one text each, which pg_dump prints and pg_restore
// reads. What psql is asked, the first line of its input names.
func (e *Engine) Pipe(ctx context.Context, name string, command stack.Command, in io.Reader, out io.Writer) error {
	switch command.Args[0] {
	case "pg_dump":
		return e.dump(ctx, name, out)
	case "pg_dumpall":
		_, err := io.WriteString(out, "-- roles\n")
		return err
	case "pg_restore":
		content, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		return e.change(ctx, "RestoreDatabase", name, func() error { return e.restore(name, string(content)) })
	case "psql":
		return e.psql(ctx, name, in, out)
	}
	return fmt.Errorf("%s: command not found", command.Args[0])
}

func (e *Engine) dump(ctx context.Context, name string, out io.Writer) error {
	var content string
	err := e.change(ctx, "DumpDatabase", name, func() error {
		data, err := e.data(name)
		if err == nil {
			content = data.databases[working]
		}
		return err
	})
	if err == nil {
		_, err = io.WriteString(out, "dump:"+content)
	}
	return err
}

func (e *Engine) restore(name, content string) error {
	data, err := e.data(name)
	if err != nil {
		return err
	}
	content, isDump := strings.CutPrefix(content, "dump:")
	if !isDump {
		return errors.New("input file does not appear to be a valid archive")
	}
	if _, exists := data.databases[working]; exists {
		return errors.New(`database "postgres" already exists`)
	}
	data.databases[working] = content
	return nil
}

func (e *Engine) psql(ctx context.Context, name string, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	first, err := lines.ReadString('\n')
	if err != nil {
		return err
	}
	words := strings.Fields(strings.TrimPrefix(first, "-- plurabase:"))
	if words[0] == "snapshot" {
		if _, err := io.WriteString(out, Snapshot+"\n"); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		return err
	}
	var printed bytes.Buffer
	err = e.change(ctx, "SQL "+words[0], name, func() error {
		data, err := e.data(name)
		if err != nil {
			return err
		}
		return data.ask(words, &printed)
	})
	if err == nil {
		_, err = printed.WriteTo(out)
	}
	return err
}

// ask does what the first line of psql's input names.
func (v *volume) ask(words []string, out io.Writer) error {
	aside := ""
	if len(words) > 1 {
		aside = words[1]
	}
	_, isAside := v.databases[aside]
	switch words[0] {
	case "snapshot", "inventory":
		_, _ = fmt.Fprintf(out, "content %s\n", v.databases[working])
	case "set-aside":
		if !isAside {
			v.databases[aside] = v.databases[working]
		}
		delete(v.databases, working)
	case "put-back":
		if isAside {
			v.databases[working] = v.databases[aside]
			delete(v.databases, aside)
		}
	case "drop-database":
		delete(v.databases, aside)
	case "roles", "end-sessions", "analyze":
	default:
		return fmt.Errorf("the fake database does not know %q", words[0])
	}
	return nil
}

// ReadFolder implements engine.Data. A folder is one text: what was written into it last.
func (e *Engine) ReadFolder(_ context.Context, name, path string) (io.ReadCloser, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	mounted, folder, err := e.mounted(name, path)
	if err != nil {
		return nil, err
	}
	content, written := mounted.folders[folder]
	if !written && folder != "" {
		return nil, engine.ErrNotFound
	}
	return io.NopCloser(strings.NewReader(content)), nil
}

// WriteFolder implements engine.Data.
func (e *Engine) WriteFolder(ctx context.Context, name, path string, archive io.Reader) error {
	content, err := io.ReadAll(archive)
	if err != nil {
		return err
	}
	return e.change(ctx, "WriteFolder", name, func() error {
		mounted, folder, err := e.mounted(name, path)
		if err == nil {
			mounted.folders[folder] = string(content)
		}
		return err
	})
}

// mounted returns the volume that has a path of a container, and the path within it.
func (e *Engine) mounted(name, path string) (*volume, string, error) {
	one := e.containers[name]
	if one == nil {
		return nil, "", engine.ErrNotFound
	}
	for _, mount := range one.service.Mounts {
		if folder, within := strings.CutPrefix(path+"/", mount.Path+"/"); within {
			return e.volumes[mount.Volume], strings.TrimSuffix(folder, "/"), nil
		}
	}
	return nil, "", engine.ErrNotFound
}

// CreateScratch implements engine.Data.
func (e *Engine) CreateScratch(ctx context.Context, service stack.Service) error {
	return e.change(ctx, "CreateScratch", service.Container, func() error {
		if e.containers[service.Container] != nil {
			return fmt.Errorf("the container name %s is already in use", service.Container)
		}
		service.Mounts, service.Address = slices.Clone(service.Mounts), netip.Addr{} // it has no network
		for i, mount := range service.Mounts {
			if mount.Volume == "" {
				name := fmt.Sprintf("%s-%d", service.Container, i)
				service.Mounts[i].Volume = name
				e.volumes[name] = newVolume(name, service.Labels)
			}
		}
		e.containers[service.Container] = &container{engine.Container{
			Name: service.Container, Labels: service.Labels, State: engine.StateCreated,
		}, service}
		return nil
	})
}

// RemoveScratch implements engine.Data.
func (e *Engine) RemoveScratch(ctx context.Context, labels map[string]string) error {
	return e.change(ctx, "RemoveScratch", labels[stack.LabelBackup], func() error {
		for name, one := range e.containers {
			if isScratch(one.Labels, labels) {
				delete(e.containers, name)
			}
		}
		for name, one := range e.volumes {
			if isScratch(one.Labels, labels) {
				delete(e.volumes, name)
			}
		}
		return nil
	})
}

func isScratch(labels, by map[string]string) bool {
	if labels[stack.LabelScratch] == "" {
		return false
	}
	for label, value := range by {
		if labels[label] != value {
			return false
		}
	}
	return true
}

// Scratches implements engine.Data.
func (e *Engine) Scratches(_ context.Context, target string) ([]map[string]string, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	var found []map[string]string
	for _, one := range e.containers {
		if one.Labels[stack.LabelScratch] == target {
			found = append(found, maps.Clone(one.Labels))
		}
	}
	return found, nil
}

// SetContent writes the text of a running database.
func (e *Engine) SetContent(container, content string) {
	e.outside(func() {
		if data, err := e.data(container); err == nil {
			data.databases[working] = content
		}
	})
}

// Content returns the texts of a database's cluster, by database.
func (e *Engine) Content(container string) map[string]string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	data, err := e.data(container)
	if err != nil {
		return nil
	}
	return maps.Clone(data.databases)
}
