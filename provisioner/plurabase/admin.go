package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/accounts"
)

func (t *tool) adminCommand() *cobra.Command {
	admin := &cobra.Command{Use: "admin", Short: "What only the operator may do"}
	organization := "Main"
	first := &cobra.Command{
		Use: "first <e-mail address>", Args: cobra.ExactArgs(1),
		Short: "Make the first administrator, with the password on standard input, and an organization of theirs, unless they are there",
		RunE: t.with(func(ctx context.Context, opened *store.Store, arguments []string) error {
			return t.first(ctx, opened, arguments[0], organization)
		}),
	}
	first.Flags().StringVar(&organization, "organization", organization, "what the organization is called")
	admin.AddCommand(
		first,
		&cobra.Command{
			Use: "reset <e-mail address>", Args: cobra.ExactArgs(1),
			Short: "Give somebody's account the password on standard input, and take its second factors away",
			RunE: func(command *cobra.Command, arguments []string) error {
				return t.reset(command.Context(), arguments[0])
			},
		},
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

func (t *tool) first(ctx context.Context, opened *store.Store, email, organization string) error {
	goTrue, password, err := t.account()
	if err != nil {
		return err
	}
	made, err := goTrue.First(ctx, opened, email, password, organization)
	if err != nil {
		return err
	}
	if made == nil {
		return t.say("%s is there already.", email)
	}
	return t.say("%s is an Owner of the new organization %q.", email, made.Name)
}

func (t *tool) reset(ctx context.Context, email string) error {
	goTrue, password, err := t.account()
	if err != nil {
		return err
	}
	if err := goTrue.Reset(ctx, email, password); err != nil {
		return err
	}
	return t.say("%s signs in with the new password, and without a second factor.", email)
}

// account returns the platform's GoTrue and the password that was given: on standard input, for arguments are for everybody to see.
func (t *tool) account() (accounts.GoTrue, string, error) {
	var goTrue accounts.GoTrue
	if err := env.ParseWithOptions(&goTrue, env.Options{Environment: t.environment}); err != nil {
		return goTrue, "", fmt.Errorf("the settings are not usable: %w", err)
	}
	line, err := bufio.NewReader(t.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return goTrue, "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return goTrue, "", errors.New("no password: write one line to standard input")
	}
	return goTrue, password, nil
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
