package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/plugins/internal/services"
	"github.com/plurabase/plurabase/store"
)

// serviceTitles are what people know a project's services by.
var serviceTitles = map[string]string{"auth": "Auth", "storage": "Storage", "rest": "the data API", "realtime": "Realtime"}

// ask asks one of the project's own services, in the name of its service key. A problem says why there is no answer: what the
// service has against the request, that the project does not run it, or that it cannot be reached.
func (a *API) ask(ctx context.Context, c *call, name string, r services.Request) (services.Answer, error) {
	service, err := a.projectService(ctx, c.project.Project, name)
	if err != nil {
		return services.Answer{}, err
	}
	answer, err := a.services.Do(ctx, service, r)
	return answer, a.serviceProblem(ctx, c, err)
}

// askJSON asks one of the project's own services and decodes its answer.
func (a *API) askJSON(ctx context.Context, c *call, name string, r services.Request, into any) error {
	service, err := a.projectService(ctx, c.project.Project, name)
	if err != nil {
		return err
	}
	return a.serviceProblem(ctx, c, a.services.DoJSON(ctx, service, r, into))
}

func (a *API) projectService(ctx context.Context, p store.Project, name string) (services.Service, error) {
	title := serviceTitles[name]
	if !slices.Contains(p.Services, name) {
		return services.Service{}, problem.New(http.StatusConflict, fmt.Sprintf("This project runs without %s.", title))
	}
	if !p.Running() {
		return services.Service{}, problem.New(http.StatusConflict, fmt.Sprintf("%s is not running: the project is %s.", capital(title), p.Status))
	}
	states, err := a.store.ProjectServices(ctx, p.ID)
	if err != nil {
		return services.Service{}, err
	}
	i := slices.IndexFunc(states, func(s store.ServiceState) bool { return s.Service == name })
	if i < 0 {
		return services.Service{}, unreachable(title)
	}
	secrets, err := a.store.ProjectSecrets(ctx, p.ID, p.Ref, store.SecretServiceKey)
	return services.Service{State: states[i], Key: secrets[store.SecretServiceKey]}, err
}

func (a *API) serviceProblem(ctx context.Context, c *call, err error) error {
	var refused *services.RefusalError
	if errors.As(err, &refused) {
		return problem.New(refused.Status, refused.Message)
	}
	var unavailable *services.UnavailableError
	if errors.As(err, &unavailable) {
		a.log.WarnContext(ctx, "a project's service failed", "request_id", requestID(ctx), "project", c.project.Ref, "error", err.Error())
		return unreachable(serviceTitles[unavailable.Service])
	}
	return err
}

func unreachable(title string) *problem.Problem {
	return problem.New(http.StatusServiceUnavailable,
		fmt.Sprintf("%s of this project cannot be reached, or does not answer as it should. Look at the project's health, and try again in a moment.", capital(title)))
}

// capital makes `The data API` of `the data API`.
func capital(title string) string {
	if title == "" {
		return title
	}
	return string(title[0]&^0x20) + title[1:]
}
