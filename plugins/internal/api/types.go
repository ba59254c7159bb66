package api

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/pgmeta"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store/projectdb"
)

// V1TypescriptResponse holds a project's types.
type V1TypescriptResponse struct {
	Types string `json:"types" doc:"TypeScript source."`
}

type typesInput struct {
	Ref     string `path:"ref"`
	Schemas string `query:"included_schemas" default:"public" maxLength:"1024" doc:"Names of schemas, separated by commas."`
}

// schemaNames are names of schemas that need no quotes beyond a dash or a dollar, separated by commas.
var schemaNames = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_$-]*(,[\p{L}_][\p{L}\p{N}_$-]*)*$`)

func (a *API) registerTypes() {
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/types/typescript",
		permission: access.InProject(access.TenantSQLAdminRead, "types"), kind: Proxied, summary: "TypeScript types of what is in the database",
	}, a.v1TypeScript)
}

func (a *API) v1TypeScript(ctx context.Context, c *call, in *typesInput) (V1TypescriptResponse, error) {
	schemas := strings.ReplaceAll(in.Schemas, " ", "")
	if !schemaNames.MatchString(schemas) {
		return V1TypescriptResponse{}, problem.BadRequest("included_schemas has to be names of schemas, separated by commas.")
	}
	if a.pgMeta == nil {
		return V1TypescriptResponse{}, problem.New(http.StatusServiceUnavailable,
			"Types cannot be generated: the operator has to set PLURABASE_PG_META_URL and PG_META_CRYPTO_KEY for platform-api.")
	}
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleReadOnly)
	if err != nil {
		return V1TypescriptResponse{}, err
	}
	types, err := a.pgMeta.TypeScript(ctx, database, strings.Split(schemas, ","))
	if errors.Is(err, pgmeta.ErrUnavailable) {
		a.log.ErrorContext(ctx, "types could not be generated", "request_id", requestID(ctx), "error", err.Error())
		return V1TypescriptResponse{}, problem.New(http.StatusServiceUnavailable, "The service that generates types cannot be reached. Try again in a moment.")
	}
	return V1TypescriptResponse{types}, err
}
