package store

import (
	"maps"
	"slices"
)

// Role is a base role. The numbers are the same in every organization.
type Role int16

// The base roles, as upstream names them.
const (
	RoleOwner         Role = 1
	RoleAdministrator Role = 2
	RoleDeveloper     Role = 3
	RoleReadOnly      Role = 4
)

// Valid tells whether the role is one of the four.
func (r Role) Valid() bool { return r >= RoleOwner && r <= RoleReadOnly }

// RoleID is a role as Studio names it: a base role in the whole organization, or the role that one member has in some
// projects. The latter is the member's number times 8 plus the base role: never a base id, never the same for two
// members, and the remainder by 8 is the base role in either case.
type RoleID int64

// roleIDs is how many ids each member's number stands for.
const roleIDs = 8

// Base returns the base role that an id stands for; it is not valid where the id is not one of a role.
func (id RoleID) Base() Role { return Role(id % roleIDs) }

// number returns the member's number, and 0 for a base role.
func (id RoleID) number() int64 { return int64(id) / roleIDs }

// Scoped tells a role in some projects from one in the whole organization.
func (id RoleID) Scoped() bool { return id.number() > 0 }

// ProjectRole is a role in one project alone.
type ProjectRole struct {
	ProjectID int64  `json:"project_id"`
	Ref       Ref    `json:"ref"`
	Name      string `json:"name"` // of the project
	Role      Role   `json:"role"`
}

// Roles is what somebody is in an organization.
type Roles struct {
	// Number tells this membership from every other one, and from every invitation.
	Number int64
	// Role is of the whole organization; 0 for a member of some projects alone.
	Role Role
	// ProjectRoles are of one project each, by the project's name.
	ProjectRoles []ProjectRole
}

// rolesColumns reads Roles of the member m.
const rolesColumns = `m.number, coalesce(m.role, 0), coalesce((
	select jsonb_agg(jsonb_build_object('project_id', p.id, 'ref', p.ref, 'name', p.name, 'role', r.role) order by p.name, p.id)
	from platform.project_members r join platform.projects p on p.id = r.project_id
	where r.organization_id = m.organization_id and r.profile_id = m.profile_id), '[]')`

// ScopedRole is one member's base role in some projects.
type ScopedRole struct {
	ID       RoleID
	Projects []ProjectRole
}

// Scoped lists the roles in projects, one for each base role.
func (r Roles) Scoped() []ScopedRole {
	byID := map[RoleID][]ProjectRole{}
	for _, one := range r.ProjectRoles {
		id := RoleID(r.Number*roleIDs + int64(one.Role))
		byID[id] = append(byID[id], one)
	}
	scoped := make([]ScopedRole, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		scoped = append(scoped, ScopedRole{id, byID[id]})
	}
	return scoped
}

// IDs lists the ids of all roles, that of the whole organization first.
func (r Roles) IDs() []RoleID {
	ids := []RoleID{}
	if r.Role.Valid() {
		ids = append(ids, RoleID(r.Role))
	}
	for _, scoped := range r.Scoped() {
		ids = append(ids, scoped.ID)
	}
	return ids
}

// Sees tells whether somebody with these roles may know of a project of the organization.
func (r Roles) Sees(ref Ref) bool {
	return r.Role.Valid() || slices.ContainsFunc(r.ProjectRoles, func(one ProjectRole) bool { return one.Ref == ref })
}

// in returns the role in a project alone, 0 where there is none.
func (r Roles) in(projectID int64) Role {
	for _, one := range r.ProjectRoles {
		if one.ProjectID == projectID {
			return one.Role
		}
	}
	return 0
}

// with returns the roles with one more role in some projects, in the place of what the member was in them.
func (r Roles) with(role Role, projects []ProjectRole) Roles {
	changed := r
	changed.ProjectRoles = slices.DeleteFunc(slices.Clone(r.ProjectRoles), func(one ProjectRole) bool {
		return slices.ContainsFunc(projects, func(other ProjectRole) bool { return other.ProjectID == one.ProjectID })
	})
	for _, project := range projects {
		project.Role = role
		changed.ProjectRoles = append(changed.ProjectRoles, project)
	}
	return changed
}

// without returns the roles without a base role in any project.
func (r Roles) without(role Role) Roles {
	changed := r
	changed.ProjectRoles = slices.DeleteFunc(slices.Clone(r.ProjectRoles), func(one ProjectRole) bool { return one.Role == role })
	return changed
}

// beyond lists the base roles that r has and other has not, in the whole organization or in any one project.
func (r Roles) beyond(other Roles) []Role {
	roles := []Role{}
	if r.Role.Valid() && r.Role != other.Role {
		roles = append(roles, r.Role)
	}
	for _, one := range r.ProjectRoles {
		if other.in(one.ProjectID) != one.Role {
			roles = append(roles, one.Role)
		}
	}
	return roles
}
