package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store/projectdb"
)

func (a *API) registerWebhooks() {
	for _, path := range []string{"/platform/database/{ref}/hook-enable", "/v1/projects/{ref}/database/webhooks/enable"} {
		act(a, route{
			method: http.MethodPost, path: path, permission: access.InProject(access.TenantSQLAdminWrite, "triggers"),
			status: http.StatusCreated, kind: Real, summary: "Let a project's tables call webhooks",
		}, a.enableWebhooks)
	}
}

// enableWebhooks makes what Studio's webhooks are triggers of. Only a superuser can, so the platform does it.
func (a *API) enableWebhooks(ctx context.Context, c *call, _ *refPath) error {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleAdmin)
	if err != nil {
		return err
	}
	if err := a.store.Note(ctx, c.actor, c.databaseChange("enable_webhooks")); err != nil {
		return err
	}
	err = database.EnableWebhooks(ctx)
	if errors.Is(err, projectdb.ErrNoWebhooks) {
		return problem.New(http.StatusConflict, capital(err.Error())+".")
	}
	return databaseProblem(err)
}
