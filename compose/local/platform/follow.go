//go:build unix

package platform

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/plurabase/plurabase/store"
)

// followEvery is how often is looked what has become of operations, and followed how many of them are.
const (
	followEvery = time.Second
	followed    = 20
)

// Follow prints what becomes of every operation, a line whenever something has: until ctx ends.
func (p *Platform) Follow(ctx context.Context, out io.Writer) error {
	opened, err := p.openStore(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	printed, begun := map[int64]string{}, time.Now()
	for {
		operations, err := opened.AllOperations(ctx, store.OperatorFilter{Limit: followed})
		if err != nil && ctx.Err() == nil {
			p.options.Log.Warn("could not look at the operations", "error", err)
		}
		for i := len(operations) - 1; i >= 0; i-- { // the oldest first
			one := operations[i]
			if one.FinishedAt != nil && one.FinishedAt.Before(begun) {
				continue
			}
			line := lineOf(ctx, opened, one)
			if line != printed[one.ID] {
				printed[one.ID] = line
				_, _ = fmt.Fprintf(out, "%s  %s\n", time.Now().Format(time.TimeOnly), line)
			}
		}
		select {
		case <-time.After(followEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// lineOf says how far an operation has come: `abcdefghijklmnopqrst create  42%  pull-image:db, 3 of 7 layers, 12.5 of 80.0 MB`.
func lineOf(ctx context.Context, opened *store.Store, one store.ProjectOperation) string {
	line := fmt.Sprintf("%s %s %3d%%", one.Ref, one.Kind, one.Percent)
	switch {
	case !one.Open():
		line += "  " + string(one.State)
		if one.Error != nil {
			line += ": " + *one.Error
		}
	case one.CurrentStep == nil:
		line += "  " + string(one.State)
	default:
		line += "  " + *one.CurrentStep
		steps, err := opened.OperationSteps(ctx, one.ProjectID, one.ID)
		for _, step := range steps {
			if err == nil && step.FinishedAt == nil && step.Step == *one.CurrentStep && step.Detail != nil {
				line += ", " + *step.Detail
			}
		}
	}
	return line
}
