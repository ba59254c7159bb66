package reconcile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/backup"
	"github.com/plurabase/plurabase/store"
)

// keepBackups lets the provisioners that are launched from here on keep backups in a directory of the test's own.
func (b *bundle) keepBackups(change ...func(*backup.Settings)) (directory string) {
	b.Helper()
	b.backups = &backup.Settings{
		Target: "local", Host: "here", Directory: b.TempDir(), Concurrent: 2, Deadline: time.Minute,
		Poll: 5 * time.Millisecond, RetryMin: 5 * time.Millisecond,
	}
	for _, apply := range change {
		apply(b.backups)
	}
	require.NoError(b, b.store.NoteBackupTarget(b.Context(), store.BackupTarget{
		Target: "local", Host: "here", Directory: b.backups.Directory,
	}))
	return b.backups.Directory
}

// backUp makes a backup, and returns it as it has become.
func (b *bundle) backUp(ref store.Ref) store.Backup {
	b.Helper()
	made, err := b.store.RequestBackup(b.Context(), b.actor(), ref)
	require.NoError(b, err)
	b.become(ref, healthy)
	return b.backup(made.ID)
}

func (b *bundle) backup(id int64) store.Backup {
	b.Helper()
	found, err := b.store.Backup(b.Context(), scalar[int64](b, `select project_id from platform.backups where id = $1`, id), id)
	require.NoError(b, err)
	return found
}

func (b *bundle) restoreBackup(ref store.Ref, id int64) store.Project {
	b.Helper()
	_, err := b.store.RestoreBackup(b.Context(), b.actor(), ref, id)
	require.NoError(b, err)
	return b.become(ref, healthy)
}

// content is what is in a project's cluster, by database.
func (b *bundle) content(ref store.Ref) map[string]string { return b.engine.Content(container(ref)) }

func TestABackupIsVerifiedAndRestored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keepBackups()
	b.launch("", withServices)
	ref := b.createWith("db", "storage")
	b.become(ref, healthy)
	b.engine.SetContent(container(ref), "before")
	before := b.engine.Objects()
	kept := b.backUp(ref)
	require.Equal(t, store.BackupVerified, kept.Status)
	require.Equal(t, before, b.engine.Objects(), "no scratch is left")

	b.engine.SetContent(container(ref), "after")
	require.Nil(t, b.restoreBackup(ref, kept.ID).Message)
	require.Equal(t, map[string]string{"postgres": "before"}, b.content(ref))
	require.Equal(t, before, b.engine.Objects())
	require.Equal(t, []string{"create:succeeded", "backup:succeeded", "restore_backup:succeeded"}, b.operations(ref))

	safety := scalar[int64](b, `select id from platform.backups where kind = 'safety'`)
	require.Nil(t, b.restoreBackup(ref, safety).Message)
	require.Equal(t, map[string]string{"postgres": "after"}, b.content(ref), "the way back")
}

func TestADamagedBackupReplacesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	directory := b.keepBackups()
	b.launch("")
	ref := b.create()
	b.become(ref, healthy)
	kept := b.backUp(ref)
	b.engine.SetContent(container(ref), "after")
	require.NoError(t, os.Remove(filepath.Join(directory, *kept.Location, "database.dump.zst")))
	require.Contains(t, *b.restoreBackup(ref, kept.ID).Message, "the data is as it was before: check-backup: the backup is damaged")
	require.Equal(t, map[string]string{"postgres": "after"}, b.content(ref))
}

// TestAKilledBackupOrRestoreIsGoneOnWith kills the provisioner after each call of the engine that a backup and a restore take.
func TestAKilledBackupOrRestoreIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for _, kind := range []store.OperationKind{store.OperationBackup, store.OperationRestoreBackup} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.keepBackups()
			k := &killer{bundle: b}
			b.engine.After = k.after
			k.launch(0)
			ref := b.create()
			b.become(ref, healthy)
			b.engine.SetContent(container(ref), "before")
			kept := b.backUp(ref)
			calls := 1
			for ; k.kills(kind, ref, kept.ID, calls); calls++ {
			}
			require.Greater(t, calls, 5)
		})
	}
}

// killer launches provisioners that die.
type killer struct {
	*bundle
	mutex   sync.Mutex
	working *running
	left    int // calls until it dies; 0: it does not
}

// launch starts a provisioner that dies after a number of calls, in the place of the one that works.
func (k *killer) launch(calls int) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.working, k.left = k.bundle.launch(""), calls
}

func (k *killer) after(string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.left == 0 {
		return
	}
	if k.left--; k.left == 0 {
		k.working.kill()
	}
}

// kills asks for an operation whose provisioner dies after a number of calls, and lets another one go on. It returns false
// where the operation takes no such number.
func (k *killer) kills(kind store.OperationKind, ref store.Ref, id int64, calls int) (killed bool) {
	k.Helper()
	k.working.stop()
	k.engine.SetContent(container(ref), "after")
	k.launch(calls)
	first, content := k.working, "after"
	go func() {
		<-first.ended
		if k.Context().Err() == nil {
			k.launch(0)
		}
	}()
	if kind == store.OperationBackup {
		require.Equal(k, store.BackupVerified, k.backUp(ref).Status, "call %d", calls)
	} else {
		require.Nil(k, k.restoreBackup(ref, id).Message, "call %d", calls)
		content = "before"
	}
	require.Equal(k, map[string]string{"postgres": content}, k.content(ref), "call %d", calls)
	require.Equal(k, everything(ref), k.engine.Objects(), "call %d", calls)
	operations := k.operations(ref)
	require.Equal(k, string(kind)+":succeeded", operations[len(operations)-1], "call %d", calls)
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return k.left == 0
}

func withFinal(s *backup.Settings) { s.Final = true }

// finals says what became of final backups.
func (b *bundle) finals() string {
	b.Helper()
	return scalar[string](b, `select coalesce(string_agg(status || ' ' || project_ref, ',' order by id), '') from platform.backups where kind = 'final'`)
}

func TestADeletedProjectIsBackedUpFirst(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(b *bundle, ref store.Ref){
		"while it runs": func(*bundle, store.Ref) {},
		"while it rests": func(b *bundle, ref store.Ref) {
			b.change(ref, store.OperationPause)
			b.become(ref, store.StatusInactive)
		},
		"while it does not answer": func(b *bundle, ref store.Ref) {
			b.engine.SetSick(container(ref), true)
			b.become(ref, store.StatusActiveUnhealthy)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			directory := b.keepBackups(withFinal)
			b.launch("")
			ref := b.create()
			b.become(ref, healthy)
			before(b, ref)
			b.change(ref, store.OperationDelete)
			b.gone(ref)
			require.Empty(t, b.engine.Objects())
			require.Equal(t, "completed "+string(ref), b.finals())
			folders, err := filepath.Glob(filepath.Join(directory, string(ref), "*", "manifest.json"))
			require.NoError(t, err)
			require.Len(t, folders, 1)
		})
	}
}

func TestADeleteThatCannotBeBackedUpSaysHowItGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keepBackups(withFinal)
	b.engine.Before = func(call string) error {
		if strings.HasPrefix(call, "DumpDatabase ") {
			return errors.New("no dump today")
		}
		return nil
	}
	r := b.launch("")
	ref := b.create()
	b.become(ref, healthy)
	b.change(ref, store.OperationDelete)
	require.Eventually(t, func() bool {
		project, err := b.project(ref)
		return err == nil && project.Message != nil && strings.Contains(*project.Message, "no dump today") &&
			strings.Contains(*project.Message, "PLURABASE_FINAL_BACKUP")
	}, patience, poll)
	require.Zero(t, b.calls("RemoveVolume"), "nothing is lost meanwhile")
	r.stop()
	b.backups.Final = false // the operator decides
	b.launch("")
	b.gone(ref)
	require.Empty(t, b.engine.Objects())
}
