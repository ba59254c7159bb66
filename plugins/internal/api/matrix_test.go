package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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
		"permissions": []string{"projects_read"},
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

// expectation says what is wrong with an answer; empty where nothing is.
type expectation func(answer) string

// expect works out what the server has to answer, by what Studio would show the caller. It looks before the request is
// sent, which may change the permissions.
func (w *world) expect(route declared, p place, one caller) expectation {
	w.t.Helper()
	named := route.scope == "organization" || route.scope == "project"
	switch {
	case route.scope == "anyone":
		return func(got answer) string { return wrongIf(got.byPermission(), "open to anyone") }
	case one.id == "":
		return func(got answer) string { return wrongIf(got.status != http.StatusUnauthorized, "401 without a token") }
	case !named:
		return func(got answer) string { return wrongIf(got.byPermission(), "open to whoever signed in") }
	case one.role == 0:
		return func(got answer) string { return wrongIf(got.status != http.StatusNotFound, "404 for an outsider") }
	}
	ref := ""
	if route.scope == "project" {
		ref = p.ref
	}
	rows := w.studioPermissions(one.authorization(w.t))
	if studioAllows(rows, route.action, route.resource, p.slug, ref, int64(store.RoleDeveloper)) {
		return func(got answer) string { return wrongIf(got.byPermission(), "allowed, as Studio shows") }
	}
	return func(got answer) string { return wrongIf(got.status != http.StatusForbidden, "403, as Studio hides") }
}

func wrongIf(wrong bool, expected string) string {
	if wrong {
		return expected
	}
	return ""
}

// TestMatrix sends a request to every route as every caller, and holds the answer against what Studio makes of the
// permissions that the caller was given.
func TestMatrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	routes := declaredRoutes(t, append(w.Routes(), pgmeta.Routes()...)...)
	cells, wrong := 0, 0
	for _, route := range routes {
		for _, one := range callers {
			// A place of its own: what one caller changes is not what the next one finds.
			p := w.place()
			expected := w.expect(route, p, one)
			got := w.ask(route, p, one)
			cells++
			if complaint := expected(got); complaint != "" || got.status == http.StatusInternalServerError {
				wrong++
				t.Errorf("%s %s as %s: %d %q, expected: %s", route.method, route.path, one.name, got.status, got.message, complaint)
			}
		}
	}
	fmt.Printf("matrix: %d routes x %d callers, %d cells, %d wrong\n", len(routes), len(callers), cells, wrong)
}

// TestProjectScopedRolesDoWhatStudioShows does the same for members of one project alone, in their project and in
// another one of the organization.
func TestProjectScopedRolesDoWhatStudioShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, route := range declaredRoutes(t, append(w.Routes(), pgmeta.Routes()...)...) {
		if route.scope != "organization" && route.scope != "project" {
			continue
		}
		for role := store.RoleOwner; role <= store.RoleReadOnly; role++ {
			p := w.place()
			one := caller{name: "scoped", role: role, id: outsiderID}
			organization, err := w.store.MembershipBySlug(t.Context(), 2, store.Slug(p.slug))
			require.NoError(t, err)
			w.join(organization.ID, one.id, 0)
			w.scope(p.ref, one.id, role)
			expected := w.expect(route, p, one)
			got := w.ask(route, p, one)
			require.Empty(t, expected(got), "%s %s, role %d: %d %s", route.method, route.path, role, got.status, got.message)
			if route.scope == "project" {
				other := place{slug: p.slug, ref: w.runningProject(organization.ID, "other")}
				require.Equal(t, http.StatusNotFound, w.ask(route, other, one).status, "%s %s in another project", route.method, route.path)
			}
		}
	}
}
