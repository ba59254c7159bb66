package reconcile

import (
	"context"
	"errors"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/store"
)

// conclude writes down what has become of the project, unless the work was cut off: then the lease is given back for
// whoever goes on.
func (p *pass) conclude(ctx context.Context, outcome store.Outcome, err error) {
	// What was done has to be written even when the process is about to stop. The fence refuses it where it must not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	err = p.write(ctx, outcome, err)
	if errors.Is(err, store.ErrSuperseded) {
		err = p.claim.Release(ctx)
	}
	if err != nil && !errors.Is(err, store.ErrLeaseLost) {
		p.log.Warn("could not write the outcome down: the lease runs out by itself", "error", err)
	}
}

func (p *pass) write(ctx context.Context, outcome store.Outcome, err error) error {
	project := p.claim.Project
	switch {
	case errors.Is(err, store.ErrLeaseLost):
		p.log.Warn("the lease is lost")
		return nil
	case errors.Is(err, store.ErrSuperseded), errors.Is(err, context.Canceled):
		p.log.Info("cut off", "reason", err)
		return p.claim.Release(ctx)
	case err == nil && project.Desired == store.DesiredRemoved:
		p.log.Info("removed")
		return p.claim.Remove(ctx)
	case err == nil:
		p.log.Info("settled", "status", outcome.Status, "failure", outcome.Failure)
		return p.claim.Settle(ctx, outcome)
	case p.triedForEver():
		if project.Desired == store.DesiredActive {
			project.Status = store.StatusActiveUnhealthy
		}
		delay := p.Settings.retryDelay(p.claim.Attempts)
		p.log.Warn("failed, and is tried again", "error", err, "after", delay)
		return p.claim.Retry(ctx, project.Status, err, delay)
	default:
		p.log.Error("failed", "error", err)
		return p.claim.Settle(ctx, p.failure(ctx, err))
	}
}

// failure is what a failed operation leaves. Of services that go on it says how they are, so that the comparison finds nothing
// new in them, and the reason is not lost to a repair's.
func (p *pass) failure(ctx context.Context, err error) store.Outcome {
	outcome := store.Outcome{Status: p.claim.Kind.Failed(), Failure: err}
	if outcome.Status != store.StatusActiveUnhealthy || len(p.wanted.Services) == 0 {
		return outcome
	}
	seen, lookErr := p.Executor.Engine.Observe(ctx, engine.Question{Target: p.wanted.Target, Ref: p.wanted.Ref})
	if lookErr == nil {
		outcome.Services = serviceStates(p.wanted, seen)
	}
	return outcome
}
