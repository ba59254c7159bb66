package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// world is a bundle with somebody in every role. Everything that is done in it happens in an organization of its own.
type world struct {
	*bundle
	store      *store.Store
	connection *pgx.Conn
	made       int
	byScopes   map[string]string // headers of scoped tokens that were made
	// databasePort is where the projects' database listens; nothing does unless realDatabase was called.
	databasePort int
}

// caller is who sends a request: their role in the organization, 0 for those who have none.
type caller struct {
	name string
	role store.Role
	id   string // of GoTrue; empty for a request without a token
}

const (
	victimID   = "99999999-9999-4999-8999-999999999999"
	outsiderID = "55555555-5555-4555-8555-555555555555"
)

var callers = []caller{
	{name: "no token"},
	{name: "outsider", id: outsiderID},
	{name: "Owner", role: store.RoleOwner, id: "11111111-1111-4111-8111-111111111111"},
	{name: "Administrator", role: store.RoleAdministrator, id: "22222222-2222-4222-8222-222222222222"},
	{name: "Developer", role: store.RoleDeveloper, id: "33333333-3333-4333-8333-333333333333"},
	{name: "Read-only", role: store.RoleReadOnly, id: "44444444-4444-4444-8444-444444444444"},
}

func newWorld(t *testing.T) *world {
	t.Helper()
	b := setup(t)
	connection, err := pgx.Connect(t.Context(), b.databaseURL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(t.Context()) })
	opened := b.store
	for _, one := range callers {
		if one.id != "" {
			_, err = opened.EnsureProfile(t.Context(), one.id, email(one.id))
			require.NoError(t, err)
		}
	}
	_, err = opened.EnsureProfile(t.Context(), victimID, email(victimID))
	require.NoError(t, err)
	return &world{bundle: b, store: opened, connection: connection, databasePort: 1}
}

// email is the address that a caller signs in with.
func email(gotrueID string) string { return "user" + gotrueID[:1] + "@example.com" }

func (c caller) authorization(t *testing.T) string {
	if c.id == "" {
		return ""
	}
	return session(t, c.id, email(c.id))
}

// place is an organization with a running project, all the callers in their roles, and a Developer to do things to.
type place struct {
	slug  string
	ref   string
	other string // a second project, where the test made one
}

func (w *world) place() place {
	w.t.Helper()
	w.made++
	owner, err := w.store.EnsureProfile(w.t.Context(), callers[2].id, "")
	require.NoError(w.t, err)
	actor := store.Actor{ProfileID: owner.ID, RequestID: fmt.Sprintf("place-%d", w.made)}
	organization, err := w.store.CreateOrganization(w.t.Context(), actor, "Acme")
	require.NoError(w.t, err)
	for _, one := range append(callers, caller{role: store.RoleDeveloper, id: victimID}) {
		if one.role > store.RoleOwner {
			w.join(organization.ID, one.id, one.role)
		}
	}
	return place{slug: string(organization.Slug), ref: w.runningProject(organization.ID, fmt.Sprintf("shop-%d", w.made))}
}

// abandon takes everybody out of a place that is no longer needed: whoever is in many has many permissions to read.
func (w *world) abandon(p place) {
	w.t.Helper()
	w.exec(`delete from platform.members m using platform.organizations o where o.id = m.organization_id and o.slug = $1`, p.slug)
}

// join makes somebody a member, as if they had accepted an invitation. Role 0 is for members of some projects alone.
func (w *world) join(organizationID int64, gotrueID string, role store.Role) {
	w.t.Helper()
	w.exec(`insert into platform.members (organization_id, profile_id, role, joined_at)
		select $1, id, nullif($3::smallint, 0), $4 from platform.profiles where gotrue_id = $2`, organizationID, gotrueID, role, storetest.Now)
}

// scope gives a member a role in one project.
func (w *world) scope(ref, gotrueID string, role store.Role) {
	w.t.Helper()
	w.exec(`insert into platform.project_members (project_id, profile_id, organization_id, role)
		select p.id, u.id, p.organization_id, $3 from platform.projects p, platform.profiles u
		where p.ref = $1 and u.gotrue_id = $2`, ref, gotrueID, role)
}

func (w *world) runningProject(organizationID int64, name string) string {
	w.t.Helper()
	w.made++
	owner, err := w.store.EnsureProfile(w.t.Context(), callers[2].id, "")
	require.NoError(w.t, err)
	project, err := w.store.CreateProject(w.t.Context(),
		store.Actor{ProfileID: owner.ID, RequestID: fmt.Sprintf("project-%d", w.made)},
		store.NewProject{
			OrganizationID: organizationID, Name: name, CloudProvider: localProvider, Region: "local", Target: "local",
			ComputeSize: defaultSize, Services: []string{"db"}, DatabasePassword: "correct horse",
		})
	require.NoError(w.t, err)
	w.exec(`update platform.projects set status = 'ACTIVE_HEALTHY', observed_generation = generation, db_version = '15.14',
		db_host = '127.0.0.1', db_port = $2 where id = $1`, project.ID, w.databasePort)
	return string(project.Ref)
}

func (w *world) exec(sql string, arguments ...any) {
	w.t.Helper()
	_, err := w.connection.Exec(w.t.Context(), sql, arguments...)
	require.NoError(w.t, err)
}

// fill puts a place into a route's path.
func (p place) fill(path string) string {
	return strings.NewReplacer(
		"{slug}", p.slug, "{ref}", p.ref, "{gotrue_id}", victimID, "{role_id}", "3", "{id}", "1",
		"{token}", strings.Repeat("0", 40), "{invoice_id}", "none", "{branch_id_or_ref}", p.ref,
	).Replace(path)
}

// organizationID is the number of a place's organization.
func (w *world) organizationID(p place) int64 {
	w.t.Helper()
	var id int64
	require.NoError(w.t, w.connection.QueryRow(w.t.Context(), `select id from platform.organizations where slug = $1`, p.slug).Scan(&id))
	return id
}

// succeed sends a request that has to be answered with a 2xx.
func (w *world) succeed(authorization, method, path, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	recorder := w.raw(authorization, method, path, body)
	require.Less(w.t, recorder.Code, 300, "%s %s: %s %s", method, path, recorder.Body, w.logged)
	return recorder
}

// list gets a list into what the pointer points to.
func (w *world) list(authorization, path string, into any) {
	w.t.Helper()
	require.NoError(w.t, json.Unmarshal(w.succeed(authorization, http.MethodGet, path, "").Body.Bytes(), into))
}
