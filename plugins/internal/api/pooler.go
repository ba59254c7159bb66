package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// poolerService is what a project with a connection pooler has.
const poolerService = "pooler"

// PoolerSettings are the connection pooler's settings.
type PoolerSettings struct {
	DefaultPoolSize         int    `json:"default_pool_size"`
	IgnoreStartupParameters string `json:"ignore_startup_parameters"`
	MaxClientConn           int    `json:"max_client_conn"`
	PoolMode                string `json:"pool_mode"`
	QueryWaitTimeout        int    `json:"query_wait_timeout"`
	ReservePoolSize         int    `json:"reserve_pool_size"`
	ServerIdleTimeout       int    `json:"server_idle_timeout"`
	ServerLifetime          int    `json:"server_lifetime"`
}

// poolerDefaults are what a project has until somebody changes it: the sizes of upstream's docker/.env.example, the rest
// PgBouncer's own.
var poolerDefaults = PoolerSettings{
	DefaultPoolSize: 20, IgnoreStartupParameters: "extra_float_digits", MaxClientConn: 100, PoolMode: "transaction",
	QueryWaitTimeout: 120, ServerIdleTimeout: 600, ServerLifetime: 3600,
}

// PgbouncerConfigResponse is the pooler's settings and where it is.
type PgbouncerConfigResponse struct {
	PoolerSettings
	DatabaseAddress
	DBDNSName        string    `json:"db_dns_name"`
	ConnectionString string    `json:"connection_string" doc:"With a placeholder for the password."`
	InsertedAt       time.Time `json:"inserted_at"`
	PgbouncerEnabled bool      `json:"pgbouncer_enabled" doc:"False for a project that runs without a pooler."`
	SSLEnforced      bool      `json:"ssl_enforced"`
}

// V1PgbouncerConfigResponse is the same as the management API has it.
type V1PgbouncerConfigResponse struct {
	PoolerSettings
	ConnectionString string `json:"connection_string"`
}

// UpdatePgbouncerBody changes what it names of the pooler's settings.
type UpdatePgbouncerBody struct {
	DefaultPoolSize         *int    `json:"default_pool_size,omitempty" minimum:"1" maximum:"3000"`
	IgnoreStartupParameters *string `json:"ignore_startup_parameters,omitempty" maxLength:"1024" pattern:"^[a-z_, ]*$" patternDescription:"names of parameters, separated by commas"`
	MaxClientConn           *int    `json:"max_client_conn,omitempty" minimum:"1" maximum:"100000"`
	PoolMode                *string `json:"pool_mode,omitempty" enum:"transaction,session,statement"`
	QueryWaitTimeout        *int    `json:"query_wait_timeout,omitempty" minimum:"0" maximum:"86400"`
	ReservePoolSize         *int    `json:"reserve_pool_size,omitempty" minimum:"0" maximum:"3000"`
	ServerIdleTimeout       *int    `json:"server_idle_timeout,omitempty" minimum:"0" maximum:"86400"`
	ServerLifetime          *int    `json:"server_lifetime,omitempty" minimum:"0" maximum:"86400"`
}

type updatePgbouncerInput struct {
	Ref  string `path:"ref"`
	Body struct {
		UpdatePgbouncerBody
		PgbouncerEnabled *bool `json:"pgbouncer_enabled,omitempty"`
	}
}

// UpdatePoolingResponse is what became of the pooler's settings.
type UpdatePoolingResponse struct {
	PoolerSettings
	PgbouncerEnabled bool   `json:"pgbouncer_enabled"`
	PgbouncerStatus  string `json:"pgbouncer_status" enum:"COMING_UP,COMING_DOWN,RELOADING,ENABLED,DISABLED"`
}

// PgbouncerStatusResponse tells whether the pooler runs.
type PgbouncerStatusResponse struct {
	Active bool `json:"active"`
}

// SupavisorConfig is the pooler of one database server.
type SupavisorConfig struct {
	Identifier string `json:"identifier"`
	DatabaseAddress
	DatabaseType          string `json:"database_type" enum:"PRIMARY,READ_REPLICA"`
	ConnectionString      string `json:"connection_string" doc:"With a placeholder for the password."`
	ConnectionStringCamel string `json:"connectionString"`
	DefaultPoolSize       *int   `json:"default_pool_size"`
	IsUsingSCRAMAuth      bool   `json:"is_using_scram_auth"`
	MaxClientConn         *int   `json:"max_client_conn"`
	PoolMode              string `json:"pool_mode"`
}

// UpdateSupavisorBody changes the pooler's settings that the management API knows.
type UpdateSupavisorBody struct {
	DefaultPoolSize *int    `json:"default_pool_size,omitempty" minimum:"1" maximum:"3000"`
	PoolMode        *string `json:"pool_mode,omitempty" enum:"transaction,session"`
}

type updateSupavisorInput struct {
	Ref  string `path:"ref"`
	Body UpdateSupavisorBody
}

// UpdateSupavisorResponse is what became of them.
type UpdateSupavisorResponse struct {
	DefaultPoolSize int    `json:"default_pool_size"`
	PoolMode        string `json:"pool_mode"`
}

func (a *API) registerPooler() {
	read := access.InProject(access.Read, "projects")
	update := access.InProject(access.Update, "projects")
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/config/pgbouncer", permission: read,
		kind: Real, summary: "The connection pooler's settings",
	}, a.getPgbouncerConfig)
	handle(a, route{
		method: http.MethodPatch, path: "/platform/projects/{ref}/config/pgbouncer", permission: update,
		kind: Real, summary: "Change the connection pooler's settings",
	}, a.updatePgbouncerConfig)
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/config/pgbouncer/status", permission: read,
		kind: Real, summary: "Whether the connection pooler runs",
	}, a.getPgbouncerStatus)
	for _, path := range []string{"/platform/projects/{ref}/config/supavisor", "/v1/projects/{ref}/config/database/pooler"} {
		handle(a, route{
			method: http.MethodGet, path: path, permission: read, kind: Real, summary: "The connection poolers: the project's own, the gateway's Postgres port, or none",
		}, a.listPoolers)
	}
	handle(a, route{
		method: http.MethodPatch, path: "/v1/projects/{ref}/config/database/pooler", permission: update,
		kind: Real, summary: "Change the connection pooler's settings",
	}, a.v1UpdatePooler)
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/config/database/pgbouncer", permission: read,
		kind: Real, summary: "The connection pooler's settings",
	}, a.v1GetPgbouncerConfig)
}

func hasPooler(p store.ProjectAccess) bool { return slices.Contains(p.Services, poolerService) }

func (a *API) getPgbouncerConfig(ctx context.Context, c *call, _ *refPath) (PgbouncerConfigResponse, error) {
	settings, err := section(ctx, a, c.project.Project, store.ConfigPooler, poolerDefaults)
	if err != nil {
		return PgbouncerConfigResponse{}, err
	}
	address, err := a.poolerAddress(ctx, c.project)
	return PgbouncerConfigResponse{
		PoolerSettings: settings, DatabaseAddress: address, DBDNSName: address.DBHost, ConnectionString: address.connectionString(),
		InsertedAt: c.project.CreatedAt, PgbouncerEnabled: hasPooler(c.project), SSLEnforced: a.sslEnforced(c.project.Project),
	}, err
}

// onPostgresPort tells whether the project has no pooler of its own, and the gateway's Postgres port stands in the place of one. It pools
// nothing: each connection is one of the database's.
func (a *API) onPostgresPort(p store.ProjectAccess) bool {
	return !hasPooler(p) && a.settings.Postgres.Host != "" && !p.Adopted()
}

// poolerAddress is where the pooler is reached from outside: the gateway's Postgres port, or else the database itself, for a project that
// runs without one.
func (a *API) poolerAddress(ctx context.Context, p store.ProjectAccess) (DatabaseAddress, error) {
	details, err := a.store.ProjectDetails(ctx, p.ID)
	address := a.databaseAddress(details.DatabasePort)
	if hasPooler(p) && details.PoolerPort != nil {
		address.DBPort = *details.PoolerPort
		address.DBUser = projectdb.RoleOwner + "." + string(p.Ref) // Supavisor finds the tenant by it
	}
	if a.onPostgresPort(p) {
		address.DBHost, address.DBPort = a.settings.Postgres.Host, a.settings.Postgres.Port
		address.DBUser = projectdb.RoleOwner + "." + string(p.Ref) // and so does the gateway
	}
	return address, err
}

// connectionString is what psql would be given, but for the password.
func (d DatabaseAddress) connectionString() string {
	return fmt.Sprintf("postgresql://%s:[YOUR-PASSWORD]@%s:%d/%s", d.DBUser, d.DBHost, d.DBPort, d.DBName)
}

func (a *API) updatePgbouncerConfig(ctx context.Context, c *call, in *updatePgbouncerInput) (UpdatePoolingResponse, error) {
	enabled := hasPooler(c.project)
	if in.Body.PgbouncerEnabled != nil && *in.Body.PgbouncerEnabled != enabled {
		return UpdatePoolingResponse{}, problem.BadRequest("pgbouncer_enabled: whether a project runs a pooler is said by its services.")
	}
	settings, err := updateSection(ctx, a, c, store.ConfigPooler, in.Body.UpdatePgbouncerBody, poolerDefaults)
	answer := UpdatePoolingResponse{PoolerSettings: settings, PgbouncerEnabled: enabled, PgbouncerStatus: "DISABLED"}
	if enabled {
		answer.PgbouncerStatus = "RELOADING"
	}
	return answer, err
}

func (a *API) getPgbouncerStatus(ctx context.Context, c *call, _ *refPath) (PgbouncerStatusResponse, error) {
	services, err := a.store.ProjectServices(ctx, c.project.ID)
	active := slices.ContainsFunc(services, func(s store.ServiceState) bool { return s.Service == poolerService && s.Healthy })
	return PgbouncerStatusResponse{Active: active && c.project.Running()}, err
}

func (a *API) listPoolers(ctx context.Context, c *call, _ *refPath) ([]SupavisorConfig, error) {
	if a.onPostgresPort(c.project) {
		return a.listPostgresPort(ctx, c.project)
	}
	if !hasPooler(c.project) {
		return []SupavisorConfig{}, nil
	}
	settings, err := section(ctx, a, c.project.Project, store.ConfigPooler, poolerDefaults)
	if err != nil {
		return nil, err
	}
	address, err := a.poolerAddress(ctx, c.project)
	return []SupavisorConfig{{
		Identifier: string(c.project.Ref), DatabaseAddress: address, DatabaseType: "PRIMARY",
		ConnectionString: address.connectionString(), ConnectionStringCamel: address.connectionString(),
		DefaultPoolSize: &settings.DefaultPoolSize, MaxClientConn: &settings.MaxClientConn, PoolMode: settings.PoolMode, IsUsingSCRAMAuth: true,
	}}, err
}

// listPostgresPort says `session`, for a connection is one client's until that closes it. There is no pool to have a size.
func (a *API) listPostgresPort(ctx context.Context, p store.ProjectAccess) ([]SupavisorConfig, error) {
	address, err := a.poolerAddress(ctx, p)
	return []SupavisorConfig{{
		Identifier: string(p.Ref), DatabaseAddress: address, DatabaseType: "PRIMARY",
		ConnectionString: address.connectionString(), ConnectionStringCamel: address.connectionString(), PoolMode: "session", IsUsingSCRAMAuth: true,
	}}, err
}

func (a *API) v1UpdatePooler(ctx context.Context, c *call, in *updateSupavisorInput) (UpdateSupavisorResponse, error) {
	settings, err := updateSection(ctx, a, c, store.ConfigPooler, in.Body, poolerDefaults)
	return UpdateSupavisorResponse{settings.DefaultPoolSize, settings.PoolMode}, err
}

func (a *API) v1GetPgbouncerConfig(ctx context.Context, c *call, _ *refPath) (V1PgbouncerConfigResponse, error) {
	settings, err := section(ctx, a, c.project.Project, store.ConfigPooler, poolerDefaults)
	if err != nil {
		return V1PgbouncerConfigResponse{}, err
	}
	address, err := a.poolerAddress(ctx, c.project)
	return V1PgbouncerConfigResponse{settings, address.connectionString()}, err
}
