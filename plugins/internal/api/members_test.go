package api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/store"
)

func (w *world) as(role store.Role) string {
	for _, one := range callers {
		if one.role == role && one.id != "" {
			return one.authorization(w.t)
		}
	}
	panic("nobody has this role")
}

// roles returns a member's role ids as Studio is told them.
func (w *world) roles(p place, gotrueID string) []int64 {
	w.t.Helper()
	var members []Member
	w.list(w.as(store.RoleOwner), "/platform/organizations/"+p.slug+"/members", &members)
	for _, member := range members {
		if member.GotrueID == gotrueID {
			return member.RoleIDs
		}
	}
	return nil
}

func TestRolesGoUpAndDownAndAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	owner, victim := w.as(store.RoleOwner), "/platform/organizations/"+p.slug+"/members/"+victimID
	for _, role := range []int64{1, 2, 3, 4} {
		w.succeed(owner, http.MethodPatch, victim, fmt.Sprintf(`{"role_id":%d}`, role))
		require.Equal(t, []int64{role}, w.roles(p, victimID))
	}
	status, _ := w.send(owner, http.MethodDelete, victim, "")
	require.Equal(t, http.StatusOK, status)
	require.Nil(t, w.roles(p, victimID))
	status, _ = w.send(owner, http.MethodDelete, victim, "")
	require.Equal(t, http.StatusNotFound, status)
}

// What Studio's panel does when a Developer of the organization becomes one of a single project, and then a reader of
// two: it assigns, takes away and sets by the ids that the roles endpoint gave it.
func TestAMembersRolesMoveFromTheOrganizationToProjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	organization := w.organizationID(p)
	blog := w.runningProject(organization, "blog")
	owner, victim := w.as(store.RoleOwner), "/platform/organizations/"+p.slug+"/members/"+victimID

	w.succeed(owner, http.MethodPatch, victim, `{"role_id":3,"role_scoped_projects":["`+p.ref+`"]}`)
	w.succeed(owner, http.MethodDelete, victim+"/roles/3", "")
	scoped := w.roles(p, victimID)
	require.Len(t, scoped, 1)
	require.Greater(t, scoped[0], int64(4))

	w.succeed(owner, http.MethodPatch, victim, `{"role_id":4,"role_scoped_projects":["`+p.ref+`"]}`)
	w.succeed(owner, http.MethodDelete, fmt.Sprintf("%s/roles/%d", victim, scoped[0]), "") // gone already: its project moved
	scoped = w.roles(p, victimID)
	require.Len(t, scoped, 1)
	w.succeed(owner, http.MethodPut, fmt.Sprintf("%s/roles/%d", victim, scoped[0]), `{"name":"Read-only_1","role_scoped_projects":["`+p.ref+`","`+blog+`"]}`)

	_, roles := w.send(owner, http.MethodGet, "/platform/organizations/"+p.slug+"/roles", "")
	require.Len(t, roles["org_scoped_roles"], 4)
	require.Len(t, roles["project_scoped_roles"], 1)
	role := roles["project_scoped_roles"].([]any)[0].(map[string]any)
	require.InEpsilon(t, 4, role["base_role_id"], 0)
	require.Len(t, role["projects"], 2)

	status, refusal := w.send(owner, http.MethodDelete, fmt.Sprintf("%s/roles/%d", victim, scoped[0]), "")
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "This is the member's only role. Remove the member instead.", refusal["message"])
	status, _ = w.send(owner, http.MethodDelete, victim+"/roles/804", "")
	require.Equal(t, http.StatusNotFound, status, "a role of somebody else's")
}

func TestMembersOfOneProjectSeeThatOneEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	hidden := w.runningProject(w.organizationID(p), "hidden")
	w.join(w.organizationID(p), outsiderID, 0)
	w.scope(p.ref, outsiderID, store.RoleOwner)
	w.scope(hidden, victimID, store.RoleReadOnly)
	scoped := session(t, outsiderID, email(outsiderID))
	for _, path := range []string{
		"/platform/projects", "/platform/organizations/" + p.slug + "/projects", "/v1/projects",
		"/platform/organizations/" + p.slug + "/roles", "/platform/profile/permissions", "/platform/organizations/" + p.slug + "/projects?search=hidden",
	} {
		recorder := w.raw(scoped, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, recorder.Code, path)
		require.NotContains(t, recorder.Body.String(), hidden, path)
	}
	_, listed := w.send(scoped, http.MethodGet, "/platform/organizations/"+p.slug+"/projects", "")
	require.InEpsilon(t, 1, listed["pagination"].(map[string]any)["count"], 0)
}

func TestAnAdministratorOfTheSecondOrganizationIsOneToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place()
	second := w.place()
	status, refusal := w.send(w.as(store.RoleAdministrator), http.MethodPatch, "/platform/organizations/"+second.slug+"/members/"+victimID, `{"role_id":4}`)
	require.Equal(t, http.StatusOK, status, refusal)
}

func TestOnlyOwnersMakeOwnersAndTakeThatAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	administrator, members := w.as(store.RoleAdministrator), "/platform/organizations/"+p.slug+"/members/"
	ownerID := callers[2].id
	tests := []struct{ name, method, path, body string }{
		{"promote another", http.MethodPatch, victimID, `{"role_id":1}`},
		{"promote oneself", http.MethodPatch, callers[3].id, `{"role_id":1}`},
		{"promote in a project", http.MethodPatch, victimID, `{"role_id":1,"role_scoped_projects":["` + p.ref + `"]}`},
		{"demote an owner", http.MethodPatch, ownerID, `{"role_id":4}`},
		{"remove an owner", http.MethodDelete, ownerID, ``},
		{"take an owner's role away", http.MethodDelete, ownerID + "/roles/1", ``},
	}
	for _, test := range tests {
		status, refusal := w.send(administrator, test.method, members+test.path, test.body)
		require.Equal(t, http.StatusForbidden, status, "%s: %v", test.name, refusal)
	}
	require.Equal(t, []int64{1}, w.roles(p, ownerID))
	require.Equal(t, []int64{3}, w.roles(p, victimID))
}

func TestEverybodyMayLeaveButTheLastOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	members := "/platform/organizations/" + p.slug + "/members/"
	for _, one := range callers[3:] {
		w.succeed(one.authorization(t), http.MethodDelete, members+one.id, "")
		require.Nil(t, w.roles(p, one.id))
	}
	owner := members + callers[2].id
	for _, attempt := range []struct{ method, path, body string }{
		{http.MethodDelete, owner, ""},
		{http.MethodPatch, owner, `{"role_id":2}`},
		{http.MethodDelete, owner + "/roles/1", ""},
	} {
		status, refusal := w.send(w.as(store.RoleOwner), attempt.method, attempt.path, attempt.body)
		require.Equal(t, http.StatusConflict, status, refusal)
	}
	require.Equal(t, []int64{1}, w.roles(p, callers[2].id))
}

func TestTwoOwnersCannotLeaveTheOrganizationToEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 10 {
		p := w.place()
		members := "/platform/organizations/" + p.slug + "/members/"
		w.succeed(w.as(store.RoleOwner), http.MethodPatch, members+victimID, `{"role_id":1}`)
		statuses := make([]int, 2)
		var group errgroup.Group
		for i, id := range []string{callers[2].id, victimID} {
			authorization := session(t, id, email(id))
			group.Go(func() error {
				statuses[i] = w.raw(authorization, http.MethodDelete, members+id, "").Code
				return nil
			})
		}
		require.NoError(t, group.Wait())
		require.ElementsMatch(t, []int{http.StatusOK, http.StatusConflict}, statuses)
	}
}

func TestWhoHasASecondFactorIsKnownOfOneselfAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	secured := func(authorization string) (ids []string) {
		t.Helper()
		var members []V1Member
		w.list(authorization, "/v1/organizations/"+p.slug+"/members", &members)
		for _, one := range members {
			if one.MFAEnabled {
				ids = append(ids, one.UserID)
			}
		}
		return ids
	}
	require.Empty(t, secured(w.as(store.RoleOwner)))
	require.Equal(t, []string{callers[2].id}, secured(secondFactor(t, callers[2].id)))
}
