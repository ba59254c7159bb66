package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What follows is a target's work on its backups, which concerns no single project's lease.

// BackupCandidate is a running project of a target, as its schedule looks at it.
type BackupCandidate struct {
	Ref       Ref
	CreatedAt time.Time
	LastGood  *time.Time // when the last scheduled backup began that is there; nil: there was none
	LastTry   *time.Time // when the last one began, whatever became of it
}

// BackupCandidates lists the target's projects that run and of which nothing newer is wanted, and says how many backups the
// target is making.
func (s *Store) BackupCandidates(ctx context.Context, target string) (candidates []BackupCandidate, making int, err error) {
	rows, _ := s.pool.Query(ctx, `
		select p.ref, p.created_at,
			max(b.created_at) filter (where b.status in ('completed', 'verified')), max(b.created_at)
		from platform.projects p left join platform.backups b on b.project_id = p.id and b.kind = 'scheduled'
		where p.target = $1 and p.observed_generation = p.generation and p.status in ('ACTIVE_HEALTHY', 'ACTIVE_UNHEALTHY')
		group by p.id order by 3 nulls first, p.id`, target)
	candidates, err = pgx.CollectRows(rows, pgx.RowToStructByPos[BackupCandidate])
	if err != nil {
		return nil, 0, wrap("list the projects to back up", err)
	}
	err = s.pool.QueryRow(ctx, `
		select count(*) from platform.backups b where b.target = $1 and b.status in ('pending', 'running')`, target).Scan(&making)
	return candidates, making, wrap("count the backups under way", err)
}

// ScheduleBackup asks for the scheduled backup of a candidate. It does nothing, and returns false, where the project is no
// longer what it was: another provisioner was faster, or somebody wants something of it.
func (s *Store) ScheduleBackup(ctx context.Context, candidate BackupCandidate) (asked bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		project, err := lockProject(ctx, tx, candidate.Ref)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		var lastTry *time.Time
		err = tx.QueryRow(ctx, `
			select max(created_at) from platform.backups where project_id = $1 and kind = 'scheduled'`, project.ID).Scan(&lastTry)
		if err != nil {
			return err
		}
		same := lastTry == nil && candidate.LastTry == nil ||
			lastTry != nil && candidate.LastTry != nil && lastTry.Equal(*candidate.LastTry)
		if !same || !project.Running() || project.ObservedGeneration < project.Generation {
			return nil
		}
		asked = true
		_, err = s.beginBackup(ctx, tx, Actor{RequestID: "schedule"}, project, BackupScheduled)
		return err
	})
	return asked, wrap("schedule a backup", err)
}

// Retention says which backups are kept. Zeros keep everything.
type Retention struct {
	Count     int // of each kind and project
	Days      int
	FinalDays int // for final backups, which Count and Days do not concern
}

// ExpireBackups marks what the retention no longer keeps, and all but the final backup of projects that are deleted. The last
// verified backup of a project is always kept, and so is one that is being restored.
func (s *Store) ExpireBackups(ctx context.Context, target string, keep Retention) error {
	return wrap("expire backups", s.expireBackups(ctx, s.pool, target, keep))
}

func (s *Store) expireBackups(ctx context.Context, on executor, target string, keep Retention) error {
	_, err := on.Exec(ctx, `
		with candidates as (
			select b.id, b.kind, b.created_at,
				row_number() over (partition by b.project_id, b.kind order by b.id desc) as place,
				b.id = max(b.id) filter (where b.status = 'verified') over (partition by b.project_id) as last_verified,
				p.id is null as orphaned
			from platform.backups b left join platform.projects p on p.id = b.project_id
			where b.target = $1 and b.status in ('completed', 'verified')
		)
		update platform.backups b set status = 'expired' from candidates c
		where c.id = b.id
			and not exists (select from platform.project_restores r where b.id in (r.backup_id, r.safety_id))
			and case
				when c.kind = 'final' then $4::int > 0 and c.created_at < $5::timestamptz - make_interval(days => $4::int)
				when c.orphaned then true
				else not coalesce(c.last_verified, false)
					and ($2::int > 0 and c.place > $2 or $3::int > 0 and c.created_at < $5::timestamptz - make_interval(days => $3::int))
			end`, target, keep.Count, keep.Days, keep.FinalDays, s.now())
	return err
}

// executor is a pool or a transaction.
type executor interface {
	querier
	Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error)
}

// failedFor is how long a failed backup is listed.
const failedFor = 7 * 24 * time.Hour

// BackupsToRemove lists the target's backups whose files have to go: those that have expired, and those that failed.
func (s *Store) BackupsToRemove(ctx context.Context, target string) ([]Backup, error) {
	backups, err := s.backupsToRemove(ctx, s.pool, target)
	return backups, wrap("list the backups to remove", err)
}

// BackupsThatWouldGo lists what BackupsToRemove would after ExpireBackups, and changes nothing.
func (s *Store) BackupsThatWouldGo(ctx context.Context, target string, keep Retention) (backups []Backup, err error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return nil, wrap("list the backups that would go", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err = s.expireBackups(ctx, tx, target, keep); err == nil {
		backups, err = s.backupsToRemove(ctx, tx, target)
	}
	return backups, wrap("list the backups that would go", err)
}

func (s *Store) backupsToRemove(ctx context.Context, on executor, target string) ([]Backup, error) {
	rows, _ := on.Query(ctx, `
		select `+backupColumns+` from platform.backups b
		where b.target = $1 and (b.status = 'expired' or b.status = 'failed' and b.created_at < $2)
		order by b.id limit 1000`, target, s.now().Add(-failedFor))
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Backup])
}

// ForgetBackup drops a backup whose files are gone.
func (s *Store) ForgetBackup(ctx context.Context, id int64) error {
	_, err := s.pool.Exec(ctx, `
		delete from platform.backups b where id = $1 and status in ('expired', 'failed')
			and not exists (select from platform.project_restores r where b.id in (r.backup_id, r.safety_id))`, id)
	return wrap("forget a backup", err)
}

// BackupState is what housekeeping has to know of a backup whose files or scratch database it finds.
type BackupState struct {
	ID     int64
	Status BackupStatus
	Held   bool // a provisioner works on its project
}

// BackupStates looks backups up by their ids. Those that are not known are left out.
func (s *Store) BackupStates(ctx context.Context, ids []int64) (map[int64]BackupState, error) {
	rows, _ := s.pool.Query(ctx, `
		select b.id, b.status, coalesce(p.lease_expires_at > clock_timestamp(), false)
		from platform.backups b left join platform.projects p on p.id = b.project_id where b.id = any ($1)`, ids)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[BackupState])
	states := map[int64]BackupState{}
	for _, state := range found {
		states[state.ID] = state
	}
	return states, wrap("look backups up", err)
}

// TargetBackup returns a backup that a target keeps. ErrNotFound: it keeps none of that id.
func (s *Store) TargetBackup(ctx context.Context, target string, id int64) (Backup, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+backupColumns+` from platform.backups b
		where b.target = $1 and b.id = $2 and b.status in ('completed', 'verified')`, target, id)
	backup, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Backup])
	return backup, wrap("look the backup up", err)
}
