package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/plugins/internal/mail/mailtest"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// The faults of a predecessor that must not come back, each in a test of its own.

// Any signed-in stranger could list, read, change and delete every project.
func TestAStrangerSeesAndChangesNoProjectOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	for _, one := range []struct{ method, path string }{
		{http.MethodGet, "/platform/projects/{ref}"},
		{http.MethodDelete, "/platform/projects/{ref}"},
		{http.MethodPost, "/platform/projects/{ref}/pause"},
		{http.MethodGet, "/platform/projects/{ref}/settings"},
	} {
		require.Equal(t, http.StatusNotFound, w.raw(w.outsider(), one.method, p.fill(one.path), "").Code, one.path)
	}
	require.NotContains(t, w.succeed(w.outsider(), http.MethodGet, "/platform/projects", "").Body.String(), p.ref)
	_, seen := w.send(w.as(store.RoleOwner), http.MethodGet, "/platform/projects/"+p.ref, "")
	require.Equal(t, "ACTIVE_HEALTHY", seen["status"])
}

// Roles were compared by row ids, right in the first organization only; and they could not be taken away.
func TestRolesMeanTheSameInEveryOrganizationAndAreTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place()
	second := w.place()
	member := "/platform/organizations/" + second.slug + "/members/" + victimID
	w.succeed(w.as(store.RoleAdministrator), http.MethodPatch, member, `{"role_id":4}`)
	require.Equal(t, []int64{4}, w.roles(second, victimID))
	w.succeed(session(t, victimID, email(victimID)), http.MethodDelete, member, "")
	require.Empty(t, w.roles(second, victimID), "a member may leave")
}

// Access tokens had no owner, were stored in clear and were never accepted.
func TestAnAccessTokenIsItsOwnersAndNotStoredInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, made := w.send(w.as(store.RoleOwner), http.MethodPost, "/platform/profile/access-tokens", `{"name":"ci"}`)
	token := made["token"].(string)
	_, profile := w.send("Bearer "+token, http.MethodGet, "/platform/profile", "")
	require.Equal(t, callers[2].id, profile["gotrue_id"])
	var kept int
	require.NoError(t, w.connection.QueryRow(t.Context(), `select count(*) from platform.access_tokens t where t::text like '%' || $1 || '%'`, token).Scan(&kept))
	require.Zero(t, kept)
}

// An invitation sent nothing.
func TestAnInvitationReachesTheInvited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	server := mailtest.New(t)
	var err error
	w.mail, err = mail.New(server.Settings)
	require.NoError(t, err)
	w.succeed(w.as(store.RoleOwner), http.MethodPost, p.invitations(), inviteOutsider)
	require.Len(t, server.Mails(), 1)
	require.Contains(t, server.Mails()[0], "/join?slug=3D"+p.slug)
}

// A canned invitation came with every organization, and the audit log showed everybody's rows.
func TestANewOrganizationInvitesNobodyAndAuditsAreOnesOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	require.JSONEq(t, `{"invitations":[]}`, w.succeed(w.as(store.RoleOwner), http.MethodGet, p.invitations(), "").Body.String())
	require.Empty(t, w.auditLog(w.outsider(), "/platform/profile/audit"+today).Result)
}

// A first sign-in was answered 404, and a second user with the same local part was locked out.
func TestTwoPeopleWithTheSameLocalPartBothGetIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for id, address := range map[string]string{ada: "sam@one.example", grace: "sam@two.example"} {
		status, profile := b.send(session(t, id, address), http.MethodGet, "/platform/profile", "")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, address, profile["primary_email"])
	}
}

// A token without a UUID for a `sub` was answered 500.
func TestATokenWithoutAUserIsRefusedAndBreaksNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, subject := range []any{nil, "", "1", "ada", "'; drop table platform.profiles; --", 7, strings.Repeat("1", 36)} {
		signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": subject, "email": "ada@example.com", "aud": "authenticated", "role": "authenticated", "exp": storetest.Now.Unix() + 60,
		}).SignedString([]byte(jwtSecret))
		require.NoError(t, err)
		status, refusal := b.send("Bearer "+signed, http.MethodGet, "/platform/profile", "")
		require.Equal(t, http.StatusUnauthorized, status, "%v", subject)
		require.Equal(t, "unauthorized", refusal["code"])
	}
	require.Empty(t, b.logged.String())
}

// Three error shapes, and SQL text and SQLSTATE leaked to the client in 500s.
func TestEveryErrorHasOneShapeAndNoSQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	shape := func(want int, recorder *httptest.ResponseRecorder) string {
		t.Helper()
		require.Equal(t, want, recorder.Code, recorder.Body)
		require.Equal(t, "application/json", recorder.Header().Get("Content-Type"))
		var told map[string]string
		require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &told), recorder.Body)
		require.Len(t, told, 2)
		require.NotEmpty(t, told["message"])
		require.NotEmpty(t, told["code"])
		return told["message"]
	}
	shape(http.StatusUnauthorized, w.raw("", http.MethodGet, "/platform/profile", ""))
	shape(http.StatusForbidden, w.raw(w.as(store.RoleReadOnly), http.MethodDelete, "/platform/projects/"+p.ref, ""))
	shape(http.StatusNotFound, w.raw(owner, http.MethodGet, "/platform/nothing", ""))
	shape(http.StatusNotFound, w.raw(owner, http.MethodGet, "/platform/projects/"+strings.Repeat("a", 20), ""))
	shape(http.StatusNotFound, w.raw(owner, http.MethodPut, "/platform/profile", ""))
	shape(http.StatusBadRequest, w.raw(owner, http.MethodPost, "/platform/organizations", `{"name":`))
	shape(http.StatusBadRequest, w.raw(owner, http.MethodPost, "/platform/organizations", `{"name":7}`))
	shape(http.StatusConflict, w.raw(owner, http.MethodDelete, "/platform/organizations/"+p.slug, ""))
	shape(http.StatusRequestEntityTooLarge, w.raw(owner, http.MethodPost, "/platform/organizations", `{"name":"`+strings.Repeat("a", defaultMaxBody)+`"}`))
	shape(http.StatusServiceUnavailable, w.raw("", http.MethodPost, signUp, visit("ada@example.com")))

	w.exec(`alter table platform.access_tokens rename column alias to another`)
	said := shape(http.StatusInternalServerError, w.raw(owner, http.MethodGet, "/platform/profile/access-tokens", ""))
	require.Regexp(t, `^Something went wrong on the server\. The request's id is \S+\.$`, said)
	require.Contains(t, w.logged.String(), "42703", "the operator is told: a column is missing")
}

// CORS allowed any origin with credentials. The gateway alone says who may call: no answer of the API's own does.
func TestNoAnswerAllowsAnOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	for _, r := range w.routes {
		request := httptest.NewRequest(r.method, p.fill(r.path), strings.NewReader(anyBody(p)))
		request.Header.Set("Origin", "https://evil.example.com")
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		w.ServeHTTP(recorder, request)
		for name := range recorder.Header() {
			require.False(t, strings.HasPrefix(name, "Access-Control-"), "%s %s: %s", r.method, r.path, name)
		}
	}
}

// The data API's settings held the control plane's own JWT secret, for every project.
func TestNoProjectIsGivenThePlatformsSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secrets := map[string]string{}
	for _, p := range []place{w.place(), w.place()} {
		var id int64
		require.NoError(t, w.connection.QueryRow(t.Context(), `select id from platform.projects where ref = $1`, p.ref).Scan(&id))
		own, err := w.store.ProjectSecrets(t.Context(), id, store.Ref(p.ref), store.SecretJWT)
		require.NoError(t, err)
		for _, path := range []string{"/platform/projects/" + p.ref + "/config/postgrest", "/platform/projects/" + p.ref + "/settings"} {
			told := w.object(w.as(store.RoleOwner), http.MethodGet, path, "")["jwt_secret"]
			require.Equal(t, own[store.SecretJWT], told, path)
			require.NotEqual(t, jwtSecret, told, path)
			require.NotContains(t, w.succeed(w.as(store.RoleReadOnly), http.MethodGet, path, "").Body.String(), told, path)
		}
		secrets[own[store.SecretJWT]] = p.ref
	}
	require.Len(t, secrets, 2, "each has its own")
}
