// Package backup makes backups of projects, verifies and restores them. A backup is a folder of files below the target's
// backup directory: a dump of the project's database by its own pg_dump, its roles, its stored files, an inventory of what
// the database had, and a manifest with the digest of each. It counts only once it was restored into a scratch database that
// then has the same inventory.
//
// Everything here may be killed at any point and is then done again, from what Postgres and the engine show.
package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"syscall"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// Settings are what the operator decides about a target's backups.
type Settings struct {
	Target     string
	Host       string // for people
	Directory  string // where the backups lie; empty: none are made
	Schedule   Schedule
	Jitter     time.Duration // how far the projects' backups are spread
	Retention  store.Retention
	Concurrent int           // how many scheduled backups the target makes at once
	Final      bool          // a project that is deleted is backed up first
	Deadline   time.Duration // after which a backup, or a restore, has failed
	PublicURL  string        // where the gateway passes downloads on; empty: nowhere

	Poll     time.Duration // how often a scratch database that comes up is looked at
	RetryMin time.Duration // the wait after a first failure
}

// Keeper makes and keeps a target's backups. The nil Keeper makes none.
type Keeper struct {
	Store    *store.Store
	Engine   engine.Engine
	Settings Settings
	Log      *slog.Logger

	forgotten bool // by Tick alone: nobody believes any more that the target makes backups
}

// Makes tells whether backups are made at all.
func (k *Keeper) Makes() bool { return k != nil && k.Settings.Directory != "" }

// Record does something as a step of the operation, and keeps a record of it.
type Record func(ctx context.Context, step, cause string, do func(context.Context) error) error

// Task is what one claim has to do with a project's data.
type Task struct {
	*Keeper
	Claim  *store.Claim
	Record Record
	Log    *slog.Logger

	failure error // why the operation fails although the project is well
}

// tries is how often the work on a backup is tried, within one claim.
const tries = 3

// Mend puts the database back that an interrupted restore had set aside, so that the project's services find their own.
func (t *Task) Mend(ctx context.Context, want stack.Stack) error {
	if t.Keeper == nil || t.Claim.OperationID == 0 || want.Database == nil {
		return nil
	}
	restore, err := t.Claim.Restore(ctx)
	if err != nil || restore == nil || restore.Restored {
		return err
	}
	container, err := t.Engine.Container(ctx, want.Database.Container)
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	if err != nil || !container.Healthy || !want.Owns(container.Labels) {
		return err
	}
	d, err := t.database(ctx, want)
	if err != nil {
		return err
	}
	return d.putBack(ctx, restore.Number)
}

// Advance does what is to be done with the data of a project whose stack is as it should be. again: something has changed, and
// the stack has to be looked at once more.
func (t *Task) Advance(ctx context.Context, want stack.Stack) (again bool, err error) {
	if t.Keeper == nil || t.Claim.OperationID == 0 || want.Database == nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.Settings.Deadline)
	defer cancel()
	restore, err := t.Claim.Restore(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case !t.Makes() && (restore != nil || t.Claim.Kind == store.OperationBackup):
		return false, &engine.PermanentError{Err: errors.New("the provisioner has no backup directory")}
	case restore != nil:
		return true, t.restore(ctx, want, *restore)
	case t.Claim.Kind == store.OperationBackup:
		return false, t.backUp(ctx, want)
	}
	return false, nil
}

// Failure says why the operation fails although the project is well; nil where it does not.
func (t *Task) Failure() error {
	if t.failure == nil && t.Claim.Kind == store.OperationRestoreBackup && t.Claim.Undone != nil {
		return errors.New(*t.Claim.Undone)
	}
	return t.failure
}

// backUp makes and verifies the operation's backup.
func (t *Task) backUp(ctx context.Context, want stack.Stack) error {
	backup, err := t.Claim.Backup(ctx)
	if err != nil || backup == nil {
		return err
	}
	switch backup.Status {
	case store.BackupFailed:
		t.failure = errors.New(deref(backup.Error))
		return nil
	case store.BackupPending, store.BackupRunning:
		if err = t.again(ctx, func() error { return t.make(ctx, want, backup) }); err != nil {
			return t.failed(ctx, backup.ID, err)
		}
	case store.BackupCompleted, store.BackupVerified, store.BackupExpired:
	}
	if backup.Status != store.BackupCompleted {
		return nil
	}
	err = t.again(ctx, func() error { return t.verify(ctx, want, *backup) })
	var differs *differenceError
	switch {
	case err == nil:
		return t.Claim.BackupVerified(ctx, backup.ID)
	case errors.As(err, &differs), errors.Is(err, errDamaged):
		return t.failed(ctx, backup.ID, err)
	case isCutOff(ctx, err):
		return err
	}
	t.failure = fmt.Errorf("the backup is there, but could not be verified: %w", err)
	return t.Claim.BackupUnverified(ctx, backup.ID, t.failure)
}

// failed notes that there is no backup, and lets the operation end so.
func (t *Task) failed(ctx context.Context, id int64, err error) error {
	if isCutOff(ctx, err) {
		return err
	}
	t.failure = err
	return t.Claim.BackupFailed(context.WithoutCancel(ctx), id, err)
}

// isCutOff tells that the work was ended by somebody else: it goes on elsewhere, or is not wanted any more.
func isCutOff(ctx context.Context, err error) bool {
	return errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrSuperseded) || errors.Is(ctx.Err(), context.Canceled)
}

// again tries something a few times, unless it fails in a way that no repetition mends.
func (t *Task) again(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || try == tries || isPermanent(err) || ctx.Err() != nil {
			return err
		}
		t.Log.Warn("failed, and is tried again", "error", err)
		delay := t.Settings.RetryMin << (try - 1)
		select {
		case <-time.After(delay + rand.N(delay/5+1)): //nolint:gosec // a jitter is no secret
		case <-ctx.Done():
			return err
		}
	}
}

func isPermanent(err error) bool {
	var permanent *engine.PermanentError
	var differs *differenceError
	return errors.As(err, &permanent) || errors.As(err, &differs) || errors.Is(err, errDamaged) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrSuperseded)
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func number(id int64) string { return strconv.FormatInt(id, 10) }
