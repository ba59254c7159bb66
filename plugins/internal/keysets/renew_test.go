package keysets

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// due is a store in which some are due.
type due struct {
	since   time.Time
	left    []store.ThirdPartyAuth
	renewed map[uuid.UUID]json.RawMessage
}

func (d *due) TakeDueThirdPartyAuth(_ context.Context, since time.Time) (store.ThirdPartyAuth, error) {
	d.since = since
	if len(d.left) == 0 {
		return store.ThirdPartyAuth{}, store.ErrNotFound
	}
	next := d.left[0]
	d.left = d.left[1:]
	return next, nil
}

func (d *due) RenewThirdPartyAuth(_ context.Context, id uuid.UUID, keys json.RawMessage) error {
	d.renewed[id] = keys
	return nil
}

func TestKeysAreRenewedAndThoseThatCannotBeHadAreLeft(t *testing.T) {
	t.Parallel()
	client, url := local(t, map[string]string{
		"/.well-known/openid-configuration": `{"issuer":"{url}","jwks_uri":"{url}/keys"}`, "/keys": someKeys,
	})
	gone, keys := url+"/gone", url+"/keys"
	d := &due{renewed: map[uuid.UUID]json.RawMessage{}, left: []store.ThirdPartyAuth{
		{ID: uuid.New(), JWKSURL: &gone}, {ID: uuid.New(), JWKSURL: &keys}, {ID: uuid.New(), OIDCIssuerURL: &url},
	}}
	all, now := d.left, time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	renewDue(t.Context(), d, client, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	require.Equal(t, now.Add(-renewAfter), d.since)
	require.NotContains(t, d.renewed, all[0].ID)
	require.Contains(t, string(d.renewed[all[1].ID]), `"kid":"1"`)
	require.Equal(t, d.renewed[all[1].ID], d.renewed[all[2].ID])
}
