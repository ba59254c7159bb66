package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// What follows is for the operator of the whole platform, who needs nobody's permission, and has no route in the API.

// OperatorFilter narrows a list of operations. The zero value asks for everything.
type OperatorFilter struct {
	Ref    Ref
	States []OperationState
	ID     int64
	Limit  int // 0: no limit
}

// ProjectOperation is an operation with the project that it was asked of, which may be gone.
type ProjectOperation struct {
	Ref       Ref
	ProjectID int64
	Operation
}

// AllOperations lists what was last asked of any project, the newest first.
func (s *Store) AllOperations(ctx context.Context, filter OperatorFilter) ([]ProjectOperation, error) {
	states := make([]string, len(filter.States))
	for i, state := range filter.States {
		states[i] = string(state)
	}
	rows, _ := s.pool.Query(ctx, `
		select o.project_ref, o.project_id, `+operationColumns+`
		where ($1 = '' or o.project_ref = $1) and (cardinality($2::text[]) = 0 or o.state = any ($2)) and ($3 = 0 or o.id = $3)
		order by o.id desc limit nullif($4, 0)`, string(filter.Ref), states, filter.ID, filter.Limit)
	operations, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ProjectOperation])
	return operations, wrap("list the operations", err)
}

// RetryNow has a project's work that failed tried again now, and not when its time has come. ErrNotFound: there is no such
// project. A ConflictError says that nothing of it waits for another try.
func (s *Store) RetryNow(ctx context.Context, ref Ref) error {
	return wrap("retry", pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `update platform.projects set retry_at = null where id = $1 and retry_at is not null`, project.ID)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return &ConflictError{fmt.Sprintf("Nothing of the project %s waits for another try: it %s.", ref, busy[project.Status])}
		}
		return wake(ctx, tx, project)
	}))
}

// cancellable are the operations that leave nothing half done of a project's data when they end anywhere.
var cancellable = []OperationKind{OperationCreate, OperationPause, OperationRestore, OperationRestart, OperationConfigure, OperationResize}

var errCancelled = errors.New("called off by the operator")

// CancelOperation ends an operation that is not over, as one that has failed, and takes the project from whoever works on it: they
// can write nothing more. What was done stays, and a project that should run is mended. A ConflictError says that it is over, or that
// it has to come to its own end.
func (s *Store) CancelOperation(ctx context.Context, id int64) error {
	claim := &Claim{store: s, OperationID: id}
	rows, _ := s.pool.Query(ctx, `
		update platform.projects p
		set lease_owner = 'operator', lease_expires_at = clock_timestamp() + interval '1 minute', fence = fence + 1
		from platform.operations o
		where o.id = $1 and o.project_id = p.id and o.generation = p.generation and o.state in ('pending', 'running') and o.kind = any ($2)
		returning `+claimColumns, id, cancellable)
	err := claim.read(rows)
	if errors.Is(err, pgx.ErrNoRows) {
		return &ConflictError{fmt.Sprintf("The operation %d is over, or is one that has to come to its own end: a delete, an upgrade, a backup or its restore.", id)}
	}
	if err != nil {
		return wrap("take the project", err)
	}
	err = s.pool.QueryRow(ctx, `
		with closed as (
			update platform.operation_steps set finished_at = $2, error = 'interrupted' where operation_id = $1 and finished_at is null
		)
		select kind from platform.operations where id = $1`, id, s.now()).Scan(&claim.Kind)
	if err != nil {
		return wrap("call the operation off", err)
	}
	return claim.Settle(ctx, Outcome{Status: claim.Kind.Failed(), Failure: errCancelled})
}

// MakeOwner makes somebody who has signed in before an Owner of an organization, whatever they were in it. ErrNotFound: there
// is no such organization, or nobody of this address.
func (s *Store) MakeOwner(ctx context.Context, slug Slug, email string) error {
	return wrap("make an owner", pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var organizationID, profileID int64
		err := tx.QueryRow(ctx, `
			select o.id, u.id from platform.organizations o, platform.profiles u
			where o.slug = $1 and lower(u.primary_email) = lower($2) for update of o`, slug, email).Scan(&organizationID, &profileID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into platform.members (organization_id, profile_id, role, joined_at) values ($1, $2, $3, $4)
			on conflict (organization_id, profile_id) do update set role = excluded.role`, organizationID, profileID, RoleOwner, s.now())
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, Actor{RequestID: "operator"}, AuditEntry{
			Action: "members.own", OrganizationID: organizationID, Details: map[string]any{"email": email, "by": "operator"},
		})
	}))
}

// ForeignDataKeys counts the projects whose data key is under another master key than this process'.
func (s *Store) ForeignDataKeys(ctx context.Context) (count int, err error) {
	err = s.pool.QueryRow(ctx, `select count(*) from platform.project_keys where master_key_id <> $1`, s.sealer.master.ID()).Scan(&count)
	return count, wrap("count the keys", err)
}

// DatabaseTime is Postgres' own clock.
func (s *Store) DatabaseTime(ctx context.Context) (now time.Time, err error) {
	err = s.pool.QueryRow(ctx, `select clock_timestamp()`).Scan(&now)
	return now, wrap("ask for the time", err)
}

// SchemaVersion is the number of the migration that the database has.
func (s *Store) SchemaVersion(ctx context.Context) (version uint, err error) {
	err = s.pool.QueryRow(ctx, `select version from platform.schema_migrations`).Scan(&version)
	return version, wrap("ask for the schema's version", err)
}
