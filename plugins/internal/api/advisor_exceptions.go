package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// AdvisorException is a finding that somebody decided to live with, or to have somebody look after.
type AdvisorException struct {
	ID            uuid.UUID      `json:"id" format:"uuid"`
	ProjectRef    string         `json:"project_ref"`
	LintName      *string        `json:"lint_name" doc:"null: any."`
	LintCategory  *string        `json:"lint_category" doc:"null: any."`
	LintMetadata  map[string]any `json:"lint_metadata,omitempty" doc:"What is not named here may be anything."`
	IsDisabled    bool           `json:"is_disabled" doc:"The finding is not shown any more."`
	Note          *string        `json:"note"`
	AssignedTo    *uuid.UUID     `json:"assigned_to" format:"uuid"`
	LastUpdatedBy string         `json:"last_updated_by" format:"uuid" doc:"Zeros when the profile is gone."`
	InsertedAt    time.Time      `json:"inserted_at"`
}

// AdvisorExceptionList lists exceptions.
type AdvisorExceptionList struct {
	Exceptions []AdvisorException `json:"exceptions"`
}

// AdvisorExceptionBody is what an exception is about, and what is decided. What is left out of it stays, or is any.
type AdvisorExceptionBody struct {
	LintName     *string        `json:"lint_name,omitempty" maxLength:"64" pattern:"^[a-z0-9_]+$" patternDescription:"a lint's name"`
	LintCategory *string        `json:"lint_category,omitempty" enum:"PERFORMANCE,SECURITY"`
	LintMetadata map[string]any `json:"lint_metadata,omitempty" maxProperties:"20"`
	IsDisabled   *bool          `json:"is_disabled,omitempty"`
	Note         *string        `json:"note,omitempty" maxLength:"2000" pattern:"^[^\\x00]*$" patternDescription:"no null characters"`
	AssignedTo   *uuid.UUID     `json:"assigned_to,omitempty" format:"uuid"`
}

type createExceptionsInput struct {
	Ref  string `path:"ref"`
	Body struct {
		Exceptions []AdvisorExceptionBody `json:"exceptions" minItems:"1" maxItems:"100"`
	}
}

type updateExceptionInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id" format:"uuid"`
	Body AdvisorExceptionBody
}

func (a *API) registerAdvisorExceptions() {
	const path = "/platform/projects/{ref}/notifications/advisor/exceptions"
	update := access.InProject(access.Update, "projects")
	handle(a, route{
		method: http.MethodGet, path: path, permission: access.InProject(access.Read, "advisors"),
		kind: Real, summary: "What is left out of the advisors' findings",
	}, a.listExceptions)
	handle(a, route{
		method: http.MethodPost, path: path, permission: update, status: http.StatusCreated,
		kind: Real, summary: "Leave findings out, or have somebody look after them",
	}, a.createExceptions)
	act(a, route{
		method: http.MethodPatch, path: path + "/{id}", permission: update, kind: Real, summary: "Change an exception",
	}, a.updateException)
	act(a, route{
		method: http.MethodDelete, path: path, permission: update, kind: Real, summary: "Take exceptions away",
	}, a.deleteExceptions)
}

func (a *API) listExceptions(ctx context.Context, c *call, _ *refPath) (AdvisorExceptionList, error) {
	found, err := a.store.AdvisorExceptions(ctx, c.project.ID)
	return exceptionsOf(c.project.Ref, found), err
}

func (a *API) createExceptions(ctx context.Context, c *call, in *createExceptionsInput) (AdvisorExceptionList, error) {
	exceptions := make([]store.AdvisorException, len(in.Body.Exceptions))
	for i, body := range in.Body.Exceptions {
		if body.LintName == nil && body.LintCategory == nil && len(body.LintMetadata) == 0 {
			return AdvisorExceptionList{}, problem.BadRequest("An exception has to name a lint, a category or what it is about.")
		}
		exceptions[i] = body.exception()
		exceptions[i].Disabled = body.IsDisabled != nil && *body.IsDisabled
	}
	made, err := a.store.CreateAdvisorExceptions(ctx, c.actor, c.project.Project, exceptions)
	return exceptionsOf(c.project.Ref, made), err
}

func (a *API) updateException(ctx context.Context, c *call, in *updateExceptionInput) error {
	exception := in.Body.exception()
	exception.ID = idOf(in.ID)
	return exceptionProblem(a.store.UpdateAdvisorException(ctx, c.actor, c.project.Project, exception, in.Body.IsDisabled))
}

func (a *API) deleteExceptions(ctx context.Context, c *call, in *idsInput) error {
	ids, err := in.parse()
	if err != nil {
		return err
	}
	return exceptionProblem(a.store.DeleteAdvisorExceptions(ctx, c.actor, c.project.Project, ids))
}

func exceptionProblem(err error) error { return problem.OrNotFound(err, "Exception not found") }

func (b AdvisorExceptionBody) exception() store.AdvisorException {
	return store.AdvisorException{
		LintName: b.LintName, Category: b.LintCategory, Metadata: b.LintMetadata, Note: b.Note, AssignedTo: b.AssignedTo,
	}
}

func exceptionsOf(ref store.Ref, found []store.AdvisorException) AdvisorExceptionList {
	list := AdvisorExceptionList{make([]AdvisorException, len(found))}
	for i, e := range found {
		by := uuid.Nil.String()
		list.Exceptions[i] = AdvisorException{
			ID: e.ID, ProjectRef: string(ref), LintName: e.LintName, LintCategory: e.Category, LintMetadata: e.Metadata,
			IsDisabled: e.Disabled, Note: e.Note, AssignedTo: e.AssignedTo, LastUpdatedBy: *cmp.Or(e.UpdatedBy, &by),
			InsertedAt: e.CreatedAt.UTC(),
		}
	}
	return list
}
