package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Member is somebody in an organization.
type Member struct {
	ProfileID    int64
	GotrueID     string // a UUID
	PrimaryEmail string
	Username     string
	Roles
}

const memberColumns = `u.id, u.gotrue_id::text, u.primary_email, u.username, ` + rolesColumns

// Members lists who is in an organization, by their time in it.
func (s *Store) Members(ctx context.Context, organizationID int64) ([]Member, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+memberColumns+`
		from platform.members m join platform.profiles u on u.id = m.profile_id
		where m.organization_id = $1 order by m.joined_at, m.number`, organizationID)
	members, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Member])
	return members, wrap("list the members", err)
}

// MemberChange says whose roles are changed, and by whose right.
type MemberChange struct {
	Actor          Actor
	OrganizationID int64
	GotrueID       string // of the member; a UUID
	// Permit decides whether the actor may take and give these base roles. It is asked while the members are locked, so
	// that what it decides on is what is changed.
	Permit func(taken, given []Role) error
}

// AssignRole gives a member a role: in the whole organization, in the place of all other roles, where there are no
// refs; else in these projects, beside the other roles. ErrNotFound: no such member, or no such project in the
// organization.
func (s *Store) AssignRole(ctx context.Context, change MemberChange, role Role, refs []Ref) error {
	return s.changeMember(ctx, change, "assign the role", func(ctx context.Context, tx pgx.Tx, roles Roles) (Roles, error) {
		if len(refs) == 0 {
			return Roles{Number: roles.Number, Role: role}, nil
		}
		projects, err := projectsByRef(ctx, tx, change.OrganizationID, refs)
		return roles.with(role, projects), err
	})
}

// SetRoleProjects says in which projects a member has a project-scoped role, and in no others.
// ErrNotFound: no such member, role or project.
func (s *Store) SetRoleProjects(ctx context.Context, change MemberChange, id RoleID, refs []Ref) error {
	return s.changeMember(ctx, change, "set the role's projects", func(ctx context.Context, tx pgx.Tx, roles Roles) (Roles, error) {
		if id.number() != roles.Number || !id.Base().Valid() {
			return Roles{}, ErrNotFound
		}
		projects, err := projectsByRef(ctx, tx, change.OrganizationID, refs)
		return roles.without(id.Base()).with(id.Base(), projects), err
	})
}

// UnassignRole takes a role away from a member; the last one goes only with the member. A role that is theirs no more is
// no error. ErrNotFound: no such member, or a role that never was this member's.
func (s *Store) UnassignRole(ctx context.Context, change MemberChange, id RoleID) error {
	return s.changeMember(ctx, change, "take the role away", func(_ context.Context, _ pgx.Tx, roles Roles) (Roles, error) {
		switch {
		case !id.Base().Valid() || id.Scoped() && id.number() != roles.Number:
			return Roles{}, ErrNotFound
		case id.Scoped():
			roles = roles.without(id.Base())
		case roles.Role == id.Base():
			roles.Role = 0
		}
		return roles, nil
	})
}

// RemoveMember ends a membership, by a right or by the member's own wish. ErrNotFound: no such member.
func (s *Store) RemoveMember(ctx context.Context, change MemberChange) error {
	_, err := write(ctx, s, change.Actor, "remove the member", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		member, err := lockMember(ctx, tx, change.OrganizationID, change.GotrueID)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		if err := change.Permit(member.beyond(Roles{}), nil); err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		_, err = tx.Exec(ctx, `delete from platform.members where organization_id = $1 and profile_id = $2`,
			change.OrganizationID, member.ProfileID)
		if err != nil {
			return struct{}{}, AuditEntry{}, fmt.Errorf("delete the row: %w", err)
		}
		action := "members.remove"
		if member.ProfileID == change.Actor.ProfileID {
			action = "members.leave"
		}
		entry := AuditEntry{Action: action, OrganizationID: change.OrganizationID, Details: map[string]any{
			"member": member.PrimaryEmail, "before": member.IDs(),
		}}
		return struct{}{}, entry, checkOwners(ctx, tx, change.OrganizationID)
	})
	return err
}

// changeMember works out a member's new roles while the organization's members are locked, asks for permission, and
// keeps them.
func (s *Store) changeMember(ctx context.Context, change MemberChange, doing string, next func(context.Context, pgx.Tx, Roles) (Roles, error)) error {
	_, err := write(ctx, s, change.Actor, doing, func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		member, err := lockMember(ctx, tx, change.OrganizationID, change.GotrueID)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		roles, err := next(ctx, tx, member.Roles)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		if err := change.Permit(member.beyond(roles), roles.beyond(member.Roles)); err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		if len(roles.IDs()) == 0 {
			return struct{}{}, AuditEntry{}, &ConflictError{"This is the member's only role. Remove the member instead."}
		}
		if err := keepRoles(ctx, tx, change.OrganizationID, member.ProfileID, roles); err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		entry := AuditEntry{Action: "members.update_role", OrganizationID: change.OrganizationID, Details: map[string]any{
			"member": member.PrimaryEmail, "before": member.IDs(), "after": roles.IDs(),
		}}
		return struct{}{}, entry, checkOwners(ctx, tx, change.OrganizationID)
	})
	return err
}

// lockOrganization makes changes of an organization's members wait for each other.
func lockOrganization(ctx context.Context, tx pgx.Tx, id int64) error {
	if err := tx.QueryRow(ctx, `select id from platform.organizations where id = $1 for update`, id).Scan(&id); err != nil {
		return fmt.Errorf("lock the organization: %w", err)
	}
	return nil
}

func lockMember(ctx context.Context, tx pgx.Tx, organizationID int64, gotrueID string) (Member, error) {
	if err := lockOrganization(ctx, tx, organizationID); err != nil {
		return Member{}, err
	}
	rows, _ := tx.Query(ctx, `
		select `+memberColumns+`
		from platform.members m join platform.profiles u on u.id = m.profile_id
		where m.organization_id = $1 and u.gotrue_id = $2`, organizationID, gotrueID)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Member])
}

func keepRoles(ctx context.Context, tx pgx.Tx, organizationID, profileID int64, roles Roles) error {
	_, err := tx.Exec(ctx, `update platform.members set role = nullif($3::smallint, 0) where organization_id = $1 and profile_id = $2`,
		organizationID, profileID, roles.Role)
	if err != nil {
		return fmt.Errorf("keep the role: %w", err)
	}
	_, err = tx.Exec(ctx, `delete from platform.project_members where organization_id = $1 and profile_id = $2`, organizationID, profileID)
	if err != nil {
		return fmt.Errorf("clear the project roles: %w", err)
	}
	return insertProjectRoles(ctx, tx, organizationID, profileID, roles.ProjectRoles)
}

func insertProjectRoles(ctx context.Context, tx pgx.Tx, organizationID, profileID int64, roles []ProjectRole) error {
	for _, one := range roles {
		_, err := tx.Exec(ctx, `
			insert into platform.project_members (project_id, profile_id, organization_id, role) values ($1, $2, $3, $4)`,
			one.ProjectID, profileID, organizationID, one.Role)
		if err != nil {
			return fmt.Errorf("keep the role in %s: %w", one.Ref, err)
		}
	}
	return nil
}

// checkOwners refuses what would leave an organization without an owner. The organization is locked, so that two owners
// cannot leave it to each other.
func checkOwners(ctx context.Context, tx pgx.Tx, organizationID int64) error {
	var owned bool
	err := tx.QueryRow(ctx, `
		select exists (select from platform.members where organization_id = $1 and role = $2)`,
		organizationID, RoleOwner).Scan(&owned)
	if err != nil {
		return fmt.Errorf("look for an owner: %w", err)
	}
	if !owned {
		return &ConflictError{"An organization needs at least one owner."}
	}
	return nil
}

// projectsByRef finds an organization's projects. ErrNotFound: one of them is not there.
func projectsByRef(ctx context.Context, tx pgx.Tx, organizationID int64, refs []Ref) ([]ProjectRole, error) {
	rows, _ := tx.Query(ctx, `
		select p.id, p.ref, p.name, 0::smallint from platform.projects p
		where p.organization_id = $1 and p.ref = any ($2) order by p.name, p.id`, organizationID, refs)
	projects, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ProjectRole])
	if err != nil {
		return nil, fmt.Errorf("find the projects: %w", err)
	}
	wanted := map[Ref]bool{}
	for _, ref := range refs {
		wanted[ref] = true
	}
	if len(projects) != len(wanted) {
		return nil, ErrNotFound
	}
	return projects, nil
}
