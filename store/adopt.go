package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// TargetAdopted is the deployment target of projects that are installations of their own, which the platform took in: no
// provisioner works for it, so nothing of theirs is ever made, stopped or removed.
const TargetAdopted = "adopted"

// Adopted tells whether the project is an installation of its own.
func (p ProjectSummary) Adopted() bool { return p.Target == TargetAdopted }

// errAdopted refuses what only the installation's own operator can do.
var errAdopted = &ConflictError{"The project is an installation of its own, which the platform adopted: it is started, stopped, changed and upgraded where it is installed."}

// Installation is what is to be adopted.
type Installation struct {
	Name           string
	OrganizationID int64
	DatabaseHost   string
	DatabasePort   uint16
	DBVersion      string // as its Postgres reports it
	Services       []ServiceState
	Secrets        Secrets // the installation's own: the database's password, the JWT secret and the two keys
}

// ErrAdoptedBefore says that the installation was adopted, and that somebody has detached it since.
var ErrAdoptedBefore = errors.New("the installation was adopted before, and detached")

// Adopt takes an installation in as a project, or, where it was taken in already, brings what is known of it up to date. It
// touches nothing of the installation itself. again says that one that was detached is taken in once more.
func (s *Store) Adopt(ctx context.Context, actor Actor, installation Installation, again bool) (Project, error) {
	return write(ctx, s, actor, "adopt the installation", func(ctx context.Context, tx pgx.Tx) (Project, AuditEntry, error) {
		project, err := findAdopted(ctx, tx, installation)
		if errors.Is(err, pgx.ErrNoRows) {
			if err := checkDetached(ctx, tx, installation, again); err != nil {
				return Project{}, AuditEntry{}, err
			}
			project, err = s.insertAdopted(ctx, tx, installation)
		} else if err == nil {
			err = s.replaceSecrets(ctx, tx, project, installation.Secrets)
		}
		if err != nil {
			return Project{}, AuditEntry{}, err
		}
		claim := Claim{Project: project, store: s}
		entry := AuditEntry{
			Action: "projects.adopt", OrganizationID: project.OrganizationID, ProjectRef: project.Ref,
			Details: map[string]any{"database": installation.address()},
		}
		return project, entry, claim.noteServices(ctx, tx, installation.Services)
	})
}

func (i Installation) address() string { return fmt.Sprintf("%s:%d", i.DatabaseHost, i.DatabasePort) }

func findAdopted(ctx context.Context, tx pgx.Tx, installation Installation) (Project, error) {
	rows, _ := tx.Query(ctx, `
		select `+projectColumns+` from platform.projects p join platform.organizations o on o.id = p.organization_id
		where p.target = $1 and p.db_host = $2 and p.db_port = $3 for update of p`,
		TargetAdopted, installation.DatabaseHost, int32(installation.DatabasePort))
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Project])
}

// checkDetached keeps a start of the platform from taking in again what somebody has detached.
func checkDetached(ctx context.Context, tx pgx.Tx, installation Installation, again bool) error {
	if again {
		return nil
	}
	var before bool
	err := tx.QueryRow(ctx, `
		select exists (select from platform.audit_log where action = 'projects.adopt' and details->>'database' = $1)`,
		installation.address()).Scan(&before)
	if err == nil && before {
		return ErrAdoptedBefore
	}
	return err
}

func (s *Store) insertAdopted(ctx context.Context, tx pgx.Tx, installation Installation) (Project, error) {
	name, err := newLetters(s.random, 20)
	if err != nil {
		return Project{}, err
	}
	secrets, err := s.newSecrets(Ref(name), "")
	if err != nil {
		return Project{}, err
	}
	for secret, value := range installation.Secrets {
		secrets[secret] = value
	}
	services := []string{}
	for _, service := range installation.Services {
		services = append(services, service.Service)
	}
	rows, _ := tx.Query(ctx, `
		with p as (
			insert into platform.projects (ref, organization_id, name, cloud_provider, region, target, compute_size, services,
				desired, generation, observed_generation, status, db_version, db_host, db_port, created_at, updated_at)
			values ($1, $2, $3, 'LOCAL', 'local', $4, $5, $6, $7, 1, 1, $8, $9, $10, $11, $12, $12) returning *
		)
		select `+projectColumns+` from p join platform.organizations o on o.id = p.organization_id`,
		name, installation.OrganizationID, installation.Name, TargetAdopted, ComputeSizes[0].Name, services, DesiredActive,
		StatusActiveHealthy, installation.DBVersion, installation.DatabaseHost, int32(installation.DatabasePort), s.now())
	project, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Project])
	if err != nil {
		return Project{}, err
	}
	if err := s.insertSecrets(ctx, tx, project.ID, project.Ref, secrets); err != nil {
		return Project{}, err
	}
	return project, s.insertDefaultAPIKeys(ctx, tx, project)
}

// detach forgets an adopted project. The installation goes on as it is.
func (s *Store) detach(ctx context.Context, tx pgx.Tx, actor Actor, project Project) (Project, error) {
	_, err := tx.Exec(ctx, `
		insert into platform.operations (project_id, project_ref, kind, generation, requested_by, request_id, created_at, state, started_at, finished_at)
		values ($1, $2, 'delete', $3, $4, $5, $6, 'succeeded', $6, $6)`,
		project.ID, project.Ref, project.Generation+1, actor.ProfileID, actor.RequestID, s.now())
	if err != nil {
		return Project{}, fmt.Errorf("note the operation: %w", err)
	}
	_, err = tx.Exec(ctx, `delete from platform.projects where id = $1`, project.ID)
	project.Desired, project.Status = DesiredRemoved, StatusGoingDown
	return project, err
}

// AdoptedProject is an installation that the platform looks after.
type AdoptedProject struct {
	Project
	Services []ServiceState
}

// AdoptedProjects lists them, by their age.
func (s *Store) AdoptedProjects(ctx context.Context) ([]AdoptedProject, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+projectColumns+` from platform.projects p join platform.organizations o on o.id = p.organization_id
		where p.target = $1 order by p.id`, TargetAdopted)
	projects, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Project])
	if err != nil {
		return nil, wrap("list the adopted projects", err)
	}
	adopted := make([]AdoptedProject, len(projects))
	for i, project := range projects {
		adopted[i].Project = project
		if adopted[i].Services, err = s.ProjectServices(ctx, project.ID); err != nil {
			return nil, err
		}
	}
	return adopted, nil
}

// NoteAdopted writes down how an installation's services are, and with them the project.
func (s *Store) NoteAdopted(ctx context.Context, project Project, services []ServiceState) error {
	status, message := StatusActiveHealthy, (*string)(nil)
	for _, service := range services {
		if !service.Healthy {
			status, message = StatusActiveUnhealthy, service.Message
			break
		}
	}
	claim := Claim{Project: project, store: s}
	return wrap("note an installation's health", pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Whoever detaches it in the meantime wins.
		tag, err := tx.Exec(ctx, `
			update platform.projects set status = $2, message = $3,
				updated_at = case when status = $2 then updated_at else $4 end
			where id = $1`, project.ID, status, message, s.now())
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return claim.noteServices(ctx, tx, services)
	}))
}

// OldestOrganization is the organization of that slug, or the oldest where it is empty, and its first owner: for whom what
// comes before anybody signs in is done. ErrNotFound: there is none.
func (s *Store) OldestOrganization(ctx context.Context, slug Slug) (organizationID, ownerID int64, err error) {
	err = s.pool.QueryRow(ctx, `
		select o.id, m.profile_id from platform.organizations o join platform.members m on m.organization_id = o.id
		where m.role = $1 and ($2 = '' or o.slug = $2) order by o.id, m.joined_at, m.profile_id limit 1`,
		RoleOwner, slug).Scan(&organizationID, &ownerID)
	return organizationID, ownerID, wrap("look for an organization", err)
}

// InstallationVersion asks an installation's Postgres, with the password that it is to be adopted with, which version it is.
func InstallationVersion(ctx context.Context, host string, port uint16, password string) (string, error) {
	config, err := pgx.ParseConfig("dbname=postgres user=postgres connect_timeout=10")
	if err != nil {
		return "", err
	}
	config.Host, config.Port, config.Password = host, port, password
	connection, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "", wrap("reach the installation's database", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	var version string
	err = connection.QueryRow(ctx, `select split_part(current_setting('server_version'), ' ', 1)`).Scan(&version)
	return version, wrap("ask the installation's database for its version", err)
}
