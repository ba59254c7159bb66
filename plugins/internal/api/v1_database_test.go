package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
)

func TestAProjectsDatabaseByTheManagementAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.realDatabase()
	p := w.place()
	owner, reader := callers[2].authorization(t), callers[5].authorization(t)
	base := "/v1/projects/" + p.ref
	query := func(authorization, body string) (int, string) {
		recorder := w.raw(authorization, http.MethodPost, base+"/database/query", body)
		return recorder.Code, recorder.Body.String()
	}

	status, rows := query(owner, `{"query":"create table public.shops (id int primary key, name text); insert into public.shops values (1, 'corner'); select * from public.shops"}`)
	require.Equal(t, http.StatusCreated, status, rows)
	require.JSONEq(t, `[{"id":1,"name":"corner"}]`, rows)
	t.Cleanup(func() { query(owner, `{"query":"drop table public.shops"}`) })

	status, rows = query(owner, `{"query":"select name from public.shops where id = $1","parameters":[1]}`)
	require.Equal(t, http.StatusCreated, status)
	require.JSONEq(t, `[{"name":"corner"}]`, rows)

	status, refusal := query(owner, `{"query":"select * from nowhere"}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.JSONEq(t, `{"code":"bad_request","message":"Failed to run sql query: ERROR:  42P01: relation \"nowhere\" does not exist\nLINE 1: select * from nowhere\n                      ^\n"}`, refusal)

	for authorization, body := range map[string]string{
		owner:  `{"query":"delete from public.shops","read_only":true}`,
		reader: `{"query":"delete from public.shops"}`,
	} {
		status, refusal = query(authorization, body)
		require.Equal(t, http.StatusBadRequest, status, refusal)
	}
	recorder := w.raw(reader, http.MethodPost, base+"/database/query/read-only", `{"query":"select count(*) from public.shops"}`)
	require.Equal(t, http.StatusCreated, recorder.Code, recorder.Body)
	require.JSONEq(t, `[{"count":1}]`, recorder.Body.String())

	var context V1DatabaseContext
	w.list(reader, base+"/database/context", &context)
	require.Equal(t, "postgres", context.Databases[0].Name)
	require.Contains(t, context.Databases[0].Schemas, V1SchemaName{"public"})

	w.migrationsByTheAPI(base, owner, reader)
	w.loginRoleByTheAPI(base, owner, reader)
	for _, one := range ownDatabaseChanges {
		w.see(one)
	}
}

func (w *world) migrationsByTheAPI(base, owner, reader string) {
	t, path := w.t, base+"/database/migrations"
	require.JSONEq(t, `[]`, w.succeed(reader, http.MethodGet, path, "").Body.String())
	w.succeed(owner, http.MethodPost, path, `{"name":"pets","query":"create table public.pets ()","rollback":"drop table public.pets"}`)
	t.Cleanup(func() {
		w.raw(owner, http.MethodPost, base+"/database/query", `{"query":"drop schema supabase_migrations cascade"}`)
	})
	require.JSONEq(t, `[{"version":"20260301120000","name":"pets"}]`, w.succeed(reader, http.MethodGet, path, "").Body.String())
	require.Equal(t, http.StatusForbidden, w.raw(reader, http.MethodPost, path, `{"query":"select 1"}`).Code)
	w.succeed(owner, http.MethodPatch, path+"/20260301120000", `{"name":"animals"}`)
	var one V1Migration
	w.list(reader, path+"/20260301120000", &one)
	require.Equal(t, "animals", *one.Name)
	require.Equal(t, []string{"create table public.pets ()"}, one.Statements)
	w.succeed(owner, http.MethodDelete, path+"?gte=20260301120000", "")
	require.Equal(t, http.StatusNotFound, w.raw(owner, http.MethodGet, path+"/20260301120000", "").Code)
	w.succeed(owner, http.MethodPut, path, `{"name":"only noted","query":"create table public.pets ()"}`)
	recorder := w.raw(owner, http.MethodPost, path, `{"query":"select oops"}`)
	require.Equal(t, http.StatusBadRequest, recorder.Code)
	require.Contains(t, recorder.Body.String(), `column \"oops\" does not exist`)
}

func (w *world) loginRoleByTheAPI(base, owner, reader string) {
	t := w.t
	var role V1CreateRoleResponse
	made := w.succeed(owner, http.MethodPost, base+"/cli/login-role", `{"read_only":false}`)
	require.NoError(t, json.Unmarshal(made.Body.Bytes(), &role))
	require.Regexp(t, `^cli_login_[a-z0-9]{12}$`, role.Role)
	require.NotEmpty(t, role.Password)
	require.EqualValues(t, 600, role.TTLSeconds)
	require.Equal(t, http.StatusForbidden, w.raw(reader, http.MethodPost, base+"/cli/login-role", `{"read_only":false}`).Code)
	w.succeed(reader, http.MethodPost, base+"/cli/login-role", `{"read_only":true}`)
	require.JSONEq(t, `{"message":"ok"}`, w.succeed(owner, http.MethodDelete, base+"/cli/login-role", "").Body.String())
	var noted []string
	require.NoError(t, w.connection.QueryRow(t.Context(), `
		select array_agg(distinct action order by action) from platform.audit_log where action like 'database.%'`).Scan(&noted))
	require.Subset(t, noted, []string{"database.apply_migration", "database.create_login_role", "database.drop_login_roles", "database.sql"})
}

func TestADatabaseThatDoesNotRunIsNotAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	w.exec(`update platform.projects set status = 'INACTIVE' where ref = $1`, p.ref)
	status, refusal := w.send(callers[2].authorization(t), http.MethodPost, "/v1/projects/"+p.ref+"/database/query", `{"query":"select 1"}`)
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "The project's database is not running: the project is INACTIVE.", refusal["message"])
}

func TestFunctionSecretsAreListedByTheirDigests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	owner, path := callers[2].authorization(t), "/v1/projects/"+p.ref+"/secrets"
	w.succeed(owner, http.MethodPost, path, `[{"name":"STRIPE","value":"sk_1"},{"name":"B","value":""}]`)
	w.exec(`update platform.projects set status = 'ACTIVE_HEALTHY', observed_generation = generation where ref = $1`, p.ref)
	require.JSONEq(t, `[{"name":"B","value":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"name":"STRIPE","value":"92493e6fad3e4152df1bd7fe5c168d281fd1e0817f9a07c6e51d49d3c88f144a"}]`, w.succeed(owner, http.MethodGet, path, "").Body.String())
	for _, body := range []string{`[{"name":"SUPABASE_URL","value":"x"}]`, `[{"name":"a-b","value":"x"}]`, `[]`} {
		require.Equal(t, http.StatusBadRequest, w.raw(owner, http.MethodPost, path, body).Code, body)
	}
	w.succeed(owner, http.MethodDelete, path, `["B","STRIPE"]`)
	require.JSONEq(t, `[]`, w.succeed(owner, http.MethodGet, path, "").Body.String())
	require.NotContains(t, w.logged.String(), "sk_1")
}

func TestTypesComeFromPostgresMetaAsTheReadOnlyRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	reader := callers[5].authorization(t)
	path := "/v1/projects/" + p.ref + "/types/typescript"
	require.Equal(t, http.StatusServiceUnavailable, w.raw(reader, http.MethodGet, path, "").Code, "no postgres-meta was named")
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, asked *http.Request) {
		assert.Equal(t, "public,shop", asked.URL.Query().Get("included_schemas"))
		assert.NotEmpty(t, asked.Header.Get("X-Connection-Encrypted"))
		_, _ = answer.Write([]byte("export type Json = string"))
	}))
	t.Cleanup(server.Close)
	w.pgMeta = &pgmeta.Client{URL: server.URL, CryptoKey: "key"}
	require.JSONEq(t, `{"types":"export type Json = string"}`, w.succeed(reader, http.MethodGet, path+"?included_schemas=public,shop", "").Body.String())
	require.Equal(t, http.StatusBadRequest, w.raw(reader, http.MethodGet, path+"?included_schemas=a%3Bb", "").Code)
	server.Close()
	require.Equal(t, http.StatusServiceUnavailable, w.raw(reader, http.MethodGet, path, "").Code)
}
