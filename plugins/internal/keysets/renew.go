package keysets

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/store"
)

const (
	// renewAfter is how old keys may be: who changes theirs signs with the new ones later than that, as issuers do.
	renewAfter = 10 * time.Minute
	// lookEvery is how often it is looked for keys that are as old.
	lookEvery = time.Minute
)

// Source is what Renew needs of the store.
type Source interface {
	TakeDueThirdPartyAuth(ctx context.Context, since time.Time) (store.ThirdPartyAuth, error)
	RenewThirdPartyAuth(ctx context.Context, id uuid.UUID, keys json.RawMessage) error
}

// Of gets the public keys that an address leads to.
func Of(ctx context.Context, client *Client, t store.ThirdPartyAuth) (json.RawMessage, error) {
	if t.OIDCIssuerURL != nil {
		return client.OfIssuer(ctx, *t.OIDCIssuerURL)
	}
	return client.At(ctx, *t.JWKSURL)
}

// Renew gets keys anew that are old, until ctx ends. Whose cannot be had, keep those that they have.
func Renew(ctx context.Context, source Source, client *Client, now func() time.Time, log *slog.Logger) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		renewDue(ctx, source, client, now, log)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func renewDue(ctx context.Context, source Source, client *Client, now func() time.Time, log *slog.Logger) {
	since := now().Add(-renewAfter)
	for {
		due, err := source.TakeDueThirdPartyAuth(ctx, since)
		if err != nil {
			if !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
				log.Warn("it cannot be told whose keys are old", "error", err.Error())
			}
			return
		}
		if err := renew(ctx, source, client, due); err != nil && !errors.Is(err, store.ErrNotFound) { // taken back meanwhile
			log.Warn("third-party keys could not be renewed", "id", due.ID, "error", err.Error())
		}
	}
}

func renew(ctx context.Context, source Source, client *Client, due store.ThirdPartyAuth) error {
	keys, err := Of(ctx, client, due)
	if err != nil {
		return err
	}
	return source.RenewThirdPartyAuth(ctx, due.ID, keys)
}
