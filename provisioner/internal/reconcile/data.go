package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/backup"
	"github.com/plurabase/plurabase/store"
)

// work brings the stack to what it should be, does what is to be done with the project's data, and looks at the stack again
// where that has changed something. The operation's deadline is the stack's: backups have one of their own.
func (p *pass) work(held context.Context) (store.Outcome, error) {
	p.data = &backup.Task{Keeper: p.Backups, Claim: p.claim, Record: p.record, Log: p.log}
	if err := p.data.BeforeRemoval(held, p.wantActive); err != nil {
		return store.Outcome{}, err
	}
	for {
		outcome, err := p.convergeInTime(held)
		if err != nil || p.claim.Project.Desired != store.DesiredActive {
			return outcome, err
		}
		again, err := p.advance(held)
		if err != nil {
			return store.Outcome{}, err
		}
		if again {
			continue
		}
		failure, err := p.takeOver(held)
		if err != nil {
			return store.Outcome{}, err
		}
		if outcome.Failure == nil {
			outcome.Failure = cmp.Or(p.data.Failure(), failure)
		}
		return outcome, p.takeFunctions(held)
	}
}

// takeFunctions deploys the functions. An operation does not fail by them: what is not deployed is claimed again by itself.
func (p *pass) takeFunctions(held context.Context) error {
	err := p.deployFunctions(held)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("deploy the functions: %w", err)
	if p.isRepair() {
		return err
	}
	p.log.Warn("failed, and is tried again", "error", err)
	return nil
}

func (p *pass) advance(held context.Context) (again bool, err error) {
	if p.isRepair() {
		return false, nil
	}
	want, err := p.want(held)
	if err != nil {
		return false, err
	}
	return p.data.Advance(held, want)
}

// record notes a step that is none of the plan's.
func (p *pass) record(ctx context.Context, step, cause string, do func(context.Context) error) error {
	return p.Executor.Record(ctx, string(p.claim.Project.Ref), step, cause, p.recorder(), p.log, do)
}

// tickEvery is how often the backups' schedule and retention are looked at.
const tickEvery = 30 * time.Second
