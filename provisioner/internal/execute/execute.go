// Package execute carries a plan out. It decides nothing: each step is one call of the engine, steps that do not wait
// for each other run at the same time, and the first failure ends the run.
package execute

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/plan"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// Recorder keeps a record of each step. A step that cannot be recorded is not run.
type Recorder interface {
	StartStep(ctx context.Context, step, cause string) (id int64, err error)
	FinishStep(ctx context.Context, id int64, failure error) error
	NoteProgress(ctx context.Context, id int64, percent int, detail string) error
}

// recordTimeout bounds the note that a step has ended, which is written even when the run was cut off.
const recordTimeout = 5 * time.Second

// Executor runs plans.
type Executor struct {
	Engine   engine.Engine
	Failures *Failures
	Pulls    *Pulls
	Poll     time.Duration // how often a service that comes up is looked at
}

// StepError is the failure of one step.
type StepError struct {
	Step string
	Err  error
}

func (e *StepError) Error() string { return e.Step + ": " + e.Err.Error() }

func (e *StepError) Unwrap() error { return e.Err }

// Run carries the plan for want out.
func (e Executor) Run(ctx context.Context, want stack.Stack, todo plan.Plan, recorder Recorder, log *slog.Logger) error {
	done := make(map[string]chan struct{}, len(todo.Steps))
	for _, step := range todo.Steps {
		done[step.Name()] = make(chan struct{})
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, step := range todo.Steps {
		group.Go(func() error {
			for _, name := range step.After {
				select {
				case <-done[name]:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if err := e.step(ctx, want, step, recorder, log); err != nil {
				return err
			}
			close(done[step.Name()])
			return nil
		})
	}
	return group.Wait()
}

// tracer makes the steps' spans. Where no traces are sent it makes none.
func tracer() trace.Tracer { return otel.Tracer("github.com/plurabase/plurabase") }

// step runs one step of a plan and records it.
func (e Executor) step(ctx context.Context, want stack.Stack, step plan.Step, recorder Recorder, log *slog.Logger) error {
	return e.record(ctx, want.Ref, step.Name(), step.Cause, recorder, log, func(ctx context.Context, id int64) error {
		if step.Kind == plan.PullImage {
			return e.Pulls.Get(ctx, e.Engine, step.Object, func(progress engine.Progress) error {
				return recorder.NoteProgress(ctx, id, progress.Percent, progress.Detail)
			})
		}
		return e.call(ctx, want, step)
	})
}

// Record does something as a step of the project ref's operation, and records it.
func (e Executor) Record(ctx context.Context, ref, step, cause string, recorder Recorder, log *slog.Logger, do func(context.Context) error) error {
	return e.record(ctx, ref, step, cause, recorder, log, func(ctx context.Context, _ int64) error { return do(ctx) })
}

func (e Executor) record(
	ctx context.Context, ref, step, cause string, recorder Recorder, log *slog.Logger, do func(ctx context.Context, id int64) error,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	id, err := recorder.StartStep(ctx, step, cause)
	if err != nil {
		return err
	}
	ctx, span := tracer().Start(ctx, step)
	defer span.End()
	begun := time.Now()
	failure := e.Failures.next(ref, step)
	if failure == nil {
		failure = do(ctx, id)
	}
	if failure != nil && errors.Is(ctx.Err(), context.Canceled) {
		failure = ctx.Err() // another step's failure cut this one off: what the engine then says misleads
	}
	took := time.Since(begun)
	observe(step, took, failure)
	log = log.With("step", step, "cause", cause, "took", took.Round(time.Millisecond))
	if failure == nil {
		log.Info("step done")
	} else {
		log.Warn("step failed", "error", failure)
		span.SetStatus(codes.Error, "step failed")
		failure = &StepError{Step: step, Err: failure}
	}
	recordCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return errors.Join(failure, recorder.FinishStep(recordCtx, id, failure))
}

// call is the one call of the engine that the step stands for.
func (e Executor) call(ctx context.Context, want stack.Stack, step plan.Step) error {
	switch step.Kind {
	case plan.CreateNetwork:
		return e.Engine.CreateNetwork(ctx, *want.Network)
	case plan.RemoveNetwork:
		return e.Engine.RemoveNetwork(ctx, step.Object)
	case plan.Connect:
		return e.Engine.Connect(ctx, step.Object, step.Subject)
	case plan.Disconnect:
		return e.Engine.Disconnect(ctx, step.Object, step.Subject)
	case plan.CreateVolume:
		return e.Engine.CreateVolume(ctx, want.Volume(step.Object))
	case plan.RemoveVolume:
		return e.Engine.RemoveVolume(ctx, step.Object)
	case plan.CreateContainer:
		return e.Engine.CreateContainer(ctx, want.Network.Name, want.Service(step.Subject))
	case plan.StartContainer:
		return e.Engine.StartContainer(ctx, step.Object)
	case plan.WaitHealthy:
		return e.waitHealthy(ctx, step.Object)
	case plan.UpdateContainer:
		return e.Engine.UpdateContainer(ctx, step.Object, want.Service(step.Subject).Limits)
	case plan.StopContainer:
		return e.Engine.StopContainer(ctx, step.Object)
	case plan.RemoveContainer:
		return e.Engine.RemoveContainer(ctx, step.Object)
	case plan.ConfigureDatabase:
		_, err := e.Engine.Run(ctx, want.Database.Container, want.Database.Setup)
		return err
	default:
		return fmt.Errorf("there is no step %q", step.Kind)
	}
}
