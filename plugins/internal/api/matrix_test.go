package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// declared is a line of `-routes`: an endpoint and what it says that it needs.
type declared struct {
	method, path            string
	scope, action, resource string
}

// named tells whether the route's permission is looked up in an organization or a project that the request names.
func (d declared) named() bool { return d.scope == "organization" || d.scope == "project" }

// writes tells whether the request may change something.
func (d declared) writes() bool { return d.method != http.MethodGet && d.method != http.MethodHead }

func declaredRoutes(t *testing.T, lines ...string) []declared {
	t.Helper()
	routes := make([]declared, len(lines))
	for i, line := range lines {
		columns := strings.Split(line, "\t")
		require.Len(t, columns, 4, line)
		routes[i] = declared{method: columns[0], path: columns[1]}
		permission, _, _ := strings.Cut(columns[2], ", ")
		switch words := strings.Split(permission, " "); words[0] {
		case "organization", "project":
			require.Len(t, words, 3, line)
			routes[i].scope, routes[i].action, routes[i].resource = words[0], words[1], words[2]
		case "anyone", "signed-in":
			routes[i].scope = words[0]
		default:
			require.Fail(t, "an unknown permission", line)
		}
	}
	return routes
}

// anyBody has the fields of every request body, so that a refusal is never one of validation.
func anyBody(p place) string {
	body, err := json.Marshal(map[string]any{
		"organization_slug": p.slug, "organization_id": p.slug, "name": "a name", "db_pass": "correct horse",
		"role_id": 3, "role_scoped_projects": []string{p.ref}, "email": "new@example.com", "enforced": false,
		"permissions": []string{"projects_read"}, "is_sensitive": true,
		"id": 1, "recovery_time_target_unix": 1, "newProjectName": "copy", "newDbPass": "correct horse",
	})
	if err != nil {
		panic(err)
	}
	return string(body)
}

// answer is what the server said: its status, and the message of a refusal.
type answer struct {
	status  int
	message string
}

// byPermission tells a refusal for want of a right from every other answer.
func (a answer) byPermission() bool {
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusNotFound:
		return a.message == "Organization not found" || a.message == "Project not found" || strings.HasPrefix(a.message, "There is no endpoint")
	default:
		return false
	}
}

// ask sends a request to the API or, under /platform/pg-meta, to the gate in front of postgres-meta.
func (w *world) ask(route declared, p place, one caller) answer {
	w.t.Helper()
	path := p.fill(route.path)
	if strings.HasPrefix("/api"+path, pgmeta.PathPrefix) {
		return w.askGate(route.method, "/api"+path, p, one)
	}
	recorder := w.raw(one.authorization(w.t), route.method, path, anyBody(p))
	return answer{recorder.Code, messageOf(recorder)}
}

// messageOf returns the message of a refusal, and nothing of any other answer, which may not be an object at all.
func messageOf(recorder *httptest.ResponseRecorder) string {
	var refusal struct{ Message string }
	_ = json.Unmarshal(recorder.Body.Bytes(), &refusal)
	return refusal.Message
}

func (w *world) askGate(method, path string, p place, one caller) answer {
	w.t.Helper()
	gate := &pgmeta.Gate{Authenticator: w.authenticator, Projects: w.store, Tokens: w.tokens, CryptoKey: "key"}
	token, err := w.tokens.Seal(store.Ref(p.ref), pgmeta.ReadOnly)
	require.NoError(w.t, err)
	_, err = gate.Admit(w.t.Context(), pgmeta.Request{Method: method, Path: path, Authorization: one.authorization(w.t), Token: token})
	if err == nil {
		return answer{status: http.StatusOK}
	}
	refusal := problem.Of(w.t.Context(), w.log, "", err)
	return answer{refusal.Status, refusal.Message}
}

// expectation is what the server has to answer: whether it lets the caller in, and what is wrong with an answer, empty
// where nothing is.
type expectation struct {
	letsIn bool
	wrong  func(answer) string
}

// expect works out what the server has to answer, by what Studio would show the caller. It looks before the request is
// sent, which may change the permissions.
func (w *world) expect(route declared, p place, one caller) expectation {
	w.t.Helper()
	switch {
	case route.scope == "anyone":
		return expectation{wrong: func(got answer) string { return wrongIf(got.byPermission(), "open to anyone") }}
	case one.id == "":
		return expectation{wrong: func(got answer) string { return wrongIf(got.status != http.StatusUnauthorized, "401 without a token") }}
	case !route.named():
		return expectation{wrong: func(got answer) string { return wrongIf(got.byPermission(), "open to whoever signed in") }}
	case one.role == 0:
		return expectation{wrong: func(got answer) string { return wrongIf(got.status != http.StatusNotFound, "404 for an outsider") }}
	}
	ref := ""
	if route.scope == "project" {
		ref = p.ref
	}
	rows := w.studioPermissions(one.authorization(w.t))
	if studioAllows(rows, route.action, route.resource, p.slug, ref, int64(store.RoleDeveloper)) {
		return expectation{true, func(got answer) string { return wrongIf(got.byPermission(), "allowed, as Studio shows") }}
	}
	return expectation{wrong: func(got answer) string { return wrongIf(got.status != http.StatusForbidden, "403, as Studio hides") }}
}

func wrongIf(wrong bool, expected string) string {
	if wrong {
		return expected
	}
	return ""
}

// shards is how many worlds the routes are dealt out to. Each has a database of its own, and they run side by side.
const shards = 4

// inShards calls cells for every route, each time with the world of the route's shard, and returns when all have run.
// The world's place is for the cells that must change nothing in it; prepare may add to it.
func inShards(t *testing.T, prepare func(*world, *place), cells func(*world, declared, place)) (routes int) {
	t.Helper()
	list := declaredRoutes(t, append(New(Dependencies{}).Routes(), pgmeta.Routes()...)...)
	t.Run("shards", func(t *testing.T) {
		for shard := range shards {
			t.Run(strconv.Itoa(shard), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				common := w.place()
				prepare(w, &common)
				for i := shard; i < len(list); i += shards {
					cells(w, list[i], common)
				}
			})
		}
	})
	return len(list)
}

// TestMatrix sends a request to every route as every caller, and holds the answer against what Studio makes of the
// permissions that the caller was given. A write that is let in has a place of its own, so that what it changes is not what
// the next one finds; reads, and writes that have to be refused, share one.
func TestMatrix(t *testing.T) {
	t.Parallel()
	var cells, wrong atomic.Int64
	routes := inShards(t, func(*world, *place) {}, func(w *world, route declared, common place) {
		for _, one := range callers {
			p, expected := common, w.expect(route, common, one)
			if expected.letsIn && route.writes() {
				p = w.place()
				expected = w.expect(route, p, one)
			}
			got := w.ask(route, p, one)
			cells.Add(1)
			if complaint := expected.wrong(got); complaint != "" || got.status == http.StatusInternalServerError {
				wrong.Add(1)
				w.t.Errorf("%s %s as %s: %d %q, expected: %s", route.method, route.path, one.name, got.status, got.message, complaint)
			}
			if p != common {
				w.abandon(p)
			}
		}
	})
	fmt.Printf("matrix: %d routes x %d callers, %d cells, %d wrong\n", routes, len(callers), cells.Load(), wrong.Load())
}

// scopedCallers have a role in one project of a place alone, one for each role.
var scopedCallers = []caller{
	{name: "Owner of a project", role: store.RoleOwner, id: "61111111-1111-4111-8111-111111111111"},
	{name: "Administrator of a project", role: store.RoleAdministrator, id: "62222222-2222-4222-8222-222222222222"},
	{name: "Developer of a project", role: store.RoleDeveloper, id: "63333333-3333-4333-8333-333333333333"},
	{name: "Read-only in a project", role: store.RoleReadOnly, id: "64444444-4444-4444-8444-444444444444"},
}

// letScopedIn makes the scoped callers members of a place's project alone, and adds a second project that is not theirs.
func (w *world) letScopedIn(p *place) {
	w.t.Helper()
	organizationID := w.organizationID(*p)
	for _, one := range scopedCallers {
		_, err := w.store.EnsureProfile(w.t.Context(), one.id, email(one.id))
		require.NoError(w.t, err)
		w.join(organizationID, one.id, 0)
		w.scope(p.ref, one.id, one.role)
	}
	w.made++
	p.other = w.runningProject(organizationID, fmt.Sprintf("other-%d", w.made))
}

// TestProjectScopedRolesDoWhatStudioShows does the same for members of one project alone, in their project and in
// another one of the organization.
func TestProjectScopedRolesDoWhatStudioShows(t *testing.T) {
	t.Parallel()
	inShards(t, (*world).letScopedIn, func(w *world, route declared, common place) {
		if !route.named() {
			return
		}
		for _, one := range scopedCallers {
			p, expected := common, w.expect(route, common, one)
			if expected.letsIn && route.writes() {
				p = w.place()
				w.letScopedIn(&p)
				expected = w.expect(route, p, one)
			}
			got := w.ask(route, p, one)
			require.Empty(w.t, expected.wrong(got), "%s %s, %s: %d %s", route.method, route.path, one.name, got.status, got.message)
			if route.scope == "project" {
				elsewhere := place{slug: common.slug, ref: common.other}
				require.Equal(w.t, http.StatusNotFound, w.ask(route, elsewhere, one).status, "%s %s in another project", route.method, route.path)
			}
			if p != common {
				w.abandon(p)
			}
		}
	})
}
