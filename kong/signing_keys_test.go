package kong_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// keyedService stands in for a service that verifies tokens by the JWKS of its environment, as PostgREST does, and for GoTrue, which
// signs sessions: with what the provisioner gives them.
type keyedService struct{ secrets atomic.Pointer[store.Secrets] }

// restart gives the stand-in what the provisioner would start it with now.
func (s *keyedService) restart(w *projectWorld, p project) {
	w.t.Helper()
	w.run(`update platform.projects set generation = generation + 1, lease_expires_at = null where id = $1`, p.ID)
	claim, err := w.store.ClaimProject(w.t.Context(), "local", "test", time.Minute, nil)
	require.NoError(w.t, err)
	require.NotNil(w.t, claim)
	secrets, err := claim.Secrets(w.t.Context())
	require.NoError(w.t, err)
	s.secrets.Store(&secrets)
}

func (s *keyedService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), claims, s.verifies, jwt.WithValidMethods([]string{"HS256", "ES256"}))
	if err != nil {
		http.Error(w, "the service: "+err.Error(), http.StatusUnauthorized)
		return
	}
	say(w, http.StatusOK, map[string]any{"role": claims["role"]})
}

func (s *keyedService) verifies(token *jwt.Token) (any, error) {
	secrets := *s.secrets.Load()
	if secrets[store.SecretJWKS] == "" {
		return []byte(secrets[store.SecretJWT]), nil
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(secrets[store.SecretJWKS]), &set); err != nil {
		return nil, err
	}
	kid, _ := token.Header["kid"].(string)
	for _, key := range set.Keys {
		if key.KeyID == kid && key.Algorithm == token.Method.Alg() {
			return key.Key, nil
		}
	}
	return nil, errors.New("no key of the project's")
}

// session signs one with the key that is in use.
func (s *keyedService) session(t *testing.T) string {
	t.Helper()
	secrets := *s.secrets.Load()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"role": "authenticated", "sub": ada, "exp": time.Now().Add(time.Hour).Unix()})
	var with any = []byte(secrets[store.SecretJWT])
	if secrets[store.SecretJWTKeys] != "" {
		var raw []json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(secrets[store.SecretJWTKeys]), &raw))
		for _, one := range raw {
			var key jose.JSONWebKey
			var said struct {
				Operations []string `json:"key_ops"`
			}
			require.NoError(t, errors.Join(json.Unmarshal(one, &key), json.Unmarshal(one, &said)))
			if slices.Contains(said.Operations, "sign") && key.Algorithm == "ES256" {
				token.Method, token.Header["alg"], token.Header["kid"], with = jwt.SigningMethodES256, "ES256", key.KeyID, key.Key
			}
		}
	}
	signed, err := token.SignedString(with)
	require.NoError(t, err)
	return signed
}

// TestSigningKeysReachTheGatewayAndTheServices makes, rotates and revokes signing keys by the API, and asks with each kind of token
// after each step.
func TestSigningKeysReachTheGatewayAndTheServices(t *testing.T) {
	t.Parallel()
	w := setupProjects(t)
	p := w.project(store.ServiceRest)
	service := &keyedService{}
	service.restart(w, p)
	w.serve(p, store.ServiceRest, "127.1.1.9", service)
	w.status(p, store.StatusActiveHealthy)
	w.becomes(http.StatusOK, p.host(), "/rest/v1/todos", "apikey", p.secret.Key)

	ask := func(key, session string) int {
		headers := []string{"apikey", key}
		if session != "" {
			headers = append(headers, "Authorization", "Bearer "+session)
		}
		return w.ask(p.host(), "/rest/v1/todos", headers...).status
	}
	change := func(method, path, body string) map[string]any {
		t.Helper()
		answer := w.signedIn(method, "/api/v1/projects/"+string(p.Ref)+path, body)
		require.Less(t, answer.status, 300, string(answer.body))
		service.restart(w, p)
		w.status(p, store.StatusActiveHealthy)
		return answer.json(t)
	}
	const keys = "/config/auth/signing-keys"
	old := service.session(t)
	require.Equal(t, http.StatusOK, ask(p.publishable.Key, old))

	made := change(http.MethodPost, keys, `{"algorithm":"ES256"}`)["id"].(string)
	require.Equal(t, http.StatusOK, ask(p.publishable.Key, service.session(t)), "the JWT secret signs still")
	change(http.MethodPatch, keys+"/"+made, `{"status":"in_use"}`)
	current := service.session(t)
	require.NotEqual(t, strings.Split(old, ".")[0], strings.Split(current, ".")[0])
	for name, session := range map[string]string{"of before": old, "of now": current, "none": ""} {
		for _, key := range []string{p.publishable.Key, p.secret.Key, p.secrets[store.SecretAnonKey]} {
			require.Equal(t, http.StatusOK, ask(key, session), "%s: both keys are good", name)
		}
	}

	legacy := change(http.MethodGet, keys+"/legacy", "")["id"].(string)
	change(http.MethodPut, "/api-keys/legacy?enabled=false", "")
	w.becomes(http.StatusUnauthorized, p.host(), "/rest/v1/todos", "apikey", p.secrets[store.SecretAnonKey])
	change(http.MethodPatch, keys+"/"+legacy, `{"status":"revoked"}`)
	// The gateway has heard of the new JWT secret once a service that knows no other takes what it makes of a key.
	w.becomes(http.StatusOK, p.host(), "/rest/v1/todos", "apikey", p.secret.Key)
	require.Equal(t, http.StatusOK, ask(p.publishable.Key, current), "what another key signed goes on")
	require.Equal(t, http.StatusUnauthorized, ask(p.publishable.Key, old), "its secret is revoked")
	change(http.MethodPut, "/api-keys/legacy?enabled=true", "")
	secrets, err := w.store.ProjectSecrets(t.Context(), p.ID, p.Ref, store.SecretServiceKey)
	require.NoError(t, err)
	w.becomes(http.StatusOK, p.host(), "/rest/v1/todos", "apikey", secrets[store.SecretServiceKey])
	require.Equal(t, http.StatusUnauthorized, ask(p.secrets[store.SecretServiceKey], ""), "a key of the secret that is gone stays shut, whatever is enabled")

	another := change(http.MethodPost, keys, `{"algorithm":"ES256"}`)["id"].(string)
	change(http.MethodPatch, keys+"/"+another, `{"status":"in_use"}`)
	change(http.MethodPatch, keys+"/"+made, `{"status":"revoked"}`)
	require.Equal(t, http.StatusUnauthorized, ask(p.publishable.Key, current))
	require.Equal(t, http.StatusOK, ask(p.publishable.Key, service.session(t)))
}
