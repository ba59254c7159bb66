package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// V1SSLEnforcement says whether a project's database refuses connections without TLS.
type V1SSLEnforcement struct {
	CurrentConfig       V1SSLConfig `json:"currentConfig"`
	AppliedSuccessfully bool        `json:"appliedSuccessfully"`
}

// V1SSLConfig is what of the project is enforced.
type V1SSLConfig struct {
	Database bool `json:"database" doc:"At the gateway's Postgres port. A port of the project's own knows no TLS."`
}

// V1SSLEnforcementBody is what is to be enforced.
type V1SSLEnforcementBody struct {
	RequestedConfig V1SSLConfig `json:"requestedConfig"`
}

type enforceSSLInput struct {
	Ref  string `path:"ref"`
	Body V1SSLEnforcementBody
}

func (a *API) registerSSLEnforcement() {
	const path = "/v1/projects/{ref}/ssl-enforcement"
	handle(a, route{
		method: http.MethodGet, path: path, permission: access.InProject(access.Read, "projects"), kind: Real,
		summary: "Whether the database refuses connections without TLS",
	}, a.v1SSLEnforcement)
	handle(a, route{
		method: http.MethodPut, path: path, permission: access.InProject(access.Update, "projects"), kind: Real,
		summary: "Refuse connections without TLS, or let them in",
	}, a.v1EnforceSSL)
}

// sslEnforced tells whether connections to the project in plain text are refused: as the project wants it, or the operator for all of them.
func (a *API) sslEnforced(p store.Project) bool {
	return p.SSLEnforced || a.settings.PostgresPlainText == PlainTextRefused && !p.Adopted()
}

func (a *API) v1SSLEnforcement(_ context.Context, c *call, _ *refPath) (V1SSLEnforcement, error) {
	return V1SSLEnforcement{CurrentConfig: V1SSLConfig{a.sslEnforced(c.project.Project)}, AppliedSuccessfully: true}, nil
}

func (a *API) v1EnforceSSL(ctx context.Context, c *call, in *enforceSSLInput) (V1SSLEnforcement, error) {
	wanted, onPort := in.Body.RequestedConfig.Database, a.settings.PostgresPlainText != PlainTextNowhere && !c.project.Adopted()
	switch {
	case wanted && !onPort:
		return V1SSLEnforcement{}, problem.BadRequest("TLS is enforced at the gateway's Postgres port, and this project is not reached by one.")
	case !wanted && onPort && a.settings.PostgresPlainText == PlainTextRefused:
		return V1SSLEnforcement{}, problem.BadRequest("The platform's operator enforces TLS for every project.")
	}
	err := a.store.EnforceSSL(ctx, c.actor, c.project.Ref, wanted)
	return V1SSLEnforcement{CurrentConfig: V1SSLConfig{wanted}, AppliedSuccessfully: true}, err
}
