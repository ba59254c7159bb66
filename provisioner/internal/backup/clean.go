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

// clean removes backups that are no longer kept, and what interrupted work left: folders that never became a backup, and
// scratch databases. A finished backup that Postgres does not know stays where it is: perhaps Postgres was put back to yesterday.
func (k *Keeper) clean(ctx context.Context) error {
	return errors.Join(k.expire(ctx), k.removePartial(ctx), k.removeScratches(ctx))
}

func (k *Keeper) expire(ctx context.Context) error {
	if err := k.Store.ExpireBackups(ctx, k.Settings.Target, k.Settings.Retention); err != nil {
		return err
	}
	gone, err := k.Store.BackupsToRemove(ctx, k.Settings.Target)
	if err != nil {
		return err
	}
	for _, backup := range gone {
		folder := filepath.Join(k.Settings.Directory, location(backup.ProjectRef, backup.ID))
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("remove backup %d: %w", backup.ID, err)
		}
		if err := k.Store.ForgetBackup(ctx, backup.ID); err != nil {
			return err
		}
		_ = os.Remove(filepath.Dir(folder)) // the project's folder, where it was the last one
		k.Log.Info("removed a backup", "project", backup.ProjectRef, "backup", backup.ID, "kind", backup.Kind, "status", backup.Status)
	}
	return nil
}

// removePartial removes the folders of backups that nobody is making.
func (k *Keeper) removePartial(ctx context.Context) error {
	folders, err := filepath.Glob(filepath.Join(k.Settings.Directory, "*", "*"+partial))
	if err != nil || len(folders) == 0 {
		return err
	}
	byID := map[int64]string{}
	for _, folder := range folders {
		if id, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(folder), partial), 10, 64); err == nil {
			byID[id] = folder
		}
	}
	idle, err := idle(ctx, k.Store, byID)
	for _, folder := range idle {
		k.Log.Info("removed what is left of a backup", "folder", folder)
		err = errors.Join(err, os.RemoveAll(folder))
	}
	return err
}

func (k *Keeper) removeScratches(ctx context.Context) error {
	found, err := k.Engine.Scratches(ctx, k.Settings.Target)
	if err != nil || len(found) == 0 {
		return err
	}
	byID := map[int64]map[string]string{}
	for _, labels := range found {
		if id, err := strconv.ParseInt(labels[stack.LabelBackup], 10, 64); err == nil {
			byID[id] = map[string]string{stack.LabelScratch: k.Settings.Target, stack.LabelBackup: labels[stack.LabelBackup]}
		}
	}
	idle, err := idle(ctx, k.Store, byID)
	for _, labels := range idle {
		k.Log.Info("removed a scratch database", "backup", labels[stack.LabelBackup])
		err = errors.Join(err, k.Engine.RemoveScratch(ctx, labels))
	}
	return err
}

// idle picks what belongs to backups that nobody is working on.
func idle[T any](ctx context.Context, state *store.Store, byID map[int64]T) (picked []T, err error) {
	states, err := state.BackupStates(ctx, slices.Collect(maps.Keys(byID)))
	if err != nil {
		return nil, err
	}
	for id, one := range byID {
		if !states[id].Held {
			picked = append(picked, one)
		}
	}
	return picked, nil
}
