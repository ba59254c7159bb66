package api

import (
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// noReplication is why there is nothing of it, in the words that Studio shows.
const noReplication = "Replication to other systems needs Supabase's own pipeline service, which this platform does not run. Postgres' logical replication works: make a publication and subscribe to it."

// ReplicationDestinations lists where a project's data is replicated to: nowhere.
type ReplicationDestinations struct {
	Destinations []never `json:"destinations"`
}

// ReplicationPipelines lists what replicates a project's data: nothing.
type ReplicationPipelines struct {
	Pipelines []never `json:"pipelines"`
}

// ReplicationSources lists databases that are set up to be replicated: none.
type ReplicationSources struct {
	Sources []never `json:"sources"`
}

func (a *API) registerReplication() {
	const replication = "/platform/replication/{ref}"
	read, change := access.InProject(access.ReplicationRead, "*"), access.InProject(access.ReplicationWrite, "*")
	same(a, replication+"/destinations", read, "Where to replicate to: nowhere", noReplication, ReplicationDestinations{[]never{}})
	same(a, replication+"/pipelines", read, "Replication pipelines: none", noReplication, ReplicationPipelines{[]never{}})
	same(a, replication+"/sources", read, "Databases that are set up to be replicated: none", noReplication, ReplicationSources{[]never{}})
	for _, path := range []string{
		"/destinations/{destination_id}", "/pipelines/{pipeline_id}", "/pipelines/{pipeline_id}/replication-status",
		"/pipelines/{pipeline_id}/status", "/pipelines/{pipeline_id}/version", "/sources/{source_id}/publications",
		"/sources/{source_id}/tables",
	} {
		missing(a, route{method: http.MethodGet, path: replication + path, permission: read, summary: "None: no replication pipelines"}, noReplication)
	}
	for _, path := range []string{
		"/destinations", "/destinations/validate", "/destinations/{destination_id}", "/destinations-pipelines",
		"/destinations-pipelines/{destination_id}/{pipeline_id}", "/pipelines", "/pipelines/validate", "/pipelines/{pipeline_id}",
		"/pipelines/{pipeline_id}/rollback-tables", "/pipelines/{pipeline_id}/start", "/pipelines/{pipeline_id}/stop",
		"/pipelines/{pipeline_id}/version", "/sources", "/sources/{source_id}/publications",
		"/sources/{source_id}/publications/{publication_name}", "/tenants-sources",
	} {
		refuse(a, route{method: http.MethodPost, path: replication + path, permission: change, summary: "Refused: no replication pipelines"}, noReplication)
	}
	for _, path := range []string{
		"/destinations/{destination_id}", "/destinations-pipelines/{destination_id}/{pipeline_id}", "/pipelines/{pipeline_id}",
		"/sources/{source_id}/publications/{publication_name}",
	} {
		refuse(a, route{method: http.MethodDelete, path: replication + path, permission: change, summary: "Refused: no replication pipelines"}, noReplication)
	}
}
