package backup

import (
	"context"
	"crypto/rand"
	"io"
	"maps"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// removeTimeout bounds the removal of a scratch database, which happens even when the work was cut off.
const removeTimeout = time.Minute

// verify restores a backup into a scratch database, and compares the two.
func (t *Task) verify(ctx context.Context, want stack.Stack, backup store.Backup) error {
	source, err := openChecked(t.Settings.Directory, backup)
	if err != nil {
		return err
	}
	service := scratch(want, backup)
	return t.inScratch(ctx, service, func(ctx context.Context, restored database) error {
		err := t.Record(ctx, "restore-scratch", "a backup counts when it was restored once", func(ctx context.Context) error {
			return restored.fill(ctx, source)
		})
		if err != nil {
			return err
		}
		return t.Record(ctx, "compare-scratch", "it has to have what the project had", func(ctx context.Context) error {
			return source.compare(ctx, restored)
		})
	})
}

// fill makes a cluster's database that of a backup.
func (d database) fill(ctx context.Context, source kept) error {
	err := source.read(rolesFile, func(in io.Reader) error { return d.addRoles(ctx, in) })
	if err != nil {
		return err
	}
	if err := d.dropDatabase(ctx, "postgres"); err != nil {
		return err
	}
	return source.read(databaseFile, func(in io.Reader) error { return d.load(ctx, in) })
}

// scratch is a database like the project's, with volumes and a password of its own, no network and no port.
func scratch(want stack.Stack, backup store.Backup) stack.Service {
	service := want.Service(stack.DatabaseService)
	// Another platform on the same engine counts its backups likewise.
	service.Container = "plurabase-scratch-" + string(backup.ProjectRef) + "-" + number(backup.ID)
	service.Labels = map[string]string{stack.LabelScratch: backup.Target, stack.LabelBackup: number(backup.ID)}
	service.Ports, service.Env = nil, maps.Clone(service.Env)
	service.Env["POSTGRES_PASSWORD"] = rand.Text()
	mounts := make([]stack.Mount, len(service.Mounts))
	for i, mount := range service.Mounts {
		mounts[i] = stack.Mount{Path: mount.Path}
	}
	service.Mounts = mounts
	return service
}

// inScratch does something with a scratch database, which is gone afterwards.
func (t *Task) inScratch(ctx context.Context, service stack.Service, do func(context.Context, database) error) error {
	remove := func(ctx context.Context) error { return t.Engine.RemoveScratch(ctx, service.Labels) }
	err := t.Record(ctx, "create-scratch", "the backup is to be restored into it", func(ctx context.Context) error {
		if err := remove(ctx); err != nil { // what an interrupted try left
			return err
		}
		if err := t.Engine.CreateScratch(ctx, service); err != nil {
			return err
		}
		if err := t.Engine.StartContainer(ctx, service.Container); err != nil {
			return err
		}
		return t.awaitHealthy(ctx, service.Container)
	})
	if err == nil {
		err = do(ctx, database{engine: t.Engine, container: service.Container, password: service.Env["POSTGRES_PASSWORD"]})
	}
	if err == nil {
		return t.Record(ctx, "remove-scratch", "it is no longer needed", remove)
	}
	removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if failure := remove(removing); failure != nil {
		t.Log.Warn("could not remove the scratch database: housekeeping will", "error", failure)
	}
	return err
}
