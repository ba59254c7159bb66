package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// configChanges are those of how a project is, and of what is set in it.
var configChanges = []change{
	{
		happens: "a mail's text is changed",
		answers: []string{"/platform/auth/{ref}/templates/{template}"},
		prepare: aMailTemplate,
		do:      sends(http.MethodPatch, "/platform/auth/{ref}/config", `{"MAILER_TEMPLATES_INVITE_CONTENT":"<p>Join us</p>"}`),
	},
	{
		happens: "a project is paused",
		answers: []string{"/platform/projects/{ref}/databases-statuses", "/platform/projects/{ref}/status"},
		prepare: atRest,
		do:      sends(http.MethodPost, "/platform/projects/{ref}/pause", ""),
	},
	{
		happens: "the disk is measured anew, and is fuller",
		answers: []string{"/platform/projects/{ref}/disk/util", "/v1/projects/{ref}/config/disk/util"},
		prepare: measuredOnce,
		do: func(w *world, p place, _ map[string]string) {
			w.measured(p, store.Measure{DiskUsedBytes: pointerTo[int64](600), DiskFreeBytes: pointerTo[int64](400)})
		},
	},
	{
		happens: "Auth gets another setting",
		answers: []string{"/v1/projects/{ref}/config/auth"},
		do:      sends(http.MethodPatch, "/v1/projects/{ref}/config/auth", `{"site_url":"https://example.com"}`),
	},
	{
		happens: "a signing key is put in use",
		answers: []string{
			"/v1/projects/{ref}/config/auth/signing-keys", "/v1/projects/{ref}/config/auth/signing-keys/legacy",
			"/v1/projects/{ref}/config/auth/signing-keys/{id}",
		},
		prepare: aSigningKey,
		do:      sends(http.MethodPatch, "/v1/projects/{ref}/config/auth/signing-keys/{id}", `{"status":"in_use"}`),
	},
	{
		happens: "somebody else signs their tokens with another key",
		answers: []string{"/v1/projects/{ref}/config/auth/third-party-auth/{tpa_id}"},
		prepare: aThirdPartyAtAnAddress,
		do: func(w *world, _ place, made map[string]string) {
			another := strings.Replace(someJWKS, `"kid":"1"`, `"kid":"2"`, 1)
			require.NoError(w.t, w.store.RenewThirdPartyAuth(w.t.Context(), uuid.MustParse(made["tpa_id"]), []byte(another)))
		},
	},
	{
		happens: "the pooler gets another setting",
		answers: []string{"/v1/projects/{ref}/config/database/pgbouncer"},
		do:      sends(http.MethodPatch, "/v1/projects/{ref}/config/database/pooler", `{"default_pool_size":33}`),
	},
	{
		happens: "Realtime gets another limit",
		answers: []string{"/v1/projects/{ref}/config/realtime"},
		do:      sends(http.MethodPatch, "/v1/projects/{ref}/config/realtime", `{"max_concurrent_users":7}`),
	},
	{
		happens: "a hostname's record shows whose it is",
		answers: []string{"/v1/projects/{ref}/custom-hostname"},
		prepare: aHostname,
		do:      showsItsRecord,
	},
	{
		happens: "the data API gets another limit",
		answers: []string{"/v1/projects/{ref}/postgrest"},
		do:      sends(http.MethodPatch, "/v1/projects/{ref}/postgrest", `{"max_rows":7}`),
	},
	{
		happens: "a provisioner ends an upgrade, and tells which Postgres it is then",
		answers: []string{"/v1/projects/{ref}/restore"},
		do: func(w *world, p place, _ map[string]string) {
			w.exec(`update platform.projects set db_version = '17.6' where ref = $1`, p.ref)
		},
	},
	{
		happens: "an edge function lets everybody call it",
		answers: []string{"/v1/projects/{ref}/functions", "/v1/projects/{ref}/functions/{function_slug}"},
		prepare: aFunction,
		do:      sends(http.MethodPatch, "/v1/projects/{ref}/functions/{function_slug}", `{"verify_jwt":false}`),
	},
}

// ownDatabaseChanges are those in a project's own database: they need a real one.
var ownDatabaseChanges = []change{
	{
		happens: "a schema is made",
		answers: []string{"/v1/projects/{ref}/database/context"},
		do:      sends(http.MethodPost, "/v1/projects/{ref}/database/query", `{"query":"create schema warehouse"}`),
	},
	{
		happens: "a table without a key is opened to everybody",
		answers: []string{
			"/platform/projects/{ref}/run-lints", "/v1/projects/{ref}/advisors/security", "/v1/projects/{ref}/advisors/performance",
		},
		do: sends(http.MethodPost, "/v1/projects/{ref}/database/query", `{"query":"create table opened (a int); grant select on opened to anon"}`),
	},
	{
		happens: "a migration is renamed",
		answers: []string{"/v1/projects/{ref}/database/migrations/{version}"},
		prepare: aMigration,
		do:      sends(http.MethodPatch, "/v1/projects/{ref}/database/migrations/{version}", `{"name":"renamed"}`),
	},
}

// atRest is a project of which nothing is asked any more: it can be changed.
func atRest(w *world, p place) map[string]string {
	w.finish(p, store.OperationSucceeded)
	return nil
}

// aThirdPartyAtAnAddress has an address that its keys are got from: they are renewed, unlike those that were given.
func aThirdPartyAtAnAddress(w *world, p place) map[string]string {
	w.t.Helper()
	owner, err := w.store.EnsureProfile(w.t.Context(), callers[2].id, "")
	require.NoError(w.t, err)
	made, err := w.store.CreateThirdPartyAuth(w.t.Context(), store.Actor{ProfileID: owner.ID, RequestID: "third-party"}, store.Ref(p.ref),
		store.ThirdPartyAuth{Type: "jwks", JWKSURL: pointerTo("https://idp.example.com/keys"), ResolvedJWKS: []byte(someJWKS)})
	require.NoError(w.t, err)
	return map[string]string{"tpa_id": made.ID.String()}
}

// showsItsRecord lets a place's hostname have the record that is asked for, and has it looked up again.
func showsItsRecord(w *world, p place, _ map[string]string) {
	w.t.Helper()
	owner, hostname := w.as(store.RoleOwner), "/v1/projects/"+p.ref+"/custom-hostname"
	var begun V1CustomHostname
	w.list(owner, hostname, &begun)
	w.lookupTXT = func(context.Context, string) ([]string, error) {
		return []string{begun.Data.Result.OwnershipVerification.Value}, nil
	}
	w.succeed(owner, http.MethodPost, hostname+"/reverify", "")
}
