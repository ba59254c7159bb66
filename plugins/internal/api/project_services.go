package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// ServiceChoice says which services a new project is to have. It is this platform's own: a client that knows nothing of it gets
// what the deployment target's projects have.
type ServiceChoice struct {
	Services     *[]string     `json:"services,omitempty" maxItems:"20" doc:"Exactly these; what the deployment target's new projects have where absent."`
	LocalRuntime *LocalRuntime `json:"local_runtime,omitempty"`
}

// LocalRuntime is what a Studio that reads project_creation:local_runtime_services sends.
type LocalRuntime struct {
	ExcludeServices []string `json:"exclude_services,omitempty" maxItems:"20" doc:"Of what it would have, these are left out."`
}

// on returns the services of a new project on a target; nil where nobody chose.
func (s ServiceChoice) on(target store.Target) ([]string, error) {
	if s.Services == nil && s.LocalRuntime == nil {
		return nil, nil
	}
	services := defaultServices(target)
	if s.Services != nil {
		services = *s.Services
	}
	if s.LocalRuntime != nil {
		for _, left := range s.LocalRuntime.ExcludeServices {
			if !slices.Contains(store.AllServices, left) {
				return nil, problem.BadRequest(fmt.Sprintf("local_runtime.exclude_services: there is no service %.40q.", left))
			}
		}
		services = slices.DeleteFunc(slices.Clone(services), func(one string) bool { return slices.Contains(s.LocalRuntime.ExcludeServices, one) })
	}
	return services, servicesProblem(services)
}

// servicesProblem says what is wrong with a choice of services, as a bad request.
func servicesProblem(services []string) error {
	var conflict *store.ConflictError
	if err := store.CheckServices(services); errors.As(err, &conflict) {
		return problem.BadRequest("services: " + conflict.Message)
	}
	return nil
}

func defaultServices(target store.Target) []string {
	if len(target.Services) > 0 {
		return target.Services
	}
	return store.DefaultServices
}

// ProjectServicesResponse lists what a project is made of.
type ProjectServicesResponse struct {
	Services  []string `json:"services" doc:"What it has, or will have as soon as it runs again."`
	Available []string `json:"available" doc:"What it could have."`
}

type changeServicesInput struct {
	Ref  string `path:"ref"`
	Body struct {
		Services []string `json:"services" maxItems:"20" doc:"All that it is to have. What is left out loses its container, and keeps its data."`
	}
}

func (a *API) registerServices() {
	const path = "/v1/projects/{ref}/services"
	handle(a, route{
		method: http.MethodGet, path: path, permission: access.InProject(access.Read, "projects"), kind: Real,
		summary: "The services that the project has",
	}, func(_ context.Context, c *call, _ *refPath) (ProjectServicesResponse, error) {
		return projectServicesOf(c.project.Project), nil
	})
	handle(a, route{
		method: http.MethodPut, path: path, permission: access.InProject(access.Update, "projects"), kind: Real,
		summary: "Change which services the project has",
	}, a.changeServices)
}

func (a *API) changeServices(ctx context.Context, c *call, in *changeServicesInput) (ProjectServicesResponse, error) {
	if err := servicesProblem(in.Body.Services); err != nil {
		return ProjectServicesResponse{}, err
	}
	changed, err := a.store.ChangeServices(ctx, c.actor, c.project.Ref, in.Body.Services)
	return projectServicesOf(changed), err
}

func projectServicesOf(p store.Project) ProjectServicesResponse {
	return ProjectServicesResponse{Services: append([]string{}, p.Services...), Available: store.AllServices}
}
