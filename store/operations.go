package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// OperationState is what has become of an operation.
type OperationState string

// The states of an operation.
const (
	OperationPending    OperationState = "pending"
	OperationRunning    OperationState = "running"
	OperationSucceeded  OperationState = "succeeded"
	OperationFailed     OperationState = "failed"
	OperationSuperseded OperationState = "superseded" // something newer was asked for before it was done
)

// Operation is something that was asked of a project, and how far it has come.
type Operation struct {
	ID          int64
	Kind        OperationKind
	State       OperationState
	Percent     int     // of the steps that are known so far; 100 when it succeeded
	CurrentStep *string // the oldest step that runs, `wait-healthy:auth`; nil: none does
	Error       *string // the last error in plain words
	RequestedBy *int64  // a profile; nil when it is gone
	CreatedAt   time.Time
	StartedAt   *time.Time
	FinishedAt  *time.Time
}

// OperationStep is one try of one step of an operation.
type OperationStep struct {
	Step       string // `create-container:db`
	Cause      string // why it is taken
	Attempt    int
	StartedAt  time.Time
	FinishedAt *time.Time
	Error      *string
}

// Operations lists what was last asked of a project, the newest first. Limit 0: all of it.
func (s *Store) Operations(ctx context.Context, projectID int64, limit int) ([]Operation, error) {
	rows, _ := s.pool.Query(ctx, `
		select o.id, o.kind, o.state,
			case when o.state = 'succeeded' then 100
				else coalesce(least(99, 100 * done.steps / nullif(greatest(o.planned, done.steps + 1), 0)), 0) end,
			(select step from platform.operation_steps where operation_id = o.id and finished_at is null order by id limit 1),
			coalesce(o.error, o.undone), o.requested_by, o.created_at, o.started_at, o.finished_at
		from platform.operations o, lateral (
			select count(*)::integer as steps from platform.operation_steps s
			where s.operation_id = o.id and s.finished_at is not null and s.error is null
		) done
		where o.project_id = $1
		order by o.id desc limit nullif($2, 0)`, projectID, limit)
	operations, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Operation])
	return operations, wrap("list the operations", err)
}

// OperationSteps lists the steps of one of a project's operations, in the order in which they began.
func (s *Store) OperationSteps(ctx context.Context, projectID, operationID int64) ([]OperationStep, error) {
	rows, _ := s.pool.Query(ctx, `
		select s.step, s.cause, s.attempt, s.started_at, s.finished_at, s.error
		from platform.operation_steps s join platform.operations o on o.id = s.operation_id
		where o.id = $2 and o.project_id = $1 order by s.id`, projectID, operationID)
	steps, err := pgx.CollectRows(rows, pgx.RowToStructByPos[OperationStep])
	return steps, wrap("list the operation's steps", err)
}
