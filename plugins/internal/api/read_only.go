package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store/projectdb"
)

// ReadOnlyResponse says whether a project's database takes no changes. The platform never makes one so by itself, so that there is
// nothing that could be suspended for a while.
type ReadOnlyResponse struct {
	Enabled             bool   `json:"enabled" doc:"default_transaction_read_only, as the database has it."`
	OverrideEnabled     bool   `json:"override_enabled"`
	OverrideActiveUntil string `json:"override_active_until" doc:"Always empty: what is ended stays ended."`
}

func (a *API) registerReadOnly() {
	const path = "/v1/projects/{ref}/readonly"
	handle(a, route{
		method: http.MethodGet, path: path, permission: access.InProject(access.Read, "projects"), kind: Real,
		summary: "Whether the project's database is read-only",
	}, a.getReadOnly)
	act(a, route{
		method: http.MethodPost, path: path + "/temporary-disable", permission: access.InProject(access.Update, "projects"),
		status: http.StatusCreated, kind: Real, summary: "Let the project's database be written to again",
	}, a.endReadOnly)
}

func (a *API) getReadOnly(ctx context.Context, c *call, _ *refPath) (ReadOnlyResponse, error) {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleAdmin)
	if err != nil {
		return ReadOnlyResponse{}, err
	}
	enabled, err := database.IsReadOnly(ctx)
	return ReadOnlyResponse{Enabled: enabled}, databaseProblem(err)
}

func (a *API) endReadOnly(ctx context.Context, c *call, _ *refPath) error {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleAdmin)
	if err != nil {
		return err
	}
	if err := a.store.Note(ctx, c.actor, c.databaseChange("end_read_only")); err != nil {
		return err
	}
	if err := database.EndReadOnly(ctx); err != nil {
		return databaseProblem(err)
	}
	still, err := database.IsReadOnly(ctx)
	if err == nil && still {
		return problem.New(http.StatusConflict, "Postgres' own configuration makes the database read-only: reset default_transaction_read_only there.")
	}
	return databaseProblem(err)
}
