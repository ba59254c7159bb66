package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// RealtimeSettings are Realtime's limits. What is null has Realtime's own default.
type RealtimeSettings struct {
	ConnectionPool             *int  `json:"connection_pool"`
	MaxBytesPerSecond          *int  `json:"max_bytes_per_second"`
	MaxChannelsPerClient       *int  `json:"max_channels_per_client"`
	MaxConcurrentUsers         *int  `json:"max_concurrent_users"`
	MaxEventsPerSecond         *int  `json:"max_events_per_second"`
	MaxJoinsPerSecond          *int  `json:"max_joins_per_second"`
	MaxPayloadSizeInKB         *int  `json:"max_payload_size_in_kb"`
	MaxPresenceEventsPerSecond *int  `json:"max_presence_events_per_second"`
	PresenceEnabled            bool  `json:"presence_enabled"`
	PrivateOnly                *bool `json:"private_only"`
	Suspend                    *bool `json:"suspend"`
}

// realtimeDefaults are what a project has until somebody changes it.
var realtimeDefaults = RealtimeSettings{PresenceEnabled: true}

// UpdateRealtimeBody changes what it names of Realtime's limits.
type UpdateRealtimeBody struct {
	ConnectionPool             *int  `json:"connection_pool,omitempty" minimum:"1" maximum:"100"`
	MaxBytesPerSecond          *int  `json:"max_bytes_per_second,omitempty" minimum:"1" maximum:"10000000"`
	MaxChannelsPerClient       *int  `json:"max_channels_per_client,omitempty" minimum:"1" maximum:"10000"`
	MaxConcurrentUsers         *int  `json:"max_concurrent_users,omitempty" minimum:"1" maximum:"50000"`
	MaxEventsPerSecond         *int  `json:"max_events_per_second,omitempty" minimum:"1" maximum:"50000"`
	MaxJoinsPerSecond          *int  `json:"max_joins_per_second,omitempty" minimum:"1" maximum:"5000"`
	MaxPayloadSizeInKB         *int  `json:"max_payload_size_in_kb,omitempty" minimum:"1" maximum:"10000"`
	MaxPresenceEventsPerSecond *int  `json:"max_presence_events_per_second,omitempty" minimum:"1" maximum:"5000"`
	PresenceEnabled            *bool `json:"presence_enabled,omitempty"`
	PrivateOnly                *bool `json:"private_only,omitempty"`
	Suspend                    *bool `json:"suspend,omitempty"`
}

type updateRealtimeInput struct {
	Ref  string `path:"ref"`
	Body UpdateRealtimeBody
}

// Switch turns a feature on or off.
type Switch struct {
	Enabled bool `json:"enabled"`
}

// IcebergCatalog is Storage's catalog of analytics buckets.
type IcebergCatalog struct {
	Enabled       bool `json:"enabled"`
	MaxCatalogs   int  `json:"maxCatalogs" minimum:"0" maximum:"1000"`
	MaxNamespaces int  `json:"maxNamespaces" minimum:"0" maximum:"1000"`
	MaxTables     int  `json:"maxTables" minimum:"0" maximum:"10000"`
}

// VectorBuckets are Storage's vector buckets.
type VectorBuckets struct {
	Enabled    bool `json:"enabled"`
	MaxBuckets int  `json:"maxBuckets" minimum:"0" maximum:"1000"`
	MaxIndexes int  `json:"maxIndexes" minimum:"0" maximum:"10000"`
}

// StorageFeatures are what Storage can be told to do or not to do.
type StorageFeatures struct {
	ImageTransformation Switch         `json:"imageTransformation"`
	S3Protocol          Switch         `json:"s3Protocol"`
	IcebergCatalog      IcebergCatalog `json:"icebergCatalog"`
	VectorBuckets       VectorBuckets  `json:"vectorBuckets"`
}

// StorageExternal says which of upstream's own clusters serves: here there is one.
type StorageExternal struct {
	UpstreamTarget string `json:"upstreamTarget" enum:"main,canary"`
}

// StorageCapabilities are what the Storage of this platform can do at all.
type StorageCapabilities struct {
	IcebergCatalog bool `json:"iceberg_catalog"`
	ListV2         bool `json:"list_v2"`
}

// StorageSettings are Storage's settings.
type StorageSettings struct {
	FileSizeLimit    int64               `json:"fileSizeLimit" doc:"Bytes."`
	Features         StorageFeatures     `json:"features"`
	External         StorageExternal     `json:"external"`
	Capabilities     StorageCapabilities `json:"capabilities"`
	DatabasePoolMode string              `json:"databasePoolMode"`
	MigrationVersion string              `json:"migrationVersion" doc:"Empty: Storage keeps it to itself."`
}

// storageDefaults are what a project has until somebody changes it: upstream's own (docker-compose.yml, 50 MiB a file).
var storageDefaults = StorageSettings{
	FileSizeLimit:    52_428_800,
	Features:         StorageFeatures{ImageTransformation: Switch{true}, S3Protocol: Switch{true}},
	External:         StorageExternal{"main"},
	Capabilities:     StorageCapabilities{ListV2: true},
	DatabasePoolMode: "dedicated",
}

// UpdateStorageBody changes what it names of Storage's settings.
type UpdateStorageBody struct {
	FileSizeLimit *int64                 `json:"fileSizeLimit,omitempty" minimum:"1" maximum:"536870912000"`
	Features      *UpdateStorageFeatures `json:"features,omitempty"`
	External      *StorageExternal       `json:"external,omitempty"`
}

// UpdateStorageFeatures switches what it names.
type UpdateStorageFeatures struct {
	ImageTransformation *Switch         `json:"imageTransformation,omitempty"`
	S3Protocol          *Switch         `json:"s3Protocol,omitempty"`
	IcebergCatalog      *IcebergCatalog `json:"icebergCatalog,omitempty"`
	VectorBuckets       *VectorBuckets  `json:"vectorBuckets,omitempty"`
}

type updateStorageInput struct {
	Ref  string `path:"ref"`
	Body UpdateStorageBody
}

func (a *API) registerServiceConfig() {
	for _, path := range []string{"/platform/projects/{ref}/config/realtime", "/v1/projects/{ref}/config/realtime"} {
		handle(a, route{
			method: http.MethodGet, path: path, permission: access.InProject(access.RealtimeAdminRead, "*"),
			kind: Real, summary: "Realtime's limits",
		}, a.getRealtimeConfig)
		act(a, route{
			method: http.MethodPatch, path: path, permission: access.InProject(access.RealtimeAdminWrite, "*"),
			status: http.StatusNoContent, kind: Real, summary: "Change Realtime's limits",
		}, a.updateRealtimeConfig)
	}
	for _, path := range []string{"/platform/projects/{ref}/config/storage", "/v1/projects/{ref}/config/storage"} {
		handle(a, route{
			method: http.MethodGet, path: path, permission: access.InProject(access.StorageRead, "*"),
			kind: Real, summary: "Storage's settings",
		}, a.getStorageConfig)
		handle(a, route{
			method: http.MethodPatch, path: path, permission: access.InProject(access.StorageAdminWrite, "*"),
			kind: Real, summary: "Change Storage's settings",
		}, a.updateStorageConfig)
	}
}

func (a *API) getRealtimeConfig(ctx context.Context, c *call, _ *refPath) (RealtimeSettings, error) {
	return section(ctx, a, c.project.Project, store.ConfigRealtime, realtimeDefaults)
}

func (a *API) updateRealtimeConfig(ctx context.Context, c *call, in *updateRealtimeInput) error {
	_, err := updateSection(ctx, a, c, store.ConfigRealtime, in.Body, RealtimeSettings{})
	return err
}

func (a *API) getStorageConfig(ctx context.Context, c *call, _ *refPath) (StorageSettings, error) {
	return section(ctx, a, c.project.Project, store.ConfigStorage, storageDefaults)
}

// updateStorageConfig keeps the features that the body does not name: they are settings of one name to the store.
func (a *API) updateStorageConfig(ctx context.Context, c *call, in *updateStorageInput) (StorageSettings, error) {
	if external := in.Body.External; external != nil && external.UpstreamTarget != "main" {
		return StorageSettings{}, problem.BadRequest("external.upstreamTarget: there is no canary of Storage here.")
	}
	patch := store.SectionConfig{}
	if in.Body.FileSizeLimit != nil {
		patch["fileSizeLimit"] = *in.Body.FileSizeLimit
	}
	if in.Body.Features != nil {
		current, err := a.getStorageConfig(ctx, c, nil)
		if err != nil {
			return StorageSettings{}, err
		}
		if patch["features"], err = in.Body.Features.over(current.Features); err != nil {
			return StorageSettings{}, err
		}
	}
	return changeSection(ctx, a, c, store.ConfigStorage, patch, storageDefaults)
}

func (f *UpdateStorageFeatures) over(current StorageFeatures) (StorageFeatures, error) {
	if f.ImageTransformation != nil {
		current.ImageTransformation = *f.ImageTransformation
	}
	if f.S3Protocol != nil {
		current.S3Protocol = *f.S3Protocol
	}
	if f.IcebergCatalog != nil && f.IcebergCatalog.Enabled {
		return current, problem.BadRequest("features.icebergCatalog: " + noAnalyticsBuckets)
	}
	if f.VectorBuckets != nil && f.VectorBuckets.Enabled {
		return current, problem.BadRequest("features.vectorBuckets: " + noVectorBuckets)
	}
	return current, nil
}

// What Storage needs another service for that this platform does not run.
const (
	noAnalyticsBuckets = "analytics buckets need an Iceberg catalog, which this platform does not run."
	noVectorBuckets    = "vector buckets need a vector store, which this platform does not run."
)
