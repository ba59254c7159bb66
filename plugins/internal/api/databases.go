package api

import (
	"context"
	"net/http"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
)

// DatabaseDetail is one database server of a project: the primary, whose identifier is the ref.
type DatabaseDetail struct {
	Identifier string `json:"identifier"`
	DatabaseAddress
	CloudProvider            string    `json:"cloud_provider"`
	Region                   string    `json:"region"`
	Size                     string    `json:"size"`
	Status                   string    `json:"status"`
	InsertedAt               time.Time `json:"inserted_at"`
	RestURL                  string    `json:"restUrl"`
	ConnectionString         *string   `json:"connectionString" doc:"A token that Studio sends back with its queries, not a connection string. Null until the database is up."`
	ConnectionStringReadOnly *string   `json:"connection_string_read_only" doc:"The same for queries that only read."`
}

// DatabaseStatus is how a database server is.
type DatabaseStatus struct {
	Identifier string `json:"identifier"`
	Status     string `json:"status"`
}

func (a *API) registerDatabases() {
	read := access.InProject(access.Read, "projects")
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/databases", permission: read,
		kind: Real, summary: "A project's database servers: one",
	}, a.listDatabases)
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/databases-statuses", permission: read,
		kind: Real, summary: "How a project's database servers are",
	}, a.listDatabaseStatuses)
	same(a, "/platform/projects/{ref}/load-balancers", read, "Load balancers in front of read replicas: none", noReplicas, []never{})
	replicas := access.InProject(access.Update, "projects")
	for _, path := range []string{"/v1/projects/{ref}/read-replicas/setup", "/v1/projects/{ref}/read-replicas/remove"} {
		refuse(a, route{method: http.MethodPost, path: path, permission: replicas, summary: "Read replicas: not here"}, noReplicas)
	}
}

const noReplicas = "This platform runs one database server for each project: there are no read replicas."

func (a *API) listDatabases(ctx context.Context, c *call, _ *refPath) ([]DatabaseDetail, error) {
	p := c.project
	details, err := a.store.ProjectDetails(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	primary := DatabaseDetail{
		Identifier: string(p.Ref), DatabaseAddress: a.databaseAddress(details.DatabasePort), CloudProvider: p.CloudProvider, Region: a.regionOf(p.ProjectSummary),
		Size: p.ComputeSize, Status: databaseStatus(p.Status), InsertedAt: p.CreatedAt, RestURL: a.projectURL(p.Ref) + "/rest/v1/",
	}
	if primary.ConnectionString, err = a.connectionToken(p); err != nil || primary.ConnectionString == nil {
		return []DatabaseDetail{primary}, err
	}
	readOnly, err := a.tokens.Seal(p.Ref, pgmeta.ReadOnly)
	primary.ConnectionStringReadOnly = &readOnly
	return []DatabaseDetail{primary}, err
}

func (a *API) listDatabaseStatuses(_ context.Context, c *call, _ *refPath) ([]DatabaseStatus, error) {
	return []DatabaseStatus{{Identifier: string(c.project.Ref), Status: databaseStatus(c.project.Status)}}, nil
}
