package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// secondFactor is a session in which a second factor was verified.
func secondFactor(t *testing.T, gotrueID string) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": gotrueID, "email": email(gotrueID), "aud": "authenticated", "role": "authenticated", "aal": "aal2",
		"exp": storetest.Now.Add(time.Hour).Unix(),
	}).SignedString([]byte(jwtSecret))
	require.NoError(t, err)
	return "Bearer " + signed
}

func TestAnOrganizationIsChangedByItsOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/platform/organizations/" + w.place().slug
	owner := w.as(store.RoleOwner)
	status, changed := w.send(owner, http.MethodPatch, path,
		`{"name":"Acme & Sons","billing_email":"bills@example.com","opt_in_tags":["AI_SQL_GENERATOR_OPT_IN"]}`)
	require.Equal(t, http.StatusOK, status, changed)
	require.Equal(t, "Acme & Sons", changed["name"])
	_, seen := w.send(owner, http.MethodGet, path, "")
	require.Equal(t, "bills@example.com", seen["billing_email"])
	require.Equal(t, []any{"AI_SQL_GENERATOR_OPT_IN"}, seen["opt_in_tags"])

	w.succeed(owner, http.MethodPatch, path, `{"opt_in_tags":[]}`)
	_, seen = w.send(owner, http.MethodGet, path, "")
	require.Empty(t, seen["opt_in_tags"])
	require.Equal(t, "Acme & Sons", seen["name"], "what is not named stays")

	for _, body := range []string{`{"opt_in_tags":["EVERYTHING"]}`, `{"billing_email":"nobody"}`, `{"name":""}`} {
		status, _ = w.send(owner, http.MethodPatch, path, body)
		require.Equal(t, http.StatusBadRequest, status, body)
	}
}

func TestAnOrganizationIsDeletedWhenItsProjectsAreGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	path := "/platform/organizations/" + p.slug
	status, refusal := w.send(w.as(store.RoleOwner), http.MethodDelete, path, "")
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "The organization still has projects. Delete them first.", refusal["message"])
	w.exec(`delete from platform.projects where ref = $1`, p.ref)
	w.succeed(w.as(store.RoleOwner), http.MethodDelete, path, "")
	status, _ = w.send(w.as(store.RoleOwner), http.MethodGet, path, "")
	require.Equal(t, http.StatusNotFound, status)
}

func TestAnOrganizationThatDemandsASecondFactorIsClosedToSessionsWithout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	path := "/platform/organizations/" + p.slug
	enforcement := path + "/members/mfa/enforcement"
	one, two := w.as(store.RoleOwner), secondFactor(t, callers[2].id)

	status, refusal := w.send(one, http.MethodPatch, enforcement, `{"enforced":true}`)
	require.Equal(t, http.StatusBadRequest, status, "nobody locks themselves out: %v", refusal)
	status, answer := w.send(two, http.MethodPatch, enforcement, `{"enforced":true}`)
	require.Equal(t, http.StatusCreated, status)
	require.Equal(t, true, answer["enforced"])

	for _, closed := range []string{path, path + "/members", path + "/projects", "/platform/projects/" + p.ref, "/v1/projects/" + p.ref, enforcement} {
		status, refusal = w.send(one, http.MethodGet, closed, "")
		require.Equal(t, http.StatusForbidden, status, closed)
		require.Equal(t, "mfa_required", refusal["code"])
		w.succeed(two, http.MethodGet, closed, "")
	}
	got := w.askGate(http.MethodGet, "/api/platform/pg-meta/"+p.ref+"/tables", p, callers[2])
	require.Equal(t, http.StatusForbidden, got.status)
	for _, list := range []string{"/platform/projects", "/v1/projects"} {
		require.NotContains(t, w.succeed(one, http.MethodGet, list, "").Body.String(), p.ref)
		require.Contains(t, w.succeed(two, http.MethodGet, list, "").Body.String(), p.ref)
	}
	var organizations []OrganizationResponse
	w.list(one, "/platform/organizations", &organizations)
	require.True(t, organizations[0].OrganizationRequiresMFA, "Studio says why")

	_, made := w.send(two, http.MethodPost, "/platform/profile/access-tokens", `{"name":"laptop"}`)
	w.succeed("Bearer "+made["token"].(string), http.MethodGet, path, "")
}

func TestAnInvitationDoesNotGoRoundTheSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	token := w.invite(p, inviteOutsider)
	w.succeed(secondFactor(t, callers[2].id), http.MethodPatch, "/platform/organizations/"+p.slug+"/members/mfa/enforcement", `{"enforced":true}`)
	status, refusal := w.send(w.outsider(), http.MethodPost, p.invitations()+"/"+token, "")
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "mfa_required", refusal["code"])
	w.succeed(secondFactor(t, outsiderID), http.MethodPost, p.invitations()+"/"+token, "")
}
