package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/plugins/internal/services"
)

type graphQLInput struct {
	Ref     string `path:"ref"`
	RawBody []byte
}

// registerProjectAPI registers what of a project's data API Studio asks through the platform.
func (a *API) registerProjectAPI() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/api/rest", permission: access.InProject(access.Read, "projects"),
		kind: Proxied, summary: "The OpenAPI document of a project's data API, as its PostgREST prints it",
	}, a.getRESTDocument)
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/database/openapi", permission: access.InProject(access.TenantSQLAdminRead, "tables"),
		kind: Proxied, summary: "What the data API shows, as an OpenAPI document",
	}, a.getDatabaseDocument)
	handle(a, route{
		method: http.MethodPost, path: "/platform/projects/{ref}/api/graphql", permission: access.InProject(access.TenantSQLAdminWrite, "tables"),
		status: http.StatusCreated, kind: Proxied, summary: "Ask a project's GraphQL",
	}, a.askGraphQL)
}

type documentInput struct {
	Ref    string `path:"ref"`
	Schema string `query:"schema" maxLength:"63" pattern:"^[^\\x00-\\x1f\\x7f]*$" patternDescription:"no control characters"`
}

func (a *API) getRESTDocument(ctx context.Context, c *call, _ *refPath) (json.RawMessage, error) {
	answer, err := a.ask(ctx, c, "rest", services.Request{
		Method: http.MethodGet, Path: []string{""}, Accept: "application/openapi+json",
	})
	return answer.Body, err
}

// askGraphQL passes a query on to pg_graphql by PostgREST's rpc, as upstream's gateway does. It runs with the service key,
// so it is for those who may change all tables.
func (a *API) askGraphQL(ctx context.Context, c *call, in *graphQLInput) (json.RawMessage, error) {
	var query struct {
		Query         string         `json:"query"`
		OperationName *string        `json:"operationName,omitempty"`
		Variables     map[string]any `json:"variables,omitempty"`
	}
	if err := json.Unmarshal(in.RawBody, &query); err != nil || query.Query == "" {
		return nil, problem.BadRequest("body: expected a GraphQL query.")
	}
	answer, err := a.ask(ctx, c, "rest", services.Request{Method: http.MethodPost, Path: []string{"rpc", "graphql"}, Body: query})
	return answer.Body, err
}

// getDatabaseDocument is the data API's own OpenAPI document, of the first schema that it shows or of a named one.
func (a *API) getDatabaseDocument(ctx context.Context, c *call, in *documentInput) (json.RawMessage, error) {
	request := services.Request{Method: http.MethodGet, Path: []string{""}, Accept: "application/openapi+json", Profile: in.Schema}
	answer, err := a.ask(ctx, c, "rest", request)
	return answer.Body, err
}
