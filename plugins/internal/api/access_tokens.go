package api

import (
	"context"
	"net/http"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// AccessToken is a personal access token without its secret.
type AccessToken struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	TokenAlias string     `json:"token_alias"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

// CreateAccessTokenResponse is a token that was just made, with its secret, which is shown this once.
type CreateAccessTokenResponse struct {
	AccessToken
	Token string `json:"token"`
}

type createAccessTokenInput struct {
	Body struct {
		Name      string     `json:"name" minLength:"1" maxLength:"100"`
		ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Absent: it does not expire."`
	}
}

type accessTokenPath struct {
	ID int64 `path:"id"`
}

func (a *API) registerAccessTokens() {
	handle(a, route{
		method: http.MethodGet, path: "/platform/profile/access-tokens", permission: access.SignedIn(),
		kind: Real, summary: "Your access tokens",
	}, a.listAccessTokens)
	handle(a, route{
		method: http.MethodPost, path: "/platform/profile/access-tokens", permission: access.SignedIn(), status: http.StatusCreated,
		kind: Real, summary: "Make an access token",
	}, a.createAccessToken)
	handle(a, route{
		method: http.MethodGet, path: "/platform/profile/access-tokens/{id}", permission: access.SignedIn(),
		kind: Real, summary: "One of your access tokens",
	}, a.getAccessToken)
	handle(a, route{
		method: http.MethodDelete, path: "/platform/profile/access-tokens/{id}", permission: access.SignedIn(),
		kind: Real, summary: "Revoke an access token",
	}, a.deleteAccessToken)
}

func (a *API) listAccessTokens(ctx context.Context, c *call, _ *none) ([]AccessToken, error) {
	tokens, err := a.store.AccessTokens(ctx, c.Profile.ID)
	if err != nil {
		return nil, err
	}
	list := make([]AccessToken, len(tokens))
	for i, token := range tokens {
		list[i] = accessTokenOf(token)
	}
	return list, nil
}

func (a *API) getAccessToken(ctx context.Context, c *call, in *accessTokenPath) (AccessToken, error) {
	token, err := a.store.AccessToken(ctx, c.Profile.ID, in.ID)
	if err != nil {
		return AccessToken{}, problem.OrNotFound(err, "Access token not found")
	}
	return accessTokenOf(token), nil
}

func (a *API) createAccessToken(ctx context.Context, c *call, in *createAccessTokenInput) (CreateAccessTokenResponse, error) {
	if in.Body.ExpiresAt != nil && !in.Body.ExpiresAt.After(a.now()) {
		return CreateAccessTokenResponse{}, problem.BadRequest("expires_at has to be in the future.")
	}
	made, err := a.store.CreateAccessToken(ctx, c.actor, in.Body.Name, in.Body.ExpiresAt)
	if err != nil {
		return CreateAccessTokenResponse{}, err
	}
	return CreateAccessTokenResponse{accessTokenOf(made.AccessToken), made.Token}, nil
}

func (a *API) deleteAccessToken(ctx context.Context, c *call, in *accessTokenPath) (AccessToken, error) {
	gone, err := a.store.DeleteAccessToken(ctx, c.actor, in.ID)
	if err != nil {
		return AccessToken{}, problem.OrNotFound(err, "Access token not found")
	}
	return accessTokenOf(gone), nil
}

func accessTokenOf(t store.AccessToken) AccessToken {
	return AccessToken{
		ID: t.ID, Name: t.Name, TokenAlias: t.Alias,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: t.LastUsedAt,
	}
}
