package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// addSigningKeys adds to a project's secrets what its services sign and verify tokens with, where that is more than the JWT
// secret alone: SecretJWTKeys for the service that signs, SecretJWKS for those that verify.
func (s *Store) addSigningKeys(ctx context.Context, projectID int64, ref Ref, secrets Secrets) error {
	own, err := s.privateKeys(ctx, projectID, ref, secrets)
	if err != nil {
		return err
	}
	foreign, err := s.thirdPartyKeys(ctx, projectID)
	if err != nil {
		return err
	}
	if len(own) == 0 && len(foreign) == 0 {
		return nil
	}
	// Tokens that the services give one another are signed with the JWT secret, whatever else is in use.
	verify := []jose.JSONWebKey{{Key: []byte(secrets[SecretJWT]), Algorithm: string(jose.HS256), Use: "sig"}}
	var sign []json.RawMessage
	for _, key := range own {
		operations := []string{"verify"}
		if key.inUse {
			operations = []string{"sign", "verify"}
		}
		encoded, err := withOperations(key.JSONWebKey, operations...)
		if err != nil {
			return fmt.Errorf("encode the signing key %s: %w", key.KeyID, err)
		}
		sign = append(sign, encoded)
		if public := key.Public(); public.Key != nil {
			verify = append(verify, public)
		} else if !key.legacy {
			verify = append(verify, key.JSONWebKey)
		}
	}
	if len(sign) > 0 {
		if secrets[SecretJWTKeys], err = encodeText(sign); err != nil {
			return err
		}
	}
	secrets[SecretJWKS], err = encodeText(jose.JSONWebKeySet{Keys: append(verify, foreign...)})
	return err
}

func encodeText(value any) (string, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encode keys: %w", err)
	}
	return string(encoded), nil
}

// privateSigningKey is a key that is not revoked, with what is private of it.
type privateSigningKey struct {
	jose.JSONWebKey
	inUse, legacy bool
}

func (s *Store) privateKeys(ctx context.Context, projectID int64, ref Ref, secrets Secrets) ([]privateSigningKey, error) {
	rows, _ := s.pool.Query(ctx, `
		select k.id, k.algorithm, k.status, k.legacy, k.sealed, d.master_key_id, d.wrapped
		from platform.signing_keys k join platform.project_keys d using (project_id)
		where k.project_id = $1 and k.status <> 'revoked' order by k.created_at, k.legacy desc, k.id`, projectID)
	type row struct {
		ID          uuid.UUID
		Algorithm   string
		Status      SigningKeyStatus
		Legacy      bool
		Sealed      []byte
		MasterKeyID string
		Wrapped     []byte
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return nil, err
	}
	keys := make([]privateSigningKey, len(found))
	for i, one := range found {
		keys[i] = privateSigningKey{inUse: one.Status == SigningKeyInUse, legacy: one.Legacy}
		if one.Legacy {
			keys[i].JSONWebKey = jose.JSONWebKey{Key: []byte(secrets[SecretJWT]), KeyID: one.ID.String(), Algorithm: one.Algorithm, Use: "sig"}
			continue
		}
		dataKey, err := s.sealer.unwrapDataKey(ref, one.MasterKeyID, one.Wrapped)
		if err != nil {
			return nil, err
		}
		plain, err := s.sealer.unseal(dataKey, ref, signingKeySecret(one.ID), one.Sealed)
		if err != nil {
			return nil, fmt.Errorf("open the signing key %s: %w", one.ID, err)
		}
		if err := json.Unmarshal(plain, &keys[i].JSONWebKey); err != nil {
			return nil, fmt.Errorf("read the signing key %s: %w", one.ID, err)
		}
	}
	return keys, nil
}

// thirdPartyKeys are the public keys of others whose tokens the project takes.
func (s *Store) thirdPartyKeys(ctx context.Context, projectID int64) ([]jose.JSONWebKey, error) {
	rows, _ := s.pool.Query(ctx, `
		select resolved_jwks from platform.third_party_auth
		where project_id = $1 and resolved_jwks is not null order by created_at, id`, projectID)
	sets, err := pgx.CollectRows(rows, pgx.RowTo[jose.JSONWebKeySet])
	if err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	for _, set := range sets {
		keys = append(keys, set.Keys...)
	}
	return keys, nil
}
