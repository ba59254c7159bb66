package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// ProjectSettingsResponse is where a project's parts are reached, and its legacy keys.
type ProjectSettingsResponse struct {
	Ref           string           `json:"ref"`
	Name          string           `json:"name"`
	Status        string           `json:"status"`
	CloudProvider string           `json:"cloud_provider"`
	Region        string           `json:"region"`
	InsertedAt    time.Time        `json:"inserted_at"`
	IsSensitive   bool             `json:"is_sensitive"`
	AppConfig     ProjectAppConfig `json:"app_config"`
	DatabaseAddress
	DBDNSName      string          `json:"db_dns_name"`
	DBIPAddrConfig string          `json:"db_ip_addr_config"`
	SSLEnforced    bool            `json:"ssl_enforced"`
	JWTSecret      string          `json:"jwt_secret,omitempty" doc:"For those who may read it."`
	ServiceAPIKeys []ServiceAPIKey `json:"service_api_keys,omitempty" doc:"For those who may read them."`
}

// DatabaseAddress is where psql reaches a project's database.
type DatabaseAddress struct {
	DBHost string `json:"db_host"`
	DBPort int32  `json:"db_port" doc:"Zero until the project was given one."`
	DBName string `json:"db_name"`
	DBUser string `json:"db_user"`
}

// ProjectAppConfig is where browsers reach a project's API.
type ProjectAppConfig struct {
	Protocol        string `json:"protocol"`
	Endpoint        string `json:"endpoint" doc:"A host."`
	StorageEndpoint string `json:"storage_endpoint,omitempty" doc:"Where uploads go. Studio reaches it by https whatever the protocol is, so it is left out without https."`
	DBSchema        string `json:"db_schema" doc:"The first of the schemas that the data API shows."`
}

// ServiceAPIKey is one of a project's two legacy keys.
type ServiceAPIKey struct {
	Name   string `json:"name"`
	APIKey string `json:"api_key"`
	Tags   string `json:"tags" doc:"The database role that the key is for."`
}

// RenameProjectBody is a project's new name.
type RenameProjectBody struct {
	Name string `json:"name" minLength:"1" maxLength:"256"`
}

type renameProjectInput struct {
	Ref  string `path:"ref"`
	Body RenameProjectBody
}

// SensitivityBody says whether Studio's assistant is kept away from a project's data.
type SensitivityBody struct {
	IsSensitive bool `json:"is_sensitive"`
}

type sensitivityInput struct {
	Ref  string `path:"ref"`
	Body SensitivityBody
}

// ProjectMembersResponse lists who may see a project.
type ProjectMembersResponse struct {
	Members []ProjectMember `json:"members"`
}

// ProjectMember is somebody who may see a project.
type ProjectMember struct {
	UserID       string `json:"user_id"`
	Username     string `json:"username"`
	PrimaryEmail string `json:"primary_email"`
}

// PauseStatusResponse is what a paused project's card says. Here a pause may last for ever.
type PauseStatusResponse struct {
	CanRestore                       bool       `json:"can_restore"`
	LastPausedOn                     *time.Time `json:"last_paused_on"`
	LatestDownloadableBackupID       *int64     `json:"latest_downloadable_backup_id"`
	MaxDaysTillRestoreDisabled       int        `json:"max_days_till_restore_disabled" doc:"Zero: there is no such limit."`
	RemainingDaysTillRestoreDisabled *int       `json:"remaining_days_till_restore_disabled"`
}

// RestoreVersionsResponse lists what a paused project can be started with: what it had.
type RestoreVersionsResponse struct {
	AvailableVersions []RestoreVersion `json:"available_versions"`
}

// RestoreVersion is a version of Postgres.
type RestoreVersion struct {
	Version        string `json:"version"`
	PostgresEngine string `json:"postgres_engine"`
	ReleaseChannel string `json:"release_channel"`
}

// ServiceVersionsResponse is what a project's services run, as they were last seen.
type ServiceVersionsResponse struct {
	GoTrue           string `json:"gotrue,omitempty"`
	PostgREST        string `json:"postgrest,omitempty"`
	SupabasePostgres string `json:"supabase-postgres" doc:"UNKNOWN until the database was seen."`
}

func (a *API) registerProjectDetails() {
	read := access.InProject(access.Read, "projects")
	update := access.InProject(access.Update, "projects")
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/settings", permission: read,
		kind: Real, summary: "Where a project's parts are reached, and its legacy keys",
	}, a.getProjectSettings)
	for _, path := range []string{"/platform/projects/{ref}", "/v1/projects/{ref}"} {
		handle(a, route{
			method: http.MethodPatch, path: path, permission: update, kind: Real, summary: "Rename a project",
		}, a.renameProject)
	}
	handle(a, route{
		method: http.MethodPatch, path: "/platform/projects/{ref}/settings/sensitivity", permission: update,
		kind: Real, summary: "Say whether Studio's assistant is kept away from a project's data",
	}, a.markSensitive)
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/members", permission: read,
		kind: Real, summary: "Who may see a project",
	}, a.listProjectMembers)
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/pause/status", permission: read,
		kind: Real, summary: "Since when a project is paused",
	}, a.getPauseStatus)
	for _, path := range []string{"/platform/projects/{ref}/restore/versions", "/v1/projects/{ref}/restore"} {
		handle(a, route{
			method: http.MethodGet, path: path, permission: read, kind: Real, summary: "What a paused project can be started with",
		}, a.listRestoreVersions)
	}
	handle(a, route{
		method: http.MethodPost, path: "/platform/organizations/{slug}/available-versions",
		permission: access.InOrganization(access.Create, "projects"), status: http.StatusOK,
		kind: Real, summary: "The Postgres that a new project gets",
	}, a.listOfferedVersions)
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/service-versions", permission: read,
		kind: Real, summary: "What a project's services run",
	}, a.getServiceVersions)
}

func (a *API) getProjectSettings(ctx context.Context, c *call, _ *refPath) (ProjectSettingsResponse, error) {
	p := c.project
	found, err := a.store.ProjectSettings(ctx, p.ID, p.Ref, c.readableSecrets()...)
	if err != nil {
		return ProjectSettingsResponse{}, err
	}
	postgrest, err := overlay(postgrestDefaults, found.Postgrest)
	if err != nil {
		return ProjectSettingsResponse{}, err
	}
	settings := ProjectSettingsResponse{
		Ref: string(p.Ref), Name: p.Name, Status: string(p.Status), CloudProvider: p.CloudProvider, Region: a.regionOf(p.ProjectSummary),
		InsertedAt: p.CreatedAt, IsSensitive: found.Sensitive, AppConfig: a.appConfig(p.Ref), JWTSecret: found.Secrets[store.SecretJWT],
		DatabaseAddress: a.databaseAddress(found.DatabasePort), DBDNSName: a.settings.DatabaseHost, DBIPAddrConfig: "ipv4",
		SSLEnforced: a.sslEnforced(c.project.Project),
	}
	settings.AppConfig.DBSchema = firstOf(postgrest.DBSchema)
	if key, may := found.Secrets[store.SecretServiceKey]; may {
		settings.ServiceAPIKeys = []ServiceAPIKey{
			{Name: "anon key", APIKey: found.Secrets[store.SecretAnonKey], Tags: "anon"},
			{Name: "service_role key", APIKey: key, Tags: "service_role"},
		}
	}
	return settings, nil
}

// readableSecrets names the secrets of the project that the caller may read.
func (c *call) readableSecrets() []string {
	var names []string
	if c.may(access.InProject(access.Read, "field.jwt_secret")) {
		names = append(names, store.SecretJWT)
	}
	if c.may(access.InProject(access.Read, "service_api_keys")) {
		names = append(names, store.SecretAnonKey, store.SecretServiceKey)
	}
	return names
}

func (a *API) appConfig(ref store.Ref) ProjectAppConfig {
	protocol, host, _ := strings.Cut(a.projectURL(ref), "://")
	config := ProjectAppConfig{Protocol: protocol, Endpoint: host}
	if protocol == "https" {
		config.StorageEndpoint = host
	}
	return config
}

// databaseAddress is where psql reaches a database, at the port that it was given; nil: none yet.
func (a *API) databaseAddress(port *int32) DatabaseAddress {
	address := DatabaseAddress{DBHost: a.settings.DatabaseHost, DBName: projectdb.Database, DBUser: projectdb.RoleOwner}
	if port != nil {
		address.DBPort = *port
	}
	return address
}

func (a *API) renameProject(ctx context.Context, c *call, in *renameProjectInput) (ProjectRefResponse, error) {
	p, err := a.store.RenameProject(ctx, c.actor, c.project.Ref, in.Body.Name)
	return ProjectRefResponse{ID: p.ID, Ref: string(p.Ref), Name: p.Name}, err
}

func (a *API) markSensitive(ctx context.Context, c *call, in *sensitivityInput) (SensitivityBody, error) {
	return in.Body, a.store.MarkSensitive(ctx, c.actor, c.project.Ref, in.Body.IsSensitive)
}

func (a *API) listProjectMembers(ctx context.Context, c *call, _ *refPath) (ProjectMembersResponse, error) {
	found, err := a.store.ProjectMembers(ctx, c.project.ID)
	members := make([]ProjectMember, len(found))
	for i, one := range found {
		members[i] = ProjectMember{UserID: one.GotrueID, Username: one.Username, PrimaryEmail: one.PrimaryEmail}
	}
	return ProjectMembersResponse{members}, err
}

func (a *API) getPauseStatus(ctx context.Context, c *call, _ *refPath) (PauseStatusResponse, error) {
	details, err := a.store.ProjectDetails(ctx, c.project.ID)
	return PauseStatusResponse{CanRestore: c.project.CanRestore(), LastPausedOn: details.PausedAt}, err
}

func (a *API) listRestoreVersions(_ context.Context, c *call, _ *refPath) (RestoreVersionsResponse, error) {
	versions := []RestoreVersion{}
	if version := c.project.DBVersion; version != nil {
		versions = append(versions, RestoreVersion{Version: *version, PostgresEngine: majorVersion(*version), ReleaseChannel: releaseChannel})
	}
	return RestoreVersionsResponse{versions}, nil
}

// offeredVersionsInput is what Studio sends. The region says which deployment target's versions are asked for.
type offeredVersionsInput struct {
	SlugPath
	Body struct {
		Provider string `json:"provider,omitempty"`
		Region   string `json:"region,omitempty"`
	}
}

// listOfferedVersions answers with none until a provisioner has told what it makes projects with.
func (a *API) listOfferedVersions(ctx context.Context, _ *call, in *offeredVersionsInput) (RestoreVersionsResponse, error) {
	versions := []RestoreVersion{}
	offered, err := a.offeredTargets(ctx)
	if err != nil {
		return RestoreVersionsResponse{}, err
	}
	name, _, err := a.targetNamed(offered, in.Body.Region)
	for _, target := range offered {
		image := target.Images[store.ServiceDatabase]
		if engine := store.MajorVersion(image); target.Name == name && engine != "" {
			versions = append(versions, RestoreVersion{Version: imageTag(image), PostgresEngine: engine, ReleaseChannel: releaseChannel})
		}
	}
	return RestoreVersionsResponse{versions}, err
}

// releaseChannel is the only one that there is here: what the operator runs is what is released.
const releaseChannel = "ga"

func (a *API) getServiceVersions(ctx context.Context, c *call, _ *refPath) (ServiceVersionsResponse, error) {
	services, err := a.store.ProjectServices(ctx, c.project.ID)
	versions := ServiceVersionsResponse{SupabasePostgres: "UNKNOWN"}
	if c.project.DBVersion != nil {
		versions.SupabasePostgres = *c.project.DBVersion
	}
	for _, service := range services {
		switch service.Service {
		case "auth":
			versions.GoTrue = imageTag(service.Image)
		case "rest":
			versions.PostgREST = imageTag(service.Image)
		case "db":
			versions.SupabasePostgres = imageTag(service.Image)
		}
	}
	return versions, err
}

// imageTag returns `v2.180.0` of `supabase/gotrue:v2.180.0`, and an image without a tag as it is.
func imageTag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[i+1:]
	}
	return image
}

// firstOf returns `public` of `public, graphql_public`.
func firstOf(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(first)
}
