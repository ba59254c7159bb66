package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// BranchResponse is a branch as the management API has it.
type BranchResponse struct {
	ID                   string     `json:"id" format:"uuid"`
	Name                 string     `json:"name"`
	ProjectRef           string     `json:"project_ref" doc:"Of the branch's own project."`
	ParentProjectRef     string     `json:"parent_project_ref"`
	IsDefault            bool       `json:"is_default" doc:"It is the project that the others follow."`
	GitBranch            *string    `json:"git_branch,omitempty" doc:"A name alone: nothing here talks to a Git host."`
	Persistent           bool       `json:"persistent"`
	WithData             bool       `json:"with_data"`
	Status               string     `json:"status" enum:"CREATING_PROJECT,RUNNING_MIGRATIONS,MIGRATIONS_PASSED,MIGRATIONS_FAILED,FUNCTIONS_DEPLOYED"`
	PreviewProjectStatus string     `json:"preview_project_status"`
	ReviewRequestedAt    *time.Time `json:"review_requested_at,omitempty"`
	DeletionScheduledAt  *time.Time `json:"deletion_scheduled_at,omitempty"`
	CreatedAt            time.Time  `json:"created_at"`
	UpdatedAt            time.Time  `json:"updated_at"`
}

// BranchDetailResponse says how a branch is reached.
type BranchDetailResponse struct {
	Ref             string `json:"ref"`
	Status          string `json:"status"`
	PostgresVersion string `json:"postgres_version" doc:"Empty until the database was seen."`
	PostgresEngine  string `json:"postgres_engine" doc:"The major version; empty until the database was seen."`
	ReleaseChannel  string `json:"release_channel"`
	DBHost          string `json:"db_host"`
	DBPort          int32  `json:"db_port" doc:"Zero until the branch was given one."`
	DBUser          string `json:"db_user,omitempty" doc:"This and what follows is for those who may read the JWT secret."`
	DBPass          string `json:"db_pass,omitempty"`
	JWTSecret       string `json:"jwt_secret,omitempty"`
}

// CreateBranchBody is what somebody wants of a branch.
type CreateBranchBody struct {
	BranchName          string            `json:"branch_name" minLength:"1" maxLength:"255" pattern:"^[^\\x00-\\x1f]+$" patternDescription:"no control characters"`
	GitBranch           string            `json:"git_branch,omitempty" maxLength:"255"`
	IsDefault           bool              `json:"is_default,omitempty" doc:"Names the default branch, and makes none."`
	Persistent          bool              `json:"persistent,omitempty"`
	Region              string            `json:"region,omitempty" maxLength:"64" doc:"A branch runs where its project does: nothing is chosen."`
	DesiredInstanceSize string            `json:"desired_instance_size,omitempty" doc:"The project's where it is left out."`
	WithData            bool              `json:"with_data,omitempty" doc:"Of the project's newest backup."`
	Secrets             map[string]string `json:"secrets,omitempty" doc:"The environment of the branch's edge functions."`
	NotifyURL           string            `json:"notify_url,omitempty" maxLength:"2048"`
	PostgresEngine      string            `json:"postgres_engine,omitempty" enum:"15,17,17-oriole"`
	ReleaseChannel      string            `json:"release_channel,omitempty" enum:"internal,alpha,beta,ga,withdrawn,preview"`
}

// UpdateBranchBody changes what it names.
type UpdateBranchBody struct {
	BranchName    *string `json:"branch_name,omitempty" minLength:"1" maxLength:"255" pattern:"^[^\\x00-\\x1f]+$" patternDescription:"no control characters"`
	GitBranch     *string `json:"git_branch,omitempty" maxLength:"255" doc:"Empty: none."`
	Persistent    *bool   `json:"persistent,omitempty"`
	RequestReview *bool   `json:"request_review,omitempty"`
	ResetOnPush   *bool   `json:"reset_on_push,omitempty" doc:"Upstream heeds it no more, nor is it here."`
	Status        *string `json:"status,omitempty"`
	NotifyURL     *string `json:"notify_url,omitempty" maxLength:"2048"`
}

// BranchActionBody says how far to go.
type BranchActionBody struct {
	MigrationVersion string `json:"migration_version,omitempty" pattern:"^[0-9]{1,20}$" patternDescription:"digits" doc:"The last migration that is taken; all of them where it is left out."`
}

// BranchUpdateResponse names the run that does what was asked, among those of the project that is changed.
type BranchUpdateResponse struct {
	Message       string `json:"message"`
	WorkflowRunID string `json:"workflow_run_id"`
}

// BranchMessageResponse says that it is done.
type BranchMessageResponse struct {
	Message string `json:"message"`
}

type createBranchInput struct {
	Ref  string `path:"ref"`
	Body CreateBranchBody
}

type branchNamePath struct {
	Ref  string `path:"ref"`
	Name string `path:"name"`
}

type branchPath struct {
	Branch string `path:"branch_id_or_ref"`
}

type updateBranchInput struct {
	Branch string `path:"branch_id_or_ref"`
	Body   UpdateBranchBody
}

type branchActionInput struct {
	Branch string            `path:"branch_id_or_ref"`
	Body   *BranchActionBody `required:"false"`
}

type deleteBranchInput struct {
	Branch string `path:"branch_id_or_ref"`
	Force  bool   `query:"force" default:"true" doc:"false: the branch is stopped, and deleted in an hour unless somebody restores it."`
}

const (
	branchesOf = "/v1/projects/{ref}/branches"
	oneBranch  = "/v1/branches/{branch_id_or_ref}"
	noBranch   = "Branch not found"
	// callsNobody is why nobody is notified.
	callsNobody = "notify_url: this platform calls nobody: look at the branch's runs instead."
	// noWorkflows is why there are none of upstream's workflows.
	noWorkflows = "What a branch is made of is a run of its project: see /v1/projects/{ref}/actions."
)

func (a *API) registerBranches() {
	permission := func(action string) access.Permission { return access.InProject(action, "preview_branches") }
	handle(a, route{
		method: http.MethodGet, path: branchesOf, permission: permission(access.Read), kind: Real,
		summary: "A project's branches, with the default one first",
	}, a.listBranches)
	handle(a, route{
		method: http.MethodGet, path: branchesOf + "/{name}", permission: permission(access.Read), kind: Real,
		summary: "One of a project's branches, by its name",
	}, a.getBranchByName)
	handle(a, route{
		method: http.MethodPost, path: branchesOf, permission: permission(access.Create), status: http.StatusCreated, kind: Real,
		summary: "Make a branch: a project with another one's migrations and functions",
	}, a.createBranch)
	act(a, route{
		method: http.MethodDelete, path: branchesOf, permission: permission(access.Delete), kind: Real,
		summary: "Let a project without branches be no default branch any more",
	}, a.disableBranching)
	handle(a, route{
		method: http.MethodGet, path: oneBranch, permission: permission(access.Read), kind: Real, summary: "How a branch is reached",
	}, a.getBranch)
	handle(a, route{
		method: http.MethodPatch, path: oneBranch, permission: permission(access.Update), kind: Real, summary: "Change what is said of a branch",
	}, a.updateBranch)
	handle(a, route{
		method: http.MethodDelete, path: oneBranch, permission: permission(access.Delete), kind: Real, summary: "Delete a branch and all its data",
	}, a.deleteBranch)
	handle(a, route{
		method: http.MethodPost, path: oneBranch + "/restore", permission: permission(access.Update), kind: Real,
		summary: "Take a branch's deletion back that waits",
	}, a.restoreBranch)
	register(a, route{
		method: http.MethodGet, path: oneBranch + "/diff", permission: permission(access.Read), kind: Real,
		summary: "What a merge would do to the project's schema, as SQL",
	}, a.diffBranch)
	for _, one := range []struct {
		path, summary string
		do            func(context.Context, *call, *branchActionInput) (BranchUpdateResponse, error)
	}{
		{"/merge", "Bring a branch's migrations and functions to its project", a.mergeBranch},
		{"/push", "Bring the project's migrations and functions to its branch", a.pushBranch},
		{"/reset", "Drop what a branch has, and run its migrations anew", a.resetBranch},
	} {
		handle(a, route{
			method: http.MethodPost, path: oneBranch + one.path, permission: permission(access.Update), status: http.StatusCreated, kind: Real,
			summary: one.summary,
		}, one.do)
	}
	const workflows = "/platform/workflow-runs"
	same(a, workflows, access.SignedIn(), "Upstream's workflows: none", noWorkflows, []never{})
	missing(a, route{method: http.MethodGet, path: workflows + "/{workflow_run_id}/logs", permission: access.SignedIn(), summary: "None: no workflows"}, noWorkflows)
}

func branchOf(b store.Branch) BranchResponse {
	return BranchResponse{
		ID: b.ID, Name: b.Name, ProjectRef: string(b.Ref), ParentProjectRef: string(b.ParentRef), IsDefault: b.IsDefault(),
		GitBranch: b.GitBranch, Persistent: b.Persistent, WithData: b.WithData, Status: string(b.Status),
		PreviewProjectStatus: string(b.ProjectStatus), ReviewRequestedAt: b.ReviewRequestedAt, DeletionScheduledAt: b.DeletionScheduledAt,
		CreatedAt: b.CreatedAt, UpdatedAt: b.UpdatedAt,
	}
}

func (a *API) listBranches(ctx context.Context, c *call, _ *refPath) ([]BranchResponse, error) {
	branches, err := a.store.Branches(ctx, c.project.ID)
	list := make([]BranchResponse, len(branches))
	for i, one := range branches {
		list[i] = branchOf(one)
	}
	return list, err
}

func (a *API) getBranchByName(ctx context.Context, c *call, in *branchNamePath) (BranchResponse, error) {
	branches, err := a.store.Branches(ctx, c.project.ID)
	if err != nil {
		return BranchResponse{}, err
	}
	for _, one := range branches {
		if one.Name == in.Name {
			return branchOf(one), nil
		}
	}
	return BranchResponse{}, problem.NotFound(noBranch)
}

func (a *API) createBranch(ctx context.Context, c *call, in *createBranchInput) (BranchResponse, error) {
	wanted, err := a.newBranch(c, in.Body)
	if err != nil {
		return BranchResponse{}, err
	}
	if in.Body.IsDefault {
		branch, err := a.store.EnableBranching(ctx, c.actor, c.project.Ref, wanted.Name)
		return branchOf(branch), err
	}
	if !wanted.WithData {
		if wanted.Migrations, err = a.migrationsOf(ctx, c.project.Project); err != nil {
			return BranchResponse{}, err
		}
	}
	branch, err := a.store.CreateBranch(ctx, c.actor, c.project.Ref, wanted)
	return branchOf(branch), err
}

// newBranch reads what is wanted of a branch, before anything is asked of the project's database.
func (a *API) newBranch(c *call, body CreateBranchBody) (store.NewBranch, error) {
	wanted := store.NewBranch{
		Name: body.BranchName, Persistent: body.Persistent, WithData: body.WithData, Secrets: store.SectionConfig{},
		TargetLimit: a.settings.Instance.RegionOf(c.project.Target).Projects,
	}
	if body.GitBranch != "" {
		wanted.GitBranch = &body.GitBranch
	}
	if body.DesiredInstanceSize != "" {
		size, known := store.ComputeSizeNamed(body.DesiredInstanceSize)
		if !known {
			return wanted, problem.BadRequest(fmt.Sprintf("desired_instance_size: there is no compute size %.40q.", body.DesiredInstanceSize))
		}
		wanted.ComputeSize = size.Name
	}
	version := ""
	if c.project.DBVersion != nil {
		version = *c.project.DBVersion
	}
	switch {
	case body.NotifyURL != "":
		return wanted, problem.BadRequest(callsNobody)
	case body.ReleaseChannel != "" && body.ReleaseChannel != "ga":
		return wanted, problem.BadRequest("release_channel: what the operator runs is what is released: ga.")
	case body.PostgresEngine != "" && body.PostgresEngine != majorVersion(version):
		return wanted, problem.BadRequest("postgres_engine: a branch runs what its project runs.")
	}
	for name, value := range body.Secrets {
		if err := checkSecretName(name); err != nil {
			return wanted, err
		}
		wanted.Secrets[name] = value
	}
	return wanted, nil
}

func (a *API) disableBranching(ctx context.Context, c *call, _ *refPath) error {
	return a.store.DisableBranching(ctx, c.actor, c.project.Ref)
}

func (a *API) getBranch(ctx context.Context, c *call, _ *branchPath) (BranchDetailResponse, error) {
	if _, err := a.store.BranchOf(ctx, c.project.ID); err != nil {
		return BranchDetailResponse{}, problem.OrNotFound(err, noBranch)
	}
	details, err := a.store.ProjectDetails(ctx, c.project.ID)
	if err != nil {
		return BranchDetailResponse{}, err
	}
	database := a.databaseAddress(details.DatabasePort)
	detail := BranchDetailResponse{
		Ref: string(c.project.Ref), Status: string(c.project.Status), ReleaseChannel: "ga", DBHost: database.DBHost, DBPort: database.DBPort,
	}
	if c.project.DBVersion != nil {
		detail.PostgresVersion, detail.PostgresEngine = *c.project.DBVersion, majorVersion(*c.project.DBVersion)
	}
	if !c.may(access.InProject(access.Read, "field.jwt_secret")) {
		return detail, nil
	}
	secrets, err := a.store.ProjectSecrets(ctx, c.project.ID, c.project.Ref, store.SecretJWT, store.SecretDatabasePassword)
	detail.DBUser, detail.DBPass, detail.JWTSecret = projectdb.RoleOwner, secrets[store.SecretDatabasePassword], secrets[store.SecretJWT]
	return detail, err
}

func (a *API) updateBranch(ctx context.Context, c *call, in *updateBranchInput) (BranchResponse, error) {
	switch {
	case in.Body.Status != nil:
		return BranchResponse{}, problem.BadRequest("status: " + runsAreKept)
	case in.Body.NotifyURL != nil:
		return BranchResponse{}, problem.BadRequest(callsNobody)
	}
	branch, err := a.store.UpdateBranch(ctx, c.actor, c.project.Ref, store.BranchPatch{
		Name: in.Body.BranchName, GitBranch: in.Body.GitBranch, Persistent: in.Body.Persistent, RequestReview: in.Body.RequestReview,
	})
	return branchOf(branch), problem.OrNotFound(err, noBranch)
}

func (a *API) deleteBranch(ctx context.Context, c *call, in *deleteBranchInput) (BranchMessageResponse, error) {
	err := a.store.DeleteBranch(ctx, c.actor, c.project.Ref, !in.Force)
	return BranchMessageResponse{"ok"}, problem.OrNotFound(err, noBranch)
}

func (a *API) restoreBranch(ctx context.Context, c *call, _ *branchPath) (BranchMessageResponse, error) {
	err := a.store.RestoreBranch(ctx, c.actor, c.project.Ref)
	return BranchMessageResponse{"Branch restoration initiated"}, problem.OrNotFound(err, noBranch)
}

// enterBranch is enterProject for a branch's id, or the ref of its project. An id that is nobody's is answered as one of others'.
func (a *API) enterBranch(ctx context.Context, c *call, permission access.Permission, text string) error {
	if !uuidPattern().MatchString(text) {
		return a.enterProject(ctx, c, permission, text)
	}
	ref, err := a.store.BranchRef(ctx, text)
	if err != nil {
		return problem.OrNotFound(err, "Project not found")
	}
	return a.enterProject(ctx, c, permission, string(ref))
}

var uuidPattern = pattern(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func runAnswer(id int64, err error) (BranchUpdateResponse, error) {
	return BranchUpdateResponse{"ok", strconv.FormatInt(id, 10)}, err
}
