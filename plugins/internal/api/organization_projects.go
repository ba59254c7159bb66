package api

import (
	"context"
	"strings"
	"time"

	"github.com/plurabase/plurabase/store"
)

// OrganizationProjectsResponse is one page of an organization's projects.
type OrganizationProjectsResponse struct {
	Projects   []OrganizationProject `json:"projects"`
	Pagination Pagination            `json:"pagination"`
}

// OrganizationProject is a project in its organization's list, with its databases.
type OrganizationProject struct {
	Ref           string            `json:"ref"`
	Name          string            `json:"name"`
	Status        string            `json:"status"`
	CloudProvider string            `json:"cloud_provider"`
	Region        string            `json:"region"`
	InsertedAt    time.Time         `json:"inserted_at"`
	IsBranch      bool              `json:"is_branch"`
	Databases     []ProjectDatabase `json:"databases"`
}

// ProjectDatabase is one database server of a project. Self-hosted projects have the primary only.
type ProjectDatabase struct {
	Identifier       string `json:"identifier"`
	Type             string `json:"type" enum:"PRIMARY,READ_REPLICA"`
	Status           string `json:"status"`
	CloudProvider    string `json:"cloud_provider"`
	Region           string `json:"region"`
	InfraComputeSize string `json:"infra_compute_size"`
}

type organizationProjectPage struct {
	SlugPath
	ProjectPage
	Statuses string `query:"statuses" doc:"Comma-separated."`
}

func (a *API) listOrganizationProjects(ctx context.Context, c *call, in *organizationProjectPage) (OrganizationProjectsResponse, error) {
	filter := in.filter()
	filter.OrganizationID, filter.Limits = c.membership.ID, c.Limits
	for status := range strings.SplitSeq(in.Statuses, ",") {
		if status != "" {
			filter.Statuses = append(filter.Statuses, store.Status(status))
		}
	}
	page, err := a.store.Projects(ctx, c.Profile.ID, filter)
	if err != nil {
		return OrganizationProjectsResponse{}, err
	}
	list := make([]OrganizationProject, len(page.Projects))
	for i, project := range page.Projects {
		list[i] = a.organizationProjectOf(project)
	}
	return OrganizationProjectsResponse{list, Pagination{Count: page.Count, Limit: in.Limit, Offset: in.Offset}}, nil
}

func (a *API) organizationProjectOf(p store.ProjectSummary) OrganizationProject {
	return OrganizationProject{
		Ref: string(p.Ref), Name: p.Name, Status: string(p.Status), CloudProvider: p.CloudProvider, Region: a.regionOf(p),
		InsertedAt: p.CreatedAt,
		Databases: []ProjectDatabase{{
			Identifier: string(p.Ref), Type: "PRIMARY", Status: databaseStatus(p.Status),
			CloudProvider: p.CloudProvider, Region: a.regionOf(p), InfraComputeSize: p.ComputeSize,
		}},
	}
}

// databaseStatuses are the project statuses that a database can have too; the rest of them say nothing of it.
var databaseStatuses = map[store.Status]bool{
	store.StatusActiveHealthy: true, store.StatusActiveUnhealthy: true, store.StatusComingUp: true, store.StatusGoingDown: true,
	store.StatusInitFailed: true, store.StatusRestoring: true, store.StatusRestarting: true,
}

func databaseStatus(status store.Status) string {
	if databaseStatuses[status] {
		return string(status)
	}
	return "UNKNOWN"
}
