package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// make makes a backup of a project that runs, and notes it.
func (t *Task) make(ctx context.Context, want stack.Stack, backup *store.Backup) error {
	source, err := t.database(ctx, want)
	if err != nil {
		return err
	}
	return t.makeOf(ctx, source, want, backup)
}

// makeOf makes a backup of a database and of the files beside it. What an interrupted try has finished is taken as it is.
func (t *Task) makeOf(ctx context.Context, source database, want stack.Stack, backup *store.Backup) error {
	finished, err := open(t.Settings.Directory, location(backup.ProjectRef, backup.ID))
	switch {
	case err == nil && finished.check() == nil:
		return t.completed(ctx, backup, finished.summary())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := t.Claim.BackupBegun(ctx, backup.ID); err != nil {
		return err
	}
	into, err := newFolder(t.Settings.Directory, location(backup.ProjectRef, backup.ID))
	if err != nil {
		return err
	}
	about := manifest{
		Version: 1, Backup: backup.ID, Project: backup.ProjectRef, Kind: backup.Kind, CreatedAt: backup.CreatedAt,
		Image: want.Service(stack.DatabaseService).Image,
	}
	err = t.Record(ctx, "dump-database", "a "+string(backup.Kind)+" backup was asked for", func(ctx context.Context) error {
		about.DBVersion, err = t.dump(ctx, source, into)
		return err
	})
	if err != nil {
		return err
	}
	if storage, path, stored := files(want); stored {
		err = t.Record(ctx, "copy-storage", "the project stores files", func(ctx context.Context) error {
			about.HasStorage, err = t.copyFiles(ctx, storage, path, into)
			return err
		})
		if err != nil {
			return err
		}
	}
	return t.Record(ctx, "keep-backup", "everything is written", func(ctx context.Context) error {
		summary, err := into.finish(about)
		if err != nil {
			return err
		}
		return t.completed(ctx, backup, summary)
	})
}

func (t *Task) completed(ctx context.Context, backup *store.Backup, summary store.BackupKept) error {
	if err := t.Claim.BackupCompleted(ctx, backup.ID, summary); err != nil {
		return err
	}
	backup.Status, backup.Location, backup.Checksum = store.BackupCompleted, &summary.Location, summary.Checksum
	return nil
}

// dump writes a database, its inventory and its roles, and returns Postgres' version.
func (t *Task) dump(ctx context.Context, source database, into *folder) (version string, err error) {
	if err := source.endSessions(ctx); err != nil {
		return "", err
	}
	defer func() {
		if err != nil { // a dump whose reader is gone would hold on to its locks
			_ = source.endSessions(context.WithoutCancel(ctx))
		}
	}()
	inventory, err := source.snapshot(ctx, func(name string) error {
		return into.write(databaseFile, func(out io.Writer) error { return source.dump(ctx, name, out) })
	})
	if err != nil {
		return "", err
	}
	err = into.write(inventoryFile, func(out io.Writer) error {
		_, err := io.WriteString(out, inventory)
		return err
	})
	if err != nil {
		return "", err
	}
	if err := into.write(rolesFile, func(out io.Writer) error { return source.roles(ctx, out) }); err != nil {
		return "", err
	}
	return deref(t.Claim.Project.DBVersion), nil
}

// files says which container has the files that a project stores, and where.
func files(want stack.Stack) (container, path string, stored bool) {
	service := want.Service(store.ServiceStorage)
	if len(service.Mounts) == 0 {
		return "", "", false
	}
	return service.Container, service.Mounts[0].Path, true
}

// copyFiles copies what a project stores. The database comes first: what is stored in between is a file too many, never one too
// few.
func (t *Task) copyFiles(ctx context.Context, container, path string, into *folder) (copied bool, err error) {
	archive, err := t.Engine.ReadFolder(ctx, container, path)
	if errors.Is(err, engine.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = archive.Close() }()
	return true, into.write(storageFile, func(out io.Writer) error {
		_, err := io.Copy(out, archive)
		return err
	})
}

// differenceError says that what was restored is not what was backed up.
type differenceError struct{ lines []string }

func (e *differenceError) Error() string {
	const shown = 3
	text := strings.Join(e.lines[:min(shown, len(e.lines))], "; ")
	if more := len(e.lines) - shown; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return "what was restored is not what was backed up: " + text
}

// compare holds a database against the inventory of a backup.
func (k kept) compare(ctx context.Context, restored database) error {
	var expected string
	err := k.read(inventoryFile, func(in io.Reader) error {
		text, err := io.ReadAll(in)
		expected = string(text)
		return err
	})
	if err != nil {
		return err
	}
	found, err := restored.inventory(ctx)
	if err != nil {
		return err
	}
	return difference(expected, found)
}

func difference(expected, found string) error {
	seen := map[string]int{}
	for line := range strings.Lines(expected) {
		seen[line]++
	}
	for line := range strings.Lines(found) {
		seen[line]--
	}
	var differs differenceError
	for line := range strings.Lines(expected + found) {
		switch count := seen[line]; {
		case count > 0:
			differs.lines = append(differs.lines, "missing: "+strings.TrimSpace(line))
		case count < 0:
			differs.lines = append(differs.lines, "unexpected: "+strings.TrimSpace(line))
		}
		seen[line] = 0
	}
	if len(differs.lines) > 0 {
		return &differs
	}
	return nil
}
