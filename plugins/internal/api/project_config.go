package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

// The whole configuration of a project in one answer, which `supabase config push|pull|diff` compares with a config.toml. It has the
// form of JSON:API, as all of upstream's /v2; what the CLI then changes, it changes by the /v1 routes.

// V2ProjectConfigResponse is a project's configuration.
type V2ProjectConfigResponse struct {
	Data V2ProjectConfig `json:"data"`
}

// V2ProjectConfig is the resource.
type V2ProjectConfig struct {
	Type       string                    `json:"type" enum:"project_config"`
	ID         string                    `json:"id" doc:"The project's ref."`
	Attributes V2ProjectConfigAttributes `json:"attributes"`
}

// V2ProjectConfigAttributes are the sections. One that the caller may not read, or that the project has not, is left out: the CLI
// leaves alone what it is not told of.
type V2ProjectConfigAttributes struct {
	Database V2DatabaseConfig   `json:"database"`
	Pooler   *PoolerSettings    `json:"pooler,omitempty"`
	Auth     map[string]any     `json:"auth,omitempty" doc:"As /v1/projects/{ref}/config/auth has it."`
	API      *PostgrestSettings `json:"api,omitempty"`
	Realtime *RealtimeSettings  `json:"realtime,omitempty"`
	Storage  *V2StorageConfig   `json:"storage,omitempty"`
}

// V2DatabaseConfig is what is said of the database.
type V2DatabaseConfig struct {
	MajorVersion        int                   `json:"major_version,omitempty" doc:"Left out until the database was seen."`
	SSLEnforced         bool                  `json:"ssl_enforced"`
	NetworkRestrictions V2NetworkRestrictions `json:"network_restrictions"`
	PostgresSettings    PostgresSettings      `json:"postgres_settings"`
}

// V2NetworkRestrictions is from where a project may be reached.
type V2NetworkRestrictions struct {
	Entitlement  string   `json:"entitlement" enum:"allowed,disallowed"`
	Status       string   `json:"status" enum:"applied,stored"`
	AllowedCIDRs []V1CIDR `json:"allowed_cidrs"`
}

// V2StorageConfig is Storage's settings.
type V2StorageConfig struct {
	FileSizeLimit int64             `json:"file_size_limit" doc:"Bytes."`
	Features      V2StorageFeatures `json:"features"`
}

// V2StorageFeatures are what Storage can be told to do or not to do.
type V2StorageFeatures struct {
	ImageTransformation Switch `json:"image_transformation"`
	S3Protocol          Switch `json:"s3_protocol"`
	IcebergCatalog      Switch `json:"iceberg_catalog"`
	VectorBuckets       Switch `json:"vector_buckets"`
}

func (a *API) registerProjectConfig() {
	handle(a, route{
		method: http.MethodGet, path: "/v2/projects/{ref}/config", permission: access.InProject(access.Read, "projects"),
		kind: Real, summary: "A project's whole configuration",
	}, a.v2GetProjectConfig)
}

func (a *API) v2GetProjectConfig(ctx context.Context, c *call, _ *refPath) (V2ProjectConfigResponse, error) {
	set, err := a.store.ProjectConfig(ctx, c.project.ID, c.project.Ref, store.ConfigAuth, store.ConfigPooler, store.ConfigPostgres,
		store.ConfigPostgrest, store.ConfigRealtime, store.ConfigStorage)
	if err != nil {
		return V2ProjectConfigResponse{}, err
	}
	attributes := V2ProjectConfigAttributes{}
	if attributes.Database, err = a.v2DatabaseConfig(ctx, c.project.Project, set[store.ConfigPostgres]); err != nil {
		return V2ProjectConfigResponse{}, err
	}
	if c.may(access.InProject(access.Read, "custom_config_gotrue")) {
		attributes.Auth = a.v1AuthConfig(c, set[store.ConfigAuth])
	}
	if c.may(access.InProject(access.Read, "custom_config_postgrest")) {
		if attributes.API, err = over(postgrestDefaults, set[store.ConfigPostgrest]); err != nil {
			return V2ProjectConfigResponse{}, err
		}
	}
	if c.may(access.InProject(access.RealtimeAdminRead, "*")) {
		if attributes.Realtime, err = over(realtimeDefaults, set[store.ConfigRealtime]); err != nil {
			return V2ProjectConfigResponse{}, err
		}
	}
	if c.may(access.InProject(access.StorageRead, "*")) {
		storage, err := overlay(storageDefaults, set[store.ConfigStorage])
		if err != nil {
			return V2ProjectConfigResponse{}, err
		}
		attributes.Storage = &V2StorageConfig{storage.FileSizeLimit, V2StorageFeatures{
			ImageTransformation: storage.Features.ImageTransformation, S3Protocol: storage.Features.S3Protocol,
		}}
	}
	if hasPooler(c.project) {
		if attributes.Pooler, err = over(poolerDefaults, set[store.ConfigPooler]); err != nil {
			return V2ProjectConfigResponse{}, err
		}
	}
	return V2ProjectConfigResponse{V2ProjectConfig{Type: "project_config", ID: string(c.project.Ref), Attributes: attributes}}, nil
}

func (a *API) v2DatabaseConfig(ctx context.Context, p store.Project, set store.SectionConfig) (V2DatabaseConfig, error) {
	restrictions, err := a.store.NetworkRestrictions(ctx, p.ID)
	if err != nil {
		return V2DatabaseConfig{}, err
	}
	allowed := everywhere
	if !restrictions.UpdatedAt.IsZero() {
		allowed = restrictions.Allowed
	}
	settings, err := overlay(PostgresSettings{}, set)
	config := V2DatabaseConfig{
		NetworkRestrictions: V2NetworkRestrictions{Entitlement: "allowed", Status: "applied", AllowedCIDRs: typed(allowed).Allowed},
		PostgresSettings:    settings, SSLEnforced: a.sslEnforced(p),
	}
	if p.DBVersion != nil {
		config.MajorVersion, _ = strconv.Atoi(majorVersion(*p.DBVersion))
	}
	return config, err
}

func over[T any](defaults T, set store.SectionConfig) (*T, error) {
	settings, err := overlay(defaults, set)
	return &settings, err
}
