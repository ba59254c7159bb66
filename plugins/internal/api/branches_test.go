package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

var branchExamples = map[string]example{
	"GET /v1/projects/{ref}/branches":              {prepare: aBranch},
	"POST /v1/projects/{ref}/branches":             {body: `{"branch_name":"feature"}`},
	"GET /v1/projects/{ref}/branches/{name}":       {prepare: aBranch},
	"GET /v1/branches/{branch_id_or_ref}":          {prepare: aBranch},
	"PATCH /v1/branches/{branch_id_or_ref}":        {prepare: aBranch, body: `{"branch_name":"other","request_review":true}`},
	"DELETE /v1/branches/{branch_id_or_ref}":       {prepare: aBranch},
	"GET /v1/branches/{branch_id_or_ref}/diff":     {prepare: aRunningBranch},
	"POST /v1/branches/{branch_id_or_ref}/merge":   {prepare: aRunningBranch, body: `{}`},
	"POST /v1/branches/{branch_id_or_ref}/push":    {prepare: aRunningBranch, body: `{}`},
	"POST /v1/branches/{branch_id_or_ref}/reset":   {prepare: aRunningBranch, body: `{}`},
	"POST /v1/branches/{branch_id_or_ref}/restore": {prepare: aBranchThatWaits},
}

// aBranch makes a branch of the place's project.
func aBranch(w *world, p place) map[string]string {
	w.made++
	name := fmt.Sprintf("feature-%d", w.made)
	branch := w.object(w.as(store.RoleOwner), http.MethodPost, "/v1/projects/"+p.ref+"/branches", `{"branch_name":"`+name+`"}`)
	return map[string]string{"branch_id_or_ref": branch["id"].(string), "name": name, "branch": branch["project_ref"].(string)}
}

// aRunningBranch is aBranch, once its provisioner has done its work.
func aRunningBranch(w *world, p place) map[string]string {
	made := aBranch(w, p)
	w.takesOver(made["branch"], w.databasePort)
	return made
}

func aBranchThatWaits(w *world, p place) map[string]string {
	made := aRunningBranch(w, p)
	w.succeed(w.as(store.RoleOwner), http.MethodDelete, "/v1/branches/"+made["branch"]+"?force=false", "")
	w.exec(`update platform.projects set status = 'INACTIVE', desired = 'inactive', observed_generation = generation where ref = $1`, made["branch"])
	return made
}

// takesOver does what a provisioner does with a project that shall take migrations over, in the database that listens on a port.
func (w *world) takesOver(ref string, port int) projectdb.TakeOver {
	w.t.Helper()
	w.exec(`update platform.projects set db_host = '127.0.0.1', db_port = $2, db_version = '15.14' where ref = $1`, ref, port)
	claim := w.claim(ref)
	what, err := claim.TakeOver(w.t.Context())
	require.NoError(w.t, err)
	require.NotNil(w.t, what)
	connection, err := pgx.Connect(w.t.Context(), fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres", port))
	require.NoError(w.t, err)
	_, err = connection.PgConn().Exec(w.t.Context(), what.SQL()).ReadAll()
	require.NoError(w.t, err)
	require.NoError(w.t, connection.Close(w.t.Context()))
	require.NoError(w.t, claim.TakenOver(w.t.Context()))
	require.NoError(w.t, claim.Settle(w.t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	return *what
}

func TestABranchFollowsItsProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.realDatabase()
	p, owner := w.place(), w.as(store.RoleOwner)
	ofParent, project := w.databasePort, "/v1/projects/"+p.ref
	w.realDatabase()
	ofBranch := w.databasePort
	w.succeed(owner, http.MethodPost, project+"/database/migrations", `{"name":"notes","query":"create table notes (text text)"}`)

	made := w.object(owner, http.MethodPost, project+"/branches", `{"branch_name":"feature","git_branch":"feature/notes"}`)
	require.Equal(t, "CREATING_PROJECT", made["status"])
	require.Equal(t, p.ref, made["parent_project_ref"])
	ref := made["project_ref"].(string)
	var branches []BranchResponse
	w.list(owner, project+"/branches", &branches)
	require.Len(t, branches, 2)
	require.Equal(t, []any{"main", true, p.ref}, []any{branches[0].Name, branches[0].IsDefault, branches[0].ProjectRef})
	require.Equal(t, ref, branches[1].ProjectRef)
	require.Equal(t, true, w.object(owner, http.MethodGet, "/platform/projects/"+p.ref, "")["is_branch_enabled"])
	require.Equal(t, p.ref, w.object(owner, http.MethodGet, "/platform/projects/"+ref, "")["parent_project_ref"])
	var listed ListProjectsResponse
	w.list(owner, "/platform/projects", &listed)
	require.Len(t, listed.Projects, 1, "a branch is no project among the others")
	require.Equal(t, []store.Ref{store.Ref(ref)}, listed.Projects[0].PreviewBranchRefs)

	branch := "/v1/branches/" + branches[1].ID
	require.Equal(t, "COMING_UP", w.object(owner, http.MethodGet, branch, "")["status"])
	require.Equal(t, "CREATING_PROJECT", w.object(owner, http.MethodGet, project+"/branches/feature", "")["status"])
	require.Len(t, w.takesOver(ref, ofBranch).Migrations, 1)
	require.Equal(t, "ACTIVE_HEALTHY", w.object(owner, http.MethodGet, branch, "")["status"])
	require.Equal(t, "MIGRATIONS_PASSED", w.object(owner, http.MethodGet, project+"/branches/feature", "")["status"])
	require.Empty(t, w.succeed(owner, http.MethodGet, branch+"/diff", "").Body.String())

	// As Studio merges: what the diff says is noted as one more migration first.
	w.succeed(owner, http.MethodPost, "/v1/projects/"+ref+"/database/migrations", `{"name":"tags","query":"create table tags (id int); insert into tags values (1)"}`)
	text := w.succeed(owner, http.MethodGet, branch+"/diff", "").Body.String()
	require.Contains(t, text, " tags\ncreate table tags (id int); insert into tags values (1);\n")
	noted, err := json.Marshal(map[string]string{"name": "branch_merge", "query": text})
	require.NoError(t, err)
	w.succeed(owner, http.MethodPut, "/v1/projects/"+ref+"/database/migrations", string(noted))
	require.Equal(t, text, w.succeed(owner, http.MethodGet, branch+"/diff", "").Body.String())
	run := w.object(owner, http.MethodPost, branch+"/merge", `{}`)["workflow_run_id"].(string)
	require.Equal(t, p.ref, w.object(owner, http.MethodGet, project+"/actions/"+run, "")["branch_id"])
	require.Len(t, w.takesOver(p.ref, ofParent).Migrations, 2)
	require.Equal(t, "1", w.query(p.ref, `select count(*)::text from tags`), "what it did beside the schema is there, once")
	require.Empty(t, w.succeed(owner, http.MethodGet, branch+"/diff", "").Body.String())

	// What was changed without a migration is compared.
	w.query(ref, `create table loose (id int primary key)`)
	require.Contains(t, w.succeed(owner, http.MethodGet, branch+"/diff", "").Body.String(), `CREATE TABLE "public"."loose"`)
	require.Empty(t, w.succeed(owner, http.MethodGet, branch+"/diff?included_schemas=auth", "").Body.String())

	w.succeed(owner, http.MethodPost, branch+"/reset", `{}`)
	require.True(t, w.takesOver(ref, ofBranch).Reset)
	require.Equal(t, "false", w.query(ref, `select (to_regclass('loose') is not null)::text`))
	require.Equal(t, "1", w.query(ref, `select count(*)::text from tags`))

	w.succeed(owner, http.MethodPost, project+"/database/migrations", `{"name":"later","query":"create table later (id int)"}`)
	w.succeed(owner, http.MethodPost, branch+"/push", "")
	w.takesOver(ref, ofBranch)
	require.Equal(t, "true", w.query(ref, `select (to_regclass('later') is not null)::text`))

	require.Contains(t, w.refusedWith(http.StatusConflict, owner, http.MethodDelete, "/platform/projects/"+p.ref, ""), "has branches (1)")
	require.Contains(t, w.refusedWith(http.StatusConflict, owner, http.MethodDelete, project+"/branches", ""), "has branches (1)")
	require.Contains(t, w.refusedWith(http.StatusConflict, owner, http.MethodDelete, "/v1/branches/"+branches[0].ID, ""), "default branch")
	w.succeed(owner, http.MethodDelete, branch, "")
	w.exec(`delete from platform.projects where ref = $1`, ref)
	w.succeed(owner, http.MethodDelete, project+"/branches", "")
	w.list(owner, project+"/branches", &branches)
	require.Empty(t, branches)
}

// query runs SQL in a project's database, as its user does.
func (w *world) query(ref, sql string) string {
	w.t.Helper()
	body, err := json.Marshal(map[string]string{"query": sql})
	require.NoError(w.t, err)
	var rows []map[string]string
	answer := w.succeed(w.as(store.RoleOwner), http.MethodPost, "/v1/projects/"+ref+"/database/query", string(body))
	require.NoError(w.t, json.Unmarshal(answer.Body.Bytes(), &rows))
	for _, row := range rows {
		for _, value := range row {
			return value
		}
	}
	return ""
}

func TestABranchIsForThoseOfItsProjectAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.realDatabase()
	p, owner := w.place(), w.as(store.RoleOwner)
	made := aBranch(w, p)
	path := "/v1/branches/" + made["branch_id_or_ref"]
	require.Equal(t, http.StatusNotFound, w.raw(w.outsider(), http.MethodGet, path, "").Code)
	require.Equal(t, w.raw(w.outsider(), http.MethodGet, "/v1/branches/11111111-1111-4111-8111-111111111111", "").Body.String(),
		w.raw(w.outsider(), http.MethodGet, path, "").Body.String(), "nothing tells whether there is one")

	w.join(w.organizationID(p), outsiderID, 0)
	w.scope(p.ref, outsiderID, store.RoleReadOnly)
	require.Equal(t, made["branch"], w.object(w.outsider(), http.MethodGet, path, "")["ref"], "a role in the project is one in its branches")
	require.NotContains(t, w.object(w.outsider(), http.MethodGet, path, ""), "db_pass")
	require.NotEmpty(t, w.object(owner, http.MethodGet, path, "")["db_pass"])
	require.Equal(t, http.StatusForbidden, w.raw(w.outsider(), http.MethodDelete, path, "").Code)
	w.exec(`delete from platform.project_members where project_id = (select id from platform.projects where ref = $1)`, p.ref)
	require.Equal(t, http.StatusNotFound, w.raw(w.outsider(), http.MethodGet, path, "").Code, "and ends with it")
}

func TestBadInputMakesNoBranch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.realDatabase()
	p, owner := w.place(), w.as(store.RoleOwner)
	path := "/v1/projects/" + p.ref + "/branches"
	for body, words := range map[string]string{
		`{"branch_name":""}`: "branch_name",
		`{"branch_name":"a","notify_url":"https://ci.example"}`: "calls nobody",
		`{"branch_name":"a","release_channel":"beta"}`:          "release_channel",
		`{"branch_name":"a","postgres_engine":"17"}`:            "postgres_engine",
		`{"branch_name":"a","desired_instance_size":"huge"}`:    "desired_instance_size",
		`{"branch_name":"a","secrets":{"1":"x"}}`:               "not a name for a secret",
	} {
		require.Contains(t, w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, path, body), words)
	}
	require.Contains(t, w.refusedWith(http.StatusConflict, owner, http.MethodPost, path, `{"branch_name":"a","with_data":true}`), "no backup")
	require.JSONEq(t, `[]`, w.succeed(owner, http.MethodGet, path, "").Body.String())

	made := aRunningBranch(w, p)
	branch := "/v1/branches/" + made["branch"]
	require.Contains(t, w.refusedWith(http.StatusConflict, owner, http.MethodPost, path, `{"branch_name":"`+made["name"]+`"}`), "already exists")
	require.Contains(t, w.refusedWith(http.StatusConflict, owner, http.MethodPost, "/v1/projects/"+made["branch"]+"/branches", `{"branch_name":"b"}`), "no branches of its own")
	require.Contains(t, w.refusedWith(http.StatusBadRequest, owner, http.MethodPatch, branch, `{"status":"MIGRATIONS_PASSED"}`), "provisioner alone")
	require.Contains(t, w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, branch+"/merge", `{"migration_version":"1"}`), "no such migration")
	require.Contains(t, w.refusedWith(http.StatusConflict, owner, http.MethodPost, branch+"/restore", ""), "wait for their deletion")
	require.Contains(t, w.refusedWith(http.StatusBadRequest, owner, http.MethodPost, "/v1/branches/"+p.ref+"/merge", `{}`), "default branch")
}
