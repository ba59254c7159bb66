package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// BeforeRemoval makes the final backup of a project that is deleted, where the operator asks for it: from its database while
// that is well, and from its volumes where it rests or does not answer. active is what the project's stack would be. A project
// whose database never came up has nothing to keep.
func (t *Task) BeforeRemoval(ctx context.Context, active func(context.Context) (stack.Stack, error)) error {
	project := t.Claim.Project
	if !t.Makes() || !t.Settings.Final || project.Desired != store.DesiredRemoved || project.DBVersion == nil {
		return nil
	}
	backup, err := t.Claim.FinalBackup(ctx)
	if err != nil || backup.Restorable() {
		return err
	}
	want, err := active(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.Settings.Deadline)
	defer cancel()
	if err := t.backUpLast(ctx, want, backup); err != nil {
		return fmt.Errorf("the project is not deleted before its final backup is made (PLURABASE_FINAL_BACKUP): %w", err)
	}
	return nil
}

func (t *Task) backUpLast(ctx context.Context, want stack.Stack, backup store.Backup) error {
	container, err := t.Engine.Container(ctx, want.Database.Container)
	switch {
	case errors.Is(err, engine.ErrNotFound), err == nil && !container.Runs():
		return t.backUpVolumes(ctx, want, backup)
	case err != nil:
		return err
	case !want.Owns(container.Labels):
		return nil
	case !container.Healthy:
		err := t.Record(ctx, "stop-container:"+stack.DatabaseService, "it does not answer, and its volumes may", func(ctx context.Context) error {
			return t.Engine.StopContainer(ctx, container.Name)
		})
		if err != nil {
			return err
		}
		return t.backUpVolumes(ctx, want, backup)
	}
	if err := t.Mend(ctx, want); err != nil {
		return err
	}
	return t.make(ctx, want, &backup)
}

// backUpVolumes starts a database on the volumes of a project that does not run, for as long as its backup takes.
func (t *Task) backUpVolumes(ctx context.Context, want stack.Stack, backup store.Backup) error {
	seen, err := t.Engine.Observe(ctx, engine.Question{Target: want.Target, Ref: want.Ref})
	if err != nil {
		return err
	}
	source, err := t.database(ctx, want)
	if err != nil {
		return err
	}
	service := scratch(want, backup)
	service.Mounts, service.Env = slices.Clone(want.Service(stack.DatabaseService).Mounts), want.Service(stack.DatabaseService).Env
	for i := range want.Services {
		if want.Services[i].Name == store.ServiceStorage {
			service.Mounts = append(service.Mounts, want.Services[i].Mounts...)
			want.Services[i].Container = service.Container // its files are read from there
		}
	}
	// An engine makes a volume that it is asked to mount and does not have.
	service.Mounts = slices.DeleteFunc(service.Mounts, func(mount stack.Mount) bool {
		return !slices.ContainsFunc(seen.Volumes, func(v engine.Volume) bool { return v.Name == mount.Volume && want.Owns(v.Labels) })
	})
	if !slices.ContainsFunc(service.Mounts, func(m stack.Mount) bool { return m == want.Service(stack.DatabaseService).Mounts[0] }) {
		return nil // its data is gone already: an earlier try of the removal got so far
	}
	return t.inScratch(ctx, service, func(ctx context.Context, running database) error {
		running.password = source.password
		restore, err := t.Claim.Restore(ctx)
		if err != nil {
			return err
		}
		if restore != nil && !restore.Restored { // an interrupted restore had set the data aside
			if err := running.putBack(ctx, restore.Number); err != nil {
				return err
			}
		}
		return t.makeOf(ctx, running, want, &backup)
	})
}
