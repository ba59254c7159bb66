package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// V1RunQueryBody is SQL of the caller's own.
type V1RunQueryBody struct {
	Query      string `json:"query" minLength:"1"`
	Parameters []any  `json:"parameters,omitempty" maxItems:"65535" doc:"What $1, $2 and so on stand for. With them, the query is one statement."`
	ReadOnly   bool   `json:"read_only,omitempty"`
}

// V1ReadOnlyQueryBody is SQL of the caller's own that changes nothing.
type V1ReadOnlyQueryBody struct {
	Query      string `json:"query" minLength:"1"`
	Parameters []any  `json:"parameters,omitempty" maxItems:"65535" doc:"What $1, $2 and so on stand for."`
}

type runQueryInput struct {
	Ref  string `path:"ref"`
	Body V1RunQueryBody
}

type readOnlyQueryInput struct {
	Ref  string `path:"ref"`
	Body V1ReadOnlyQueryBody
}

// V1DatabaseContext says what a project's database server has in it.
type V1DatabaseContext struct {
	Databases []V1DatabaseSchemas `json:"databases"`
}

// V1DatabaseSchemas is a database and its schemas.
type V1DatabaseSchemas struct {
	Name    string         `json:"name"`
	Schemas []V1SchemaName `json:"schemas"`
}

// V1SchemaName names a schema.
type V1SchemaName struct {
	Name string `json:"name"`
}

// V1CreateRoleBody asks for a role to sign in with.
type V1CreateRoleBody struct {
	ReadOnly bool `json:"read_only"`
}

type createLoginRoleInput struct {
	Ref  string `path:"ref"`
	Body V1CreateRoleBody
}

// V1CreateRoleResponse is a role to sign in with. The password is shown once.
type V1CreateRoleResponse struct {
	Role       string `json:"role"`
	Password   string `json:"password"`
	TTLSeconds int64  `json:"ttl_seconds" doc:"Who has not signed in by then cannot any more."`
}

// V1MessageResponse says that it is done.
type V1MessageResponse struct {
	Message string `json:"message"`
}

func (a *API) registerProjectDatabase() {
	handle(a, route{
		method: http.MethodPost, path: "/v1/projects/{ref}/database/query",
		permission: access.InProject(access.TenantSQLQuery, "*"), status: http.StatusCreated,
		kind: Real, summary: "Run SQL in the project's database; in a read-only role where read_only is set or the caller may only read",
	}, a.v1RunQuery)
	handle(a, route{
		method: http.MethodPost, path: "/v1/projects/{ref}/database/query/read-only",
		permission: access.InProject(access.TenantSQLSelect, "*"), status: http.StatusCreated,
		kind: Real, summary: "Run one SQL statement in a read-only role",
	}, a.v1RunReadOnlyQuery)
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/database/context",
		permission: access.InProject(access.TenantSQLAdminRead, "schemas"), kind: Real, summary: "The database and its schemas",
	}, a.v1DatabaseContext)
	handle(a, route{
		method: http.MethodPost, path: "/v1/projects/{ref}/cli/login-role",
		permission: access.InProject(access.TenantSQLQuery, "*"), status: http.StatusCreated,
		kind: Real, summary: "Make a database role that lets in for some minutes",
	}, a.v1CreateLoginRole)
	handle(a, route{
		method: http.MethodDelete, path: "/v1/projects/{ref}/cli/login-role",
		permission: access.InProject(access.TenantSQLAdminWrite, "roles"), kind: Real, summary: "Drop the database roles that were made to sign in with",
	}, a.v1DropLoginRoles)
}

// projectDatabase says where a project's database is, for one of its roles. While none runs, it is a problem.
func (a *API) projectDatabase(ctx context.Context, project store.Project, role string) (projectdb.Address, error) {
	if !project.Running() || project.DBHost == nil || project.DBPort == nil {
		return projectdb.Address{}, problem.New(http.StatusConflict,
			fmt.Sprintf("The project's database is not running: the project is %s.", project.Status))
	}
	name := store.SecretDatabasePassword
	if role == projectdb.RoleReadOnly {
		name = store.SecretReadOnlyPassword
	}
	secrets, err := a.store.ProjectSecrets(ctx, project.ID, project.Ref, name)
	if err != nil {
		return projectdb.Address{}, err
	}
	return projectdb.Address{Host: *project.DBHost, Port: uint16(*project.DBPort), Role: role, Password: secrets[name]}, nil //nolint:gosec // a port, as the schema has it
}

// databaseChange is what the audit log says of a change in the project's own database. SQL itself may hold secrets.
func (c *call) databaseChange(what string) store.AuditEntry {
	return store.AuditEntry{Action: "database." + what, OrganizationID: c.project.OrganizationID, ProjectRef: c.project.Ref}
}

// databaseProblem tells the user what is wrong with their SQL, as upstream words it, and what else they can do something
// about.
func databaseProblem(err error) error {
	var refused *projectdb.SQLError
	switch {
	case errors.As(err, &refused):
		return problem.BadRequest("Failed to run sql query: " + refused.Error())
	case errors.Is(err, projectdb.ErrTooLarge):
		return problem.BadRequest("Failed to run sql query: " + projectdb.ErrTooLarge.Error())
	case errors.Is(err, projectdb.ErrNoMigration):
		return problem.NotFound("Migration not found")
	case errors.Is(err, projectdb.ErrUnreachable):
		return problem.New(http.StatusServiceUnavailable, "The project's database cannot be reached. Try again in a moment.")
	case errors.Is(err, context.DeadlineExceeded):
		return problem.BadRequest("Failed to run sql query: it took too long, and was ended. Connect by psql for what takes longer.")
	default:
		return err
	}
}

func (a *API) v1RunQuery(ctx context.Context, c *call, in *runQueryInput) (json.RawMessage, error) {
	if in.Body.ReadOnly || pgmeta.ModeOf(c.project) == pgmeta.ReadOnly {
		return a.readOnlyQuery(ctx, c, in.Body.Query, in.Body.Parameters)
	}
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleOwner)
	if err != nil {
		return nil, err
	}
	if err := a.store.Once(ctx, c.actor, c.databaseChange("sql")); err != nil {
		return nil, err
	}
	rows, err := database.Query(ctx, in.Body.Query, in.Body.Parameters)
	return rows, databaseProblem(err)
}

func (a *API) v1RunReadOnlyQuery(ctx context.Context, c *call, in *readOnlyQueryInput) (json.RawMessage, error) {
	return a.readOnlyQuery(ctx, c, in.Body.Query, in.Body.Parameters)
}

func (a *API) readOnlyQuery(ctx context.Context, c *call, sql string, parameters []any) (json.RawMessage, error) {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleReadOnly)
	if err != nil {
		return nil, err
	}
	rows, err := database.ReadOnlyQuery(ctx, sql, parameters)
	return rows, databaseProblem(err)
}

func (a *API) v1DatabaseContext(ctx context.Context, c *call, _ *refPath) (V1DatabaseContext, error) {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleReadOnly)
	if err != nil {
		return V1DatabaseContext{}, err
	}
	names, err := database.Schemas(ctx)
	if err != nil {
		return V1DatabaseContext{}, databaseProblem(err)
	}
	schemas := make([]V1SchemaName, len(names))
	for i, name := range names {
		schemas[i] = V1SchemaName{name}
	}
	return V1DatabaseContext{[]V1DatabaseSchemas{{Name: projectdb.Database, Schemas: schemas}}}, nil
}

func (a *API) v1CreateLoginRole(ctx context.Context, c *call, in *createLoginRoleInput) (V1CreateRoleResponse, error) {
	of := projectdb.RoleReadOnly
	if !in.Body.ReadOnly {
		if pgmeta.ModeOf(c.project) != pgmeta.ReadWrite {
			return V1CreateRoleResponse{}, problem.Forbidden(access.InProject(access.TenantSQLAdminWrite, "tables"))
		}
		of = projectdb.RoleOwner
	}
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleAdmin)
	if err != nil {
		return V1CreateRoleResponse{}, err
	}
	if err := a.store.Note(ctx, c.actor, c.databaseChange("create_login_role")); err != nil {
		return V1CreateRoleResponse{}, err
	}
	role, err := database.CreateLoginRole(ctx, a.now(), of)
	if err != nil {
		return V1CreateRoleResponse{}, databaseProblem(err)
	}
	return V1CreateRoleResponse{Role: role.Name, Password: role.Password, TTLSeconds: int64(role.TTL.Seconds())}, nil
}

func (a *API) v1DropLoginRoles(ctx context.Context, c *call, _ *refPath) (V1MessageResponse, error) {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleAdmin)
	if err != nil {
		return V1MessageResponse{}, err
	}
	if err := a.store.Note(ctx, c.actor, c.databaseChange("drop_login_roles")); err != nil {
		return V1MessageResponse{}, err
	}
	if err := database.DropLoginRoles(ctx); err != nil {
		return V1MessageResponse{}, databaseProblem(err)
	}
	return V1MessageResponse{"ok"}, nil
}
