package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/plurabase/plurabase/store"
)

// operation is an operation as it is printed.
type operation struct {
	ID         int64                 `json:"id"`
	Project    store.Ref             `json:"project"`
	Kind       string                `json:"kind"`
	State      string                `json:"state"`
	Percent    int                   `json:"percent"`
	Step       *string               `json:"step"`
	Error      *string               `json:"error"`
	CreatedAt  time.Time             `json:"created_at"`
	StartedAt  *time.Time            `json:"started_at"`
	FinishedAt *time.Time            `json:"finished_at"`
	Steps      []store.OperationStep `json:"steps,omitempty"`
}

func (t *tool) operationsCommand() *cobra.Command {
	operations := &cobra.Command{Use: "operations", Aliases: []string{"ops"}, Short: "What was asked of projects, and how far it has come"}
	var project, state string
	var limit int
	list := &cobra.Command{Use: "list", Args: cobra.NoArgs, Short: "List operations, the newest first"}
	list.Flags().StringVar(&project, "project", "", "only those of the project with this ref")
	list.Flags().StringVar(&state, "state", "", "only those in this state: pending, running, succeeded, failed or superseded")
	list.Flags().IntVar(&limit, "limit", 50, "how many; 0: all")
	list.RunE = t.with(func(ctx context.Context, opened *store.Store, _ []string) error {
		filter := store.OperatorFilter{Ref: store.Ref(project), Limit: limit}
		if state != "" {
			filter.States = []store.OperationState{store.OperationState(state)}
		}
		return t.listOperations(ctx, opened, filter)
	})
	operations.AddCommand(
		list,
		&cobra.Command{Use: "show <id>", Args: cobra.ExactArgs(1), Short: "Show an operation with its steps", RunE: t.with(t.showOperation)},
		&cobra.Command{
			Use: "follow <id>", Args: cobra.ExactArgs(1), RunE: t.with(t.followOperation),
			Short: "Print an operation's steps as they are taken, until it has ended; it ends with 1 where the operation failed",
		},
		&cobra.Command{
			Use: "retry <project's ref>", Args: cobra.ExactArgs(1), RunE: t.with(t.retry),
			Short: "Have a project's work that failed tried again now, and not when its time has come",
		},
		&cobra.Command{
			Use: "cancel <id>", Args: cobra.ExactArgs(1), RunE: t.with(t.cancel),
			Short: "End an operation that does not come to an end, as one that has failed",
		},
	)
	return operations
}

func (t *tool) listOperations(ctx context.Context, opened *store.Store, filter store.OperatorFilter) error {
	found, err := opened.AllOperations(ctx, filter)
	if err != nil {
		return err
	}
	list := make([]operation, len(found))
	for i, one := range found {
		list[i] = operationOf(one)
	}
	return t.print(list, func(columns io.Writer) {
		_, _ = fmt.Fprintln(columns, "ID\tPROJECT\tKIND\tSTATE\tDONE\tASKED\tERROR")
		for _, one := range list {
			_, _ = fmt.Fprintf(columns, "%d\t%s\t%s\t%s\t%d%%\t%s\t%s\n",
				one.ID, one.Project, one.Kind, one.State, one.Percent, one.CreatedAt.Format(time.RFC3339), text(one.Error))
		}
	})
}

func (t *tool) showOperation(ctx context.Context, opened *store.Store, arguments []string) error {
	one, err := findOperation(ctx, opened, arguments[0])
	if err != nil {
		return err
	}
	return t.print(one, func(columns io.Writer) {
		_, _ = fmt.Fprintf(columns, "%s of %s: %s, %d%%\n", one.Kind, one.Project, one.State, one.Percent)
		if one.Error != nil {
			_, _ = fmt.Fprintln(columns, *one.Error)
		}
		for _, each := range one.Steps {
			_, _ = fmt.Fprintln(columns, line(each))
		}
	})
}

// followEvery is how often an operation is looked at.
const followEvery = 500 * time.Millisecond

func (t *tool) followOperation(ctx context.Context, opened *store.Store, arguments []string) error {
	for printed := 0; ; {
		one, err := findOperation(ctx, opened, arguments[0])
		if err != nil {
			return err
		}
		for ; printed < len(one.Steps) && (one.Steps[printed].FinishedAt != nil || one.FinishedAt != nil); printed++ {
			if err := t.follow(one, one.Steps[printed]); err != nil {
				return err
			}
		}
		if one.FinishedAt != nil {
			return t.ended(one)
		}
		select {
		case <-time.After(followEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *tool) follow(one operation, taken store.OperationStep) error {
	return t.print(taken, func(columns io.Writer) { _, _ = fmt.Fprintf(columns, "%3d%%  %s\n", one.Percent, line(taken)) })
}

func (t *tool) ended(one operation) error {
	if err := t.say("%s of %s: %s %s", one.Kind, one.Project, one.State, text(one.Error)); err != nil {
		return err
	}
	if one.State == string(store.OperationFailed) {
		return errFound
	}
	return nil
}

func (t *tool) retry(ctx context.Context, opened *store.Store, arguments []string) error {
	ref, ok := store.ParseRef(arguments[0])
	if !ok {
		return fmt.Errorf("%q is not a project's ref", arguments[0])
	}
	err := opened.RetryNow(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no project %s", ref)
	}
	if err != nil {
		return err
	}
	return t.say("The project %s is tried again now.", ref)
}

func (t *tool) cancel(ctx context.Context, opened *store.Store, arguments []string) error {
	one, err := findOperation(ctx, opened, arguments[0])
	if err != nil {
		return err
	}
	if err := opened.CancelOperation(ctx, one.ID); err != nil {
		return err
	}
	return t.say("The %s of %s is called off.", one.Kind, one.Project)
}

func findOperation(ctx context.Context, opened *store.Store, text string) (operation, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return operation{}, fmt.Errorf("%q is not an operation's id", text)
	}
	found, err := opened.AllOperations(ctx, store.OperatorFilter{ID: id})
	if err != nil {
		return operation{}, err
	}
	if len(found) == 0 {
		return operation{}, fmt.Errorf("there is no operation %d", id)
	}
	one := operationOf(found[0])
	one.Steps, err = opened.OperationSteps(ctx, found[0].ProjectID, id)
	return one, err
}

func operationOf(o store.ProjectOperation) operation {
	return operation{
		ID: o.ID, Project: o.Ref, Kind: string(o.Kind), State: string(o.State), Percent: o.Percent, Step: o.CurrentStep,
		Error: o.Error, CreatedAt: o.CreatedAt, StartedAt: o.StartedAt, FinishedAt: o.FinishedAt,
	}
}

// line is a step for people.
func line(s store.OperationStep) string {
	took := "is under way"
	if s.FinishedAt != nil {
		took = s.FinishedAt.Sub(s.StartedAt).Round(10 * time.Millisecond).String()
	}
	if s.FinishedAt == nil && s.Percent != nil {
		took += fmt.Sprintf(", %d%% %s", *s.Percent, text(s.Detail))
	}
	printed := fmt.Sprintf("%s (%s): %s", s.Step, s.Cause, took)
	if s.Attempt > 1 {
		printed += fmt.Sprintf(", try %d", s.Attempt)
	}
	if s.Error != nil {
		printed += ": " + *s.Error
	}
	return printed
}

func text(optional *string) string {
	if optional == nil {
		return ""
	}
	return *optional
}
