package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

// OrganizationRoleResponse lists the roles that members of an organization have or can be given.
type OrganizationRoleResponse struct {
	OrgScopedRoles     []Role `json:"org_scoped_roles"`
	ProjectScopedRoles []Role `json:"project_scoped_roles"`
}

// Role is a base role, or what one member or invitation has of it in some projects.
type Role struct {
	ID          int64         `json:"id"`
	BaseRoleID  int64         `json:"base_role_id"`
	Name        string        `json:"name"`
	Description *string       `json:"description"`
	Projects    []RoleProject `json:"projects" doc:"Empty for the whole organization."`
}

// RoleProject is a project that a role is scoped to.
type RoleProject struct {
	Name string `json:"name"`
	Ref  string `json:"ref"`
}

func (a *API) registerRoles() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/organizations/{slug}/roles",
		permission: access.InOrganization(access.Read, "auth.subject_roles"),
		kind:       Real, summary: "The roles in the organization",
	}, a.listRoles)
}

func (a *API) listRoles(ctx context.Context, c *call, _ *SlugPath) (OrganizationRoleResponse, error) {
	answer := OrganizationRoleResponse{OrgScopedRoles: []Role{}, ProjectScopedRoles: []Role{}}
	for role := store.RoleOwner; role <= store.RoleReadOnly; role++ {
		answer.OrgScopedRoles = append(answer.OrgScopedRoles, Role{
			ID: int64(role), BaseRoleID: int64(role), Name: access.RoleNames[role], Projects: []RoleProject{},
		})
	}
	members, err := a.store.Members(ctx, c.membership.ID)
	if err != nil {
		return OrganizationRoleResponse{}, err
	}
	for _, member := range members {
		answer.ProjectScopedRoles = append(answer.ProjectScopedRoles, scopedRolesOf(member.Roles, c.membership.Roles)...)
	}
	invitations, err := a.store.Invitations(ctx, c.membership.ID)
	if err != nil {
		return OrganizationRoleResponse{}, err
	}
	for _, invitation := range invitations {
		answer.ProjectScopedRoles = append(answer.ProjectScopedRoles, scopedRolesOf(invitation.Roles, c.membership.Roles)...)
	}
	return answer, nil
}

// scopedRolesOf lists roles that are scoped to projects, as far as the viewer may know of the projects. A role without
// projects would be taken for one of the whole organization.
func scopedRolesOf(roles, viewer store.Roles) []Role {
	var list []Role
	for _, scoped := range roles.Scoped() {
		projects := visible(scoped.Projects, viewer)
		if len(projects) == 0 {
			continue
		}
		base := scoped.ID.Base()
		list = append(list, Role{
			ID: int64(scoped.ID), BaseRoleID: int64(base), Projects: projects,
			// Studio shows what is before the underscore.
			Name: fmt.Sprintf("%s_%d", access.RoleNames[base], scoped.ID),
		})
	}
	return list
}

func visible(roles []store.ProjectRole, viewer store.Roles) []RoleProject {
	projects := []RoleProject{}
	for _, one := range roles {
		if viewer.Sees(one.Ref) {
			projects = append(projects, RoleProject{Name: one.Name, Ref: string(one.Ref)})
		}
	}
	return projects
}
