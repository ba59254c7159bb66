package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// ScopedTokenSummary is an access token with scopes in a list.
type ScopedTokenSummary struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	TokenAlias string     `json:"token_alias"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

// ScopedTokensResponse lists the caller's access tokens with scopes.
type ScopedTokensResponse struct {
	Tokens []ScopedTokenSummary `json:"tokens"`
}

// ScopedToken is an access token with its scopes, without its secret.
type ScopedToken struct {
	ScopedTokenSummary
	Permissions       []string     `json:"permissions"`
	OrganizationSlugs []store.Slug `json:"organization_slugs,omitempty" doc:"With project_refs, all that the token reaches; both absent: whatever its owner does."`
	ProjectRefs       []store.Ref  `json:"project_refs,omitempty"`
}

// CreateScopedTokenResponse is a token that was just made, with its secret, which is shown this once.
type CreateScopedTokenResponse struct {
	ScopedToken
	Token string `json:"token"`
}

type createScopedTokenInput struct {
	Body struct {
		Name              string     `json:"name" minLength:"1" maxLength:"100"`
		Permissions       []string   `json:"permissions" minItems:"1" maxItems:"100"`
		ExpiresAt         *time.Time `json:"expires_at,omitempty" doc:"Absent: it does not expire."`
		OrganizationSlugs []string   `json:"organization_slugs,omitempty" maxItems:"1000"`
		ProjectRefs       []string   `json:"project_refs,omitempty" maxItems:"1000"`
	}
}

func (a *API) registerScopedTokens() {
	const path = "/platform/profile/scoped-access-tokens"
	handle(a, route{
		method: http.MethodGet, path: path, permission: access.SignedIn(),
		kind: Real, summary: "Your access tokens with scopes",
	}, a.listScopedTokens)
	handle(a, route{
		method: http.MethodPost, path: path, permission: access.SignedIn(), status: http.StatusCreated,
		kind: Real, summary: "Make an access token with scopes",
	}, a.createScopedToken)
	handle(a, route{
		method: http.MethodGet, path: path + "/{id}", permission: access.SignedIn(),
		kind: Real, summary: "One of your access tokens with scopes",
	}, a.getScopedToken)
	act(a, route{
		method: http.MethodDelete, path: path + "/{id}", permission: access.SignedIn(),
		kind: Real, summary: "Revoke an access token with scopes",
	}, a.deleteScopedToken)
}

func (a *API) listScopedTokens(ctx context.Context, c *call, _ *none) (ScopedTokensResponse, error) {
	tokens, err := a.store.ScopedTokens(ctx, c.Profile.ID)
	if err != nil {
		return ScopedTokensResponse{}, err
	}
	list := make([]ScopedTokenSummary, len(tokens))
	for i, token := range tokens {
		list[i] = scopedTokenOf(token).ScopedTokenSummary
	}
	return ScopedTokensResponse{list}, nil
}

func (a *API) createScopedToken(ctx context.Context, c *call, in *createScopedTokenInput) (CreateScopedTokenResponse, error) {
	if unknown, found := access.UnknownScope(in.Body.Permissions); found {
		return CreateScopedTokenResponse{}, problem.BadRequest("There is no permission " + strconv.Quote(unknown) + ".")
	}
	if in.Body.ExpiresAt != nil && !in.Body.ExpiresAt.After(a.now()) {
		return CreateScopedTokenResponse{}, problem.BadRequest("expires_at has to be in the future.")
	}
	refs, err := parseRefs(unique(in.Body.ProjectRefs))
	if err != nil {
		return CreateScopedTokenResponse{}, err
	}
	wanted := store.WantedToken{Name: in.Body.Name, Scopes: unique(in.Body.Permissions), ExpiresAt: in.Body.ExpiresAt, ProjectRefs: refs}
	for _, slug := range unique(in.Body.OrganizationSlugs) {
		wanted.OrganizationSlugs = append(wanted.OrganizationSlugs, store.Slug(slug))
	}
	made, err := a.store.CreateScopedToken(ctx, c.actor, wanted)
	if err != nil {
		return CreateScopedTokenResponse{}, problem.OrNotFound(err, "Organization or project not found")
	}
	return CreateScopedTokenResponse{scopedTokenOf(made.ScopedToken), made.Token}, nil
}

func (a *API) getScopedToken(ctx context.Context, c *call, in *accessTokenPath) (ScopedToken, error) {
	token, err := a.store.ScopedTokenByID(ctx, c.Profile.ID, in.ID)
	if err != nil {
		return ScopedToken{}, problem.OrNotFound(err, "Access token not found")
	}
	return scopedTokenOf(token), nil
}

func (a *API) deleteScopedToken(ctx context.Context, c *call, in *accessTokenPath) error {
	_, err := a.store.DeleteAccessToken(ctx, c.actor, in.ID)
	return problem.OrNotFound(err, "Access token not found")
}

func scopedTokenOf(t store.ScopedToken) ScopedToken {
	return ScopedToken{
		ScopedTokenSummary: ScopedTokenSummary{
			ID: strconv.FormatInt(t.ID, 10), Name: t.Name, TokenAlias: t.Alias,
			CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: t.LastUsedAt,
		},
		Permissions: t.Scopes, OrganizationSlugs: t.OrganizationSlugs, ProjectRefs: t.ProjectRefs,
	}
}

// unique returns the texts in order, each once.
func unique(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}
