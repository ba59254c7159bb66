package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// backedUp is a running project on a target that keeps backups.
func backedUp(t *testing.T) (*leases, store.Project) {
	t.Helper()
	l := setupLeases(t)
	require.NoError(t, l.store.NoteBackupTarget(t.Context(), store.BackupTarget{Target: "local", Host: "here", Directory: "/backups"}))
	ref := l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	return l, l.project(ref)
}

func (l *leases) project(ref store.Ref) store.Project {
	l.Helper()
	access, err := l.store.ProjectByRef(l.Context(), l.profile.ID, ref)
	require.NoError(l, err)
	return access.Project
}

// backup asks for a backup and makes it, up to a status.
func (l *leases) backup(ref store.Ref, status store.BackupStatus) store.Backup {
	l.Helper()
	asked, err := l.store.RequestBackup(l.Context(), actor(l.profile, l.next()), ref)
	require.NoError(l, err)
	claim := l.claim()
	require.Equal(l, store.OperationBackup, claim.Kind)
	backup, err := claim.Backup(l.Context())
	require.NoError(l, err)
	require.Equal(l, asked.ID, backup.ID)
	require.NoError(l, claim.BackupBegun(l.Context(), backup.ID))
	require.NoError(l, claim.BackupCompleted(l.Context(), backup.ID, store.BackupKept{
		Location: "folder", Bytes: 12, Checksum: make([]byte, 32), DBVersion: "17.6",
	}))
	if status == store.BackupVerified {
		require.NoError(l, claim.BackupVerified(l.Context(), backup.ID))
	}
	require.NoError(l, claim.Settle(l.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	return *backup
}

func (l *leases) backups(project store.Project) []store.BackupStatus {
	l.Helper()
	found, err := l.store.Backups(l.Context(), project.ID)
	require.NoError(l, err)
	statuses := []store.BackupStatus{}
	for _, one := range found {
		statuses = append(statuses, one.Status)
	}
	return statuses
}

func requireConflict(t *testing.T, err error, message string) {
	t.Helper()
	var conflict *store.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Contains(t, conflict.Message, message)
}

func TestABackupIsMadeWhileTheProjectRuns(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	made := l.backup(project.Ref, store.BackupVerified)
	found, err := l.store.Backup(t.Context(), project.ID, made.ID)
	require.NoError(t, err)
	require.True(t, found.Restorable())
	require.Equal(t, "folder", *found.Location)
	require.Equal(t, store.BackupManual, found.Kind)
	require.Equal(t, store.StatusActiveHealthy, l.project(project.Ref).Status)
	_, err = l.store.Backup(t.Context(), project.ID+1, made.ID)
	require.ErrorIs(t, err, store.ErrNotFound, "another project's")
	require.Equal(t, []string{"create:succeeded", "backup:succeeded"}, l.operations())
}

func TestABackupNeedsATargetThatKeepsBackupsAndAProjectAtRest(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	_, err := l.store.RequestBackup(t.Context(), actor(l.profile, "one"), project.Ref)
	require.NoError(t, err)
	_, err = l.store.RequestBackup(t.Context(), actor(l.profile, "two"), project.Ref)
	requireConflict(t, err, "try again in a moment")
	require.NoError(t, l.store.ForgetBackupTarget(t.Context(), "local"))
	_, err = l.store.RequestBackup(t.Context(), actor(l.profile, "three"), project.Ref)
	requireConflict(t, err, "not set backups up")
}

func TestABackupThatIsSupersededHasFailed(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	_, err := l.store.RequestBackup(t.Context(), actor(l.profile, "one"), project.Ref)
	require.NoError(t, err)
	l.change(project.Ref, store.OperationPause)
	require.Equal(t, store.OperationPause, l.claim().Kind)
	require.Equal(t, []store.BackupStatus{store.BackupFailed}, l.backups(project))
}

func TestAnOperationThatFailsLeavesNoBackupUnfinished(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	_, err := l.store.RequestBackup(t.Context(), actor(l.profile, "one"), project.Ref)
	require.NoError(t, err)
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy, Failure: errors.New("no space")}))
	found, err := l.store.Backups(t.Context(), project.ID)
	require.NoError(t, err)
	require.Equal(t, store.BackupFailed, found[0].Status)
	require.Equal(t, "no space", *found[0].Error)
}

func TestARestoreMakesASafetyBackupFirst(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	made := l.backup(project.Ref, store.BackupVerified)
	restoring, err := l.store.RestoreBackup(t.Context(), actor(l.profile, "restore"), project.Ref, made.ID)
	require.NoError(t, err)
	require.Equal(t, store.StatusRestoring, restoring.Status)
	_, err = l.store.RestoreBackup(t.Context(), actor(l.profile, "again"), project.Ref, made.ID)
	requireConflict(t, err, "is being restored")

	claim := l.claim()
	restore, err := claim.Restore(t.Context())
	require.NoError(t, err)
	require.Equal(t, made.ID, restore.Backup.ID)
	require.Equal(t, store.BackupSafety, restore.Safety.Kind)
	require.False(t, restore.Restored)
	require.NoError(t, claim.DataRestored(t.Context()))
	restore, err = claim.Restore(t.Context())
	require.NoError(t, err)
	require.True(t, restore.Restored)
	require.NoError(t, claim.ForgetRestore(t.Context()))
	restore, err = claim.Restore(t.Context())
	require.NoError(t, err)
	require.Nil(t, restore)
}

func TestARestoreThatIsGivenUpTellsWhy(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	made := l.backup(project.Ref, store.BackupCompleted)
	_, err := l.store.RestoreBackup(t.Context(), actor(l.profile, "restore"), project.Ref, made.ID)
	require.NoError(t, err)
	claim := l.claim()
	require.NoError(t, claim.GiveRestoreUp(t.Context(), errors.New("the file is damaged")))
	require.Equal(t, "the file is damaged", *claim.Undone)
	l.expire()
	claim = l.claim()
	require.Equal(t, "the file is damaged", *claim.Undone, "whoever goes on knows of it")
	restore, err := claim.Restore(t.Context())
	require.NoError(t, err)
	require.Nil(t, restore)
}

func TestOnlyABackupThatIsThereIsRestored(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	made := l.backup(project.Ref, store.BackupCompleted)
	restore := func(id int64) error {
		_, err := l.store.RestoreBackup(t.Context(), actor(l.profile, l.next()), project.Ref, id)
		return err
	}
	require.ErrorIs(t, restore(made.ID+1), store.ErrNotFound)
	l.execute(`update platform.backups set status = 'failed'`)
	requireConflict(t, restore(made.ID), "it is failed")
	l.execute(`update platform.backups set status = 'completed', target = 'elsewhere'`)
	requireConflict(t, restore(made.ID), "lies on the deployment target elsewhere")
	require.Equal(t, store.StatusActiveHealthy, l.project(project.Ref).Status)
}

func TestTheScheduleAsksOncePerCandidate(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	candidates, making, err := l.store.BackupCandidates(t.Context(), "local")
	require.NoError(t, err)
	require.Len(t, candidates, 1)
	require.Zero(t, making)
	require.Nil(t, candidates[0].LastGood)
	asked, err := l.store.ScheduleBackup(t.Context(), candidates[0])
	require.NoError(t, err)
	require.True(t, asked)
	asked, err = l.store.ScheduleBackup(t.Context(), candidates[0])
	require.NoError(t, err)
	require.False(t, asked, "another provisioner with the same candidate")

	claim := l.claim()
	backup, err := claim.Backup(t.Context())
	require.NoError(t, err)
	require.Equal(t, store.BackupScheduled, backup.Kind)
	require.NoError(t, claim.BackupCompleted(t.Context(), backup.ID, store.BackupKept{Checksum: make([]byte, 32)}))
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	candidates, _, err = l.store.BackupCandidates(t.Context(), "local")
	require.NoError(t, err)
	require.NotNil(t, candidates[0].LastGood)
	require.Equal(t, project.Ref, candidates[0].Ref)
}

func TestRetentionKeepsTheLastVerifiedBackup(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	verified := l.backup(project.Ref, store.BackupVerified)
	for range 3 {
		l.backup(project.Ref, store.BackupCompleted)
	}
	require.NoError(t, l.store.ExpireBackups(t.Context(), "local", store.Retention{Count: 2}))
	found, err := l.store.Backups(t.Context(), project.ID)
	require.NoError(t, err)
	require.Len(t, found, 3, "two, and the last verified one")
	require.Equal(t, verified.ID, found[2].ID)

	l.execute(`update platform.backups set created_at = created_at - interval '9 days'`)
	require.NoError(t, l.store.ExpireBackups(t.Context(), "local", store.Retention{Days: 8}))
	require.Equal(t, []store.BackupStatus{store.BackupVerified}, l.backups(project))
	gone, err := l.store.BackupsToRemove(t.Context(), "local")
	require.NoError(t, err)
	require.Len(t, gone, 3)
	require.NoError(t, l.store.ForgetBackup(t.Context(), gone[0].ID))
	require.NoError(t, l.store.ForgetBackup(t.Context(), verified.ID))
	states, err := l.store.BackupStates(t.Context(), []int64{gone[0].ID, verified.ID})
	require.NoError(t, err)
	require.Equal(t, map[int64]store.BackupState{verified.ID: {ID: verified.ID, Status: store.BackupVerified}}, states)
}

func TestOfADeletedProjectTheFinalBackupStays(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	l.backup(project.Ref, store.BackupVerified)
	l.change(project.Ref, store.OperationDelete)
	claim := l.claim()
	final, err := claim.FinalBackup(t.Context())
	require.NoError(t, err)
	again, err := claim.FinalBackup(t.Context())
	require.NoError(t, err)
	require.Equal(t, final.ID, again.ID)
	require.NoError(t, claim.BackupCompleted(t.Context(), final.ID, store.BackupKept{Checksum: make([]byte, 32)}))
	require.NoError(t, claim.Remove(t.Context()))
	require.NoError(t, l.store.ExpireBackups(t.Context(), "local", store.Retention{Count: 1, Days: 1}))
	require.Equal(t, []store.BackupStatus{store.BackupCompleted}, l.backups(project))
	l.execute(`update platform.backups set created_at = created_at - interval '31 days'`)
	require.NoError(t, l.store.ExpireBackups(t.Context(), "local", store.Retention{FinalDays: 30}))
	require.Empty(t, l.backups(project))
}

func TestADownloadIsAllowedForAMomentAndOneBackup(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	made := l.backup(project.Ref, store.BackupCompleted)
	allowed, err := l.store.AllowDownload(t.Context(), actor(l.profile, "download"), project, made.ID)
	require.NoError(t, err)
	require.True(t, l.store.DownloadAllowed(made.ID, store.DownloadWhole, allowed))
	require.False(t, l.store.DownloadAllowed(made.ID, store.DownloadStorage, allowed))
	require.False(t, l.store.DownloadAllowed(made.ID+1, store.DownloadWhole, allowed))
	require.False(t, l.store.DownloadAllowed(made.ID, store.DownloadWhole, allowed[:len(allowed)-2]+"AA"))
	require.False(t, l.store.DownloadAllowed(made.ID, store.DownloadWhole, ""))
	old, err := l.store.AllowDownload(t.Context(), actor(l.profile, "download"), project, made.ID)
	require.NoError(t, err)
	require.Equal(t, allowed, old, "the same request")
	kept, err := l.store.TargetBackup(t.Context(), "local", made.ID)
	require.NoError(t, err)
	require.Equal(t, made.ID, kept.ID)
	_, err = l.store.TargetBackup(t.Context(), "elsewhere", made.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestACloneIsANewProjectWithABackupsData(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	wanted := store.NewProject{Name: "copy", DatabasePassword: "correct horse"}
	_, err := l.store.CloneProject(t.Context(), actor(l.profile, "none"), project.Ref, 0, wanted)
	requireConflict(t, err, "no backup")
	backup := l.backup(project.Ref, store.BackupCompleted)
	made, err := l.store.CloneProject(t.Context(), actor(l.profile, "clone"), project.Ref, 0, wanted)
	require.NoError(t, err)
	require.Equal(t, project.OrganizationID, made.OrganizationID)
	require.NotEqual(t, project.Ref, made.Ref)
	claim := l.claim()
	restore, err := claim.Restore(t.Context())
	require.NoError(t, err)
	require.Equal(t, backup.ID, restore.Backup.ID)
	require.Nil(t, restore.Safety)

	clones := func() store.Clone {
		found, err := l.store.Clones(t.Context(), project.ID)
		require.NoError(t, err)
		require.Len(t, found, 1)
		return found[0]
	}
	require.Equal(t, store.CloneInProgress, clones().Status)
	require.NoError(t, claim.DataRestored(t.Context()))
	require.NoError(t, claim.ForgetRestore(t.Context()))
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	require.Equal(t, store.CloneCompleted, clones().Status)
	origin, err := l.store.CloneOrigin(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, project.Ref, origin.Ref)
	l.change(made.Ref, store.OperationDelete)
	require.Equal(t, store.CloneRemoved, clones().Status)
}

func TestTheTargetTellsWhereItsBackupsAre(t *testing.T) {
	t.Parallel()
	l, _ := backedUp(t)
	none, err := l.store.BackupTarget(t.Context(), "elsewhere")
	require.NoError(t, err)
	require.Nil(t, none)
	url := "https://api.example.com/backups"
	require.NoError(t, l.store.NoteBackupTarget(t.Context(), store.BackupTarget{Target: "local", Host: "there", Directory: "/b", PublicURL: &url}))
	found, err := l.store.BackupTarget(t.Context(), "local")
	require.NoError(t, err)
	require.Equal(t, url, *found.PublicURL)
	require.WithinDuration(t, time.Now(), found.SeenAt, time.Minute)
}
