package store

import "time"

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
	OperationCreate  OperationKind = "create"
	OperationPause   OperationKind = "pause"
	OperationRestore OperationKind = "restore"
	OperationRestart OperationKind = "restart"
	OperationDelete  OperationKind = "delete"
)

// Project is a row of platform.projects, without secrets and without the lease.
type Project struct {
	ID                 int64
	Ref                Ref
	OrganizationID     int64
	OrganizationSlug   Slug
	Name               string
	CloudProvider      string
	Region             string
	Target             string
	ComputeSize        string
	Services           []string
	Desired            Desired
	Generation         int64
	Status             Status
	ObservedGeneration int64
	Message            *string // the last error in plain words; nil when all is well
	DBVersion          *string // `17.6`, as Postgres reports it; nil until it was seen
	DBHost             *string // where postgres-meta reaches the database; nil until it was seen
	DBPort             *int32
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// The names of a project's secrets, as platform.project_secrets has them.
const (
	SecretDatabasePassword = "db_password"           // of the roles `postgres` and `supabase_admin`
	SecretReadOnlyPassword = "db_read_only_password" // of `supabase_read_only_user`
	SecretJWT              = "jwt_secret"
	SecretAnonKey          = "anon_key"    // a JWT with role anon, signed with the JWT secret
	SecretServiceKey       = "service_key" // a JWT with role service_role, signed with the JWT secret
)

// Secrets are a project's secrets in clear, by name. They print as a placeholder.
type Secrets map[string]string

// String hides the values from logs and error messages.
func (s Secrets) String() string { return "[secrets]" }

// GoString hides the values from %#v.
func (s Secrets) GoString() string { return s.String() }
