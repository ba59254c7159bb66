package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/accounts"
)

// firstStartSettings are the environment of `setup first-start`.
type firstStartSettings struct {
	store.Settings
	accounts.GoTrue
	Email        string `env:"PLURABASE_ADMIN_EMAIL"`
	Password     string `env:"PLURABASE_ADMIN_PASSWORD"`
	Organization string `env:"PLURABASE_ORGANIZATION,notEmpty" envDefault:"Main"`
}

const firstStartTimeout = time.Minute

// firstStart makes the first administrator, and an organization of theirs, unless they are there. Without an e-mail
// address there is nothing to do: whoever signs up first makes the first organization in Studio.
func (s firstStartSettings) firstStart(ctx context.Context, out io.Writer) error {
	if s.Email == "" {
		_, _ = fmt.Fprintln(out, "No first administrator is named: whoever signs up in Studio makes an organization of their own.")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, firstStartTimeout)
	defer cancel()
	opened, err := store.Open(ctx, s.Settings)
	if err != nil {
		return err
	}
	defer opened.Close()
	made, err := s.First(ctx, opened, s.Email, s.Password, s.Organization)
	if errors.Is(err, accounts.ErrNoPassword) {
		return errors.New("PLURABASE_ADMIN_PASSWORD is empty, and there is no account of PLURABASE_ADMIN_EMAIL yet")
	}
	if err != nil || made == nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "Made the organization %q of %s.\n", made.Name, s.Email)
	return nil
}
