package store

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// SigningKeyStatus is what a signing key is for.
type SigningKeyStatus string

// The statuses. One key is in use; tokens of the others, but for the revoked ones, go on to be good.
const (
	SigningKeyInUse          SigningKeyStatus = "in_use"
	SigningKeyStandby        SigningKeyStatus = "standby"
	SigningKeyPreviouslyUsed SigningKeyStatus = "previously_used"
	SigningKeyRevoked        SigningKeyStatus = "revoked"
)

// SigningKey is a key that a project's sessions are signed with, without what is private of it.
type SigningKey struct {
	ID        uuid.UUID
	Algorithm string // ES256
	Status    SigningKeyStatus
	Legacy    bool            // it stands for the project's JWT secret
	PublicJWK json.RawMessage // nil for HS256, which has nothing public
	CreatedAt time.Time
	UpdatedAt time.Time
}

// WantedSigningKey is what somebody decides of a new key.
type WantedSigningKey struct {
	Algorithm string
	Private   *jose.JSONWebKey // nil: a new one is drawn
	InUse     bool             // at once, in place of the one that is
}

const signingKeyColumns = `k.id, k.algorithm, k.status, k.legacy, k.public_jwk, k.created_at, k.updated_at`

// minRSABits and minSecretBytes are what RFC 7518, sections 3.2 and 3.3, demands of keys for RS256 and HS256.
const (
	minRSABits     = 2048
	minSecretBytes = 32
)

// SigningKeys lists a project's keys, oldest first; none where its JWT secret alone signs.
func (s *Store) SigningKeys(ctx context.Context, projectID int64) ([]SigningKey, error) {
	keys, err := signingKeys(ctx, s.pool, projectID)
	return keys, wrap("list the signing keys", err)
}

func signingKeys(ctx context.Context, q querier, projectID int64) ([]SigningKey, error) {
	rows, _ := q.Query(ctx, `
		select `+signingKeyColumns+` from platform.signing_keys k where k.project_id = $1 order by k.created_at, k.legacy desc, k.id`, projectID)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[SigningKey])
}

// CreateSigningKey gives a project a key besides its JWT secret, which becomes the legacy key with the first one.
func (s *Store) CreateSigningKey(ctx context.Context, actor Actor, ref Ref, wanted WantedSigningKey) (SigningKey, error) {
	return s.changeSigningKeys(ctx, actor, ref, "create", func(ctx context.Context, tx pgx.Tx, project Project, keys []SigningKey) (SigningKey, error) {
		if err := s.ensureLegacySigningKey(ctx, tx, project, keys); err != nil {
			return SigningKey{}, err
		}
		private, err := s.privateKey(wanted)
		if err != nil {
			return SigningKey{}, err
		}
		status := SigningKeyStandby
		if wanted.InUse {
			status = SigningKeyInUse
			if err := s.retireSigningKey(ctx, tx, project.ID); err != nil {
				return SigningKey{}, err
			}
		}
		return s.insertSigningKey(ctx, tx, project, private, status, false)
	})
}

// ImportLegacySigningKey makes the project's JWT secret a signing key like others, in use.
func (s *Store) ImportLegacySigningKey(ctx context.Context, actor Actor, ref Ref) (SigningKey, error) {
	return s.changeSigningKeys(ctx, actor, ref, "import", func(ctx context.Context, tx pgx.Tx, project Project, keys []SigningKey) (SigningKey, error) {
		if err := s.ensureLegacySigningKey(ctx, tx, project, keys); err != nil {
			return SigningKey{}, err
		}
		keys, err := signingKeys(ctx, tx, project.ID)
		if err != nil {
			return SigningKey{}, err
		}
		for _, key := range keys {
			if key.Legacy {
				return key, nil
			}
		}
		return SigningKey{}, pgx.ErrNoRows
	})
}

// ChangeSigningKey moves a key to another status. A ConflictError says why that cannot be.
func (s *Store) ChangeSigningKey(ctx context.Context, actor Actor, ref Ref, id uuid.UUID, status SigningKeyStatus) (SigningKey, error) {
	return s.changeSigningKeys(ctx, actor, ref, "change", func(ctx context.Context, tx pgx.Tx, project Project, keys []SigningKey) (SigningKey, error) {
		key, err := findSigningKey(keys, id)
		if err != nil || key.Status == status {
			return key, err
		}
		if err := s.mayMove(ctx, tx, project, key, status); err != nil {
			return SigningKey{}, err
		}
		if status == SigningKeyInUse {
			if err := s.retireSigningKey(ctx, tx, project.ID); err != nil {
				return SigningKey{}, err
			}
		}
		if status == SigningKeyRevoked && key.Legacy {
			if err := s.replaceJWTSecret(ctx, tx, project); err != nil {
				return SigningKey{}, err
			}
		}
		rows, _ := tx.Query(ctx, `
			update platform.signing_keys k set status = $2, updated_at = $3 where k.id = $1 returning `+signingKeyColumns, id, status, s.now())
		changed, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[SigningKey])
		return changed, standbyTaken(err)
	})
}

// DeleteSigningKey forgets a key that signs nothing. ErrNotFound: the project has no such key.
func (s *Store) DeleteSigningKey(ctx context.Context, actor Actor, ref Ref, id uuid.UUID) (SigningKey, error) {
	return s.changeSigningKeys(ctx, actor, ref, "delete", func(ctx context.Context, tx pgx.Tx, _ Project, keys []SigningKey) (SigningKey, error) {
		key, err := findSigningKey(keys, id)
		if err != nil {
			return SigningKey{}, err
		}
		if key.Legacy || key.Status == SigningKeyInUse || key.Status == SigningKeyPreviouslyUsed {
			return SigningKey{}, &ConflictError{"Only a standby or revoked key can be deleted, and never the JWT secret."}
		}
		_, err = tx.Exec(ctx, `delete from platform.signing_keys where id = $1`, id)
		return key, err
	})
}

func findSigningKey(keys []SigningKey, id uuid.UUID) (SigningKey, error) {
	for _, key := range keys {
		if key.ID == id {
			return key, nil
		}
	}
	return SigningKey{}, pgx.ErrNoRows
}

// mayMove says why a key cannot have the status.
func (s *Store) mayMove(ctx context.Context, tx pgx.Tx, project Project, key SigningKey, status SigningKeyStatus) error {
	switch {
	case key.Status == SigningKeyInUse:
		return &ConflictError{"The key is in use: put another one in use first."}
	case key.Legacy && key.Status == SigningKeyRevoked:
		return &ConflictError{"A revoked JWT secret is gone for good."}
	case key.Status == SigningKeyRevoked && status == SigningKeyInUse:
		return &ConflictError{"A revoked key cannot be put in use: move it to standby first."}
	case key.Legacy && status == SigningKeyRevoked:
		enabled := true
		err := tx.QueryRow(ctx, `select legacy_keys_enabled from platform.project_gateway where project_id = $1`, project.ID).Scan(&enabled)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if enabled {
			return &ConflictError{"The JWT secret signs the anon and service_role keys: disable the legacy API keys first."}
		}
	}
	return nil
}

func standbyTaken(err error) error {
	if violates(err, "signing_keys_standby") {
		return &ConflictError{"There is a standby key already."}
	}
	return err
}

// changeSigningKeys is write for a project's keys, whose services take the change up at once.
func (s *Store) changeSigningKeys(ctx context.Context, actor Actor, ref Ref, what string,
	change func(context.Context, pgx.Tx, Project, []SigningKey) (SigningKey, error),
) (SigningKey, error) {
	return write(ctx, s, actor, what+" a signing key", func(ctx context.Context, tx pgx.Tx) (SigningKey, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return SigningKey{}, AuditEntry{}, err
		}
		keys, err := signingKeys(ctx, tx, project.ID)
		if err != nil {
			return SigningKey{}, AuditEntry{}, err
		}
		changed, err := change(ctx, tx, project, keys)
		if err != nil {
			return SigningKey{}, AuditEntry{}, err
		}
		entry := AuditEntry{
			Action: "signing_keys." + what, OrganizationID: project.OrganizationID, ProjectRef: ref,
			Details: map[string]any{"id": changed.ID, "algorithm": changed.Algorithm, "status": changed.Status},
		}
		_, err = s.takeUp(ctx, tx, actor, project, OperationConfigure)
		return changed, entry, err
	})
}

// ensureLegacySigningKey gives the JWT secret a row of its own, once: it signs until another key is put in use.
func (s *Store) ensureLegacySigningKey(ctx context.Context, tx pgx.Tx, project Project, keys []SigningKey) error {
	for _, key := range keys {
		if key.Legacy {
			return nil
		}
	}
	_, err := s.insertSigningKey(ctx, tx, project, jose.JSONWebKey{Algorithm: string(jose.HS256)}, SigningKeyInUse, true)
	return err
}

// retireSigningKey makes room for another key in use.
func (s *Store) retireSigningKey(ctx context.Context, tx pgx.Tx, projectID int64) error {
	_, err := tx.Exec(ctx, `
		update platform.signing_keys set status = 'previously_used', updated_at = $2 where project_id = $1 and status = 'in_use'`, projectID, s.now())
	return err
}

// insertSigningKey keeps a key. Of the legacy one nothing is kept here: the JWT secret has its own place.
func (s *Store) insertSigningKey(ctx context.Context, tx pgx.Tx, project Project, private jose.JSONWebKey, status SigningKeyStatus, legacy bool) (SigningKey, error) {
	id, err := uuid.Parse(private.KeyID)
	if err != nil {
		if id, err = uuid.NewRandomFromReader(s.random); err != nil {
			return SigningKey{}, fmt.Errorf("draw an id: %w", err)
		}
	}
	private.KeyID, private.Use = id.String(), "sig"
	var plain, public []byte
	if !legacy {
		if plain, err = json.Marshal(private); err != nil {
			return SigningKey{}, fmt.Errorf("encode the key: %w", err)
		}
	}
	if public, err = publicJWK(private); err != nil {
		return SigningKey{}, err
	}
	dataKey, err := s.dataKey(ctx, tx, project)
	if err != nil {
		return SigningKey{}, err
	}
	sealed, err := s.sealer.seal(dataKey, project.Ref, signingKeySecret(id), plain)
	if err != nil {
		return SigningKey{}, err
	}
	rows, _ := tx.Query(ctx, `
		insert into platform.signing_keys as k (id, project_id, algorithm, status, legacy, public_jwk, sealed, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $8) returning `+signingKeyColumns,
		id, project.ID, private.Algorithm, status, legacy, public, sealed, s.now())
	made, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[SigningKey])
	if violates(err, "signing_keys_pkey") {
		return SigningKey{}, &ConflictError{"There is a signing key with this kid already."}
	}
	return made, standbyTaken(err)
}

// publicJWK is what the world may see of a key, nil for one that has nothing public.
func publicJWK(private jose.JSONWebKey) ([]byte, error) {
	if private.Key == nil || private.Algorithm == string(jose.HS256) {
		return nil, nil
	}
	encoded, err := withOperations(private.Public(), "verify")
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	return encoded, nil
}

// withOperations encodes a key with what it may be used for, which GoTrue goes by and go-jose does not know.
func withOperations(key jose.JSONWebKey, operations ...string) (json.RawMessage, error) {
	encoded, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(encoded, &fields); err != nil {
		return nil, err
	}
	fields["key_ops"], fields["ext"] = operations, true
	return json.Marshal(fields)
}

// privateKey takes the key that was given, or draws one.
func (s *Store) privateKey(wanted WantedSigningKey) (jose.JSONWebKey, error) {
	if wanted.Private != nil {
		key := *wanted.Private
		if !fits(key, wanted.Algorithm) {
			return jose.JSONWebKey{}, &ConflictError{fmt.Sprintf("The private_jwk is not a private key for %s.", wanted.Algorithm)}
		}
		key.Algorithm = wanted.Algorithm
		return key, nil
	}
	drawn, err := drawKey(s.random, wanted.Algorithm)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("draw a key: %w", err)
	}
	return jose.JSONWebKey{Key: drawn, Algorithm: wanted.Algorithm}, nil
}

func drawKey(random io.Reader, algorithm string) (any, error) {
	switch algorithm {
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), random)
	case "RS256":
		return rsa.GenerateKey(random, minRSABits)
	case "EdDSA":
		_, private, err := ed25519.GenerateKey(random)
		return private, err
	case "HS256":
		secret := make([]byte, minSecretBytes)
		_, err := io.ReadFull(random, secret)
		return secret, err
	default:
		return nil, fmt.Errorf("no keys are for %s", algorithm)
	}
}

// fits tells whether a key is private, whole, and for the algorithm.
func fits(key jose.JSONWebKey, algorithm string) bool {
	if !key.Valid() || key.IsPublic() || key.Algorithm != "" && key.Algorithm != algorithm {
		return false
	}
	switch private := key.Key.(type) {
	case *ecdsa.PrivateKey:
		return algorithm == "ES256" && private.Curve == elliptic.P256()
	case *rsa.PrivateKey:
		return algorithm == "RS256" && private.N.BitLen() >= minRSABits && private.Validate() == nil
	case ed25519.PrivateKey:
		return algorithm == "EdDSA"
	case []byte:
		return algorithm == "HS256" && len(private) >= minSecretBytes
	default:
		return false
	}
}

// replaceJWTSecret draws another JWT secret for a project, so that nothing goes on to trust the one before, and signs with it
// the keys that the services use among themselves.
func (s *Store) replaceJWTSecret(ctx context.Context, tx pgx.Tx, project Project) error {
	secret, err := newHex(s.random, 32)
	if err != nil {
		return err
	}
	secrets, err := newAPIKeys(project.Ref, secret, s.now())
	if err != nil {
		return err
	}
	return s.replaceSecrets(ctx, tx, project, secrets)
}

// signingKeySecret is the name that a sealed key is bound to.
func signingKeySecret(id uuid.UUID) string { return "signing-key/" + id.String() }
