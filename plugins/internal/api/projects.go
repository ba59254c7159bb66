package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// Every project runs on the operator's own machines, whatever cloud the wizard sends; which of them, its region says.
const (
	localProvider = "LOCAL"
	defaultSize   = "micro"
)

// CreateProjectBody is what Studio's wizard sends. What it says of clouds is accepted and not followed.
type CreateProjectBody struct {
	OrganizationSlug    string           `json:"organization_slug" minLength:"1"`
	Name                string           `json:"name" minLength:"1" maxLength:"256"`
	DatabasePassword    string           `json:"db_pass" minLength:"4" maxLength:"256" pattern:"^[^\\x00-\\x1f]*$" patternDescription:"no control characters"`
	DesiredInstanceSize string           `json:"desired_instance_size,omitempty"`
	Region              string           `json:"db_region,omitempty" maxLength:"64" doc:"The name of a region, where region_selection is absent."`
	RegionSelection     *RegionSelection `json:"region_selection,omitempty"`
	ServiceChoice
}

type createProjectInput struct{ Body CreateProjectBody }

func (in *createProjectInput) organizationSlug() store.Slug {
	return store.Slug(in.Body.OrganizationSlug)
}

// CreateProjectResponse is a project that was just made.
type CreateProjectResponse struct {
	ProjectSummary
	AnonKey    string `json:"anon_key"`
	ServiceKey string `json:"service_key"`
	Endpoint   string `json:"endpoint"`
}

// ProjectSummary is a project in a list.
type ProjectSummary struct {
	ID                       int64       `json:"id"`
	Ref                      string      `json:"ref"`
	Name                     string      `json:"name"`
	OrganizationID           int64       `json:"organization_id"`
	OrganizationSlug         string      `json:"organization_slug"`
	Status                   string      `json:"status"`
	CloudProvider            string      `json:"cloud_provider"`
	Region                   string      `json:"region"`
	InfraComputeSize         string      `json:"infra_compute_size"`
	InsertedAt               time.Time   `json:"inserted_at"`
	IsBranchEnabled          bool        `json:"is_branch_enabled"`
	IsPhysicalBackupsEnabled bool        `json:"is_physical_backups_enabled"`
	PreviewBranchRefs        []store.Ref `json:"preview_branch_refs"`
	SubscriptionID           *string     `json:"subscription_id"`
}

// ListProjectsResponse is one page of the caller's projects.
type ListProjectsResponse struct {
	Projects   []ProjectSummary `json:"projects"`
	Pagination Pagination       `json:"pagination"`
}

// Pagination says which part of a list a page is.
type Pagination struct {
	Count  int64 `json:"count" doc:"Rows on all pages."`
	Limit  int   `json:"limit"`
	Offset int   `json:"offset"`
}

// ProjectDetailResponse is one project.
type ProjectDetailResponse struct {
	ID                       int64      `json:"id"`
	Ref                      string     `json:"ref"`
	Name                     string     `json:"name"`
	OrganizationID           int64      `json:"organization_id"`
	Status                   string     `json:"status"`
	CloudProvider            string     `json:"cloud_provider"`
	Region                   string     `json:"region"`
	InfraComputeSize         string     `json:"infra_compute_size"`
	InsertedAt               time.Time  `json:"inserted_at"`
	UpdatedAt                time.Time  `json:"updated_at"`
	ConnectionString         *string    `json:"connectionString" doc:"A token that Studio sends back with its queries, not a connection string. Null until the database is up."`
	DBHost                   string     `json:"db_host"`
	DBVersion                *string    `json:"dbVersion,omitempty"`
	RestURL                  string     `json:"restUrl"`
	HighAvailability         bool       `json:"high_availability"`
	IsBranchEnabled          bool       `json:"is_branch_enabled" doc:"It has branches, or is one."`
	ParentProjectRef         *store.Ref `json:"parent_project_ref,omitempty" doc:"Of the project whose branch it is."`
	IsPhysicalBackupsEnabled bool       `json:"is_physical_backups_enabled"`
	SubscriptionID           string     `json:"subscription_id"`
}

// ProjectStatusResponse is what Studio polls while something happens.
type ProjectStatusResponse struct {
	Status string `json:"status"`
}

// ProjectRefResponse names the project that something was done to.
type ProjectRefResponse struct {
	ID   int64  `json:"id"`
	Ref  string `json:"ref"`
	Name string `json:"name"`
}

// RestoreProjectResponse is a paused project that starts again.
type RestoreProjectResponse struct {
	ID             int64       `json:"id"`
	OrganizationID int64       `json:"organization_id"`
	CloudProvider  string      `json:"cloud_provider"`
	Region         string      `json:"region"`
	Status         string      `json:"status"`
	Backups        []BackupRef `json:"back_ups" doc:"What it is restored from: nothing, for pausing keeps its volumes."`
}

// BackupRef names a backup.
type BackupRef struct {
	ID int64 `json:"id"`
}

type refPath struct {
	Ref string `path:"ref"`
}

// ProjectPage asks for one page of a list of projects.
type ProjectPage struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Offset int    `query:"offset" minimum:"0"`
	Search string `query:"search" maxLength:"256"`
	Sort   string `query:"sort" enum:"name_asc,name_desc,created_asc,created_desc" default:"name_asc"`
}

func (p ProjectPage) filter() store.ProjectFilter {
	return store.ProjectFilter{Search: p.Search, Order: store.ProjectOrder(p.Sort), Limit: p.Limit, Offset: p.Offset}
}

func (a *API) registerProjects() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects", permission: access.SignedInTo(access.Read, "projects"),
		kind: Real, summary: "Your projects, in all your organizations",
	}, a.listProjects)
	handle(a, route{
		method: http.MethodPost, path: "/platform/projects", permission: access.InOrganization(access.Create, "projects"),
		status: http.StatusCreated, kind: Real, summary: "Create a project",
	}, a.createProject)
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}", permission: access.InProject(access.Read, "projects"),
		kind: Real, summary: "One project",
	}, a.getProject)
	handle(a, route{
		method: http.MethodDelete, path: "/platform/projects/{ref}", permission: access.InProject(access.Delete, "projects"),
		kind: Real, summary: "Delete a project and all its data",
	}, a.deleteProject)
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/status", permission: access.InProject(access.Read, "projects"),
		kind: Real, summary: "A project's status",
	}, a.getProjectStatus)
	act(a, route{
		method: http.MethodPost, path: "/platform/projects/{ref}/pause",
		permission: access.InProject(access.InfraExecute, "queue_jobs.projects.pause"), status: http.StatusCreated,
		kind: Real, summary: "Stop a project and keep its data",
	}, a.change(store.OperationPause))
	handle(a, route{
		method: http.MethodPost, path: "/platform/projects/{ref}/restore",
		permission: access.InProject(access.InfraExecute, "queue_jobs.projects.initialize_or_resume"),
		kind:       Real, summary: "Start a paused project",
	}, a.restoreProject)
	act(a, route{
		method: http.MethodPost, path: "/platform/projects/{ref}/restart",
		permission: access.InProject(access.InfraExecute, "reboot"), status: http.StatusCreated,
		kind: Real, summary: "Restart a project",
	}, a.change(store.OperationRestart))
}

func (a *API) listProjects(ctx context.Context, c *call, in *ProjectPage) (ListProjectsResponse, error) {
	filter := in.filter()
	filter.WithoutMFA, filter.Limits = !access.HasSecondFactor(c.Caller), c.Limits
	page, err := a.store.Projects(ctx, c.Profile.ID, filter)
	if err != nil {
		return ListProjectsResponse{}, err
	}
	list := make([]ProjectSummary, len(page.Projects))
	for i, project := range page.Projects {
		list[i] = a.projectSummaryOf(project)
	}
	return ListProjectsResponse{list, Pagination{Count: page.Count, Limit: in.Limit, Offset: in.Offset}}, nil
}

func (a *API) createProject(ctx context.Context, c *call, in *createProjectInput) (CreateProjectResponse, error) {
	made, err := a.newProject(ctx, c, projectWish{
		name: in.Body.Name, password: in.Body.DatabasePassword, size: in.Body.DesiredInstanceSize,
		region: in.Body.RegionSelection.or(in.Body.Region), services: in.Body.ServiceChoice,
	})
	if err != nil {
		return CreateProjectResponse{}, err
	}
	return CreateProjectResponse{
		ProjectSummary: a.projectSummaryOf(made.ProjectSummary),
		AnonKey:        made.AnonKey, ServiceKey: made.ServiceKey, Endpoint: a.projectURL(made.Ref),
	}, nil
}

// projectWish is what somebody wants of a new project.
type projectWish struct {
	name, password, size, region string
	services                     ServiceChoice
}

// newProject makes a project in the organization that the call entered.
func (a *API) newProject(ctx context.Context, c *call, wish projectWish) (store.CreatedProject, error) {
	size, known := store.ComputeSizeNamed(cmp.Or(wish.size, defaultSize))
	if !known {
		return store.CreatedProject{}, problem.BadRequest(fmt.Sprintf("desired_instance_size: there is no compute size %.40q.", wish.size))
	}
	target, err := a.chooseTarget(ctx, wish.region, size)
	if err != nil {
		return store.CreatedProject{}, err
	}
	services, err := wish.services.on(target)
	if err != nil {
		return store.CreatedProject{}, err
	}
	return a.store.CreateProject(ctx, c.actor, store.NewProject{
		OrganizationID: c.membership.ID, Name: wish.name, DatabasePassword: wish.password, ComputeSize: size.Name,
		CloudProvider: localProvider, Region: target.Name, Target: target.Name, Services: services,
		TargetLimit: a.settings.Instance.RegionOf(target.Name).Projects,
	})
}

func (a *API) getProject(_ context.Context, c *call, _ *refPath) (ProjectDetailResponse, error) {
	p := c.project
	token, err := a.connectionToken(p)
	if err != nil {
		return ProjectDetailResponse{}, err
	}
	return ProjectDetailResponse{
		ID: p.ID, Ref: string(p.Ref), Name: p.Name, OrganizationID: p.OrganizationID, Status: string(p.Status),
		CloudProvider: p.CloudProvider, Region: a.regionOf(p.ProjectSummary), InfraComputeSize: p.ComputeSize,
		InsertedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, IsBranchEnabled: p.Branching || p.ParentRef != nil, ParentProjectRef: p.ParentRef,
		ConnectionString: token, DBHost: a.settings.DatabaseHost, DBVersion: p.DBVersion, RestURL: a.projectURL(p.Ref) + "/rest/v1/",
	}, nil
}

// connectionToken returns what Studio is to send back with its queries, nil while there is no database to query.
func (a *API) connectionToken(p store.ProjectAccess) (*string, error) {
	if !p.Running() || p.DBHost == nil || !access.AllowsInProject(p, access.TenantSQLQuery, "*") {
		return nil, nil
	}
	token, err := a.tokens.Seal(p.Ref, pgmeta.ModeOf(p))
	return &token, err
}

func (a *API) deleteProject(ctx context.Context, c *call, _ *refPath) (ProjectRefResponse, error) {
	gone, err := a.store.ChangeProject(ctx, c.actor, c.project.Ref, store.OperationDelete)
	return ProjectRefResponse{ID: gone.ID, Ref: string(gone.Ref), Name: gone.Name}, err
}

func (a *API) getProjectStatus(_ context.Context, c *call, _ *refPath) (ProjectStatusResponse, error) {
	return ProjectStatusResponse{Status: string(c.project.Status)}, nil
}

func (a *API) restoreProject(ctx context.Context, c *call, _ *refPath) (RestoreProjectResponse, error) {
	p, err := a.store.ChangeProject(ctx, c.actor, c.project.Ref, store.OperationRestore)
	return RestoreProjectResponse{
		ID: p.ID, OrganizationID: p.OrganizationID, CloudProvider: p.CloudProvider, Region: a.regionOf(p.ProjectSummary), Status: string(p.Status),
		Backups: []BackupRef{},
	}, err
}

// change returns the handler of a command that changes what is wanted of a project.
func (a *API) change(kind store.OperationKind) func(context.Context, *call, *refPath) error {
	return func(ctx context.Context, c *call, _ *refPath) error {
		_, err := a.store.ChangeProject(ctx, c.actor, c.project.Ref, kind)
		return err
	}
}

func (a *API) projectSummaryOf(p store.ProjectSummary) ProjectSummary {
	return ProjectSummary{
		ID: p.ID, Ref: string(p.Ref), Name: p.Name, OrganizationID: p.OrganizationID, OrganizationSlug: string(p.OrganizationSlug),
		Status: string(p.Status), CloudProvider: p.CloudProvider, Region: a.regionOf(p), InfraComputeSize: p.ComputeSize,
		InsertedAt: p.CreatedAt, IsBranchEnabled: p.Branching, PreviewBranchRefs: append([]store.Ref{}, p.PreviewRefs...),
	}
}
