package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// V1SigningKey is a key that a project's sessions are signed with.
type V1SigningKey struct {
	ID        string    `json:"id" format:"uuid"`
	Algorithm string    `json:"algorithm" enum:"EdDSA,ES256,RS256,HS256"`
	Status    string    `json:"status" enum:"in_use,standby,previously_used,revoked"`
	PublicJWK any       `json:"public_jwk" doc:"Null for HS256, which has nothing public."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// V1SigningKeys are all of a project's.
type V1SigningKeys struct {
	Keys []V1SigningKey `json:"keys"`
}

// V1CreateSigningKeyBody says what a new key is to be.
type V1CreateSigningKeyBody struct {
	Algorithm  string         `json:"algorithm" enum:"EdDSA,ES256,RS256,HS256"`
	Status     string         `json:"status,omitempty" enum:"in_use,standby" default:"standby"`
	PrivateJWK map[string]any `json:"private_jwk,omitempty" doc:"A key of one's own; without it one is drawn."`
}

// V1UpdateSigningKeyBody moves a key to another status.
type V1UpdateSigningKeyBody struct {
	Status string `json:"status" enum:"in_use,standby,previously_used,revoked"`
}

type createSigningKeyInput struct {
	Ref  string `path:"ref"`
	Body V1CreateSigningKeyBody
}

type signingKeyInput struct {
	Ref string `path:"ref"`
	ID  string `path:"id" format:"uuid"`
}

type updateSigningKeyInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id" format:"uuid"`
	Body V1UpdateSigningKeyBody
}

func (a *API) registerSigningKeys() {
	const path = "/v1/projects/{ref}/config/auth/signing-keys"
	read := access.InProject(access.Read, "auth_signing_keys")
	write := access.InProject(access.InfraExecute, "queue_job.projects.update_jwt")
	handle(a, route{method: http.MethodGet, path: path, permission: read, kind: Real, summary: "The keys that sessions are signed with"}, a.v1ListSigningKeys)
	handle(a, route{
		method: http.MethodPost, path: path, permission: write, status: http.StatusCreated, kind: Real, summary: "Make a signing key, on standby or in use",
	}, a.v1CreateSigningKey)
	handle(a, route{method: http.MethodGet, path: path + "/legacy", permission: read, kind: Real, summary: "The JWT secret as a signing key"}, a.v1LegacySigningKey)
	handle(a, route{
		method: http.MethodPost, path: path + "/legacy", permission: write, status: http.StatusCreated, kind: Real,
		summary: "Make the JWT secret a signing key like others",
	}, a.v1ImportLegacySigningKey)
	handle(a, route{method: http.MethodGet, path: path + "/{id}", permission: read, kind: Real, summary: "One signing key"}, a.v1GetSigningKey)
	handle(a, route{
		method: http.MethodPatch, path: path + "/{id}", permission: write, kind: Real, summary: "Put a signing key in use, on standby, or revoke it",
	}, a.v1UpdateSigningKey)
	handle(a, route{method: http.MethodDelete, path: path + "/{id}", permission: write, kind: Real, summary: "Forget a signing key that signs nothing"}, a.v1DeleteSigningKey)
}

func v1SigningKeyOf(key store.SigningKey) V1SigningKey {
	answer := V1SigningKey{
		ID: key.ID.String(), Algorithm: key.Algorithm, Status: string(key.Status), CreatedAt: key.CreatedAt, UpdatedAt: key.UpdatedAt,
	}
	if key.PublicJWK != nil {
		answer.PublicJWK = key.PublicJWK
	}
	return answer
}

func (a *API) v1ListSigningKeys(ctx context.Context, c *call, _ *refPath) (V1SigningKeys, error) {
	keys, err := a.store.SigningKeys(ctx, c.project.ID)
	list := make([]V1SigningKey, len(keys))
	for i, key := range keys {
		list[i] = v1SigningKeyOf(key)
	}
	return V1SigningKeys{list}, err
}

func (a *API) v1CreateSigningKey(ctx context.Context, c *call, in *createSigningKeyInput) (V1SigningKey, error) {
	wanted := store.WantedSigningKey{Algorithm: in.Body.Algorithm, InUse: in.Body.Status == string(store.SigningKeyInUse)}
	if in.Body.PrivateJWK != nil {
		private, err := readJWK(in.Body.PrivateJWK)
		if err != nil {
			return V1SigningKey{}, err
		}
		wanted.Private = private
	}
	made, err := a.store.CreateSigningKey(ctx, c.actor, c.project.Ref, wanted)
	return v1SigningKeyOf(made), err
}

// readJWK says nothing of what is in the key: what is wrong about it may be secret.
func readJWK(given map[string]any) (*jose.JSONWebKey, error) {
	encoded, err := json.Marshal(given)
	if err != nil {
		return nil, err
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(encoded); err != nil {
		return nil, problem.BadRequest("The private_jwk is not a JSON Web Key.")
	}
	return &key, nil
}

// findSigningKey finds a key by what matches.
func (a *API) findSigningKey(ctx context.Context, c *call, matches func(store.SigningKey) bool) (V1SigningKey, error) {
	keys, err := a.store.SigningKeys(ctx, c.project.ID)
	if err != nil {
		return V1SigningKey{}, err
	}
	if i := slices.IndexFunc(keys, matches); i >= 0 {
		return v1SigningKeyOf(keys[i]), nil
	}
	return V1SigningKey{}, problem.NotFound("Signing key not found")
}

func (a *API) v1LegacySigningKey(ctx context.Context, c *call, _ *refPath) (V1SigningKey, error) {
	return a.findSigningKey(ctx, c, func(key store.SigningKey) bool { return key.Legacy })
}

func (a *API) v1GetSigningKey(ctx context.Context, c *call, in *signingKeyInput) (V1SigningKey, error) {
	return a.findSigningKey(ctx, c, func(key store.SigningKey) bool { return key.ID.String() == in.ID })
}

func (a *API) v1ImportLegacySigningKey(ctx context.Context, c *call, _ *refPath) (V1SigningKey, error) {
	key, err := a.store.ImportLegacySigningKey(ctx, c.actor, c.project.Ref)
	return v1SigningKeyOf(key), err
}

func (a *API) v1UpdateSigningKey(ctx context.Context, c *call, in *updateSigningKeyInput) (V1SigningKey, error) {
	changed, err := a.store.ChangeSigningKey(ctx, c.actor, c.project.Ref, uuid.MustParse(in.ID), store.SigningKeyStatus(in.Body.Status))
	return v1SigningKeyOf(changed), problem.OrNotFound(err, "Signing key not found")
}

func (a *API) v1DeleteSigningKey(ctx context.Context, c *call, in *signingKeyInput) (V1SigningKey, error) {
	gone, err := a.store.DeleteSigningKey(ctx, c.actor, c.project.Ref, uuid.MustParse(in.ID))
	return v1SigningKeyOf(gone), problem.OrNotFound(err, "Signing key not found")
}
