package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// BackupKind says why a backup was made.
type BackupKind string

// The kinds of backups.
const (
	BackupScheduled BackupKind = "scheduled"
	BackupManual    BackupKind = "manual"
	BackupSafety    BackupKind = "safety" // of what a restore replaces
	BackupFinal     BackupKind = "final"  // of a project that is deleted
)

// BackupStatus is what has become of a backup.
type BackupStatus string

// The statuses of a backup.
const (
	BackupPending   BackupStatus = "pending"
	BackupRunning   BackupStatus = "running"
	BackupCompleted BackupStatus = "completed" // its files are there
	BackupVerified  BackupStatus = "verified"  // and were restored once, into a scratch database, and found to be whole
	BackupFailed    BackupStatus = "failed"
	BackupExpired   BackupStatus = "expired" // its files are being removed
)

// Backup is a copy of a project's data.
type Backup struct {
	ID             int64
	ProjectID      int64 // may be gone
	ProjectRef     Ref
	OrganizationID int64
	Target         string
	Kind           BackupKind
	Status         BackupStatus
	OperationID    *int64
	Location       *string // its folder, below the target's backup directory
	Bytes          *int64  // of all its files, as they are kept
	Checksum       []byte  // SHA-256 of its manifest, which has that of each file
	DBVersion      *string // `17.6`
	Error          *string // in plain words
	CreatedAt      time.Time
	StartedAt      *time.Time
	FinishedAt     *time.Time
	VerifiedAt     *time.Time
}

// Restorable tells whether a project can be given the backup's data.
func (b Backup) Restorable() bool { return b.Status == BackupCompleted || b.Status == BackupVerified }

const backupColumns = `b.id, b.project_id, b.project_ref, b.organization_id, b.target, b.kind, b.status, b.operation_id,
	b.location, b.bytes, b.checksum, b.db_version, b.error, b.created_at, b.started_at, b.finished_at, b.verified_at`

// Backups lists a project's backups, the newest first, without those that have expired.
func (s *Store) Backups(ctx context.Context, projectID int64) ([]Backup, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+backupColumns+` from platform.backups b
		where b.project_id = $1 and b.status <> 'expired' order by b.id desc`, projectID)
	backups, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Backup])
	return backups, wrap("list the backups", err)
}

// Backup returns one of a project's backups. ErrNotFound: there is no such backup of this project.
func (s *Store) Backup(ctx context.Context, projectID, id int64) (Backup, error) {
	backup, err := readBackup(ctx, s.pool, projectID, id)
	return backup, wrap("look the backup up", err)
}

func readBackup(ctx context.Context, q querier, projectID, id int64) (Backup, error) {
	rows, _ := q.Query(ctx, `
		select `+backupColumns+` from platform.backups b
		where b.project_id = $1 and b.id = $2 and b.status <> 'expired'`, projectID, id)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Backup])
}

// RequestBackup asks for a backup of a project that runs. A ConflictError says that none can be made now.
func (s *Store) RequestBackup(ctx context.Context, actor Actor, ref Ref) (Backup, error) {
	return write(ctx, s, actor, "ask for a backup", func(ctx context.Context, tx pgx.Tx) (Backup, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return Backup{}, AuditEntry{}, err
		}
		if err := requireBackups(ctx, tx, project.Target); err != nil {
			return Backup{}, AuditEntry{}, err
		}
		if project.Running() && project.ObservedGeneration < project.Generation {
			return Backup{}, AuditEntry{}, &ConflictError{"The project is being worked on, perhaps backed up already: try again in a moment."}
		}
		backup, err := s.beginBackup(ctx, tx, actor, project, BackupManual)
		entry := AuditEntry{
			Action: "backups.create", OrganizationID: project.OrganizationID, ProjectRef: ref, Details: map[string]any{"backup": backup.ID},
		}
		return backup, entry, err
	})
}

// requireBackups refuses where the target's provisioner keeps no backups.
func requireBackups(ctx context.Context, tx pgx.Tx, target string) error {
	var kept bool
	err := tx.QueryRow(ctx, `select exists (select from platform.backup_targets where target = $1)`, target).Scan(&kept)
	if err == nil && !kept {
		err = &ConflictError{"This platform's operator has not set backups up for the project's deployment target."}
	}
	return err
}

// beginBackup asks for a backup of a locked project.
func (s *Store) beginBackup(ctx context.Context, tx pgx.Tx, actor Actor, project Project, kind BackupKind) (Backup, error) {
	project, err := s.advance(ctx, tx, actor, project, OperationBackup, nil)
	if err != nil {
		return Backup{}, err
	}
	return s.insertBackup(ctx, tx, project, kind)
}

// insertBackup notes that the project's newest operation makes a backup.
func (s *Store) insertBackup(ctx context.Context, tx pgx.Tx, project Project, kind BackupKind) (Backup, error) {
	rows, _ := tx.Query(ctx, `
		insert into platform.backups as b (project_id, project_ref, organization_id, target, kind, created_at, operation_id)
		select $1, $2, $3, $4, $5, $6, max(id) from platform.operations where project_id = $1 and generation = $7
		returning `+backupColumns,
		project.ID, project.Ref, project.OrganizationID, project.Target, kind, s.now(), project.Generation)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Backup])
}

// RestoreBackup asks for a project's data to be that of one of its backups, after a safety backup of what it has now. A
// ConflictError says why it cannot be had, ErrNotFound that there is no such backup.
func (s *Store) RestoreBackup(ctx context.Context, actor Actor, ref Ref, id int64) (Project, error) {
	details := map[string]any{"backup": id}
	return s.changeLocked(ctx, actor, ref, "restore-backup", details, func(tx pgx.Tx, project Project) (Project, error) {
		if err := requireRestorable(ctx, tx, project, id); err != nil {
			return Project{}, err
		}
		project, err := s.advance(ctx, tx, actor, project, OperationRestoreBackup, nil)
		if err != nil {
			return Project{}, err
		}
		safety, err := s.insertBackup(ctx, tx, project, BackupSafety)
		if err != nil {
			return Project{}, err
		}
		_, err = tx.Exec(ctx, `
			insert into platform.project_restores (project_id, backup_id, safety_id, created_at) values ($1, $2, $3, $4)`,
			project.ID, id, safety.ID, s.now())
		return project, err
	})
}

// requireRestorable refuses a backup that the project's target cannot restore.
func requireRestorable(ctx context.Context, tx pgx.Tx, project Project, id int64) error {
	if err := requireBackups(ctx, tx, project.Target); err != nil {
		return err
	}
	backup, err := readBackup(ctx, tx, project.ID, id)
	switch {
	case err != nil:
		return err
	case !backup.Restorable():
		return &ConflictError{fmt.Sprintf("This backup cannot be restored: it is %s.", backup.Status)}
	case backup.Target != project.Target:
		return &ConflictError{fmt.Sprintf("This backup lies on the deployment target %s, and the project runs on %s.", backup.Target, project.Target)}
	}
	return nil
}

// BackupTarget is where a target keeps its backups.
type BackupTarget struct {
	Target    string
	Host      string  // for people
	Directory string  // on that host
	PublicURL *string // where the gateway passes downloads on to the provisioner; nil: nowhere
	Schedule  *string // nil: only on demand
	SeenAt    time.Time
}

// NoteBackupTarget tells everybody that the target keeps backups.
func (s *Store) NoteBackupTarget(ctx context.Context, target BackupTarget) error {
	_, err := s.pool.Exec(ctx, `
		insert into platform.backup_targets (target, host, directory, public_url, schedule, seen_at)
		values ($1, $2, $3, nullif($4, ''), nullif($5, ''), clock_timestamp())
		on conflict (target) do update set host = excluded.host, directory = excluded.directory,
			public_url = excluded.public_url, schedule = excluded.schedule, seen_at = excluded.seen_at`,
		target.Target, target.Host, target.Directory, deref(target.PublicURL), deref(target.Schedule))
	return wrap("note where backups are kept", err)
}

// ForgetBackupTarget tells everybody that the target makes no backups.
func (s *Store) ForgetBackupTarget(ctx context.Context, target string) error {
	_, err := s.pool.Exec(ctx, `delete from platform.backup_targets where target = $1`, target)
	return wrap("forget where backups are kept", err)
}

// BackupTarget returns where a target keeps its backups; nil where it makes none.
func (s *Store) BackupTarget(ctx context.Context, target string) (*BackupTarget, error) {
	rows, _ := s.pool.Query(ctx, `
		select target, host, directory, public_url, schedule, seen_at from platform.backup_targets where target = $1`, target)
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[BackupTarget])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return found, wrap("look up where backups are kept", err)
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
