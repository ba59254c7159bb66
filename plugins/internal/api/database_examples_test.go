package api

import (
	"net/http"
	"net/http/httptest"

	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
)

var databaseExamples = map[string]example{
	"POST /v1/projects/{ref}/database/query":                 {body: `{"query":"select 1 as one"}`},
	"POST /v1/projects/{ref}/database/query/read-only":       {body: `{"query":"select 1 as one"}`},
	"POST /v1/projects/{ref}/database/migrations":            {body: `{"query":"select 1"}`},
	"PUT /v1/projects/{ref}/database/migrations":             {body: `{"query":"select 1"}`},
	"GET /v1/projects/{ref}/database/migrations/{version}":   {prepare: aMigration},
	"PATCH /v1/projects/{ref}/database/migrations/{version}": {prepare: aMigration, body: `{"name":"renamed"}`},
	"DELETE /v1/projects/{ref}/database/migrations":          {prepare: aMigration, query: "gte=20260301120000"},
	"POST /v1/projects/{ref}/cli/login-role":                 {body: `{"read_only":true}`},
	"POST /v1/projects/{ref}/secrets":                        {body: `[{"name":"STRIPE_KEY","value":"sk_1"}]`},
	"DELETE /v1/projects/{ref}/secrets":                      {body: `["STRIPE_KEY"]`},
	"GET /v1/projects/{ref}/types/typescript":                {prepare: postgresMetaAnswers},
}

// aMigration notes one, of the time at which everything in a test happens.
func aMigration(w *world, p place) map[string]string {
	w.succeed(callers[2].authorization(w.t), http.MethodPut, "/v1/projects/"+p.ref+"/database/migrations", `{"query":"select 1"}`)
	return map[string]string{"version": "20260301120000"}
}

// postgresMetaAnswers has a stand-in for postgres-meta answer.
func postgresMetaAnswers(w *world, _ place) map[string]string {
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		_, _ = answer.Write([]byte("export type Json = string"))
	}))
	w.t.Cleanup(server.Close)
	w.pgMeta = &pgmeta.Client{URL: server.URL, CryptoKey: "key"}
	return nil
}
