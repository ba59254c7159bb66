package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/plurabase/plurabase/provisioner/internal/backup"
	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/execute"
	"github.com/plurabase/plurabase/provisioner/internal/plan"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// pass is the work on one project under one claim.
type pass struct {
	*Reconciler
	claim     *store.Claim
	log       *slog.Logger
	allotment stack.Allotment
	wanted    stack.Stack // as it was last built
	data      *backup.Task
}

// handle works on a claimed project and writes down what has become of it.
func (r *Reconciler) handle(ctx context.Context, claim *store.Claim) {
	p := &pass{Reconciler: r, claim: claim, log: r.Log.With(
		"project", claim.Project.Ref, "generation", claim.Project.Generation, "operation", claim.Kind, "request_id", claim.RequestID)}
	leasesHeld.Inc()
	defer leasesHeld.Dec()
	begun := time.Now()
	ctx, span := p.trace(ctx)
	defer span.End()
	p.log.Info("claimed", "desired", claim.Project.Desired, "status", claim.Project.Status)
	held, release := r.hold(ctx, claim, p.log)
	defer release()
	outcome, err := p.work(held)
	if cause := context.Cause(held); cause != nil {
		err = cause // whatever failed, it failed because the work was cut off
	}
	p.conclude(ctx, outcome, err)
	p.count(err, time.Since(begun))
}

// trace begins the span of the work under the claim, which its request id joins with the request that asked for it.
func (p *pass) trace(ctx context.Context) (context.Context, trace.Span) {
	return otel.Tracer("github.com/plurabase/plurabase").Start(ctx, p.kind(), trace.WithNewRoot(), trace.WithAttributes(
		attribute.String("plurabase.request_id", p.claim.RequestID), attribute.String("plurabase.project", string(p.claim.Project.Ref)),
		attribute.Int64("plurabase.generation", p.claim.Project.Generation)))
}

// convergeInTime does what is wanted within the deadline. An upgrade has half of it, and the other half to take it back.
func (p *pass) convergeInTime(ctx context.Context) (store.Outcome, error) {
	if p.claim.Kind != store.OperationUpgrade {
		return p.converge(ctx, p.Settings.Deadline)
	}
	half := p.Settings.Deadline / 2
	if p.claim.Undone == nil {
		outcome, err := p.converge(ctx, half)
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrSuperseded) {
			return outcome, err
		}
		p.log.Warn("the upgrade failed, and is taken back", "error", err)
		if err := p.claim.Undo(ctx, fmt.Errorf("the upgrade failed, and the versions before are back: %w", err)); err != nil {
			return store.Outcome{}, err
		}
	}
	outcome, err := p.converge(ctx, half)
	if err != nil {
		return store.Outcome{}, fmt.Errorf("%s; but: %w", *p.claim.Undone, err)
	}
	outcome.Failure = errors.New(*p.claim.Undone)
	return outcome, nil
}

// converge repeats observe → plan → execute until nothing is left to do, and returns what the project then is. An
// operation is tried again until its deadline; a delete and a repair are given back after a failure, because they are
// tried for ever, and others shall not wait for them.
func (p *pass) converge(ctx context.Context, deadline time.Duration) (store.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	var last error
	for failures := 0; ; {
		outcome, done, err := p.once(ctx)
		if done {
			return outcome, nil
		}
		if err != nil {
			err = p.evade(ctx, err)
		}
		if err == nil {
			continue
		}
		if p.triedForEver() || isPermanent(err) {
			return store.Outcome{}, err
		}
		if last == nil || ctx.Err() == nil {
			last = err // what the deadline cut off explains less than what failed before
		}
		delay := p.Settings.retryDelay(failures)
		p.log.Warn("failed, and is tried again", "error", err, "after", delay)
		select {
		case <-ctx.Done():
			return store.Outcome{}, fmt.Errorf("gave up after %s: %w", deadline, last)
		case <-time.After(delay):
			failures++
		}
	}
}

// triedForEver tells whether the claim is one that never fails for good.
func (p *pass) triedForEver() bool {
	return p.isRepair() || p.claim.Project.Desired == store.DesiredRemoved
}

// isRepair tells that nobody asked for anything: the stack has drifted.
func (p *pass) isRepair() bool {
	return p.claim.Project.ObservedGeneration == p.claim.Project.Generation
}

func isPermanent(err error) bool {
	var permanent *engine.PermanentError
	var exhausted *store.ExhaustedError
	return errors.As(err, &permanent) || errors.As(err, &exhausted) ||
		errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrSuperseded)
}

// evade gives the port or the subnet back that somebody else on the host has, so that the next round takes another.
// Any other failure it returns as it is.
func (p *pass) evade(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, engine.ErrPortTaken):
		p.log.Warn("the port is taken, another one is tried", "port", p.allotment.DatabasePort)
		return p.claim.LeavePorts(ctx)
	case errors.Is(err, engine.ErrSubnetTaken):
		p.log.Warn("the subnet is taken, another one is tried", "subnet", p.allotment.Subnet)
		return p.claim.LeaveSubnet(ctx)
	}
	return err
}

// once is one round. done: nothing is left to do, and outcome says what the project is.
func (p *pass) once(ctx context.Context) (outcome store.Outcome, done bool, err error) {
	want, err := p.want(ctx)
	if err != nil {
		return store.Outcome{}, false, err
	}
	if err := p.data.Mend(ctx, want); err != nil {
		return store.Outcome{}, false, err
	}
	seen, err := p.observe(ctx, want)
	if err != nil {
		return store.Outcome{}, false, err
	}
	todo, err := plan.Build(want, seen)
	if err != nil {
		return store.Outcome{}, false, err
	}
	now := todo
	if p.isRepair() {
		now = todo.WithoutWaiting() // the comparison sees when it has become healthy
	}
	if now.Empty() {
		return p.reached(want, seen, todo), true, nil
	}
	p.log.Info("planned", "plan", now.String())
	if len(now.Steps) < len(todo.Steps) { // a service has to be waited for: it is not healthy
		if err := p.showUnhealthy(ctx); err != nil {
			return store.Outcome{}, false, err
		}
	}
	if err := p.claim.NotePlan(ctx, len(now.Steps)); err != nil {
		return store.Outcome{}, false, err
	}
	return store.Outcome{}, false, p.Executor.Run(ctx, want, now, p.recorder(), p.log)
}

// recorder notes the steps of the operation.
func (p *pass) recorder() execute.Recorder { return p.Crash.Watch(string(p.claim.Kind), p.claim) }

// want is the stack that the project should have.
func (p *pass) want(ctx context.Context) (stack.Stack, error) {
	wanted := stack.Wanted{Project: p.claim.Project}
	if p.claim.Project.Desired == store.DesiredActive {
		var err error
		if wanted, err = p.describe(ctx); err != nil {
			return stack.Stack{}, err
		}
		if wanted.Allotment, err = p.allot(ctx); err != nil {
			return stack.Stack{}, err
		}
	}
	p.allotment = wanted.Allotment
	want, err := stack.Build(wanted, p.Settings.Stack)
	if err != nil {
		return stack.Stack{}, &engine.PermanentError{Err: err}
	}
	p.wanted = want
	return want, nil
}

// wantActive is what the stack of a project that is deleted was. Nothing is allotted to it any more.
func (p *pass) wantActive(ctx context.Context) (stack.Stack, error) {
	wanted, err := p.describe(ctx)
	if err != nil {
		return stack.Stack{}, err
	}
	wanted.Project.Desired = store.DesiredActive
	wanted.Allotment.Subnet = p.Settings.Subnets.Pool
	return stack.Build(wanted, p.Settings.Stack)
}

// describe reads what an active project is made of.
func (p *pass) describe(ctx context.Context) (wanted stack.Wanted, err error) {
	wanted = stack.Wanted{Project: p.claim.Project, RestartedAt: p.claim.RestartedAt}
	if wanted.Secrets, err = p.claim.Secrets(ctx); err != nil {
		return stack.Wanted{}, err
	}
	if wanted.Config, err = p.claim.Config(ctx); err != nil {
		return stack.Wanted{}, err
	}
	wanted.Images, err = p.claim.Images(ctx, p.Settings.Stack.Images)
	return wanted, err
}

// allot returns what the target has given the project, and takes what it lacks.
func (p *pass) allot(ctx context.Context) (allotment stack.Allotment, err error) {
	used, err := p.Executor.Engine.Subnets(ctx)
	if err != nil {
		return stack.Allotment{}, err
	}
	if allotment.Subnet, err = p.claim.Subnet(ctx, p.Settings.Subnets, used); err != nil {
		return stack.Allotment{}, err
	}
	allotment.DatabasePort, err = p.claim.Port(ctx, stack.DatabaseService, p.Settings.Ports)
	return allotment, err
}

// observe asks the engine for the project, and the project's database for itself when it is there to answer.
func (p *pass) observe(ctx context.Context, want stack.Stack) (engine.Observed, error) {
	question := engine.Question{Target: want.Target, Ref: want.Ref, Others: want.Shared}
	for _, service := range want.Services {
		question.Images = append(question.Images, service.Image)
	}
	seen, err := p.Executor.Engine.Observe(ctx, question)
	if err != nil || want.Database == nil {
		return seen, err
	}
	// Only the project's own container may be asked: the question carries the database's password.
	answers := slices.ContainsFunc(seen.Containers, func(c engine.Container) bool {
		return c.Name == want.Database.Container && c.Healthy && want.Owns(c.Labels)
	})
	if answers {
		seen.Database = p.askDatabase(ctx, *want.Database)
	}
	return seen, nil
}

// askDatabase returns nil when the database does not answer: the plan goes on without, and fails where it needs it.
func (p *pass) askDatabase(ctx context.Context, database stack.Database) *engine.Database {
	answer, err := p.Executor.Engine.Run(ctx, database.Container, database.Inspect)
	if err != nil {
		p.log.Warn("the database does not answer", "error", err)
		return nil
	}
	version, mark, _ := strings.Cut(strings.TrimSpace(answer), "\n")
	version, _, _ = strings.Cut(version, " ") // Debian's says `15.14 (Debian 15.14-0+deb12u1)`
	return &engine.Database{Version: version, Mark: mark}
}

// showUnhealthy says of a project under repair that it is not what it was.
func (p *pass) showUnhealthy(ctx context.Context) error {
	if p.claim.Project.Status != store.StatusActiveHealthy {
		return nil
	}
	p.claim.Project.Status = store.StatusActiveUnhealthy
	return p.claim.SetStatus(ctx, store.StatusActiveUnhealthy)
}

// reached says what the project is when nothing can be done for it now. Whatever is still to be done waits for a
// service to become healthy.
func (p *pass) reached(want stack.Stack, seen engine.Observed, waiting plan.Plan) store.Outcome {
	if p.claim.Project.Desired != store.DesiredActive {
		return store.Outcome{Status: store.StatusInactive, Services: []store.ServiceState{}}
	}
	services := serviceStates(want, seen)
	if !waiting.Empty() {
		return store.Outcome{
			Status:   store.StatusActiveUnhealthy,
			Failure:  fmt.Errorf("the service %s is not healthy", waiting.Steps[0].Subject),
			Services: services,
		}
	}
	outcome := store.Outcome{Status: store.StatusActiveHealthy, DBVersion: seen.Database.Version, Services: services}
	outcome.DBHost, outcome.DBPort = p.Settings.Stack.DatabaseAddress(p.allotment)
	return outcome
}

// serviceStates says of each service where it is and how it is.
func serviceStates(want stack.Stack, seen engine.Observed) []store.ServiceState {
	states := []store.ServiceState{}
	for _, service := range want.Services {
		state := store.ServiceState{Service: service.Name, Host: service.Address.String(), Port: int32(service.Port), Image: service.Image}
		message := "its container is gone"
		for _, container := range seen.Containers {
			if container.Name == service.Container {
				state.Healthy, message = container.Healthy, ailment(container)
			}
		}
		if !state.Healthy {
			state.Message = &message
		}
		states = append(states, state)
	}
	return states
}

// ailment says in plain words why a container is not healthy.
func ailment(container engine.Container) string {
	if container.State != engine.StateRunning {
		return "its container is " + string(container.State)
	}
	return "its health check fails"
}
