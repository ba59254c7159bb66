package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

// PostgresSettings are Postgres' own settings that were set, by Postgres' own names. What is left out has the default of its
// compute size. Sizes and times have Postgres' own units: 64MB, 5min.
type PostgresSettings struct {
	CheckpointTimeout             *string `json:"checkpoint_timeout,omitempty" pattern:"^[0-9]{1,9}(us|ms|s|min|h|d)?$" patternDescription:"a time such as 5min"`
	EffectiveCacheSize            *string `json:"effective_cache_size,omitempty" pattern:"^[0-9]{1,9}(B|kB|MB|GB|TB)?$" patternDescription:"a size such as 64MB"`
	HotStandbyFeedback            *bool   `json:"hot_standby_feedback,omitempty"`
	LogicalDecodingWorkMem        *string `json:"logical_decoding_work_mem,omitempty" pattern:"^[0-9]{1,9}(B|kB|MB|GB|TB)?$" patternDescription:"a size such as 64MB"`
	MaintenanceWorkMem            *string `json:"maintenance_work_mem,omitempty" pattern:"^[0-9]{1,9}(B|kB|MB|GB|TB)?$" patternDescription:"a size such as 64MB"`
	MaxConnections                *int    `json:"max_connections,omitempty" minimum:"10" maximum:"262143"`
	MaxLocksPerTransaction        *int    `json:"max_locks_per_transaction,omitempty" minimum:"10" maximum:"2147483640"`
	MaxParallelMaintenanceWorkers *int    `json:"max_parallel_maintenance_workers,omitempty" minimum:"0" maximum:"1024"`
	MaxParallelWorkers            *int    `json:"max_parallel_workers,omitempty" minimum:"0" maximum:"1024"`
	MaxParallelWorkersPerGather   *int    `json:"max_parallel_workers_per_gather,omitempty" minimum:"0" maximum:"1024"`
	MaxReplicationSlots           *int    `json:"max_replication_slots,omitempty" minimum:"5" maximum:"262143"`
	MaxSlotWALKeepSize            *string `json:"max_slot_wal_keep_size,omitempty" pattern:"^(-1|[0-9]{1,9}(kB|MB|GB|TB)?)$" patternDescription:"a size such as 64MB, or -1"`
	MaxStandbyArchiveDelay        *string `json:"max_standby_archive_delay,omitempty" pattern:"^(-1|[0-9]{1,9}(us|ms|s|min|h|d)?)$" patternDescription:"a time such as 5min, or -1"`
	MaxStandbyStreamingDelay      *string `json:"max_standby_streaming_delay,omitempty" pattern:"^(-1|[0-9]{1,9}(us|ms|s|min|h|d)?)$" patternDescription:"a time such as 5min, or -1"`
	MaxWALSenders                 *int    `json:"max_wal_senders,omitempty" minimum:"5" maximum:"262143"`
	MaxWALSize                    *string `json:"max_wal_size,omitempty" pattern:"^[0-9]{1,9}(kB|MB|GB|TB)?$" patternDescription:"a size such as 64MB"`
	MaxWorkerProcesses            *int    `json:"max_worker_processes,omitempty" minimum:"6" maximum:"262143"`
	SessionReplicationRole        *string `json:"session_replication_role,omitempty" enum:"origin,replica,local"`
	SharedBuffers                 *string `json:"shared_buffers,omitempty" pattern:"^[0-9]{1,9}(B|kB|MB|GB|TB)?$" patternDescription:"a size such as 64MB"`
	StatementTimeout              *string `json:"statement_timeout,omitempty" pattern:"^[0-9]{1,9}(us|ms|s|min|h|d)?$" patternDescription:"a time such as 5min"`
	TrackActivityQuerySize        *string `json:"track_activity_query_size,omitempty" pattern:"^[0-9]{1,9}(B|kB|MB)?$" patternDescription:"a size such as 4kB"`
	TrackCommitTimestamp          *bool   `json:"track_commit_timestamp,omitempty"`
	WALKeepSize                   *string `json:"wal_keep_size,omitempty" pattern:"^[0-9]{1,9}(kB|MB|GB|TB)?$" patternDescription:"a size such as 64MB"`
	WALSenderTimeout              *string `json:"wal_sender_timeout,omitempty" pattern:"^[0-9]{1,9}(us|ms|s|min|h|d)?$" patternDescription:"a time such as 5min"`
	WorkMem                       *string `json:"work_mem,omitempty" pattern:"^[0-9]{1,9}(B|kB|MB|GB|TB)?$" patternDescription:"a size such as 64MB"`
}

// restart_database, which the contract has beside these, says nothing here: what needs a restart gets one.
type updatePostgresInput struct {
	Ref  string `path:"ref"`
	Body PostgresSettings
}

func (a *API) registerPostgresConfig() {
	const path = "/v1/projects/{ref}/config/database/postgres"
	handle(a, route{
		method: http.MethodGet, path: path, permission: access.InProject(access.Read, "projects"),
		kind: Real, summary: "What was set of Postgres' own settings",
	}, a.getPostgresConfig)
	handle(a, route{
		method: http.MethodPut, path: path, permission: access.InProject(access.Update, "projects"),
		kind: Real, summary: "Change Postgres' own settings",
	}, a.updatePostgresConfig)
}

func (a *API) getPostgresConfig(ctx context.Context, c *call, _ *refPath) (PostgresSettings, error) {
	return section(ctx, a, c.project.Project, store.ConfigPostgres, PostgresSettings{})
}

// updatePostgresConfig puts the body in place of all that was set: the CLI takes a setting back by leaving it out.
func (a *API) updatePostgresConfig(ctx context.Context, c *call, in *updatePostgresInput) (PostgresSettings, error) {
	settings, err := patchOf(in.Body)
	if err != nil {
		return PostgresSettings{}, err
	}
	set, err := a.store.ReplaceProjectConfig(ctx, c.actor, c.project.Ref, store.ConfigPostgres, settings)
	if err != nil {
		return PostgresSettings{}, err
	}
	return overlay(PostgresSettings{}, set)
}
