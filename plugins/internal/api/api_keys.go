package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// V1APIKey is a key of a project's API.
type V1APIKey struct {
	ID                *string        `json:"id"`
	Type              string         `json:"type" enum:"legacy,publishable,secret"`
	Name              string         `json:"name"`
	Description       *string        `json:"description"`
	APIKey            *string        `json:"api_key" doc:"The key itself, for those who may read secrets and ask for it; else the beginning of it, or null. What anybody may know is there always."`
	Prefix            *string        `json:"prefix"`
	Hash              *string        `json:"hash" doc:"SHA-256 of the key."`
	SecretJWTTemplate map[string]any `json:"secret_jwt_template" doc:"The claims of the JWT that the gateway makes of the key."`
	InsertedAt        *time.Time     `json:"inserted_at"`
	UpdatedAt         *time.Time     `json:"updated_at"`
}

// V1LegacyAPIKeys tells whether the two legacy keys open a project's API.
type V1LegacyAPIKeys struct {
	Enabled bool `json:"enabled"`
}

// V1CreateAPIKeyBody says what a new key is to be.
type V1CreateAPIKeyBody struct {
	Type              string         `json:"type" enum:"publishable,secret"`
	Name              string         `json:"name" minLength:"4" maxLength:"64" pattern:"^[a-z_][a-z0-9_]+$" patternDescription:"lower case letters, digits and _, not starting with a digit"`
	Description       *string        `json:"description,omitempty" maxLength:"1024"`
	SecretJWTTemplate map[string]any `json:"secret_jwt_template,omitempty"`
}

// V1UpdateAPIKeyBody changes a key; what is not there stays.
type V1UpdateAPIKeyBody struct {
	Name              *string        `json:"name,omitempty" minLength:"4" maxLength:"64" pattern:"^[a-z_][a-z0-9_]+$" patternDescription:"lower case letters, digits and _, not starting with a digit"`
	Description       *string        `json:"description,omitempty" maxLength:"1024"`
	SecretJWTTemplate map[string]any `json:"secret_jwt_template,omitempty"`
}

// TemporaryAPIKey is a key that opens a project's API for a while.
type TemporaryAPIKey struct {
	APIKey string `json:"api_key"`
}

type apiKeysInput struct {
	Ref    string `path:"ref"`
	Reveal bool   `query:"reveal"`
}

type createAPIKeyInput struct {
	Ref    string `path:"ref"`
	Reveal bool   `query:"reveal"`
	Body   V1CreateAPIKeyBody
}

type apiKeyInput struct {
	Ref    string `path:"ref"`
	ID     string `path:"id" format:"uuid"`
	Reveal bool   `query:"reveal"`
}

type updateAPIKeyInput struct {
	Ref    string `path:"ref"`
	ID     string `path:"id" format:"uuid"`
	Reveal bool   `query:"reveal"`
	Body   V1UpdateAPIKeyBody
}

type deleteAPIKeyInput struct {
	Ref            string `path:"ref"`
	ID             string `path:"id" format:"uuid"`
	Reveal         bool   `query:"reveal"`
	Reason         string `query:"reason" maxLength:"1024"`
	WasCompromised bool   `query:"was_compromised"`
}

type legacyAPIKeysInput struct {
	Ref     string `path:"ref"`
	Enabled bool   `query:"enabled" required:"true"`
}

type temporaryAPIKeyInput struct {
	Ref     string `path:"ref"`
	Seconds int    `query:"authorization_exp" required:"true" minimum:"1" maximum:"3600" doc:"For how long."`
	Claims  string `query:"claims" required:"true" maxLength:"1024" doc:"JSON: {\"role\": \"anon\" or \"service_role\"}."`
}

func (a *API) registerAPIKeys() {
	const path = "/v1/projects/{ref}/api-keys"
	read, write := access.InProject(access.Read, "service_api_keys"), access.InProject(access.SecretsWrite, "*")
	handle(a, route{method: http.MethodGet, path: path, permission: read, kind: Real, summary: "The project's API keys"}, a.v1ListAPIKeys)
	handle(a, route{
		method: http.MethodPost, path: path, permission: write, status: http.StatusCreated, kind: Real, summary: "Make an API key",
	}, a.v1CreateAPIKey)
	handle(a, route{
		method: http.MethodGet, path: path + "/legacy", permission: read, kind: Real, summary: "Whether the anon and service_role keys open the project's API",
	}, a.v1LegacyAPIKeys)
	handle(a, route{
		method: http.MethodPut, path: path + "/legacy", permission: write, kind: Real, summary: "Enable or disable the anon and service_role keys",
	}, a.v1EnableLegacyAPIKeys)
	handle(a, route{method: http.MethodGet, path: path + "/{id}", permission: read, kind: Real, summary: "One API key"}, a.v1GetAPIKey)
	handle(a, route{method: http.MethodPatch, path: path + "/{id}", permission: write, kind: Real, summary: "Change an API key"}, a.v1UpdateAPIKey)
	handle(a, route{
		method: http.MethodDelete, path: path + "/{id}", permission: write, kind: Real, summary: "Revoke an API key, at once and for good",
	}, a.v1DeleteAPIKey)
	handle(a, route{
		method: http.MethodPost, path: "/platform/projects/{ref}/api-keys/temporary", permission: read, status: http.StatusCreated,
		kind: Real, summary: "A key that opens the project's API for a while",
	}, a.temporaryAPIKey)
}

func (a *API) v1ListAPIKeys(ctx context.Context, c *call, in *apiKeysInput) ([]V1APIKey, error) {
	keys, err := a.store.APIKeys(ctx, c.project.ID, c.project.Ref)
	if err != nil {
		return nil, err
	}
	secrets, err := a.store.ProjectSecrets(ctx, c.project.ID, c.project.Ref, store.SecretAnonKey, store.SecretServiceKey)
	if err != nil {
		return nil, err
	}
	reveal := in.Reveal && c.readsSecrets()
	list := []V1APIKey{legacyAPIKey("anon", secrets[store.SecretAnonKey], true), legacyAPIKey("service_role", secrets[store.SecretServiceKey], reveal)}
	for _, key := range keys {
		list = append(list, v1APIKeyOf(key, reveal))
	}
	return list, nil
}

// readsSecrets tells whether the caller may see what opens everything.
func (c *call) readsSecrets() bool { return c.may(access.InProject(access.SecretsRead, "*")) }

func legacyAPIKey(name, key string, reveal bool) V1APIKey {
	description := "Legacy " + name + " API key"
	legacy := V1APIKey{ID: &name, Type: "legacy", Name: name, Description: &description}
	if reveal {
		legacy.APIKey = &key
	}
	return legacy
}

func v1APIKeyOf(key store.RevealedAPIKey, reveal bool) V1APIKey {
	id, shown := key.ID.String(), key.Key
	if key.Type == store.SecretKey && !reveal {
		shown = key.Prefix + strings.Repeat("·", 15)
	}
	return V1APIKey{
		ID: &id, Type: string(key.Type), Name: key.Name, Description: key.Description, APIKey: &shown, Prefix: &key.Prefix, Hash: &key.Hash,
		SecretJWTTemplate: key.Claims, InsertedAt: &key.CreatedAt, UpdatedAt: &key.UpdatedAt,
	}
}

func (a *API) v1CreateAPIKey(ctx context.Context, c *call, in *createAPIKeyInput) (V1APIKey, error) {
	wanted := store.WantedAPIKey{
		Type: store.APIKeyType(in.Body.Type), Name: in.Body.Name, Description: in.Body.Description, Claims: in.Body.SecretJWTTemplate,
	}
	if err := checkClaims(wanted.Type, wanted.Claims); err != nil {
		return V1APIKey{}, err
	}
	if wanted.Type == store.SecretKey && wanted.Claims == nil {
		wanted.Claims = map[string]any{"role": "service_role"}
	}
	made, err := a.store.CreateAPIKey(ctx, c.actor, c.project.Ref, wanted)
	if err != nil {
		return V1APIKey{}, err
	}
	return v1APIKeyOf(made, in.Reveal && c.readsSecrets()), nil
}

// checkClaims refuses claims that the gateway would not say, or that no service would understand.
func checkClaims(keyType store.APIKeyType, claims map[string]any) error {
	if claims == nil {
		return nil
	}
	if keyType == store.PublishableKey {
		return problem.BadRequest("A publishable key has the role anon: it cannot have a secret_jwt_template.")
	}
	role, isText := claims["role"].(string)
	if !isText || role == "" || len(role) > 63 {
		return problem.BadRequest("secret_jwt_template has to name a role of the database in `role`.")
	}
	for _, own := range []string{"iss", "ref", "iat", "exp", "nbf", dataplane.KindClaim} {
		if _, given := claims[own]; given {
			return problem.BadRequest(fmt.Sprintf("secret_jwt_template cannot have the claim %s: the gateway sets it.", own))
		}
	}
	return nil
}

func (a *API) v1GetAPIKey(ctx context.Context, c *call, in *apiKeyInput) (V1APIKey, error) {
	key, err := a.store.APIKeyByID(ctx, c.project.ID, c.project.Ref, uuid.MustParse(in.ID))
	if err != nil {
		return V1APIKey{}, problem.OrNotFound(err, "API key not found")
	}
	return v1APIKeyOf(key, in.Reveal && c.readsSecrets()), nil
}

func (a *API) v1UpdateAPIKey(ctx context.Context, c *call, in *updateAPIKeyInput) (V1APIKey, error) {
	id := uuid.MustParse(in.ID)
	before, err := a.store.APIKeyByID(ctx, c.project.ID, c.project.Ref, id)
	if err != nil {
		return V1APIKey{}, problem.OrNotFound(err, "API key not found")
	}
	if err := checkClaims(before.Type, in.Body.SecretJWTTemplate); err != nil {
		return V1APIKey{}, err
	}
	changed, err := a.store.UpdateAPIKey(ctx, c.actor, c.project.Ref, id, store.APIKeyPatch{
		Name: in.Body.Name, Description: in.Body.Description, Claims: in.Body.SecretJWTTemplate,
	})
	if err != nil {
		return V1APIKey{}, problem.OrNotFound(err, "API key not found")
	}
	return v1APIKeyOf(store.RevealedAPIKey{APIKey: changed, Key: before.Key}, in.Reveal && c.readsSecrets()), nil
}

func (a *API) v1DeleteAPIKey(ctx context.Context, c *call, in *deleteAPIKeyInput) (V1APIKey, error) {
	id := uuid.MustParse(in.ID)
	gone, err := a.store.DeleteAPIKey(ctx, c.actor, c.project.Ref, id, in.Reason, in.WasCompromised)
	if err != nil {
		return V1APIKey{}, problem.OrNotFound(err, "API key not found")
	}
	answer := v1APIKeyOf(store.RevealedAPIKey{APIKey: gone}, false)
	answer.APIKey = nil // it is no key any more
	return answer, nil
}

func (a *API) v1LegacyAPIKeys(ctx context.Context, c *call, _ *refPath) (V1LegacyAPIKeys, error) {
	enabled, err := a.store.LegacyAPIKeysEnabled(ctx, c.project.ID)
	return V1LegacyAPIKeys{enabled}, err
}

func (a *API) v1EnableLegacyAPIKeys(ctx context.Context, c *call, in *legacyAPIKeysInput) (V1LegacyAPIKeys, error) {
	err := a.store.EnableLegacyAPIKeys(ctx, c.actor, c.project.Ref, in.Enabled)
	return V1LegacyAPIKeys{in.Enabled}, err
}

// temporaryAPIKey makes a key for Studio's own calls from the browser, where a lasting one has no business. Whoever gets it
// could read the lasting one.
func (a *API) temporaryAPIKey(ctx context.Context, c *call, in *temporaryAPIKeyInput) (TemporaryAPIKey, error) {
	var claims map[string]any
	if err := json.Unmarshal([]byte(in.Claims), &claims); err != nil {
		return TemporaryAPIKey{}, problem.BadRequest("claims has to be a JSON object.")
	}
	role := claims["role"]
	if len(claims) != 1 || role != "anon" && role != "service_role" {
		return TemporaryAPIKey{}, problem.BadRequest("claims has to have a role, anon or service_role, and nothing else.")
	}
	secrets, err := a.store.ProjectSecrets(ctx, c.project.ID, c.project.Ref, store.SecretJWT)
	if err != nil {
		return TemporaryAPIKey{}, err
	}
	now := a.now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "supabase", "ref": string(c.project.Ref), "role": role, "iat": now.Unix(),
		"exp": now.Add(time.Duration(in.Seconds) * time.Second).Unix(), dataplane.KindClaim: dataplane.KindTemporary,
	}).SignedString([]byte(secrets[store.SecretJWT]))
	if err != nil {
		return TemporaryAPIKey{}, fmt.Errorf("sign a temporary key: %w", err)
	}
	return TemporaryAPIKey{dataplane.TemporaryPrefix + token}, nil
}
