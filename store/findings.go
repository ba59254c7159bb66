package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Finding is something severe that the advisors have against a project.
type Finding struct {
	Key      string // the same for the same finding
	Lint     string
	Category string
	Title    string // what is wrong, `Table without row level security`
	Detail   string // with what
	Metadata any    // what it is about, as exceptions name it
}

// maxTold is how many findings of a project its members are told of at a time: the advisors' pages list all of them. When some
// are mended, more are told.
const maxTold = 20

// NoteFindings tells a project's members of what was found and they have not been told of, each finding once, and takes back what
// is there no more. What somebody decided to live with is left out.
func (s *Store) NoteFindings(ctx context.Context, project Project, found []Finding) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// One at a time for each project.
		tag, err := tx.Exec(ctx, `select from platform.projects where id = $1 for no key update`, project.ID)
		if err != nil || tag.RowsAffected() == 0 { // deleted in the meantime
			return err
		}
		exceptions, err := advisorExceptions(ctx, tx, project.ID, nil)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(slices.Clone(found), func(f Finding) bool {
			return slices.ContainsFunc(exceptions, func(e AdvisorException) bool {
				return e.Disabled && e.IsAbout(f.Lint, f.Category, f.Metadata)
			})
		})
		told, err := takeBackFindings(ctx, tx, project.ID, found)
		if err != nil {
			return err
		}
		for _, f := range found {
			if len(told) >= maxTold {
				break
			}
			if slices.Contains(told, f.Key) {
				continue
			}
			if err := s.tellFinding(ctx, tx, project, f); err != nil {
				return err
			}
			told = append(told, f.Key)
		}
		return nil
	})
	return wrap("note the advisors' findings", err)
}

// takeBackFindings drops what was told and is not found any more, and returns the keys of what was told and still is.
func takeBackFindings(ctx context.Context, tx pgx.Tx, projectID int64, found []Finding) ([]string, error) {
	keys := make([]string, len(found))
	for i, f := range found {
		keys[i] = f.Key
	}
	_, err := tx.Exec(ctx, `
		with gone as (delete from platform.advisor_findings where project_id = $1 and key <> all ($2) returning notification_id)
		delete from platform.notifications where id in (select notification_id from gone)`, projectID, keys)
	if err != nil {
		return nil, err
	}
	rows, _ := tx.Query(ctx, `select key from platform.advisor_findings where project_id = $1`, projectID)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (s *Store) tellFinding(ctx context.Context, tx pgx.Tx, project Project, f Finding) error {
	_, err := tx.Exec(ctx, `
		with told as (
			insert into platform.notifications (organization_id, project_id, name, priority, title, message, inserted_at)
			values ($1, $2, $3, $4, $5, $6, $7) returning id
		)
		insert into platform.advisor_findings (project_id, key, notification_id, found_at) select $2, $8, id, $7 from told`,
		project.OrganizationID, project.ID, findingName+f.Lint, PriorityWarning, fmt.Sprintf("%s: %s", project.Name, f.Title),
		short(f.Detail), s.now(), f.Key)
	return err
}

// OfAdvisors tells whether the notification is of something that the advisors found.
func (n Notification) OfAdvisors() bool { return strings.HasPrefix(n.Name, findingName) }

// findingName begins the name of a notification of the advisors; the lint's own follows.
const findingName = "advisors."
