package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Orphan is something on a target's engine that carries the labels of a project which is not known: as after Postgres was put
// back to an earlier day.
type Orphan struct {
	Kind    string    `json:"kind"` // container, network or volume
	Name    string    `json:"name"`
	Project Ref       `json:"project"` // as its labels say
	Since   time.Time `json:"since"`   // when it was first seen to be one
}

// UnknownRefs returns those of the refs that no project has, on any target.
func (s *Store) UnknownRefs(ctx context.Context, refs []Ref) ([]Ref, error) {
	rows, _ := s.pool.Query(ctx, `
		select ref from unnest($1::text[]) as ref where ref not in (select p.ref from platform.projects p) order by ref`, refs)
	unknown, err := pgx.CollectRows(rows, pgx.RowTo[Ref])
	return unknown, wrap("look for projects that are not known", err)
}

// NoteOrphans tells everybody what is on a target and belongs to no project. It writes where that has changed.
func (s *Store) NoteOrphans(ctx context.Context, target string, orphans []Orphan) error {
	_, err := s.pool.Exec(ctx, `update platform.targets set orphans = $2 where name = $1 and orphans <> $2`,
		target, append([]Orphan{}, orphans...))
	return wrap("note the target's orphans", err)
}

// lapsedFor is how long a lease that ran out is left: the target's other provisioner, or this one again, goes on long before.
const lapsedFor = 5 * time.Minute

// LapsedLeases lists the target's projects whose holder died, and which nobody has taken since.
func (s *Store) LapsedLeases(ctx context.Context, target string) ([]Ref, error) {
	rows, _ := s.pool.Query(ctx, `
		select ref from platform.projects
		where target = $1 and lease_expires_at < clock_timestamp() - $2::interval order by ref`, target, lapsedFor)
	refs, err := pgx.CollectRows(rows, pgx.RowTo[Ref])
	return refs, wrap("list the leases that ran out", err)
}

// ForgetLapsedLease drops what is left of a lease that ran out. Its holder could write nothing any more as it was.
func (s *Store) ForgetLapsedLease(ctx context.Context, ref Ref) error {
	_, err := s.pool.Exec(ctx, `
		update platform.projects set lease_owner = null, lease_expires_at = null
		where ref = $1 and lease_expires_at < clock_timestamp() - $2::interval`, ref, lapsedFor)
	return wrap("forget a lease that ran out", err)
}
