package api

import (
	"context"
	"net/http"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

// V1Organization is an organization as the management API has it.
type V1Organization struct {
	ID   string `json:"id" doc:"The slug, as upstream has it."`
	Slug string `json:"slug"`
	Name string `json:"name"`
}

// V1OrganizationDetail is one organization as the management API has it.
type V1OrganizationDetail struct {
	V1Organization
	Plan                   string   `json:"plan"`
	OptInTags              []string `json:"opt_in_tags"`
	AllowedReleaseChannels []string `json:"allowed_release_channels"`
}

// V1Member is somebody in an organization as the management API has them.
type V1Member struct {
	UserID     string `json:"user_id"`
	UserName   string `json:"user_name"`
	Email      string `json:"email"`
	RoleName   string `json:"role_name"`
	MFAEnabled bool   `json:"mfa_enabled" doc:"Of your own session; of others it is not known, and false."`
}

// V1Profile is a person as the management API has them.
type V1Profile struct {
	GotrueID     string `json:"gotrue_id"`
	PrimaryEmail string `json:"primary_email"`
	Username     string `json:"username"`
}

// V1Project is a project as the management API has it.
type V1Project struct {
	ID               string    `json:"id" doc:"The ref, as upstream has it."`
	Ref              string    `json:"ref"`
	Name             string    `json:"name"`
	OrganizationID   string    `json:"organization_id" doc:"The organization's slug."`
	OrganizationSlug string    `json:"organization_slug"`
	Region           string    `json:"region"`
	Status           string    `json:"status"`
	CreatedAt        time.Time `json:"created_at"`
}

// V1ProjectWithDatabase is a project with where its database is.
type V1ProjectWithDatabase struct {
	V1Project
	Database V1Database `json:"database"`
}

// V1Database says where a project's database is and what it runs.
type V1Database struct {
	Host           string `json:"host"`
	Version        string `json:"version" doc:"Empty until the database was seen."`
	PostgresEngine string `json:"postgres_engine" doc:"The major version; empty until the database was seen."`
	ReleaseChannel string `json:"release_channel"`
}

// V1CreateProjectBody is what the CLI and other clients send.
type V1CreateProjectBody struct {
	Name                string           `json:"name" minLength:"1" maxLength:"256"`
	OrganizationSlug    string           `json:"organization_slug,omitempty"`
	OrganizationID      string           `json:"organization_id,omitempty" doc:"The older name of organization_slug."`
	DatabasePassword    string           `json:"db_pass" minLength:"4" maxLength:"256" pattern:"^[^\\x00-\\x1f]*$" patternDescription:"no control characters"`
	DesiredInstanceSize string           `json:"desired_instance_size,omitempty"`
	Region              string           `json:"region,omitempty" maxLength:"64" doc:"The older name of region_selection: its code."`
	RegionSelection     *RegionSelection `json:"region_selection,omitempty"`
	ServiceChoice
}

type v1CreateProjectInput struct{ Body V1CreateProjectBody }

func (in *v1CreateProjectInput) organizationSlug() store.Slug {
	if in.Body.OrganizationSlug != "" {
		return store.Slug(in.Body.OrganizationSlug)
	}
	return store.Slug(in.Body.OrganizationID)
}

func (a *API) registerManagement() {
	handle(a, route{
		method: http.MethodGet, path: "/v1/organizations", permission: access.SignedInTo(access.Read, "organizations"),
		kind: Real, summary: "Your organizations",
	}, a.v1ListOrganizations)
	handle(a, route{
		method: http.MethodPost, path: "/v1/organizations", permission: access.SignedInTo(access.Create, "organizations"), status: http.StatusCreated,
		kind: Real, summary: "Create an organization",
	}, a.v1CreateOrganization)
	handle(a, route{
		method: http.MethodGet, path: "/v1/organizations/{slug}", permission: access.InOrganization(access.Read, "organizations"),
		kind: Real, summary: "One organization",
	}, a.v1GetOrganization)
	handle(a, route{
		method: http.MethodGet, path: "/v1/organizations/{slug}/members", permission: access.InOrganization(access.Read, "auth.subject_roles"),
		kind: Real, summary: "Who is in the organization",
	}, a.v1ListMembers)
	handle(a, route{
		method: http.MethodGet, path: "/v1/profile", permission: access.SignedInTo(access.Read, "profile"),
		kind: Real, summary: "Your profile",
	}, a.v1GetProfile)
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects", permission: access.SignedInTo(access.Read, "projects"),
		kind: Real, summary: "Your projects",
	}, a.v1ListProjects)
	handle(a, route{
		method: http.MethodPost, path: "/v1/projects", permission: access.InOrganization(access.Create, "projects"),
		status: http.StatusCreated, kind: Real, summary: "Create a project",
	}, a.v1CreateProject)
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}", permission: access.InProject(access.Read, "projects"),
		kind: Real, summary: "One project",
	}, a.v1GetProject)
	handle(a, route{
		method: http.MethodDelete, path: "/v1/projects/{ref}", permission: access.InProject(access.Delete, "projects"),
		kind: Real, summary: "Delete a project and all its data",
	}, a.deleteProject)
	act(a, route{
		method: http.MethodPost, path: "/v1/projects/{ref}/pause",
		permission: access.InProject(access.InfraExecute, "queue_jobs.projects.pause"),
		kind:       Real, summary: "Stop a project and keep its data",
	}, a.change(store.OperationPause))
	act(a, route{
		method: http.MethodPost, path: "/v1/projects/{ref}/restore",
		permission: access.InProject(access.InfraExecute, "queue_jobs.projects.initialize_or_resume"),
		kind:       Real, summary: "Start a paused project",
	}, a.change(store.OperationRestore))
}

func (a *API) v1ListOrganizations(ctx context.Context, c *call, _ *none) ([]V1Organization, error) {
	memberships, err := a.memberships(ctx, c)
	if err != nil {
		return nil, err
	}
	list := make([]V1Organization, len(memberships))
	for i, membership := range memberships {
		list[i] = v1OrganizationOf(membership)
	}
	return list, nil
}

func (a *API) v1CreateOrganization(ctx context.Context, c *call, in *createOrganizationInput) (V1Organization, error) {
	made, err := a.store.CreateOrganization(ctx, c.actor, in.Body.Name)
	return v1OrganizationOf(made), err
}

func (a *API) v1GetOrganization(_ context.Context, c *call, _ *SlugPath) (V1OrganizationDetail, error) {
	return V1OrganizationDetail{
		V1Organization: v1OrganizationOf(c.membership), Plan: planID, OptInTags: c.membership.OptInTags,
		AllowedReleaseChannels: []string{"ga"},
	}, nil
}

func (a *API) v1ListMembers(ctx context.Context, c *call, _ *SlugPath) ([]V1Member, error) {
	members, err := a.store.Members(ctx, c.membership.ID)
	if err != nil {
		return nil, err
	}
	list := make([]V1Member, len(members))
	for i, member := range members {
		list[i] = V1Member{
			UserID: member.GotrueID, UserName: member.Username, Email: member.PrimaryEmail, RoleName: v1RoleName(member.Roles),
			MFAEnabled: c.secured(member),
		}
	}
	return list, nil
}

// v1RoleName names one role for each member, as the management API has it: the one of the organization, else the
// mightiest of those in projects.
func v1RoleName(roles store.Roles) string {
	role := roles.Role
	for _, one := range roles.ProjectRoles {
		if !role.Valid() || !roles.Role.Valid() && one.Role < role {
			role = one.Role
		}
	}
	return access.RoleNames[role]
}

func (a *API) v1GetProfile(_ context.Context, c *call, _ *none) (V1Profile, error) {
	return V1Profile{GotrueID: c.Profile.GotrueID, PrimaryEmail: c.Profile.PrimaryEmail, Username: c.Profile.Username}, nil
}

func (a *API) v1ListProjects(ctx context.Context, c *call, _ *none) ([]V1ProjectWithDatabase, error) {
	page, err := a.store.Projects(ctx, c.Profile.ID, store.ProjectFilter{
		Order: store.OrderCreatedAscending, WithoutMFA: !access.HasSecondFactor(c.Caller), Limits: c.Limits,
	})
	if err != nil {
		return nil, err
	}
	list := make([]V1ProjectWithDatabase, len(page.Projects))
	for i, project := range page.Projects {
		list[i] = a.v1ProjectWithDatabaseOf(project)
	}
	return list, nil
}

func (a *API) v1CreateProject(ctx context.Context, c *call, in *v1CreateProjectInput) (V1Project, error) {
	made, err := a.newProject(ctx, c, projectWish{
		name: in.Body.Name, password: in.Body.DatabasePassword, size: in.Body.DesiredInstanceSize,
		region: in.Body.RegionSelection.or(in.Body.Region), services: in.Body.ServiceChoice,
	})
	return a.v1ProjectOf(made.ProjectSummary), err
}

func (a *API) v1GetProject(_ context.Context, c *call, _ *refPath) (V1ProjectWithDatabase, error) {
	return a.v1ProjectWithDatabaseOf(c.project.ProjectSummary), nil
}

func v1OrganizationOf(m store.Membership) V1Organization {
	return V1Organization{ID: string(m.Slug), Slug: string(m.Slug), Name: m.Name}
}

func (a *API) v1ProjectOf(p store.ProjectSummary) V1Project {
	return V1Project{
		ID: string(p.Ref), Ref: string(p.Ref), Name: p.Name,
		OrganizationID: string(p.OrganizationSlug), OrganizationSlug: string(p.OrganizationSlug),
		Region: a.regionOf(p), Status: string(p.Status), CreatedAt: p.CreatedAt,
	}
}

func (a *API) v1ProjectWithDatabaseOf(p store.ProjectSummary) V1ProjectWithDatabase {
	version := ""
	if p.DBVersion != nil {
		version = *p.DBVersion
	}
	return V1ProjectWithDatabase{a.v1ProjectOf(p), V1Database{
		Host: a.settings.DatabaseHost, Version: version, PostgresEngine: majorVersion(version), ReleaseChannel: "ga",
	}}
}
