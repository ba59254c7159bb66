package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// restore gives a project the data of a backup. Its own database is renamed first and dropped last, so that a failure anywhere
// between leaves it as it was; a transaction could not do that, for it cannot make extensions that belong to one database by
// its name, as pg_cron, nor hold the locks of a large schema.
func (t *Task) restore(ctx context.Context, want stack.Stack, restore store.Restore) error {
	d, err := t.database(ctx, want)
	if err != nil {
		return err
	}
	if !restore.Restored {
		err := t.again(ctx, func() error { return t.replace(ctx, want, d, &restore) })
		if err != nil {
			return t.giveUp(ctx, d, restore, err)
		}
		if err := t.Claim.DataRestored(ctx); err != nil {
			return err
		}
	}
	err = t.Record(ctx, "drop-old-database", "the backup's data is in its place", func(ctx context.Context) error {
		return d.dropDatabase(ctx, aside(restore.Number))
	})
	if err != nil {
		return err
	}
	return t.Claim.ForgetRestore(ctx)
}

// replace puts the backup's data in the place of the project's, whose database is set aside.
func (t *Task) replace(ctx context.Context, want stack.Stack, d database, restore *store.Restore) error {
	source, err := t.checked(ctx, restore.Backup)
	if err != nil {
		return err
	}
	if err := t.stopOthers(ctx, want); err != nil {
		return err
	}
	if safety := restore.Safety; safety != nil && !safety.Restorable() {
		if err := t.make(ctx, want, safety); err != nil {
			return fmt.Errorf("no safety backup could be made: %w", err)
		}
	}
	if container, path, stored := files(want); stored && source.manifest.HasStorage {
		// Each version of a stored file has a name of its own: those that are there stay, and the database says which are meant.
		err := t.Record(ctx, "restore-storage", "the backup has stored files", func(ctx context.Context) error {
			return source.read(storageFile, func(in io.Reader) error { return t.Engine.WriteFolder(ctx, container, path, in) })
		})
		if err != nil {
			return err
		}
	}
	err = t.Record(ctx, "set-database-aside", "the backup's takes its place", func(ctx context.Context) error {
		return errors.Join(d.endSessions(ctx), d.setAside(ctx, restore.Number))
	})
	if err != nil {
		return err
	}
	err = t.Record(ctx, "restore-database", "the backup's data is wanted", func(ctx context.Context) error {
		return d.fill(ctx, source)
	})
	if err != nil {
		return err
	}
	return t.Record(ctx, "compare-database", "it has to have what the backup has", func(ctx context.Context) error {
		return source.compare(ctx, d)
	})
}

func (t *Task) checked(ctx context.Context, backup store.Backup) (source kept, err error) {
	err = t.Record(ctx, "check-backup", "a damaged backup replaces nothing", func(context.Context) error {
		source, err = openChecked(t.Settings.Directory, backup)
		return err
	})
	return source, err
}

// stopOthers stops what could write to the database meanwhile. The plan starts it again.
func (t *Task) stopOthers(ctx context.Context, want stack.Stack) error {
	for _, service := range want.Services {
		if service.Name == stack.DatabaseService {
			continue
		}
		err := t.Record(ctx, "stop-container:"+service.Name, "its database is replaced", func(ctx context.Context) error {
			return t.Engine.StopContainer(ctx, service.Container)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putBackTimeout bounds the return of the old database, which happens even when the work was too slow.
const putBackTimeout = 5 * time.Minute

// giveUp leaves the project with the data that it had. A new project has none: it fails.
func (t *Task) giveUp(ctx context.Context, d database, restore store.Restore, why error) error {
	if isCutOff(ctx, why) {
		return why // whoever goes on begins with putting the database back
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putBackTimeout)
	defer cancel()
	err := t.Record(ctx, "put-database-back", "the backup could not be restored", func(ctx context.Context) error {
		return errors.Join(d.endSessions(ctx), d.putBack(ctx, restore.Number))
	})
	if err != nil {
		return err
	}
	if restore.Safety == nil {
		return &engine.PermanentError{Err: fmt.Errorf("the backup could not be restored: %w", why)}
	}
	return t.Claim.GiveRestoreUp(ctx, fmt.Errorf("the backup could not be restored, and the data is as it was before: %w", why))
}
