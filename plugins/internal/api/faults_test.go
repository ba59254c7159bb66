package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
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
