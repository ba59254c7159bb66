package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// claimed returns the secrets that a provisioner gets.
func claimed(t *testing.T, s *store.Store, url string) store.Secrets {
	t.Helper()
	run(t, url, `update platform.projects set generation = generation + 1, lease_expires_at = null`)
	claim, err := s.ClaimProject(t.Context(), "local", "me", time.Minute, nil)
	require.NoError(t, err)
	require.NotNil(t, claim)
	secrets, err := claim.Secrets(t.Context())
	require.NoError(t, err)
	return secrets
}

// signs tells which keys sign and which verify, by their ids.
func signs(t *testing.T, secrets store.Secrets) map[string][]string {
	t.Helper()
	var keys []struct {
		Kid    string
		KeyOps []string `json:"key_ops"`
	}
	require.NoError(t, json.Unmarshal([]byte(secrets[store.SecretJWTKeys]), &keys))
	operations := map[string][]string{}
	for _, key := range keys {
		operations[key.Kid] = key.KeyOps
	}
	return operations
}

func TestSigningKeysAreRotatedAndReachTheServices(t *testing.T) {
	t.Parallel()
	s, url, profile, project := keyed(t)
	run(t, url, `update platform.projects set status = 'ACTIVE_HEALTHY'`)
	before := claimed(t, s, url)
	require.NotContains(t, before, store.SecretJWTKeys, "the JWT secret alone signs")

	made, err := s.CreateSigningKey(t.Context(), actor(profile, "1"), project.Ref, store.WantedSigningKey{Algorithm: "ES256"})
	require.NoError(t, err)
	require.Equal(t, store.SigningKeyStandby, made.Status)
	require.NotContains(t, string(made.PublicJWK), `"d"`)
	keys, err := s.SigningKeys(t.Context(), project.ID)
	require.NoError(t, err)
	require.Len(t, keys, 2)
	legacy := keys[0]
	require.True(t, legacy.Legacy)
	require.Equal(t, store.SigningKeyInUse, legacy.Status)
	require.Equal(t, map[string][]string{legacy.ID.String(): {"sign", "verify"}, made.ID.String(): {"verify"}}, signs(t, claimed(t, s, url)))

	_, err = s.ChangeSigningKey(t.Context(), actor(profile, "2"), project.Ref, made.ID, store.SigningKeyInUse)
	require.NoError(t, err)
	after := claimed(t, s, url)
	require.Equal(t, map[string][]string{legacy.ID.String(): {"verify"}, made.ID.String(): {"sign", "verify"}}, signs(t, after))
	var verifying jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal([]byte(after[store.SecretJWKS]), &verifying))
	require.Len(t, verifying.Key(made.ID.String()), 1)
	require.True(t, verifying.Key(made.ID.String())[0].IsPublic())
	require.Equal(t, []byte(before[store.SecretJWT]), verifying.Keys[0].Key, "tokens of the JWT secret go on to be good")
	require.NotContains(t, run(t, url, `select string_agg(k::text, ' ') from platform.signing_keys k`), before[store.SecretJWT])
}

func TestARevokedJWTSecretIsGoodForNothingAnyMore(t *testing.T) {
	t.Parallel()
	s, url, profile, project := keyed(t)
	run(t, url, `update platform.projects set status = 'ACTIVE_HEALTHY'`)
	before := claimed(t, s, url)
	legacy, err := s.ImportLegacySigningKey(t.Context(), actor(profile, "1"), project.Ref)
	require.NoError(t, err)
	move := func(id string, key uuid.UUID, status store.SigningKeyStatus) error {
		_, err := s.ChangeSigningKey(t.Context(), actor(profile, id), project.Ref, key, status)
		return err
	}
	var conflict *store.ConflictError
	require.ErrorAs(t, move("2", legacy.ID, store.SigningKeyRevoked), &conflict, "it is in use")
	_, err = s.CreateSigningKey(t.Context(), actor(profile, "3"), project.Ref, store.WantedSigningKey{Algorithm: "EdDSA", InUse: true})
	require.NoError(t, err)
	require.ErrorAs(t, move("4", legacy.ID, store.SigningKeyRevoked), &conflict, "the legacy keys are still good")
	require.NoError(t, s.EnableLegacyAPIKeys(t.Context(), actor(profile, "5"), project.Ref, false))
	require.NoError(t, move("6", legacy.ID, store.SigningKeyRevoked))

	after := claimed(t, s, url)
	for _, name := range []string{store.SecretJWT, store.SecretAnonKey, store.SecretServiceKey} {
		require.NotEqual(t, before[name], after[name])
	}
	require.NotContains(t, signs(t, after), legacy.ID.String())
	require.ErrorAs(t, move("7", legacy.ID, store.SigningKeyStandby), &conflict)
}

func TestAKeyThatIsNotWhatItSaysIsRefused(t *testing.T) {
	t.Parallel()
	s, _, profile, project := keyed(t)
	for name, wanted := range map[string]store.WantedSigningKey{
		"too short":         {Algorithm: "HS256", Private: &jose.JSONWebKey{Key: []byte("short")}},
		"another algorithm": {Algorithm: "ES256", Private: &jose.JSONWebKey{Key: make([]byte, 32)}},
		"nothing":           {Algorithm: "ES256", Private: &jose.JSONWebKey{}},
	} {
		_, err := s.CreateSigningKey(t.Context(), actor(profile, name), project.Ref, wanted)
		var conflict *store.ConflictError
		require.ErrorAs(t, err, &conflict, name)
	}
	keys, err := s.SigningKeys(t.Context(), project.ID)
	require.NoError(t, err)
	require.Empty(t, keys, "nothing changed")
}
