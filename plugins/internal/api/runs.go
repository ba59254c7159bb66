package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// Run is one operation on a project as the management API has it: a run of an action.
type Run struct {
	ID         string    `json:"id"`
	BranchID   string    `json:"branch_id" doc:"The project's ref."`
	CheckRunID *int64    `json:"check_run_id" doc:"Null: no operation comes from GitHub."`
	Workdir    *string   `json:"workdir" doc:"Null: likewise."`
	Steps      []RunStep `json:"run_steps"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// RunStep is all steps of one sort in a run. The single ones are in the run's log, and in the platform API's operations.
type RunStep struct {
	Name      string    `json:"name" enum:"pull,health,configure,migrate,deploy"`
	Status    string    `json:"status" enum:"RUNNING,EXITED,DEAD"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// OperationsResponse is one page of what was asked of a project, the newest first.
type OperationsResponse struct {
	Operations []OperationResponse `json:"operations"`
	Pagination Pagination          `json:"pagination"`
}

// OperationResponse is something that was asked of a project, and how far it has come.
type OperationResponse struct {
	ID          string                `json:"id"`
	Kind        string                `json:"kind"`
	State       string                `json:"state" enum:"pending,running,succeeded,failed,superseded"`
	Percent     int                   `json:"percent"`
	CurrentStep *string               `json:"current_step"`
	Error       *string               `json:"error"`
	CreatedAt   time.Time             `json:"created_at"`
	StartedAt   *time.Time            `json:"started_at"`
	FinishedAt  *time.Time            `json:"finished_at"`
	Steps       []store.OperationStep `json:"steps,omitempty"`
}

// RunPage asks for one page of runs.
type RunPage struct {
	Limit  int `query:"limit" minimum:"1" maximum:"100" default:"20"`
	Offset int `query:"offset" minimum:"0"`
}

type runsInput struct {
	Ref string `path:"ref"`
	RunPage
}

type runInput struct {
	Ref   string `path:"ref"`
	RunID string `path:"run_id"`
}

type operationInput struct {
	Ref string `path:"ref"`
	ID  string `path:"operation_id"`
}

type countOutput struct {
	Count int `header:"X-Total-Count"`
}

type textOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

const runsAreKept = "What becomes of an operation is noted by the provisioner alone: nobody else can."

func (a *API) registerRuns() {
	read := access.InProject(access.Read, "projects")
	const runs, operations = "/v1/projects/{ref}/actions", "/platform/projects/{ref}/operations"
	handle(a, route{method: http.MethodGet, path: runs, permission: read, kind: Real, summary: "What was asked of a project"}, a.listRuns)
	register(a, route{
		method: http.MethodHead, path: runs, permission: read, kind: Real, summary: "How often something was asked of a project",
	}, a.countRuns)
	handle(a, route{method: http.MethodGet, path: runs + "/{run_id}", permission: read, kind: Real, summary: "One thing that was asked of a project"}, a.getRun)
	register(a, route{
		method: http.MethodGet, path: runs + "/{run_id}/logs", permission: read, kind: Real, summary: "Its steps, one a line",
	}, a.getRunLog)
	refuse(a, route{
		method: http.MethodPatch, path: runs + "/{run_id}/status", permission: access.InProject(access.Update, "projects"),
		summary: "Say what has become of a run: not here",
	}, runsAreKept)
	handle(a, route{
		method: http.MethodGet, path: operations, permission: read, kind: Real, summary: "What was asked of a project, and how far it has come",
	}, a.listOperations)
	handle(a, route{
		method: http.MethodGet, path: operations + "/{operation_id}", permission: read, kind: Real, summary: "An operation with its steps",
	}, a.getOperation)
}

func (a *API) listRuns(ctx context.Context, c *call, in *runsInput) ([]Run, error) {
	operations, err := a.store.Operations(ctx, c.project.ID, store.OperationPage{Limit: in.Limit, Offset: in.Offset})
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(operations))
	for i, operation := range operations {
		ids[i] = operation.ID
	}
	steps, err := a.store.StepsOf(ctx, c.project.ID, ids...)
	list := make([]Run, len(operations))
	for i, operation := range operations {
		list[i] = runOf(c.project.Ref, operation, steps[operation.ID])
	}
	return list, err
}

func (a *API) countRuns(ctx context.Context, c *call, _ *refPath) (*countOutput, error) {
	count, err := a.store.CountOperations(ctx, c.project.ID)
	return &countOutput{count}, err
}

func (a *API) getRun(ctx context.Context, c *call, in *runInput) (Run, error) {
	operation, steps, err := a.findOperation(ctx, c, in.RunID, "Run not found")
	if err != nil {
		return Run{}, err
	}
	return runOf(c.project.Ref, operation, steps), nil
}

func (a *API) getRunLog(ctx context.Context, c *call, in *runInput) (*textOutput, error) {
	operation, steps, err := a.findOperation(ctx, c, in.RunID, "Run not found")
	if err != nil {
		return nil, err
	}
	return &textOutput{"text/plain; charset=utf-8", []byte(logOf(operation, steps))}, nil
}

// findOperation reads an operation of the call's project with its steps.
func (a *API) findOperation(ctx context.Context, c *call, text, missing string) (store.Operation, []store.OperationStep, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return store.Operation{}, nil, problem.NotFound(missing)
	}
	operation, err := a.store.Operation(ctx, c.project.ID, id)
	if err != nil {
		return store.Operation{}, nil, problem.OrNotFound(err, missing)
	}
	steps, err := a.store.OperationSteps(ctx, c.project.ID, id)
	return operation, steps, err
}

func runOf(ref store.Ref, operation store.Operation, steps []store.OperationStep) Run {
	run := Run{
		ID: strconv.FormatInt(operation.ID, 10), BranchID: string(ref), Steps: []RunStep{},
		CreatedAt: operation.CreatedAt, UpdatedAt: latest(operation),
	}
	sorts := map[string]int{}
	for _, step := range steps {
		sort := sortOf(step.Step)
		i, known := sorts[sort]
		if !known {
			i = len(run.Steps)
			sorts[sort] = i
			run.Steps = append(run.Steps, RunStep{Name: sort, Status: "EXITED", CreatedAt: step.StartedAt, UpdatedAt: step.StartedAt})
		}
		run.Steps[i].include(step)
	}
	return run
}

// sortOf says under which of upstream's names a step of ours goes.
func sortOf(step string) string {
	kind, _, _ := strings.Cut(step, ":")
	switch kind {
	case "pull-image":
		return "pull"
	case "wait-healthy":
		return "health"
	case "configure-database":
		return "configure"
	case "migrate":
		return "migrate"
	default:
		return "deploy"
	}
}

// include adds a step, which began after those before it: what happened last counts.
func (s *RunStep) include(step store.OperationStep) {
	switch {
	case step.FinishedAt == nil:
		s.Status = "RUNNING"
	case s.Status == "RUNNING":
	case step.Error != nil:
		s.Status = "DEAD"
	default:
		s.Status = "EXITED"
	}
	if step.FinishedAt != nil && step.FinishedAt.After(s.UpdatedAt) {
		s.UpdatedAt = *step.FinishedAt
	}
}

// logOf prints an operation with its steps.
func logOf(operation store.Operation, steps []store.OperationStep) string {
	var out strings.Builder
	line := func(at time.Time, format string, arguments ...any) {
		fmt.Fprintf(&out, "%s  %s\n", at.UTC().Format(time.RFC3339), fmt.Sprintf(format, arguments...))
	}
	line(operation.CreatedAt, "%s was asked for", operation.Kind)
	for _, step := range steps {
		line(step.StartedAt, "%s: %s", step.Step, describe(step))
	}
	if operation.FinishedAt == nil {
		line(latest(operation), "%s is %s, %d %%", operation.Kind, operation.State, operation.Percent)
	} else {
		line(*operation.FinishedAt, "%s has %s", operation.Kind, operation.State)
	}
	if operation.Error != nil {
		line(latest(operation), "%s", *operation.Error)
	}
	return out.String()
}

// describe says why a step was taken and what has become of it.
func describe(step store.OperationStep) string {
	text := step.Cause
	if step.Attempt > 1 {
		text += fmt.Sprintf(" (try %d)", step.Attempt)
	}
	switch {
	case step.Error != nil:
		text += ": " + *step.Error
	case step.FinishedAt != nil:
		text += fmt.Sprintf(": done in %s", step.FinishedAt.Sub(step.StartedAt).Round(time.Millisecond))
	case step.Percent != nil:
		text += fmt.Sprintf(": %d %%", *step.Percent)
	}
	if step.Detail != nil {
		text += ", " + *step.Detail
	}
	return text
}

func (a *API) listOperations(ctx context.Context, c *call, in *runsInput) (OperationsResponse, error) {
	operations, err := a.store.Operations(ctx, c.project.ID, store.OperationPage{Limit: in.Limit, Offset: in.Offset})
	if err != nil {
		return OperationsResponse{}, err
	}
	count, err := a.store.CountOperations(ctx, c.project.ID)
	list := make([]OperationResponse, len(operations))
	for i, operation := range operations {
		list[i] = operationOf(operation, nil)
	}
	return OperationsResponse{list, Pagination{Count: int64(count), Limit: in.Limit, Offset: in.Offset}}, err
}

func (a *API) getOperation(ctx context.Context, c *call, in *operationInput) (OperationResponse, error) {
	operation, steps, err := a.findOperation(ctx, c, in.ID, "Operation not found")
	if err != nil {
		return OperationResponse{}, err
	}
	return operationOf(operation, steps), nil
}

func operationOf(o store.Operation, steps []store.OperationStep) OperationResponse {
	return OperationResponse{
		ID: strconv.FormatInt(o.ID, 10), Kind: string(o.Kind), State: string(o.State), Percent: o.Percent, CurrentStep: o.CurrentStep,
		Error: o.Error, CreatedAt: o.CreatedAt, StartedAt: o.StartedAt, FinishedAt: o.FinishedAt, Steps: steps,
	}
}
