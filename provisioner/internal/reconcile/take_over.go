package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// takeOverTries is how often a database is asked that does not answer.
const takeOverTries = 3

// takeOver runs the migrations that the project shall have of another one. failure says why it has not all of them: the operation
// fails, and the project is as well as before.
func (p *pass) takeOver(ctx context.Context) (failure, err error) {
	if p.claim.OperationID == 0 {
		return nil, nil
	}
	what, err := p.claim.TakeOver(ctx)
	if err != nil || what == nil {
		return nil, err
	}
	secrets, err := p.claim.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, p.Settings.Deadline)
	defer cancel()
	if failure := p.migrate(bounded, stack.TakeOver(secrets, *what)); failure != nil {
		if isCutOff(ctx, failure) {
			return nil, failure // whoever goes on runs what is missing
		}
		return failure, p.claim.GiveTakeOverUp(ctx)
	}
	return nil, p.claim.TakenOver(ctx)
}

func (p *pass) migrate(ctx context.Context, command stack.Command) error {
	for try := 1; ; try++ {
		err := p.record(ctx, "migrate", "another project's migrations are wanted", func(ctx context.Context) error {
			_, err := p.Executor.Engine.Run(ctx, p.wanted.Database.Container, command)
			return migrationError(err)
		})
		var refused *migrationRefused
		if errors.As(err, &refused) {
			return refused
		}
		if err == nil || try == takeOverTries || isPermanent(err) || ctx.Err() != nil {
			return err
		}
		p.log.Warn("failed, and is tried again", "error", err)
		select {
		case <-time.After(p.Settings.retryDelay(try - 1)):
		case <-ctx.Done():
			return err
		}
	}
}

// migrationRefused is what Postgres has against a migration. It is worded for the user.
type migrationRefused struct{ text string }

func (e *migrationRefused) Error() string { return e.text }

// migrationError finds Postgres' own words in what psql says.
func migrationError(err error) error {
	if err == nil {
		return nil
	}
	if _, text, found := strings.Cut(err.Error(), projectdb.MigrationFailed); found {
		return &migrationRefused{projectdb.MigrationFailed + text}
	}
	return fmt.Errorf("run the migrations: %w", err)
}

// isCutOff tells that the work was ended by somebody else: it goes on elsewhere, or is not wanted any more.
func isCutOff(ctx context.Context, err error) bool {
	return errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrSuperseded) || errors.Is(ctx.Err(), context.Canceled)
}
