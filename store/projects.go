package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Status is a project's state as Studio knows it.
type Status string

// The statuses that the platform uses. What leads from one to another: lifecycle.go.
const (
	StatusComingUp        Status = "COMING_UP"
	StatusActiveHealthy   Status = "ACTIVE_HEALTHY"
	StatusActiveUnhealthy Status = "ACTIVE_UNHEALTHY"
	StatusInitFailed      Status = "INIT_FAILED"
	StatusPausing         Status = "PAUSING"
	StatusInactive        Status = "INACTIVE"
	StatusPauseFailed     Status = "PAUSE_FAILED"
	StatusRestoring       Status = "RESTORING"
	StatusRestoreFailed   Status = "RESTORE_FAILED"
	StatusRestarting      Status = "RESTARTING"
	StatusResizing        Status = "RESIZING"
	StatusUpgrading       Status = "UPGRADING"
	StatusGoingDown       Status = "GOING_DOWN"
)

// Desired is what a project should become.
type Desired string

// The desired states.
const (
	DesiredActive   Desired = "active"
	DesiredInactive Desired = "inactive"
	DesiredRemoved  Desired = "removed"
)

// OperationKind is what somebody asked of a project.
type OperationKind string

// The kinds of operations.
const (
	OperationCreate    OperationKind = "create"
	OperationPause     OperationKind = "pause"
	OperationRestore   OperationKind = "restore"
	OperationRestart   OperationKind = "restart"
	OperationConfigure OperationKind = "configure" // take changed settings up: UpdateProjectConfig, change.go
	OperationResize    OperationKind = "resize"    // ResizeProject
	OperationUpgrade   OperationKind = "upgrade"   // UpgradeProject
	OperationDelete    OperationKind = "delete"

	OperationBackup        OperationKind = "backup"         // RequestBackup, ScheduleBackup
	OperationRestoreBackup OperationKind = "restore_backup" // RestoreBackup

	OperationMigrate OperationKind = "migrate" // TakeOver, ResetBranch
)

// ProjectSummary is what lists say of a project.
type ProjectSummary struct {
	ID               int64
	Ref              Ref
	OrganizationID   int64
	Name             string
	CloudProvider    string
	Region           string
	Target           string
	ComputeSize      string
	Status           Status
	DBVersion        *string // `17.6`, as Postgres reports it; nil until it was seen
	CreatedAt        time.Time
	Branching        bool  // it is the default branch of those that follow it
	PreviewRefs      []Ref // of its branches, oldest first
	OrganizationSlug Slug
}

// Project is a row of platform.projects, without secrets and without the lease.
type Project struct {
	ProjectSummary
	Services           []string
	Desired            Desired
	Generation         int64
	ObservedGeneration int64
	Message            *string // the last error in plain words; nil when all is well
	DBHost             *string // where postgres-meta reaches the database; nil until it was seen
	DBPort             *int32
	UpdatedAt          time.Time
	ParentID           *int64 // of the project whose branch it is; nil: it is none
	ParentRef          *Ref
	SSLEnforced        bool // the gateway's Postgres port refuses connections in plain text
}

// Running tells whether the project's services can be asked.
func (p ProjectSummary) Running() bool {
	return p.Status == StatusActiveHealthy || p.Status == StatusActiveUnhealthy
}

// The names of a project's secrets, as platform.project_secrets has them.
const (
	SecretDatabasePassword = "db_password"           // of the roles `postgres` and `supabase_admin`
	SecretReadOnlyPassword = "db_read_only_password" // of `supabase_read_only_user`
	SecretJWT              = "jwt_secret"
	SecretAnonKey          = "anon_key"    // a JWT with role anon, signed with the JWT secret
	SecretServiceKey       = "service_key" // a JWT with role service_role, signed with the JWT secret

	// What is not kept but made of the signing keys (verification.go), absent where the JWT secret alone signs.
	SecretJWTKeys = "jwt_keys" // JSON array of private JWKs, one of them for signing: GoTrue's GOTRUE_JWT_KEYS
	SecretJWKS    = "jwks"     // JWKS of all that verifies, PGRST_JWT_SECRET and its like; it holds the JWT secret too

	// What is not kept either but made of the project's data key: it stays when any other secret is changed.
	SecretSeed = "seed" // what secrets of the services' own are derived from
)

// Secrets are a project's secrets in clear, by name. They print as a placeholder.
type Secrets map[string]string

// String hides the values from logs and error messages.
func (s Secrets) String() string { return "[secrets]" }

// GoString hides the values from %#v.
func (s Secrets) GoString() string { return s.String() }

// NewProject is what a user decides when a project is made.
type NewProject struct {
	OrganizationID   int64
	Name             string
	CloudProvider    string
	Region           string
	Target           string
	ComputeSize      string
	Services         []string // nil: what the target's new projects have
	TargetLimit      int      // how many projects may run on the target; 0: any number
	DatabasePassword string   `json:"-"`
}

// CreatedProject is a project that was just made, with the keys that its creator is shown.
type CreatedProject struct {
	Project
	AnonKey    string
	ServiceKey string
}

const (
	// The organization's slug is not among them: who lists projects knows it.
	projectSummaryColumns = `p.id, p.ref, p.organization_id, p.name, p.cloud_provider, p.region, p.target, p.compute_size,
	p.status, p.db_version, p.created_at, p.branching,
	case when p.branching then array(select b.ref from platform.projects b where b.parent_id = p.id order by b.id) end`
	projectColumns     = projectSummaryColumns + `, o.slug, ` + projectRestColumns
	projectRestColumns = `p.services, p.desired, p.generation, p.observed_generation, p.message, p.db_host, p.db_port, p.updated_at,
	p.parent_id, (select q.ref from platform.projects q where q.id = p.parent_id), p.ssl_enforced`
)

// CreateProject makes a project that is wanted active, and wakes the provisioner of its target. ErrNotFound: the
// organization is gone.
func (s *Store) CreateProject(ctx context.Context, actor Actor, wanted NewProject) (CreatedProject, error) {
	return write(ctx, s, actor, "create the project", func(ctx context.Context, tx pgx.Tx) (CreatedProject, AuditEntry, error) {
		return s.createProject(ctx, tx, actor, wanted)
	})
}

func (s *Store) createProject(ctx context.Context, tx pgx.Tx, actor Actor, wanted NewProject) (CreatedProject, AuditEntry, error) {
	if err := requireRoom(ctx, tx, wanted.Target, wanted.TargetLimit); err != nil {
		return CreatedProject{}, AuditEntry{}, err
	}
	name, err := newLetters(s.random, 20)
	if err != nil {
		return CreatedProject{}, AuditEntry{}, err
	}
	secrets, err := s.newSecrets(Ref(name), wanted.DatabasePassword)
	if err != nil {
		return CreatedProject{}, AuditEntry{}, err
	}
	rows, _ := tx.Query(ctx, `
		with p as (
			insert into platform.projects (ref, organization_id, name, cloud_provider, region, target, compute_size,
				services, desired, status, created_at, updated_at)
			values ($1, $2, $3, $4, $5, $6, $7,
				coalesce($8, nullif((select services from platform.targets where name = $6), '{}'), $12), $9, $10, $11, $11)
			returning *
		)
		select `+projectColumns+` from p join platform.organizations o on o.id = p.organization_id`,
		name, wanted.OrganizationID, wanted.Name, wanted.CloudProvider, wanted.Region, wanted.Target,
		wanted.ComputeSize, wanted.Services, DesiredActive, StatusComingUp, s.now(), DefaultServices)
	project, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Project])
	if violates(err, "projects_organization_id_fkey") {
		return CreatedProject{}, AuditEntry{}, ErrNotFound // deleted in the meantime
	}
	if err != nil {
		return CreatedProject{}, AuditEntry{}, err
	}
	if err := s.insertSecrets(ctx, tx, project.ID, project.Ref, secrets); err != nil {
		return CreatedProject{}, AuditEntry{}, err
	}
	if err := s.insertDefaultAPIKeys(ctx, tx, project); err != nil {
		return CreatedProject{}, AuditEntry{}, err
	}
	if err := s.beginOperation(ctx, tx, actor, project, OperationCreate, nil); err != nil {
		return CreatedProject{}, AuditEntry{}, err
	}
	entry := AuditEntry{
		Action: "projects.create", OrganizationID: wanted.OrganizationID, ProjectRef: project.Ref,
		Details: map[string]any{"name": wanted.Name},
	}
	return CreatedProject{project, secrets[SecretAnonKey], secrets[SecretServiceKey]}, entry, nil
}

// ProjectAccess is a project as one of those who may see it does.
type ProjectAccess struct {
	Project
	OrganizationRole Role // 0 for a member of some projects alone
	ProjectRole      Role // in this project alone; 0 for those who have none
	MFARequired      bool // by the organization
}

// visibleProjects joins every project with each member who may see it: those with a role in the whole organization see
// all of them, others the ones that they have a role in.
const visibleProjects = `
	platform.members m
	join platform.projects p on p.organization_id = m.organization_id
	join platform.organizations o on o.id = p.organization_id
	left join platform.project_members pm on pm.project_id = p.id and pm.profile_id = m.profile_id
	where (m.role is not null or pm.role is not null)`

// ProjectByRef returns a project and what the profile is in it. ErrNotFound: no such project, or the profile may not
// see it.
func (s *Store) ProjectByRef(ctx context.Context, profileID int64, ref Ref) (ProjectAccess, error) {
	if s.memory != nil {
		return s.keptProject(ctx, profileID, ref)
	}
	rows, _ := s.pool.Query(ctx, `
		select `+projectColumns+`, coalesce(m.role, 0), coalesce(pm.role, 0), o.mfa_required
		from `+visibleProjects+` and p.ref = $2 and m.profile_id = $1`, profileID, ref)
	access, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[ProjectAccess])
	return access, wrap("look the project up", err)
}

// readProject returns a project, whoever asks.
func (s *Store) readProject(ctx context.Context, ref Ref) (Project, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+projectColumns+` from platform.projects p join platform.organizations o on o.id = p.organization_id
		where p.ref = $1`, ref)
	project, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Project])
	return project, wrap("look the project up", err)
}
