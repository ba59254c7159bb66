package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// RestartServicesBody names services by what upstream calls their processes.
type RestartServicesBody struct {
	Request struct {
		Services []string `json:"services" minItems:"1" maxItems:"20"`
	} `json:"restartRequest"`
}

type restartServicesInput struct {
	Ref  string `path:"ref"`
	Body RestartServicesBody
}

// processes maps upstream's names to a project's services. What is missing is not a project's here: the gateway serves all
// projects, and the rest are upstream's own agents.
var processes = map[string]string{
	"postgresql": store.ServiceDatabase,
	"gotrue":     store.ServiceAuth,
	"postgrest":  store.ServiceRest,
	"realtime":   store.ServiceRealtime,
	"storage":    store.ServiceStorage,
	"functions":  store.ServiceFunctions,
	"pgbouncer":  store.ServicePooler,
}

func (a *API) registerRestarts() {
	act(a, route{
		method: http.MethodPost, path: "/platform/projects/{ref}/restart-services",
		permission: access.InProject(access.InfraExecute, "reboot"), status: http.StatusCreated,
		kind: Real, summary: "Restart some of a project's services",
	}, a.restartServices)
	for _, path := range []string{"/platform/projects/{ref}/config/realtime/shutdown", "/v1/projects/{ref}/config/realtime/shutdown"} {
		act(a, route{
			method: http.MethodPost, path: path, permission: access.InProject(access.RealtimeAdminWrite, "*"),
			status: http.StatusNoContent, kind: Real, summary: "Cut off everybody who is connected to Realtime, by a restart of it",
		}, a.shutDownRealtime)
	}
}

func (a *API) restartServices(ctx context.Context, c *call, in *restartServicesInput) error {
	var services []string
	for _, name := range in.Body.Request.Services {
		service, known := processes[name]
		if !known {
			return problem.BadRequest(fmt.Sprintf("restartRequest.services: %.40q is not a service that a project has here.", name))
		}
		services = append(services, service)
	}
	_, err := a.store.RestartServices(ctx, c.actor, c.project.Ref, services...)
	return err
}

func (a *API) shutDownRealtime(ctx context.Context, c *call, _ *refPath) error {
	_, err := a.store.RestartServices(ctx, c.actor, c.project.Ref, store.ServiceRealtime)
	return err
}
