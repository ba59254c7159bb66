package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

const scopedTokens = "/platform/profile/scoped-access-tokens"

// scopedToken makes a token of the owner's and returns the header that it is used in.
func (w *world) scopedToken(body string) string {
	w.t.Helper()
	status, made := w.send(w.as(store.RoleOwner), http.MethodPost, scopedTokens, body)
	require.Equal(w.t, http.StatusCreated, status, made)
	return "Bearer " + made["token"].(string)
}

func TestAScopedTokenIsShownOnceListedAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	owner := w.as(store.RoleOwner)
	status, made := w.send(owner, http.MethodPost, scopedTokens,
		`{"name":"ci","permissions":["projects_read","database_read"],"organization_slugs":["`+p.slug+`"],"expires_at":"2026-03-01T13:00:00Z"}`)
	require.Equal(t, http.StatusCreated, status, made)
	require.Regexp(t, `^sbp_[0-9a-f]{40}$`, made["token"])
	require.IsType(t, "", made["id"])

	listed := w.succeed(owner, http.MethodGet, scopedTokens, "").Body.String()
	require.NotContains(t, listed, made["token"])
	require.Contains(t, listed, made["token_alias"])
	require.Equal(t, "[]\n", w.succeed(owner, http.MethodGet, "/platform/profile/access-tokens", "").Body.String(), "lists do not mix")
	path := scopedTokens + "/" + made["id"].(string)
	_, one := w.send(owner, http.MethodGet, path, "")
	require.ElementsMatch(t, []any{"projects_read", "database_read"}, one["permissions"])
	require.Equal(t, []any{p.slug}, one["organization_slugs"])

	token := "Bearer " + made["token"].(string)
	w.succeed(token, http.MethodGet, "/platform/projects", "")
	_, one = w.send(owner, http.MethodGet, path, "")
	require.NotNil(t, one["last_used_at"])
	status, _ = w.send(w.outsider(), http.MethodDelete, path, "")
	require.Equal(t, http.StatusNotFound, status)
	w.succeed(owner, http.MethodDelete, path, "")
	status, _ = w.send(token, http.MethodGet, "/platform/projects", "")
	require.Equal(t, http.StatusUnauthorized, status)
}

func TestAnExpiredScopedTokenOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.scopedToken(`{"name":"ci","permissions":["projects_read"],"expires_at":"2026-03-01T13:00:00Z"}`)
	w.exec(`update platform.access_tokens set expires_at = $1`, storetest.Now.Add(-time.Second))
	status, _ := w.send(token, http.MethodGet, "/platform/projects", "")
	require.Equal(t, http.StatusUnauthorized, status)
}

// Every route is asked by a token of an owner's with that route's scope alone, and by one with every scope but that.
func TestScopesAreEnforcedOnEveryRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	common := w.place()
	for _, r := range w.routes {
		if r.permission.NeedsNothing() {
			continue
		}
		route := declared{method: r.method, path: r.path}
		name, ok := r.permission.Scope()
		if !ok {
			got := w.askWith(route, common, w.tokenWith(access.ScopeNames...))
			require.Equal(t, http.StatusForbidden, got.status, "%s %s is not for tokens with scopes", r.method, r.path)
			continue
		}
		if name == "" {
			require.Less(t, w.askWith(route, common, w.tokenWith("snippets_read")).status, 300, "%s %s", r.method, r.path)
			continue
		}
		others := slices.DeleteFunc(slices.Clone(access.ScopeNames), func(scope string) bool { return scope == name })
		got := w.askWith(route, common, w.tokenWith(others...))
		require.Equal(t, answer{http.StatusForbidden, "This access token does not have the permission " + name + "."}, got, "%s %s", r.method, r.path)
		p := common
		if route.writes() {
			p = w.place()
		}
		got = w.askWith(route, p, w.tokenWith(name))
		require.False(t, got.byPermission(), "%s %s with %s: %d %s", r.method, r.path, name, got.status, got.message)
	}
}

// tokenWith returns the header of a token with these scopes, the same one each time.
func (w *world) tokenWith(scopes ...string) string {
	w.t.Helper()
	key := strings.Join(scopes, `","`)
	if known, ok := w.byScopes[key]; ok {
		return known
	}
	if w.byScopes == nil {
		w.byScopes = map[string]string{}
	}
	w.made++
	w.byScopes[key] = w.scopedToken(fmt.Sprintf(`{"name":"t%d","permissions":["%s"]}`, w.made, key))
	return w.byScopes[key]
}

func (w *world) askWith(route declared, p place, authorization string) answer {
	w.t.Helper()
	recorder := w.raw(authorization, route.method, p.fill(route.path), anyBody(p))
	return answer{recorder.Code, messageOf(recorder)}
}

func TestATokenReachesWhatItWasMadeForAndNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, other := w.place(), w.place()
	second := w.runningProject(w.organizationID(one), "second")
	scopes := `"permissions":["projects_read","project_admin_read","organizations_read","organization_admin_read","organization_projects_read"]`
	get := func(token, path string) int { return w.raw(token, http.MethodGet, path, "").Code }

	toOrganization := w.scopedToken(`{"name":"o","organization_slugs":["` + one.slug + `"],` + scopes + `}`)
	require.Equal(t, http.StatusOK, get(toOrganization, "/platform/organizations/"+one.slug))
	require.Equal(t, http.StatusOK, get(toOrganization, "/platform/projects/"+second))
	require.Equal(t, http.StatusNotFound, get(toOrganization, "/platform/organizations/"+other.slug))
	require.Equal(t, http.StatusNotFound, get(toOrganization, "/platform/projects/"+other.ref))

	toProject := w.scopedToken(`{"name":"p","project_refs":["` + one.ref + `"],` + scopes + `}`)
	require.Equal(t, http.StatusOK, get(toProject, "/platform/projects/"+one.ref))
	require.Equal(t, http.StatusNotFound, get(toProject, "/platform/projects/"+second))
	require.Equal(t, http.StatusNotFound, get(toProject, "/platform/organizations/"+one.slug))
	for _, path := range []string{"/platform/projects", "/v1/projects", "/platform/organizations", "/v1/organizations"} {
		listed := w.succeed(toProject, http.MethodGet, path, "").Body.String()
		require.NotContains(t, listed, second, path)
		require.NotContains(t, listed, other.slug, path)
	}
	require.NotContains(t, w.succeed(toOrganization, http.MethodGet, "/platform/projects", "").Body.String(), other.ref)
}

func TestScopesHoldInFrontOfPostgresMeta(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	gate := &pgmeta.Gate{Authenticator: w.authenticator, Projects: w.store, Tokens: w.tokens, CryptoKey: "key"}
	connection, err := w.tokens.Seal(store.Ref(p.ref), pgmeta.ReadWrite)
	require.NoError(t, err)
	admit := func(token, endpoint, method string) error {
		_, err := gate.Admit(t.Context(), pgmeta.Request{
			Method: method, Path: pgmeta.PathPrefix + p.ref + "/" + endpoint, Authorization: token, Token: connection,
		})
		return err
	}
	reader, writer := w.tokenWith("database_read"), w.tokenWith("database_write")
	require.NoError(t, admit(reader, "tables", http.MethodGet))
	require.ErrorContains(t, admit(reader, "query", http.MethodPost), "database_write")
	require.NoError(t, admit(writer, "query", http.MethodPost))
	elsewhere := w.scopedToken(`{"name":"p","project_refs":["` + w.place().ref + `"],"permissions":["database_read"]}`)
	require.ErrorContains(t, admit(elsewhere, "tables", http.MethodGet), "Project not found")
}

func TestScopedTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	for body, want := range map[string]int{
		`{"name":"a","permissions":[]}`:                                                                         http.StatusBadRequest,
		`{"name":"a","permissions":["everything"]}`:                                                             http.StatusBadRequest,
		`{"name":"a","permissions":["projects_read"],"expires_at":"2001-01-01T00:00:00Z"}`:                      http.StatusBadRequest,
		`{"name":"a","permissions":["projects_read"],"organization_slugs":["nobodys"]}`:                         http.StatusNotFound,
		`{"name":"a","permissions":["projects_read"],"project_refs":["` + strings.Repeat("a", 20) + `"]}`:       http.StatusNotFound,
		`{"name":"a","permissions":["projects_read"],"organization_slugs":["` + p.slug + `","` + p.slug + `"]}`: http.StatusCreated,
	} {
		status, refusal := w.send(w.as(store.RoleOwner), http.MethodPost, scopedTokens, body)
		require.Equal(t, want, status, "%s: %v", body, refusal)
	}
	status, _ := w.send(w.outsider(), http.MethodPost, scopedTokens, `{"name":"a","permissions":["projects_read"],"organization_slugs":["`+p.slug+`"]}`)
	require.Equal(t, http.StatusNotFound, status, "somebody else's organization")
}
