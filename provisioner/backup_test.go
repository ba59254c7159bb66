package main_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// keepsBackups is the setting by which a provisioner keeps backups in a directory of the test's own.
func (b *bundle) keepsBackups() (directory string, environment []string) {
	directory = b.TempDir()
	return directory, []string{"PLURABASE_BACKUP_DIR=" + directory, "PLURABASE_BACKUP_SCHEDULE=off"}
}

// backUp asks for a backup, as soon as the provisioner has said that it makes any.
func (b *bundle) backUp(ref store.Ref) store.Backup {
	b.Helper()
	var asked store.Backup
	require.Eventually(b, func() bool {
		var err error
		asked, err = b.store.RequestBackup(b.Context(), b.actor(), ref)
		return err == nil
	}, patience, 50*time.Millisecond)
	return asked
}

// awaitBackup waits until nothing more is done with a backup.
func (b *bundle) awaitBackup(ref store.Ref, id int64, status store.BackupStatus) store.Backup {
	b.Helper()
	b.awaitRest(ref)
	backup, err := b.store.Backup(b.Context(), b.project(ref).ID, id)
	require.NoError(b, err)
	require.Equal(b, status, backup.Status, "%v", backup.Error)
	return backup
}

// awaitRest waits until nobody works on a project any more.
func (b *bundle) awaitRest(ref store.Ref) store.Project {
	b.Helper()
	require.Eventually(b, func() bool {
		project := b.project(ref)
		return project.ObservedGeneration == project.Generation
	}, stuckAfter, 50*time.Millisecond)
	return b.project(ref)
}

func (b *bundle) run(ref store.Ref, sql string) {
	b.Helper()
	connection := b.connect(b.project(ref), "supabase_admin")
	_, err := connection.Exec(b.Context(), sql)
	require.NoError(b, err)
	require.NoError(b, connection.Close(context.WithoutCancel(b.Context())))
}

// asked runs a query in the project's database.
func asked[T any](b *bundle, ref store.Ref, query string) T {
	b.Helper()
	connection := b.connect(b.project(ref), "supabase_admin")
	defer func() { _ = connection.Close(context.WithoutCancel(b.Context())) }()
	var answer T
	require.NoError(b, connection.QueryRow(b.Context(), query).Scan(&answer))
	return answer
}

func (b *bundle) restoreBackup(ref store.Ref, id int64) store.Project {
	b.Helper()
	_, err := b.store.RestoreBackup(b.Context(), b.actor(), ref, id)
	require.NoError(b, err)
	return b.awaitRest(ref)
}

const sum = `select sum(answer)::integer from kept`

func TestABackupBringsTheDataBackAndADamagedOneChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	directory, environment := b.keepsBackups()
	b.start(environment...)
	ref := b.create("shop")
	b.awaitStatus(ref, store.StatusActiveHealthy)
	b.run(ref, `create role clerk login; create table kept as select 42 as answer; grant select on kept to clerk;
		create function double(n int) returns int language sql return n * 2;`)
	databases := `select string_agg(datname, ' ' order by datname) from pg_database`
	before := asked[string](b, ref, databases)
	backup := b.awaitBackup(ref, b.backUp(ref).ID, store.BackupVerified)
	require.Positive(t, *backup.Bytes)
	folder := filepath.Join(directory, *backup.Location)
	about, err := os.Stat(folder)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), about.Mode().Perm())
	require.Empty(t, b.objects("io.plurabase.scratch="+b.target))

	b.run(ref, `insert into kept values (1); create table later (id int primary key); drop function double;`)
	require.Equal(t, store.StatusActiveHealthy, b.restoreBackup(ref, backup.ID).Status)
	require.Equal(t, 42, asked[int](b, ref, sum))
	require.Equal(t, 42, asked[int](b, ref, `select double(21)`))
	require.False(t, asked[bool](b, ref, `select to_regclass('later') is not null`), "a table that came later")
	require.True(t, asked[bool](b, ref, `select has_table_privilege('clerk', 'kept', 'select')`))
	require.Equal(t, before, asked[string](b, ref, databases))
	require.Equal(t, "safety:completed", scalar[string](b, `select kind || ':' || status from platform.backups order by id desc limit 1`))

	b.run(ref, `insert into kept values (100)`)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "database.dump.zst"), []byte("nonsense"), 0o600))
	project := b.restoreBackup(ref, backup.ID)
	require.Equal(t, store.StatusActiveHealthy, project.Status)
	require.Contains(t, *project.Message, "the backup is damaged")
	require.Equal(t, 142, asked[int](b, ref, sum))
	require.Equal(t, "restore_backup:failed", scalar[string](b, `select kind || ':' || state from platform.operations order by id desc limit 1`))
}
