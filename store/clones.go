package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// CloneStatus is what has become of a clone.
type CloneStatus string

// The statuses of a clone, as the contract names them.
const (
	CloneCompleted  CloneStatus = "COMPLETED"
	CloneInProgress CloneStatus = "IN_PROGRESS"
	CloneFailed     CloneStatus = "FAILED"
	CloneRemoved    CloneStatus = "REMOVED"
)

// Clone is a project that was made of another one's backup.
type Clone struct {
	ProjectID int64
	Ref       Ref
	Name      string
	Status    CloneStatus
	CreatedAt time.Time
	UpdatedAt *time.Time // nil when the project is gone
}

// Origin is the project that another one was made of. It may be gone.
type Origin struct {
	ProjectID int64
	Ref       Ref
	Name      string
}

// CloneProject makes a project with the data of one of another's backups: of its newest one where id is 0. What wanted says of
// an organization, a target, a compute size and services is the source's.
func (s *Store) CloneProject(ctx context.Context, actor Actor, ref Ref, id int64, wanted NewProject) (CreatedProject, error) {
	return write(ctx, s, actor, "clone the project", func(ctx context.Context, tx pgx.Tx) (CreatedProject, AuditEntry, error) {
		source, err := lockProject(ctx, tx, ref)
		if err != nil {
			return CreatedProject{}, AuditEntry{}, err
		}
		if id == 0 {
			if id, err = newestRestorable(ctx, tx, source); err != nil {
				return CreatedProject{}, AuditEntry{}, err
			}
		}
		if err := requireRestorable(ctx, tx, source, id); err != nil {
			return CreatedProject{}, AuditEntry{}, err
		}
		wanted.OrganizationID, wanted.CloudProvider, wanted.Region = source.OrganizationID, source.CloudProvider, source.Region
		wanted.Target, wanted.ComputeSize, wanted.Services = source.Target, source.ComputeSize, source.Services
		made, entry, err := s.createProject(ctx, tx, actor, wanted)
		if err != nil {
			return CreatedProject{}, AuditEntry{}, err
		}
		entry.Details["cloned_from"], entry.Details["backup"] = source.Ref, id
		return made, entry, s.noteClone(ctx, tx, source, made.Project, id)
	})
}

func newestRestorable(ctx context.Context, tx pgx.Tx, source Project) (id int64, err error) {
	err = tx.QueryRow(ctx, `
		select coalesce(max(id), 0) from platform.backups where project_id = $1 and status in ('completed', 'verified')`, source.ID).Scan(&id)
	if err == nil && id == 0 {
		err = &ConflictError{"The project has no backup that it could be cloned from: make one first."}
	}
	return id, err
}

func (s *Store) noteClone(ctx context.Context, tx pgx.Tx, source, made Project, backupID int64) error {
	_, err := tx.Exec(ctx, `
		insert into platform.project_restores (project_id, backup_id, created_at) values ($1, $2, $3)`, made.ID, backupID, s.now())
	if err != nil {
		return fmt.Errorf("note what the clone is made of: %w", err)
	}
	_, err = tx.Exec(ctx, `
		insert into platform.project_clones (project_id, source_id, backup_id, name, ref, created_at) values ($1, $2, $3, $4, $5, $6)`,
		made.ID, source.ID, backupID, made.Name, made.Ref, s.now())
	if err != nil {
		return fmt.Errorf("note the clone: %w", err)
	}
	return nil
}

// Clones lists the projects that were made of a project's backups, the newest first.
func (s *Store) Clones(ctx context.Context, projectID int64) ([]Clone, error) {
	rows, _ := s.pool.Query(ctx, `
		select c.project_id, c.ref, coalesce(p.name, c.name),
			case
				when p.id is null or p.desired = 'removed' then 'REMOVED'
				when r.project_id is null then 'COMPLETED'
				when p.status in ('INIT_FAILED', 'RESTORE_FAILED') then 'FAILED'
				else 'IN_PROGRESS'
			end, c.created_at, p.updated_at
		from platform.project_clones c
			left join platform.projects p on p.id = c.project_id
			left join platform.project_restores r on r.project_id = c.project_id and r.state = 'wanted'
		where c.source_id = $1 order by c.project_id desc`, projectID)
	clones, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Clone])
	return clones, wrap("list the clones", err)
}

// CloneOrigin returns what a project was cloned from; nil where it was not, or where that is gone.
func (s *Store) CloneOrigin(ctx context.Context, projectID int64) (*Origin, error) {
	rows, _ := s.pool.Query(ctx, `
		select p.id, p.ref, p.name from platform.project_clones c join platform.projects p on p.id = c.source_id
		where c.project_id = $1`, projectID)
	origins, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[Origin])
	if err != nil || len(origins) == 0 {
		return nil, wrap("look up what the project was cloned from", err)
	}
	return origins[0], nil
}
