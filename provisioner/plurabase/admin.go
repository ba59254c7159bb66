package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/plurabase/plurabase/store"
)

func (t *tool) adminCommand() *cobra.Command {
	admin := &cobra.Command{Use: "admin", Short: "What only the operator may do"}
	admin.AddCommand(
		&cobra.Command{
			Use: "own <organization's slug> <e-mail address>", Args: cobra.ExactArgs(2),
			Short: "Make somebody who has signed in before an Owner of an organization, as where its last Owner has gone",
			RunE:  t.with(t.own),
		},
		&cobra.Command{
			Use: "rotate-master-key", Args: cobra.NoArgs,
			Short: "Wrap every project's data key anew with PLURABASE_MASTER_KEY",
			Long: `Wrap every project's data key anew with PLURABASE_MASTER_KEY. The key before stands in PLURABASE_MASTER_KEY_PREVIOUS, and every
process of the platform has to know both until this has ended. It may be broken off and run again.`,
			RunE: t.with(t.rotateMasterKey),
		},
	)
	return admin
}

func (t *tool) own(ctx context.Context, opened *store.Store, arguments []string) error {
	err := opened.MakeOwner(ctx, store.Slug(arguments[0]), arguments[1])
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no organization %q, or nobody of the address %q has ever signed in", arguments[0], arguments[1])
	}
	if err != nil {
		return err
	}
	return t.say("%s is an Owner of %s.", arguments[1], arguments[0])
}

func (t *tool) rotateMasterKey(ctx context.Context, opened *store.Store, _ []string) error {
	rotated, err := opened.RotateMasterKey(ctx)
	if err != nil {
		return fmt.Errorf("after %d projects: %w", rotated, err)
	}
	return t.say("Wrapped the data keys of %d projects anew. PLURABASE_MASTER_KEY_PREVIOUS is needed no more once every process has the new key.", rotated)
}
