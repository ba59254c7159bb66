package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// What follows is the provisioner's work on backups, under its lease on the project.

// Restore is data that a project shall have, and does not have yet.
type Restore struct {
	Number   int64   // names the database that is set aside meanwhile
	Backup   Backup  // whose data
	Safety   *Backup // made first; nil: a new project, which has nothing to lose
	Restored bool    // the data is there: what was set aside may go
}

// Backup returns the backup that the claimed operation makes; nil where it makes none.
func (c *Claim) Backup(ctx context.Context) (*Backup, error) {
	if c.OperationID == 0 {
		return nil, nil
	}
	rows, _ := c.store.pool.Query(ctx, `
		select `+backupColumns+` from platform.backups b where b.operation_id = $1`, c.OperationID)
	backup, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[Backup])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return backup, wrap("look up the operation's backup", err)
}

// FinalBackup returns the last backup of a project that is deleted, and begins it where it was not begun.
func (c *Claim) FinalBackup(ctx context.Context) (backup Backup, err error) {
	err = c.write(ctx, "begin the final backup", func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select `+backupColumns+` from platform.backups b
			where b.project_id = $1 and b.kind = 'final' and b.status not in ('failed', 'expired')`, c.Project.ID)
		backup, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Backup])
		if errors.Is(err, pgx.ErrNoRows) {
			backup, err = c.store.insertBackup(ctx, tx, c.Project, BackupFinal)
		}
		return err
	})
	return backup, err
}

// Restore returns the data that the project shall have and has not; nil where there is none.
func (c *Claim) Restore(ctx context.Context) (*Restore, error) {
	var restore Restore
	var backupID int64
	var safetyID *int64
	err := c.store.pool.QueryRow(ctx, `
		select number, backup_id, safety_id, state = 'restored' from platform.project_restores where project_id = $1`,
		c.Project.ID).Scan(&restore.Number, &backupID, &safetyID, &restore.Restored)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("look up what is to be restored", err)
	}
	if restore.Backup, err = c.anyBackup(ctx, backupID); err != nil {
		return nil, err
	}
	if safetyID != nil {
		safety, err := c.anyBackup(ctx, *safetyID)
		if err != nil {
			return nil, err
		}
		restore.Safety = &safety
	}
	return &restore, nil
}

func (c *Claim) anyBackup(ctx context.Context, id int64) (Backup, error) {
	rows, _ := c.store.pool.Query(ctx, `select `+backupColumns+` from platform.backups b where b.id = $1`, id)
	backup, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Backup])
	return backup, wrap("look the backup up", err)
}

// BackupBegun notes that a backup is being made.
func (c *Claim) BackupBegun(ctx context.Context, id int64) error {
	return c.changeBackup(ctx, "note that the backup begins", id,
		`status = 'running', started_at = coalesce(started_at, $2), error = null`, c.store.now())
}

// BackupKept is what was kept of a backup.
type BackupKept struct {
	Location  string // its folder, below the target's backup directory
	Bytes     int64
	Checksum  []byte // SHA-256 of its manifest
	DBVersion string
}

// BackupCompleted notes that a backup's files are there.
func (c *Claim) BackupCompleted(ctx context.Context, id int64, kept BackupKept) error {
	return c.changeBackup(ctx, "note that the backup is complete", id,
		`status = 'completed', finished_at = $2, location = $3, bytes = $4, checksum = $5, db_version = $6`,
		c.store.now(), kept.Location, kept.Bytes, kept.Checksum, kept.DBVersion)
}

// BackupVerified notes that a backup was restored into a scratch database, and is whole.
func (c *Claim) BackupVerified(ctx context.Context, id int64) error {
	return c.changeBackup(ctx, "note that the backup is verified", id, `status = 'verified', verified_at = $2`, c.store.now())
}

// BackupFailed notes why there is no backup.
func (c *Claim) BackupFailed(ctx context.Context, id int64, why error) error {
	return c.changeBackup(ctx, "note that the backup failed", id,
		`status = 'failed', finished_at = $2, error = $3`, c.store.now(), errorText(why))
}

// BackupUnverified notes why a backup, whose files are there, could not be verified.
func (c *Claim) BackupUnverified(ctx context.Context, id int64, why error) error {
	return c.changeBackup(ctx, "note that the backup could not be verified", id, `error = $2`, errorText(why))
}

func (c *Claim) changeBackup(ctx context.Context, doing string, id int64, change string, arguments ...any) error {
	return c.write(ctx, doing, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update platform.backups set `+change+` where id = $1`, append([]any{id}, arguments...)...)
		return err
	})
}

// DataRestored notes that the project has the data that it shall have: from here on there is no way back but the safety
// backup.
func (c *Claim) DataRestored(ctx context.Context) error {
	return c.writeCurrent(ctx, "note that the data is restored", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update platform.project_restores set state = 'restored' where project_id = $1`, c.Project.ID)
		return err
	})
}

// ForgetRestore notes that nothing is left to do of a restore.
func (c *Claim) ForgetRestore(ctx context.Context) error {
	return c.write(ctx, "forget what was to be restored", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `delete from platform.project_restores where project_id = $1`, c.Project.ID)
		return err
	})
}

// GiveRestoreUp notes why the project has the data that it had before, and shall keep it. The operation goes on, and ends as
// failed.
func (c *Claim) GiveRestoreUp(ctx context.Context, why error) error {
	return c.writeCurrent(ctx, "give the restore up", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `delete from platform.project_restores where project_id = $1`, c.Project.ID)
		if err != nil {
			return err
		}
		c.Undone = errorText(why)
		_, err = tx.Exec(ctx, `update platform.operations set undone = $2 where id = $1`, c.OperationID, c.Undone)
		return err
	})
}

// dropSupersededBackups ends the backups that nobody makes any more, because something else was asked for.
func (c *Claim) dropSupersededBackups(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		update platform.backups b set status = 'failed', finished_at = $2, error = 'Something else was asked of the project before the backup was done.'
		from platform.operations o
		where o.id = b.operation_id and o.project_id = $1 and o.state = 'superseded' and b.status in ('pending', 'running')`,
		c.Project.ID, c.store.now())
	return err
}

// endBackups ends what the operation began and has not finished.
func (c *Claim) endBackups(ctx context.Context, tx pgx.Tx, failure error) error {
	_, err := tx.Exec(ctx, `
		update platform.backups set status = 'failed', finished_at = $2, error = coalesce($3, 'The operation ended without it.')
		where operation_id = $1 and status in ('pending', 'running')`, c.OperationID, c.store.now(), errorText(failure))
	return err
}
