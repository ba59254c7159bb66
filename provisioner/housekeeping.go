package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"github.com/plurabase/plurabase/provisioner/internal/engine/docker"
	"github.com/plurabase/plurabase/store"
)

// housekeeping prints what should not be there any more, and removes it where the operator says so.
func housekeeping(ctx context.Context, settings *settings, apply bool, out io.Writer, log *slog.Logger) error {
	state, err := store.Open(ctx, settings.Settings)
	if err != nil {
		return err
	}
	defer state.Close()
	engine, err := docker.New(settings.Docker)
	if err != nil {
		return err
	}
	defer func() { _ = engine.Close() }()
	worker := settings.worker(state, engine, log)
	found, err := worker.Housekeeping(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		_, err := fmt.Fprintln(out, "Nothing is left over.")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "WHAT\tNAME\tWHY\t")
	var failures error
	for _, one := range found {
		becomes := ""
		if apply && one.Remove != nil {
			becomes = "removed"
			if err := one.Remove(ctx); err != nil {
				becomes = "not removed: " + err.Error()
				failures = errors.Join(failures, fmt.Errorf("remove %s %s: %w", one.Kind, one.Name, err))
			}
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", one.Kind, one.Name, one.Cause, becomes)
	}
	if err := table.Flush(); err != nil || apply {
		return errors.Join(failures, err)
	}
	_, err = fmt.Fprintln(out, "\nNothing was changed. -housekeeping -apply removes all of it but volumes.")
	return err
}
