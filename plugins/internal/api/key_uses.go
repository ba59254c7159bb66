package api

import (
	"context"
	"strings"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/logquery"
)

// When API keys were last used, Studio asks of the log of requests (components/interfaces/APIKeys/SecretAPIKeys.tsx and
// …/DisplayApiSettings.utils.ts). Ours has no keys, but the gateway notes the last use of each (store.NoteAPIKeysUsed): these are the
// rows that such a query is answered from, and no other.

// asksForKeys tells whether a query of the log of requests is about their API keys.
func asksForKeys(sql string) bool {
	return logquery.Table(sql) == "edge_logs" && strings.Contains(sql, "unnest(request.sb)")
}

// keyUses returns the last use of each key of the project within a time, as upstream's log has requests: of opaque keys in
// `sb.apikey`, of legacy ones in `sb.jwt`.
func (a *API) keyUses(ctx context.Context, c *call, from, to time.Time) ([]logquery.Row, error) {
	within := func(at time.Time) bool { return !at.Before(from) && !at.After(to) }
	keys, err := a.store.APIKeys(ctx, c.project.ID, c.project.Ref)
	if err != nil {
		return nil, err
	}
	var rows []logquery.Row
	for _, key := range keys {
		if key.LastUsedAt != nil && within(*key.LastUsedAt) {
			rows = append(rows, logquery.Row{"timestamp": float64(key.LastUsedAt.UnixMicro()), "hash": key.Hash, "prefix": key.Prefix})
		}
	}
	legacy, err := a.store.LegacyKeyUses(ctx, c.project.ID)
	for _, use := range legacy {
		if within(use.At) {
			rows = append(rows, logquery.Row{
				"timestamp": float64(use.At.UnixMicro()), "role": use.Role, "signature_prefix": use.Signature, "issuer": "supabase", "algorithm": "HS256",
			})
		}
	}
	return rows, err
}
