package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// ServiceHealth says how one of a project's services is.
type ServiceHealth struct {
	Name    string       `json:"name"`
	Healthy bool         `json:"healthy"`
	Status  string       `json:"status" enum:"COMING_UP,ACTIVE_HEALTHY,UNHEALTHY" doc:"UNHEALTHY too where the project does without the service, and where nobody looks after its deployment target now: the error says so."`
	Info    *ServiceInfo `json:"info,omitempty"`
	Error   string       `json:"error,omitempty"`
}

// ServiceInfo is what a service says of itself.
type ServiceInfo struct {
	DBSchema string `json:"db_schema" doc:"Of the data API: the schemas that it shows. Empty: it is switched off."`
}

// The statuses of a service: upstream's, for clients refuse others.
const (
	serviceComingUp  = "COMING_UP"
	serviceHealthy   = "ACTIVE_HEALTHY"
	serviceUnhealthy = "UNHEALTHY"
)

// healthNames maps what upstream calls services here to a project's services.
var healthNames = map[string]string{
	"auth":             store.ServiceAuth,
	"db":               store.ServiceDatabase,
	"db_postgres_user": store.ServiceDatabase,
	"pooler":           store.ServicePooler,
	"pg_bouncer":       store.ServicePooler,
	"realtime":         store.ServiceRealtime,
	"rest":             store.ServiceRest,
	"storage":          store.ServiceStorage,
}

type healthInput struct {
	Ref string `path:"ref"`
	// Services are separated by commas, or each has a parameter of its own: Studio does the one, other clients the other.
	Services []string
}

// Resolve reads the services in either form.
func (in *healthInput) Resolve(ctx huma.Context) []error {
	asked := ctx.URL()
	for _, list := range asked.Query()["services"] {
		in.Services = append(in.Services, strings.Split(list, ",")...)
	}
	return nil
}

var _ huma.Resolver = (*healthInput)(nil)

func (a *API) registerHealth() {
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/health", permission: access.InProject(access.Read, "projects"),
		kind: Real, summary: "How a project's services are",
	}, a.getHealth)
}

func (a *API) getHealth(ctx context.Context, c *call, in *healthInput) ([]ServiceHealth, error) {
	if len(in.Services) == 0 {
		return nil, problem.BadRequest("services: expected the names of services.")
	}
	seen, err := a.store.ProjectServices(ctx, c.project.ID)
	if err != nil {
		return nil, err
	}
	silent, err := a.silentTarget(ctx, c.project.Target)
	if err != nil {
		return nil, err
	}
	list := []ServiceHealth{}
	for _, name := range in.Services {
		service, known := healthNames[name]
		if !known {
			return nil, problem.BadRequest(fmt.Sprintf("services: there is no service %.40q.", name))
		}
		one := healthOf(c.project.Project, service, seen, silent)
		one.Name = name
		list = append(list, one)
	}
	return list, a.addDataAPISchemas(ctx, c, list)
}

// silentTarget says that no provisioner works for a target, and nothing where one does.
func (a *API) silentTarget(ctx context.Context, name string) (string, error) {
	targets, err := a.store.Targets(ctx)
	for _, target := range targets {
		if target.Name == name && target.Alive {
			return "", nil
		}
	}
	return fmt.Sprintf("No provisioner works for the deployment target %q now.", name), err
}

func healthOf(project store.Project, service string, seen []store.ServiceState, silent string) ServiceHealth {
	i := slices.IndexFunc(seen, func(s store.ServiceState) bool { return s.Service == service })
	switch {
	case !slices.Contains(project.Services, service):
		return ServiceHealth{Status: serviceUnhealthy, Error: "The project does without this service."}
	case silent != "":
		return ServiceHealth{Status: serviceUnhealthy, Error: silent}
	case !project.Running():
		return restingService(project)
	case i < 0:
		return ServiceHealth{Status: serviceComingUp, Error: "The service was not seen yet."}
	case !seen[i].Healthy:
		return ServiceHealth{Status: serviceUnhealthy, Error: textOf(seen[i].Message)}
	}
	return ServiceHealth{Status: serviceHealthy, Healthy: true}
}

// restingService is a service of a project that is not up.
func restingService(project store.Project) ServiceHealth {
	switch project.Status {
	case store.StatusComingUp, store.StatusRestoring, store.StatusRestarting, store.StatusResizing, store.StatusUpgrading:
		return ServiceHealth{Status: serviceComingUp}
	}
	reason := "The project does not run."
	if project.Message != nil {
		reason = *project.Message
	}
	return ServiceHealth{Status: serviceUnhealthy, Error: reason}
}

func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// addDataAPISchemas tells which schemas the data API shows. Studio knows by an empty list that it is switched off.
func (a *API) addDataAPISchemas(ctx context.Context, c *call, list []ServiceHealth) error {
	i := slices.IndexFunc(list, func(s ServiceHealth) bool { return s.Name == "rest" })
	if i < 0 {
		return nil
	}
	if !slices.Contains(c.project.Services, store.ServiceRest) {
		list[i].Info = &ServiceInfo{}
		return nil
	}
	config, err := a.postgrestConfig(ctx, c.project.Project)
	list[i].Info = &ServiceInfo{DBSchema: config.DBSchema}
	return err
}
