package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// PostgrestSettings are the data API's settings.
type PostgrestSettings struct {
	DBSchema          string `json:"db_schema" doc:"Which schemas the data API shows, separated by commas; empty where it shows none."`
	DBExtraSearchPath string `json:"db_extra_search_path"`
	MaxRows           int    `json:"max_rows"`
	// Null for PostgREST's own defaults.
	DBPool                   *int `json:"db_pool" doc:"Connections to the database."`
	DBPoolAcquisitionTimeout *int `json:"db_pool_acquisition_timeout" doc:"Seconds that a request waits for one."`
	DBPoolMaxLifetime        *int `json:"db_pool_max_lifetime" doc:"Seconds."`
	DBPoolMaxIdletime        *int `json:"db_pool_max_idletime" doc:"Seconds."`
}

// postgrestDefaults are what a project has until somebody changes it.
var postgrestDefaults = PostgrestSettings{
	DBSchema: store.DefaultExposedSchemas, DBExtraSearchPath: "public, extensions", MaxRows: 1000,
}

// PostgrestConfigResponse is the data API's settings, with the project's own JWT secret for those who may read it.
type PostgrestConfigResponse struct {
	PostgrestSettings
	DBAnonRole   string `json:"db_anon_role"`
	RoleClaimKey string `json:"role_claim_key"`
	JWTSecret    string `json:"jwt_secret" doc:"This project's own; empty for those who may not read it."`
}

// V1PostgrestConfigResponse is the same as the management API has it.
type V1PostgrestConfigResponse struct {
	PostgrestSettings
	JWTSecret string `json:"jwt_secret,omitempty"`
}

// UpdatePostgrestBody changes what it names of the data API's settings.
type UpdatePostgrestBody struct {
	DBSchema          *string `json:"db_schema,omitempty" maxLength:"4096"`
	DBExtraSearchPath *string `json:"db_extra_search_path,omitempty" maxLength:"4096"`
	MaxRows           *int    `json:"max_rows,omitempty" minimum:"0" maximum:"1000000"`
	DBPool            *int    `json:"db_pool,omitempty" minimum:"0" maximum:"1000"`

	DBPoolAcquisitionTimeout *int `json:"db_pool_acquisition_timeout,omitempty" minimum:"0" maximum:"60"`
	DBPoolMaxLifetime        *int `json:"db_pool_max_lifetime,omitempty" minimum:"0" maximum:"3600"`
	DBPoolMaxIdletime        *int `json:"db_pool_max_idletime,omitempty" minimum:"0" maximum:"60"`
}

type updatePostgrestInput struct {
	Ref  string `path:"ref"`
	Body UpdatePostgrestBody
}

func (a *API) registerDataAPI() {
	read := access.InProject(access.Read, "custom_config_postgrest")
	update := access.InProject(access.Update, "custom_config_postgrest")
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/config/postgrest", permission: read,
		kind: Real, summary: "The data API's settings",
	}, a.getPostgrestConfig)
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/postgrest", permission: read,
		kind: Real, summary: "The data API's settings",
	}, a.v1GetPostgrestConfig)
	for _, path := range []string{"/platform/projects/{ref}/config/postgrest", "/v1/projects/{ref}/postgrest"} {
		handle(a, route{
			method: http.MethodPatch, path: path, permission: update, kind: Real, summary: "Change the data API's settings",
		}, a.updatePostgrestConfig)
	}
}

func (a *API) postgrestConfig(ctx context.Context, p store.Project) (PostgrestSettings, error) {
	return section(ctx, a, p, store.ConfigPostgrest, postgrestDefaults)
}

func (a *API) getPostgrestConfig(ctx context.Context, c *call, _ *refPath) (PostgrestConfigResponse, error) {
	settings, err := a.postgrestConfig(ctx, c.project.Project)
	if err != nil {
		return PostgrestConfigResponse{}, err
	}
	secret, err := a.jwtSecret(ctx, c)
	return PostgrestConfigResponse{PostgrestSettings: settings, DBAnonRole: "anon", RoleClaimKey: ".role", JWTSecret: secret}, err
}

func (a *API) v1GetPostgrestConfig(ctx context.Context, c *call, _ *refPath) (V1PostgrestConfigResponse, error) {
	settings, err := a.postgrestConfig(ctx, c.project.Project)
	if err != nil {
		return V1PostgrestConfigResponse{}, err
	}
	secret, err := a.jwtSecret(ctx, c)
	return V1PostgrestConfigResponse{settings, secret}, err
}

// jwtSecret returns the project's own JWT secret, and nothing to those who may not read it.
func (a *API) jwtSecret(ctx context.Context, c *call) (string, error) {
	if !c.may(access.InProject(access.Read, "field.jwt_secret")) {
		return "", nil
	}
	secrets, err := a.store.ProjectSecrets(ctx, c.project.ID, c.project.Ref, store.SecretJWT)
	return secrets[store.SecretJWT], err
}

func (a *API) updatePostgrestConfig(ctx context.Context, c *call, in *updatePostgrestInput) (PostgrestSettings, error) {
	for name, list := range map[string]*string{"db_schema": in.Body.DBSchema, "db_extra_search_path": in.Body.DBExtraSearchPath} {
		if list != nil && !isSchemaList(*list) {
			return PostgrestSettings{}, problem.BadRequest(name + ": expected names of schemas, separated by commas.")
		}
	}
	return updateSection(ctx, a, c, store.ConfigPostgrest, in.Body, postgrestDefaults)
}

// schemaNamePattern is a schema's name as PostgREST's settings can hold one: without what would end it or quote it there.
var schemaNamePattern = pattern(`^[^\s",'\\\x00-\x1f\x7f]{1,63}$`)

func isSchemaList(list string) bool {
	if strings.TrimSpace(list) == "" {
		return true
	}
	for name := range strings.SplitSeq(list, ",") {
		if !schemaNamePattern().MatchString(strings.TrimSpace(name)) {
			return false
		}
	}
	return true
}
