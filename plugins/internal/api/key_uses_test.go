package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// What Studio sends.
const (
	lastUsedSecret = "-- last-used-secret-api-keys\nSELECT unix_millis(max(timestamp)) as timestamp, apikey.`hash` FROM edge_logs cross join unnest(metadata) as m " +
		"cross join unnest(m.request) as request cross join unnest(request.sb) as sb cross join unnest(sb.apikey) as sbapikey cross join unnest(sbapikey.apikey) as apikey " +
		"WHERE apikey.error is null and apikey.`hash` is not null and apikey.prefix like 'sb_secret_%' GROUP BY apikey.`hash`"
	lastUsedLegacy = "-- last-used-anon--service_role-api-keys\nSELECT unix_millis(max(timestamp)) as timestamp, payload.role, payload.signature_prefix FROM edge_logs " +
		"cross join unnest(metadata) as m cross join unnest(m.request) as request cross join unnest(request.sb) as sb cross join unnest(sb.jwt) as jwt " +
		"cross join unnest(jwt.apikey) as apikey cross join unnest(apikey.payload) as payload WHERE apikey.invalid is null and payload.issuer = 'supabase' " +
		"and payload.algorithm = 'HS256' and payload.role in ('anon', 'service_role') GROUP BY payload.role, payload.signature_prefix"
)

func TestWhenAPIKeysWereLastUsedIsShownWhereStudioAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	ask := func(sql string, from time.Duration) []any {
		return w.object(owner, http.MethodGet, "/platform/projects/"+p.ref+"/analytics/endpoints/logs.all?iso_timestamp_start="+
			storetest.Now.Add(-from).Format(time.RFC3339)+"&iso_timestamp_end="+storetest.Now.Format(time.RFC3339)+"&sql="+url.QueryEscape(sql), "")["result"].([]any)
	}
	const day = 24 * time.Hour
	require.Empty(t, ask(lastUsedSecret, day), "nobody has used any")
	require.Empty(t, ask(lastUsedLegacy, day))

	ref := store.Ref(p.ref)
	var id int64
	require.NoError(t, w.connection.QueryRow(t.Context(), `select id from platform.projects where ref = $1`, p.ref).Scan(&id))
	keys, err := w.store.APIKeys(t.Context(), id, ref)
	require.NoError(t, err)
	used := map[uuid.UUID]time.Time{}
	var hash string
	for _, key := range keys {
		used[key.ID] = storetest.Now.Add(-2 * time.Hour)
		if key.Type == store.SecretKey {
			hash = key.Hash
		}
	}
	require.NoError(t, w.store.NoteAPIKeysUsed(t.Context(), used))
	secrets, err := w.store.ProjectSecrets(t.Context(), id, ref, store.SecretServiceKey)
	require.NoError(t, err)
	service := secrets[store.SecretServiceKey]
	signature := service[strings.LastIndexByte(service, '.')+1:][:10]
	require.NoError(t, w.store.NoteLegacyKeysUsed(t.Context(), []store.LegacyKeyUse{
		{ProjectID: id, Role: "service_role", Signature: signature, At: storetest.Now.Add(-3 * time.Hour)},
		{ProjectID: id + 1000, Role: "anon", Signature: "x", At: storetest.Now},
	}))
	require.NoError(t, w.store.NoteLegacyKeysUsed(t.Context(), []store.LegacyKeyUse{
		{ProjectID: id, Role: "service_role", Signature: "older", At: storetest.Now.Add(-4 * time.Hour)},
	}))

	millis := func(ago time.Duration) float64 { return float64(storetest.Now.Add(-ago).UnixMilli()) }
	require.Equal(t, []any{map[string]any{"timestamp": millis(2 * time.Hour), "hash": hash}}, ask(lastUsedSecret, day))
	require.Equal(t, []any{map[string]any{"timestamp": millis(3 * time.Hour), "role": "service_role", "signature_prefix": signature}}, ask(lastUsedLegacy, day))
	require.Empty(t, ask(lastUsedSecret, time.Hour), "not within that time")
	require.Empty(t, ask("select id, timestamp from edge_logs", day), "these are no requests")
}
