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
	TrackingID  *string // by which whoever asked for another JWT secret follows it
}

// Open tells that the operation is not over yet.
func (o Operation) Open() bool { return o.State == OperationPending || o.State == OperationRunning }

// OperationStep is one try of one step of an operation, as the API and the operator's command print it.
type OperationStep struct {
	Step       string     `json:"step"`  // `create-container:db`
	Cause      string     `json:"cause"` // why it is taken
	Attempt    int        `json:"attempt"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
	Error      *string    `json:"error"`
	Percent    *int       `json:"percent"` // how far it has come, where it says so
	Detail     *string    `json:"detail"`  // `12.5 of 80.0 MB`
}

// operationColumns are an operation's, with how many of its steps are done, and how far those are that say so.
const operationColumns = `
	o.id, o.kind, o.state,
	case when o.state = 'succeeded' then 100
		else coalesce(least(99, done.percents / nullif(greatest(o.planned, done.steps + 1), 0)), 0) end,
	(select step from platform.operation_steps where operation_id = o.id and finished_at is null order by id limit 1),
	coalesce(o.error, o.undone), o.requested_by, o.created_at, o.started_at, o.finished_at, o.tracking_id
	from platform.operations o, lateral (
		select (count(*) filter (where s.finished_at is not null))::integer as steps,
			coalesce(sum(case when s.finished_at is null then coalesce(s.percent, 0) else 100 end), 0)::integer as percents
		from platform.operation_steps s where s.operation_id = o.id and s.error is null
	) done`

// OperationPage is one page of a project's operations. Limit 0: all of them.
type OperationPage struct{ Limit, Offset int }

// Operations lists what was asked of a project, the newest first.
func (s *Store) Operations(ctx context.Context, projectID int64, page OperationPage) ([]Operation, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+operationColumns+` where o.project_id = $1 order by o.id desc limit nullif($2, 0) offset $3`,
		projectID, page.Limit, page.Offset)
	operations, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Operation])
	return operations, wrap("list the operations", err)
}

// CountOperations counts what was ever asked of a project.
func (s *Store) CountOperations(ctx context.Context, projectID int64) (count int, err error) {
	err = s.pool.QueryRow(ctx, `select count(*) from platform.operations where project_id = $1`, projectID).Scan(&count)
	return count, wrap("count the operations", err)
}

// Operation returns one of a project's operations. ErrNotFound: it has no such one.
func (s *Store) Operation(ctx context.Context, projectID, operationID int64) (Operation, error) {
	return s.oneOperation(ctx, `o.id = $2`, projectID, operationID)
}

// LastOperation returns the last of its kind that was asked of a project. ErrNotFound: none was.
func (s *Store) LastOperation(ctx context.Context, projectID int64, kind OperationKind) (Operation, error) {
	return s.oneOperation(ctx, `o.kind = $2`, projectID, kind)
}

// LastRotation returns the operation by which a project took up its last JWT secret. ErrNotFound: none was needed.
func (s *Store) LastRotation(ctx context.Context, projectID int64) (Operation, error) {
	return s.oneOperation(ctx, `o.tracking_id is not null`, projectID)
}

func (s *Store) oneOperation(ctx context.Context, which string, arguments ...any) (Operation, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+operationColumns+` where o.project_id = $1 and `+which+` order by o.id desc limit 1`, arguments...)
	operation, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Operation])
	return operation, wrap("look the operation up", err)
}

// OperationSteps lists the steps of one of a project's operations, in the order in which they began.
func (s *Store) OperationSteps(ctx context.Context, projectID, operationID int64) ([]OperationStep, error) {
	steps, err := s.StepsOf(ctx, projectID, operationID)
	return steps[operationID], err
}

// StepsOf lists the steps of some of a project's operations, by operation and in the order in which they began.
func (s *Store) StepsOf(ctx context.Context, projectID int64, operationIDs ...int64) (map[int64][]OperationStep, error) {
	rows, _ := s.pool.Query(ctx, `
		select s.operation_id, s.step, s.cause, s.attempt, s.started_at, s.finished_at, s.error, s.percent, s.detail
		from platform.operation_steps s join platform.operations o on o.id = s.operation_id
		where o.id = any ($2) and o.project_id = $1 order by s.id`, projectID, operationIDs)
	type row struct {
		OperationID int64
		OperationStep
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	steps := map[int64][]OperationStep{}
	for _, one := range found {
		steps[one.OperationID] = append(steps[one.OperationID], one.OperationStep)
	}
	return steps, wrap("list the operations' steps", err)
}

// UpgradeDuration is what the last upgrades of a target's projects took on average; 0 where none has succeeded yet.
func (s *Store) UpgradeDuration(ctx context.Context, target string) (time.Duration, error) {
	var took *time.Duration
	err := s.pool.QueryRow(ctx, `
		select avg(finished_at - started_at) from (
			select o.started_at, o.finished_at
			from platform.operations o join platform.projects p on p.id = o.project_id
			where p.target = $1 and o.kind = $2 and o.state = $3 order by o.id desc limit 20
		) last`, target, OperationUpgrade, OperationSucceeded).Scan(&took)
	if took == nil {
		return 0, wrap("read what upgrades take", err)
	}
	return *took, wrap("read what upgrades take", err)
}
