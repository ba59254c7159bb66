package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// Member is somebody in an organization.
type Member struct {
	GotrueID     string         `json:"gotrue_id"`
	PrimaryEmail *string        `json:"primary_email"`
	Username     string         `json:"username"`
	RoleIDs      []int64        `json:"role_ids"`
	MFAEnabled   bool           `json:"mfa_enabled" doc:"Of your own session; of others it is not known, and false."`
	IsSSOUser    *bool          `json:"is_sso_user"`
	Metadata     map[string]any `json:"metadata"`
}

// ReachedFreeProjectLimit is a member who may not make more free projects. There are none: there is no such limit.
type ReachedFreeProjectLimit struct {
	FreeProjectLimit int    `json:"free_project_limit"`
	PrimaryEmail     string `json:"primary_email"`
	Username         string `json:"username"`
}

// MemberPath names a member of an organization.
type MemberPath struct {
	Slug     string `path:"slug"`
	GotrueID string `path:"gotrue_id" format:"uuid"`
}

// MemberRolePath names a role of a member.
type MemberRolePath struct {
	MemberPath
	RoleID int64 `path:"role_id" minimum:"1"`
}

type assignRoleInput struct {
	MemberPath
	Body struct {
		RoleID   int16    `json:"role_id" minimum:"1" maximum:"4" doc:"A base role."`
		Projects []string `json:"role_scoped_projects,omitempty" maxItems:"1000" doc:"Refs. Absent or empty: the whole organization."`
	}
}

type updateRoleInput struct {
	MemberRolePath
	Body struct {
		Projects []string `json:"role_scoped_projects" minItems:"1" maxItems:"1000" doc:"Refs."`
	}
}

func (a *API) registerMembers() {
	const members = "/platform/organizations/{slug}/members"
	handle(a, route{
		method: http.MethodGet, path: members, permission: access.InOrganization(access.Read, "auth.subject_roles"),
		kind: Real, summary: "Who is in the organization",
	}, a.listMembers)
	same(a, members+"/reached-free-project-limit", access.InOrganization(access.Read, "organizations"),
		"Members at the limit of free projects: none", nothingSold, []ReachedFreeProjectLimit{})
	act(a, route{
		method: http.MethodPatch, path: members + "/{gotrue_id}",
		permission: access.InOrganization(access.Create, "auth.subject_roles"),
		kind:       Real, summary: "Give a member a role, in the organization or in some projects",
	}, a.assignRole)
	act(a, route{
		method: http.MethodDelete, path: members + "/{gotrue_id}",
		permission: access.InOrganization(access.Delete, "auth.subject_roles").OrOneself("gotrue_id"),
		kind:       Real, summary: "Remove a member, or leave",
	}, a.removeMember)
	act(a, route{
		method: http.MethodPut, path: members + "/{gotrue_id}/roles/{role_id}",
		permission: access.InOrganization(access.Create, "auth.subject_roles"),
		kind:       Real, summary: "Set the projects of a member's role",
	}, a.updateRole)
	act(a, route{
		method: http.MethodDelete, path: members + "/{gotrue_id}/roles/{role_id}",
		permission: access.InOrganization(access.Delete, "auth.subject_roles"),
		kind:       Real, summary: "Take a role away from a member",
	}, a.unassignRole)
}

func (a *API) listMembers(ctx context.Context, c *call, _ *SlugPath) ([]Member, error) {
	members, err := a.store.Members(ctx, c.membership.ID)
	if err != nil {
		return nil, err
	}
	list := make([]Member, len(members))
	for i, member := range members {
		list[i] = memberOf(member, c)
	}
	return list, nil
}

func (a *API) assignRole(ctx context.Context, c *call, in *assignRoleInput) error {
	refs, err := parseRefs(in.Body.Projects)
	if err != nil {
		return err
	}
	return memberProblem(a.store.AssignRole(ctx, a.memberChange(c, in.GotrueID), store.Role(in.Body.RoleID), refs))
}

func (a *API) updateRole(ctx context.Context, c *call, in *updateRoleInput) error {
	refs, err := parseRefs(in.Body.Projects)
	if err != nil {
		return err
	}
	id := store.RoleID(in.RoleID)
	if !id.Scoped() {
		return problem.BadRequest("This role is of the whole organization: it has no projects.")
	}
	return memberProblem(a.store.SetRoleProjects(ctx, a.memberChange(c, in.GotrueID), id, refs))
}

func (a *API) unassignRole(ctx context.Context, c *call, in *MemberRolePath) error {
	return memberProblem(a.store.UnassignRole(ctx, a.memberChange(c, in.GotrueID), store.RoleID(in.RoleID)))
}

func (a *API) removeMember(ctx context.Context, c *call, in *MemberPath) error {
	change := a.memberChange(c, in.GotrueID)
	if in.GotrueID == c.Profile.GotrueID {
		change.Permit = func(_, _ []store.Role) error { return nil } // everybody may leave
	}
	return memberProblem(a.store.RemoveMember(ctx, change))
}

// memberChange permits what the caller may take and give: owners' roles are theirs alone to hand out.
func (a *API) memberChange(c *call, gotrueID string) store.MemberChange {
	return store.MemberChange{
		Actor: c.actor, OrganizationID: c.membership.ID, GotrueID: gotrueID,
		Permit: func(taken, given []store.Role) error {
			if err := permitRoles(c, access.Delete, "auth.subject_roles", taken...); err != nil {
				return err
			}
			return permitRoles(c, access.Create, "auth.subject_roles", given...)
		},
	}
}

func permitRoles(c *call, action, resource string, roles ...store.Role) error {
	for _, role := range roles {
		if !access.AllowsRole(c.membership.Roles, action, resource, role) {
			return problem.New(http.StatusForbidden, fmt.Sprintf("Your role does not allow this: the role %s is not yours to give or take.", access.RoleNames[role]))
		}
	}
	return nil
}

func memberProblem(err error) error {
	return problem.OrNotFound(err, "Member, role or project not found")
}

func parseRefs(texts []string) ([]store.Ref, error) {
	refs := make([]store.Ref, len(texts))
	for i, text := range texts {
		ref, ok := store.ParseRef(text)
		if !ok {
			return nil, problem.NotFound("Project not found")
		}
		refs[i] = ref
	}
	return refs, nil
}

func memberOf(m store.Member, c *call) Member {
	ids := []int64{}
	if m.Role.Valid() {
		ids = append(ids, int64(m.Role))
	}
	for _, scoped := range m.Scoped() {
		if len(visible(scoped.Projects, c.membership.Roles)) > 0 {
			ids = append(ids, int64(scoped.ID))
		}
	}
	return Member{
		GotrueID: m.GotrueID, PrimaryEmail: &m.PrimaryEmail, Username: m.Username, RoleIDs: ids,
		MFAEnabled: c.secured(m),
		Metadata:   map[string]any{},
	}
}

// secured tells whether the caller is that member, in a session with a second factor.
func (c *call) secured(m store.Member) bool {
	return m.ProfileID == c.Profile.ID && !c.AccessToken && access.HasSecondFactor(c.Caller)
}
