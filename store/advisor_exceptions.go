package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// AdvisorException is a finding of the advisors that somebody decided to live with, or to have somebody look after. What is nil
// of its lint, category and metadata stands for any.
type AdvisorException struct {
	ID         uuid.UUID
	LintName   *string
	Category   *string
	Metadata   map[string]any
	Disabled   bool // the finding is not shown any more
	Note       *string
	AssignedTo *uuid.UUID
	UpdatedBy  *string // the GoTrue id; nil when the profile is gone
	CreatedAt  time.Time
}

// IsAbout tells whether the exception is about a finding: what it does not name, it is about whatever it is. metadata is what the
// finding is about, as JSON can hold it.
func (e AdvisorException) IsAbout(lint, category string, metadata any) bool {
	if e.LintName != nil && *e.LintName != lint || e.Category != nil && *e.Category != category {
		return false
	}
	named := map[string]any{}
	text, err := json.Marshal(metadata)
	if err != nil || json.Unmarshal(text, &named) != nil {
		return false
	}
	for name, value := range e.Metadata {
		if fmt.Sprint(value) != fmt.Sprint(named[name]) {
			return false
		}
	}
	return cmp.Or(e.LintName, e.Category) != nil || len(e.Metadata) > 0
}

const exceptionColumns = `e.id, e.lint_name, e.category, e.metadata, e.disabled, e.note, e.assigned_to, u.gotrue_id::text, e.created_at`

// AdvisorExceptions lists a project's exceptions, the oldest first.
func (s *Store) AdvisorExceptions(ctx context.Context, projectID int64) ([]AdvisorException, error) {
	found, err := advisorExceptions(ctx, s.pool, projectID, nil)
	return found, wrap("list the advisors' exceptions", err)
}

func advisorExceptions(ctx context.Context, q querier, projectID int64, ids []uuid.UUID) ([]AdvisorException, error) {
	rows, _ := q.Query(ctx, `
		select `+exceptionColumns+` from platform.advisor_exceptions e left join platform.profiles u on u.id = e.updated_by
		where e.project_id = $1 and ($2::uuid[] is null or e.id = any ($2)) order by e.created_at, e.id`, projectID, ids)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[AdvisorException])
}

// CreateAdvisorExceptions adds exceptions. Their ids are the store's.
func (s *Store) CreateAdvisorExceptions(ctx context.Context, actor Actor, project Project, exceptions []AdvisorException) ([]AdvisorException, error) {
	return write(ctx, s, actor, "add exceptions for the advisors", func(ctx context.Context, tx pgx.Tx) ([]AdvisorException, AuditEntry, error) {
		ids := make([]uuid.UUID, len(exceptions))
		for i, e := range exceptions {
			var err error
			if ids[i], err = uuid.NewRandomFromReader(s.random); err != nil {
				return nil, AuditEntry{}, err
			}
			_, err = tx.Exec(ctx, `
				insert into platform.advisor_exceptions
					(id, project_id, lint_name, category, metadata, disabled, note, assigned_to, updated_by, created_at)
				values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
				ids[i], project.ID, e.LintName, e.Category, e.Metadata, e.Disabled, e.Note, e.AssignedTo, actor.ProfileID, s.now())
			if holdsNUL(err) {
				return nil, AuditEntry{}, errNUL
			}
			if err != nil {
				return nil, AuditEntry{}, err
			}
		}
		made, err := advisorExceptions(ctx, tx, project.ID, ids)
		return made, exceptionEntry(project, "create", ids), err
	})
}

// UpdateAdvisorException changes what is not nil of an exception; disabled where it is given. ErrNotFound: there is none.
func (s *Store) UpdateAdvisorException(ctx context.Context, actor Actor, project Project, e AdvisorException, disabled *bool) error {
	_, err := write(ctx, s, actor, "change an exception of the advisors", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		tag, err := tx.Exec(ctx, `
			update platform.advisor_exceptions set lint_name = coalesce($3, lint_name), category = coalesce($4, category),
				metadata = coalesce($5, metadata), disabled = coalesce($6, disabled), note = coalesce($7, note),
				assigned_to = coalesce($8, assigned_to), updated_by = $9
			where id = $1 and project_id = $2`,
			e.ID, project.ID, e.LintName, e.Category, e.Metadata, disabled, e.Note, e.AssignedTo, actor.ProfileID)
		if holdsNUL(err) {
			err = errNUL
		}
		return struct{}{}, exceptionEntry(project, "update", []uuid.UUID{e.ID}), foundOne(tag.RowsAffected(), err)
	})
	return err
}

// DeleteAdvisorExceptions takes exceptions away, all or none. ErrNotFound: one of them is not there.
func (s *Store) DeleteAdvisorExceptions(ctx context.Context, actor Actor, project Project, ids []uuid.UUID) error {
	_, err := write(ctx, s, actor, "take exceptions of the advisors away", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		tag, err := tx.Exec(ctx, `delete from platform.advisor_exceptions where project_id = $1 and id = any ($2)`, project.ID, ids)
		if err == nil && tag.RowsAffected() < int64(len(ids)) {
			err = ErrNotFound
		}
		return struct{}{}, exceptionEntry(project, "delete", ids), err
	})
	return err
}

func exceptionEntry(project Project, verb string, ids []uuid.UUID) AuditEntry {
	return AuditEntry{
		Action: "advisors.exceptions." + verb, OrganizationID: project.OrganizationID, ProjectRef: project.Ref,
		Details: map[string]any{"ids": ids},
	}
}
