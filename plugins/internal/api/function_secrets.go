package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// V1Secret is one of a project's edge functions' secrets, without its value.
type V1Secret struct {
	Name  string `json:"name"`
	Value string `json:"value" doc:"The SHA-256 of the value, in hexadecimal digits: enough to see whether it changed."`
}

// V1SecretValue is a secret to set.
type V1SecretValue struct {
	Name  string `json:"name" minLength:"1" maxLength:"256"`
	Value string `json:"value" maxLength:"24576"`
}

type setSecretsInput struct {
	Ref  string          `path:"ref"`
	Body []V1SecretValue `maxItems:"100" minItems:"1"`
}

type unsetSecretsInput struct {
	Ref  string   `path:"ref"`
	Body []string `maxItems:"100" minItems:"1"`
}

// secretName is what an environment variable can be called.
var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reservedSecrets is what the names of the platform's own variables start with.
const reservedSecrets = "SUPABASE_"

func (a *API) registerFunctionSecrets() {
	const path = "/v1/projects/{ref}/secrets"
	handle(a, route{
		method: http.MethodGet, path: path, permission: access.InProject(access.FunctionSecretRead, "*"),
		kind: Real, summary: "The names of the edge functions' secrets",
	}, a.v1ListSecrets)
	act(a, route{
		method: http.MethodPost, path: path, permission: access.InProject(access.FunctionSecretWrite, "*"), status: http.StatusCreated,
		kind: Real, summary: "Set secrets of the edge functions",
	}, a.v1SetSecrets)
	act(a, route{
		method: http.MethodDelete, path: path, permission: access.InProject(access.FunctionSecretWrite, "*"),
		kind: Real, summary: "Remove secrets of the edge functions",
	}, a.v1UnsetSecrets)
}

func (a *API) v1ListSecrets(ctx context.Context, c *call, _ *refPath) ([]V1Secret, error) {
	config, err := a.store.ProjectConfig(ctx, c.project.ID, c.project.Ref, store.ConfigFunctionSecrets)
	if err != nil {
		return nil, err
	}
	secrets := config[store.ConfigFunctionSecrets]
	list := make([]V1Secret, 0, len(secrets))
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		digest := sha256.Sum256([]byte(fmt.Sprint(secrets[name])))
		list = append(list, V1Secret{Name: name, Value: hex.EncodeToString(digest[:])})
	}
	return list, nil
}

func (a *API) v1SetSecrets(ctx context.Context, c *call, in *setSecretsInput) error {
	patch := store.SectionConfig{}
	for _, secret := range in.Body {
		if err := checkSecretName(secret.Name); err != nil {
			return err
		}
		patch[secret.Name] = secret.Value
	}
	_, err := a.store.UpdateProjectConfig(ctx, c.actor, c.project.Ref, store.ConfigFunctionSecrets, patch)
	return err
}

func (a *API) v1UnsetSecrets(ctx context.Context, c *call, in *unsetSecretsInput) error {
	patch := store.SectionConfig{}
	for _, name := range in.Body {
		if err := checkSecretName(name); err != nil {
			return err
		}
		patch[name] = nil
	}
	_, err := a.store.UpdateProjectConfig(ctx, c.actor, c.project.Ref, store.ConfigFunctionSecrets, patch)
	return err
}

func checkSecretName(name string) error {
	switch {
	case !secretName.MatchString(name):
		return problem.BadRequest(fmt.Sprintf("%q is not a name for a secret: letters, digits and _, not starting with a digit.", name))
	case strings.HasPrefix(strings.ToUpper(name), reservedSecrets):
		return problem.BadRequest(fmt.Sprintf("Secrets whose names start with %s are the platform's own: %s cannot be set.", reservedSecrets, name))
	default:
		return nil
	}
}
