package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// ProjectDetails is what is seldom asked of a project.
type ProjectDetails struct {
	Sensitive    bool       // Studio's assistant is kept away from its data
	DatabasePort *int32     // of the host that psql reaches the database at; nil until one was given out
	PoolerPort   *int32     // the same of its connection pooler
	PausedAt     *time.Time // when it was last paused; nil where it never was
}

const projectDetailsColumns = `p.is_sensitive,
	(select port from platform.project_ports where project_id = p.id and service = 'db'),
	(select port from platform.project_ports where project_id = p.id and service = 'pooler'),
	(select max(finished_at) from platform.operations where project_id = p.id and kind = 'pause' and state = 'succeeded')`

// ProjectDetails returns what is seldom asked of a project.
func (s *Store) ProjectDetails(ctx context.Context, projectID int64) (ProjectDetails, error) {
	rows, _ := s.pool.Query(ctx, `select `+projectDetailsColumns+` from platform.projects p where p.id = $1`, projectID)
	details, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ProjectDetails])
	return details, wrap("read the project's details", err)
}

// ProjectSettings is what Studio's settings page shows of a project.
type ProjectSettings struct {
	Sensitive    bool          // as in ProjectDetails
	DatabasePort *int32        // as in ProjectDetails
	Secrets      Secrets       // those that were asked for
	Postgrest    SectionConfig // what was set of ConfigPostgrest
}

// ProjectSettings reads what a project's settings page shows, with the named secrets.
func (s *Store) ProjectSettings(ctx context.Context, projectID int64, ref Ref, secrets ...string) (ProjectSettings, error) {
	const doing = "read the project's settings"
	sealed, err := s.sealedSecrets(ctx, projectID)
	if err != nil {
		return ProjectSettings{}, wrap(doing, err)
	}
	var settings ProjectSettings
	var postgrest []byte
	err = s.pool.QueryRow(ctx, `
		select p.is_sensitive, (select port from platform.project_ports where project_id = p.id and service = 'db'),
			(select sealed from platform.project_config where project_id = p.id and section = $2)
		from platform.projects p where p.id = $1`,
		projectID, ConfigPostgrest).Scan(&settings.Sensitive, &settings.DatabasePort, &postgrest)
	if err != nil {
		return ProjectSettings{}, wrap(doing, err)
	}
	if len(secrets) > 0 { // without names, all would be opened
		if settings.Secrets, err = s.openSecrets(ref, sealed, secrets...); err != nil {
			return ProjectSettings{}, wrap(doing, err)
		}
	}
	if postgrest == nil {
		return settings, nil
	}
	config, err := s.openConfig(ref, sealed.key, map[ConfigSection][]byte{ConfigPostgrest: postgrest})
	settings.Postgrest = config[ConfigPostgrest]
	return settings, wrap(doing, err)
}

// RenameProject gives a project another name.
func (s *Store) RenameProject(ctx context.Context, actor Actor, ref Ref, name string) (Project, error) {
	return write(ctx, s, actor, "rename the project", func(ctx context.Context, tx pgx.Tx) (Project, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return Project{}, AuditEntry{}, err
		}
		before := project.Name
		project.Name, project.UpdatedAt = name, s.now()
		_, err = tx.Exec(ctx, `update platform.projects set name = $2, updated_at = $3 where id = $1`, project.ID, name, project.UpdatedAt)
		return project, AuditEntry{
			Action: "projects.rename", OrganizationID: project.OrganizationID, ProjectRef: ref,
			Details: map[string]any{"before": before, "after": name},
		}, err
	})
}

// MarkSensitive says whether Studio's assistant is kept away from a project's data.
func (s *Store) MarkSensitive(ctx context.Context, actor Actor, ref Ref, sensitive bool) error {
	_, err := write(ctx, s, actor, "mark the project", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		_, err = tx.Exec(ctx, `update platform.projects set is_sensitive = $2, updated_at = $3 where id = $1`, project.ID, sensitive, s.now())
		return struct{}{}, AuditEntry{
			Action: "projects.mark_sensitive", OrganizationID: project.OrganizationID, ProjectRef: ref,
			Details: map[string]any{"sensitive": sensitive},
		}, err
	})
	return err
}

// ProjectMember is somebody who may see a project.
type ProjectMember struct {
	GotrueID     string
	PrimaryEmail string
	Username     string
}

// ProjectMembers lists everybody who may see a project, by name.
func (s *Store) ProjectMembers(ctx context.Context, projectID int64) ([]ProjectMember, error) {
	rows, _ := s.pool.Query(ctx, `
		select u.gotrue_id::text, u.primary_email, u.username
		from platform.profiles u, `+visibleProjects+` and p.id = $1 and u.id = m.profile_id order by u.username`, projectID)
	members, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ProjectMember])
	return members, wrap("list the project's members", err)
}

// TransferProject moves a project into another organization. Roles in the project alone go with the organization that
// they were given in, and so do invitations to it.
func (s *Store) TransferProject(ctx context.Context, actor Actor, ref Ref, organizationID int64) error {
	_, err := write(ctx, s, actor, "transfer the project", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		entry := AuditEntry{
			Action: "projects.transfer", OrganizationID: organizationID, ProjectRef: ref,
			Details: map[string]any{"name": project.Name, "from": project.OrganizationSlug},
		}
		if project.OrganizationID == organizationID {
			return struct{}{}, entry, &ConflictError{"The project is in this organization already."}
		}
		if project.Desired == DesiredRemoved {
			return struct{}{}, entry, &ConflictError{"The project is being deleted."}
		}
		if project.ParentRef != nil {
			return struct{}{}, entry, &ConflictError{"A branch stays in the organization of its project."}
		}
		if err := requireNoBranches(ctx, tx, project); err != nil {
			return struct{}{}, entry, err
		}
		if err := s.moveProject(ctx, tx, project, organizationID); err != nil {
			return struct{}{}, entry, err
		}
		left := entry // the organization that it leaves has to know of it, too
		left.OrganizationID, left.Details = project.OrganizationID, map[string]any{"name": project.Name}
		return struct{}{}, entry, s.audit(ctx, tx, actor, left)
	})
	return err
}

func (s *Store) moveProject(ctx context.Context, tx pgx.Tx, project Project, organizationID int64) error {
	for _, statement := range []string{
		`delete from platform.project_members where project_id = $1`,
		`delete from platform.invitation_projects where project_id = $1`,
	} {
		if _, err := tx.Exec(ctx, statement, project.ID); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `update platform.projects set organization_id = $2, updated_at = $3 where id = $1`, project.ID, organizationID, s.now())
	if violates(err, "projects_organization_id_fkey") {
		return ErrNotFound // deleted in the meantime
	}
	return err
}
