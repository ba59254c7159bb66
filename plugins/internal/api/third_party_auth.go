package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/keysets"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// V1ThirdPartyAuth is somebody else whose tokens a project's services take.
type V1ThirdPartyAuth struct {
	ID            string     `json:"id" format:"uuid"`
	Type          string     `json:"type"`
	OIDCIssuerURL *string    `json:"oidc_issuer_url"`
	JWKSURL       *string    `json:"jwks_url"`
	CustomJWKS    any        `json:"custom_jwks"`
	ResolvedJWKS  any        `json:"resolved_jwks" doc:"The public keys that the services go by, as they were last got."`
	InsertedAt    time.Time  `json:"inserted_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	ResolvedAt    *time.Time `json:"resolved_at"`
}

// V1CreateThirdPartyAuthBody says where somebody's public keys are: exactly one of the three.
type V1CreateThirdPartyAuthBody struct {
	OIDCIssuerURL string         `json:"oidc_issuer_url,omitempty" maxLength:"2048"`
	JWKSURL       string         `json:"jwks_url,omitempty" maxLength:"2048"`
	CustomJWKS    map[string]any `json:"custom_jwks,omitempty"`
}

type createThirdPartyAuthInput struct {
	Ref  string `path:"ref"`
	Body V1CreateThirdPartyAuthBody
}

type thirdPartyAuthInput struct {
	Ref string `path:"ref"`
	ID  string `path:"tpa_id" format:"uuid"`
}

func (a *API) registerThirdPartyAuth() {
	const path = "/v1/projects/{ref}/config/auth/third-party-auth"
	read, write := access.InProject(access.Read, "custom_config_gotrue"), access.InProject(access.Update, "custom_config_gotrue")
	handle(a, route{method: http.MethodGet, path: path, permission: read, kind: Real, summary: "Others whose tokens the project takes"}, a.v1ListThirdPartyAuth)
	handle(a, route{
		method: http.MethodPost, path: path, permission: write, status: http.StatusCreated, kind: Real, summary: "Take somebody else's tokens",
	}, a.v1CreateThirdPartyAuth)
	handle(a, route{method: http.MethodGet, path: path + "/{tpa_id}", permission: read, kind: Real, summary: "One of those whose tokens the project takes"}, a.v1GetThirdPartyAuth)
	handle(a, route{method: http.MethodDelete, path: path + "/{tpa_id}", permission: write, kind: Real, summary: "Take somebody's tokens no more"}, a.v1DeleteThirdPartyAuth)
}

func v1ThirdPartyOf(t store.ThirdPartyAuth) V1ThirdPartyAuth {
	answer := V1ThirdPartyAuth{
		ID: t.ID.String(), Type: t.Type, OIDCIssuerURL: t.OIDCIssuerURL, JWKSURL: t.JWKSURL, InsertedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
		ResolvedAt: t.ResolvedAt,
	}
	if t.CustomJWKS != nil {
		answer.CustomJWKS = t.CustomJWKS
	}
	if t.ResolvedJWKS != nil {
		answer.ResolvedJWKS = t.ResolvedJWKS
	}
	return answer
}

func (a *API) v1ListThirdPartyAuth(ctx context.Context, c *call, _ *refPath) ([]V1ThirdPartyAuth, error) {
	found, err := a.store.ThirdPartyAuths(ctx, c.project.ID)
	list := make([]V1ThirdPartyAuth, len(found))
	for i, one := range found {
		list[i] = v1ThirdPartyOf(one)
	}
	return list, err
}

func (a *API) v1CreateThirdPartyAuth(ctx context.Context, c *call, in *createThirdPartyAuthInput) (V1ThirdPartyAuth, error) {
	wanted, err := a.resolveThirdParty(ctx, in.Body)
	var unusable *keysets.Error
	if errors.As(err, &unusable) {
		return V1ThirdPartyAuth{}, problem.BadRequest(unusable.Message)
	}
	if err != nil {
		return V1ThirdPartyAuth{}, err
	}
	made, err := a.store.CreateThirdPartyAuth(ctx, c.actor, c.project.Ref, wanted)
	return v1ThirdPartyOf(made), err
}

// resolveThirdParty gets the public keys, so that what cannot work is refused and not found out by its users.
func (a *API) resolveThirdParty(ctx context.Context, body V1CreateThirdPartyAuthBody) (store.ThirdPartyAuth, error) {
	var given int
	for _, there := range []bool{body.OIDCIssuerURL != "", body.JWKSURL != "", body.CustomJWKS != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		return store.ThirdPartyAuth{}, problem.BadRequest("Give exactly one of oidc_issuer_url, jwks_url and custom_jwks.")
	}
	var err error
	wanted := store.ThirdPartyAuth{Type: "custom"}
	switch {
	case body.OIDCIssuerURL != "":
		wanted.Type, wanted.OIDCIssuerURL = "oidc", &body.OIDCIssuerURL
		wanted.ResolvedJWKS, err = keysets.Of(ctx, a.keySets, wanted)
	case body.JWKSURL != "":
		wanted.Type, wanted.JWKSURL = "jwks", &body.JWKSURL
		wanted.ResolvedJWKS, err = keysets.Of(ctx, a.keySets, wanted)
	default:
		if wanted.CustomJWKS, err = json.Marshal(body.CustomJWKS); err == nil {
			wanted.ResolvedJWKS, err = keysets.Public(wanted.CustomJWKS)
			wanted.CustomJWKS = wanted.ResolvedJWKS // nothing private is kept, should somebody send it
		}
	}
	return wanted, err
}

func (a *API) v1GetThirdPartyAuth(ctx context.Context, c *call, in *thirdPartyAuthInput) (V1ThirdPartyAuth, error) {
	found, err := a.store.ThirdPartyAuths(ctx, c.project.ID)
	if err != nil {
		return V1ThirdPartyAuth{}, err
	}
	if i := slices.IndexFunc(found, func(t store.ThirdPartyAuth) bool { return t.ID.String() == in.ID }); i >= 0 {
		return v1ThirdPartyOf(found[i]), nil
	}
	return V1ThirdPartyAuth{}, problem.NotFound("Third-party authentication not found")
}

func (a *API) v1DeleteThirdPartyAuth(ctx context.Context, c *call, in *thirdPartyAuthInput) (V1ThirdPartyAuth, error) {
	gone, err := a.store.DeleteThirdPartyAuth(ctx, c.actor, c.project.Ref, uuid.MustParse(in.ID))
	return v1ThirdPartyOf(gone), problem.OrNotFound(err, "Third-party authentication not found")
}
