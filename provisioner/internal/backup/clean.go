package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// Leftover is something of backups that is of no use any more.
type Leftover struct {
	Kind   string // `backup`, `unfinished backup` or `scratch`
	Name   string
	Cause  string
	Remove func(context.Context) error
}

// Leftovers lists the backups that are no longer kept, and what interrupted work left: folders that never became a backup, and
// scratch databases. A finished backup that Postgres does not know is none: perhaps Postgres was put back to yesterday. It
// changes nothing.
func (k *Keeper) Leftovers(ctx context.Context) ([]Leftover, error) {
	if !k.Makes() {
		return k.scratches(ctx)
	}
	gone, err := k.Store.BackupsThatWouldGo(ctx, k.Settings.Target, k.Settings.Retention)
	if err != nil {
		return nil, err
	}
	found, err := k.leftovers(ctx, gone)
	for i := range found {
		found[i].Remove = k.Clean // which asks again: somebody may restore one of them meanwhile
	}
	return found, err
}

// clean removes the leftovers.
func (k *Keeper) clean(ctx context.Context) error {
	if err := k.Store.ExpireBackups(ctx, k.Settings.Target, k.Settings.Retention); err != nil {
		return err
	}
	gone, err := k.Store.BackupsToRemove(ctx, k.Settings.Target)
	if err != nil {
		return err
	}
	found, err := k.leftovers(ctx, gone)
	return errors.Join(err, k.remove(ctx, found))
}

// Clean removes the leftovers, also where no backups are made any more.
func (k *Keeper) Clean(ctx context.Context) error {
	if k.Makes() {
		return k.clean(ctx)
	}
	found, err := k.scratches(ctx)
	return errors.Join(err, k.remove(ctx, found))
}

func (k *Keeper) remove(ctx context.Context, found []Leftover) (err error) {
	for _, one := range found {
		if failure := one.Remove(ctx); failure != nil {
			err = errors.Join(err, fmt.Errorf("remove the %s %s: %w", one.Kind, one.Name, failure))
			continue
		}
		k.Log.Info("removed a leftover", "kind", one.Kind, "name", one.Name, "cause", one.Cause)
	}
	return err
}

func (k *Keeper) leftovers(ctx context.Context, gone []store.Backup) (found []Leftover, err error) {
	for _, one := range gone {
		found = append(found, k.goneBackup(one))
	}
	unfinished, err := k.unfinished(ctx)
	scratches, errScratches := k.scratches(ctx)
	return slices.Concat(found, unfinished, scratches), errors.Join(err, errScratches)
}

func (k *Keeper) goneBackup(backup store.Backup) Leftover {
	folder := filepath.Join(k.Settings.Directory, location(backup.ProjectRef, backup.ID))
	return Leftover{"backup", folder, "it is " + string(backup.Status), func(ctx context.Context) error {
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
		_ = os.Remove(filepath.Dir(folder)) // the project's folder, where it was the last one
		return k.Store.ForgetBackup(ctx, backup.ID)
	}}
}

// unfinished lists the folders of backups that nobody is making.
func (k *Keeper) unfinished(ctx context.Context) (found []Leftover, err error) {
	folders, err := filepath.Glob(filepath.Join(k.Settings.Directory, "*", "*"+partial))
	if err != nil || len(folders) == 0 {
		return nil, err
	}
	byID := map[int64]string{}
	for _, folder := range folders {
		if id, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(folder), partial), 10, 64); err == nil {
			byID[id] = folder
		}
	}
	idle, err := idle(ctx, k.Store, byID)
	for _, folder := range idle {
		found = append(found, Leftover{"unfinished backup", folder, "nobody makes it", func(context.Context) error { return os.RemoveAll(folder) }})
	}
	return found, err
}

// scratches lists the scratch databases of backups that nobody works on.
func (k *Keeper) scratches(ctx context.Context) (found []Leftover, err error) {
	labelled, err := k.Engine.Scratches(ctx, k.Settings.Target)
	if err != nil || len(labelled) == 0 {
		return nil, err
	}
	byID := map[int64]map[string]string{}
	for _, labels := range labelled {
		if id, err := strconv.ParseInt(labels[stack.LabelBackup], 10, 64); err == nil {
			byID[id] = map[string]string{stack.LabelScratch: k.Settings.Target, stack.LabelBackup: labels[stack.LabelBackup]}
		}
	}
	idle, err := idle(ctx, k.Store, byID)
	for _, labels := range idle {
		found = append(found, Leftover{
			"scratch", "of backup " + labels[stack.LabelBackup], "nobody works on that backup",
			func(ctx context.Context) error { return k.Engine.RemoveScratch(ctx, labels) },
		})
	}
	return found, err
}

// idle picks what belongs to backups that nobody is working on, in their order.
func idle[T any](ctx context.Context, state *store.Store, byID map[int64]T) (picked []T, err error) {
	ids := slices.Sorted(maps.Keys(byID))
	states, err := state.BackupStates(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !states[id].Held {
			picked = append(picked, byID[id])
		}
	}
	return picked, nil
}
