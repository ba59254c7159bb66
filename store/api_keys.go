package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// APIKeyType tells what a key opens.
type APIKeyType string

// The types of API keys that are made and revoked; the two legacy ones are secrets of the project (SecretAnonKey).
const (
	PublishableKey APIKeyType = "publishable" // what a visitor may do
	SecretKey      APIKeyType = "secret"      // what the role of its claims may do
)

// APIKey is a key of a project's API, without the key itself.
type APIKey struct {
	ID          uuid.UUID
	Type        APIKeyType
	Name        string
	Description *string
	Prefix      string         // `sb_secret_abcde`
	Hash        string         // SHA-256 of the key, in URL-safe Base64, as upstream shows it
	Claims      map[string]any // of the JWT that the gateway makes of the key; nil for the type's own
	CreatedAt   time.Time
	UpdatedAt   time.Time
	LastUsedAt  *time.Time
}

// RevealedAPIKey is an APIKey with the key itself. It prints as a placeholder.
type RevealedAPIKey struct {
	APIKey
	Key string
}

// String hides the key from logs and error messages.
func (k RevealedAPIKey) String() string { return "[API key " + k.Prefix + "…]" }

// GoString hides the key from %#v.
func (k RevealedAPIKey) GoString() string { return k.String() }

// WantedAPIKey is what somebody decides of a new key.
type WantedAPIKey struct {
	Type        APIKeyType
	Name        string
	Description *string
	Claims      map[string]any
}

// APIKeyPatch changes a key; what is nil stays.
type APIKeyPatch struct {
	Name        *string
	Description *string
	Claims      map[string]any
}

const apiKeyColumns = `k.id, k.type, k.name, k.description, k.prefix,
	rtrim(translate(encode(k.digest, 'base64'), '+/', '-_'), '='), k.claims, k.created_at, k.updated_at, k.last_used_at`

// defaultKeyName is what the keys that every project starts with are called, as upstream has it.
const defaultKeyName = "default"

// APIKeys lists a project's keys with the keys themselves, oldest first. The caller decides who may see which.
func (s *Store) APIKeys(ctx context.Context, projectID int64, ref Ref) ([]RevealedAPIKey, error) {
	keys, err := s.apiKeys(ctx, projectID, ref, nil)
	return keys, wrap("list the API keys", err)
}

// APIKeyByID returns one of a project's keys. ErrNotFound: it has no such key.
func (s *Store) APIKeyByID(ctx context.Context, projectID int64, ref Ref, id uuid.UUID) (RevealedAPIKey, error) {
	keys, err := s.apiKeys(ctx, projectID, ref, &id)
	if err == nil && len(keys) == 0 {
		err = pgx.ErrNoRows
	}
	if err != nil {
		return RevealedAPIKey{}, wrap("look the API key up", err)
	}
	return keys[0], nil
}

func (s *Store) apiKeys(ctx context.Context, projectID int64, ref Ref, id *uuid.UUID) ([]RevealedAPIKey, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+apiKeyColumns+`, k.sealed, d.master_key_id, d.wrapped
		from platform.api_keys k join platform.project_keys d using (project_id)
		where k.project_id = $1 and ($2::uuid is null or k.id = $2) order by k.created_at, k.type, k.id`, projectID, id)
	type row struct {
		APIKey
		Sealed      []byte
		MasterKeyID string
		Wrapped     []byte
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil || len(found) == 0 {
		return nil, err
	}
	dataKey, err := s.sealer.unwrapDataKey(ref, found[0].MasterKeyID, found[0].Wrapped)
	if err != nil {
		return nil, err
	}
	keys := make([]RevealedAPIKey, len(found))
	for i, one := range found {
		plain, err := s.sealer.unseal(dataKey, ref, apiKeySecret(one.ID), one.Sealed)
		if err != nil {
			return nil, fmt.Errorf("open the API key %s: %w", one.Prefix, err)
		}
		keys[i] = RevealedAPIKey{one.APIKey, string(plain)}
	}
	return keys, nil
}

// CreateAPIKey makes a key for a project. A ConflictError says that the name is taken; ErrNotFound, that the project is gone.
func (s *Store) CreateAPIKey(ctx context.Context, actor Actor, ref Ref, wanted WantedAPIKey) (RevealedAPIKey, error) {
	return write(ctx, s, actor, "make an API key", func(ctx context.Context, tx pgx.Tx) (RevealedAPIKey, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return RevealedAPIKey{}, AuditEntry{}, err
		}
		dataKey, err := s.dataKey(ctx, tx, project)
		if err != nil {
			return RevealedAPIKey{}, AuditEntry{}, err
		}
		made, err := s.insertAPIKey(ctx, tx, project, dataKey, wanted)
		return made, apiKeyEntry(project, "api_keys.create", made.APIKey), err
	})
}

func (s *Store) insertAPIKey(ctx context.Context, tx pgx.Tx, project Project, dataKey []byte, wanted WantedAPIKey) (RevealedAPIKey, error) {
	key, err := newAPIKey(s.random, project.Ref, wanted.Type)
	if err != nil {
		return RevealedAPIKey{}, err
	}
	id, err := uuid.NewRandomFromReader(s.random)
	if err != nil {
		return RevealedAPIKey{}, fmt.Errorf("draw an id: %w", err)
	}
	sealed, err := s.sealer.seal(dataKey, project.Ref, apiKeySecret(id), []byte(key))
	if err != nil {
		return RevealedAPIKey{}, err
	}
	rows, _ := tx.Query(ctx, `
		insert into platform.api_keys as k (id, project_id, type, name, description, prefix, digest, sealed, claims, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) returning `+apiKeyColumns,
		id, project.ID, wanted.Type, wanted.Name, wanted.Description, prefixOf(key, wanted.Type), digestOf(key), sealed, nullable(wanted.Claims), s.now())
	made, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[APIKey])
	if violates(err, "api_keys_project_id_type_name_key") {
		return RevealedAPIKey{}, apiKeyNameTaken(wanted.Name)
	}
	return RevealedAPIKey{made, key}, err
}

// insertDefaultAPIKeys gives a new project the two keys that upstream's projects start with.
func (s *Store) insertDefaultAPIKeys(ctx context.Context, tx pgx.Tx, project Project) error {
	dataKey, err := s.dataKey(ctx, tx, project)
	if err != nil {
		return err
	}
	for _, wanted := range []WantedAPIKey{
		{Type: PublishableKey, Name: defaultKeyName},
		{Type: SecretKey, Name: defaultKeyName, Claims: map[string]any{"role": "service_role"}},
	} {
		if _, err := s.insertAPIKey(ctx, tx, project, dataKey, wanted); err != nil {
			return fmt.Errorf("make the %s key: %w", wanted.Type, err)
		}
	}
	return nil
}

// UpdateAPIKey changes what a key is called and stands for. ErrNotFound: the project has no such key.
func (s *Store) UpdateAPIKey(ctx context.Context, actor Actor, ref Ref, id uuid.UUID, patch APIKeyPatch) (APIKey, error) {
	return write(ctx, s, actor, "change the API key", func(ctx context.Context, tx pgx.Tx) (APIKey, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return APIKey{}, AuditEntry{}, err
		}
		rows, _ := tx.Query(ctx, `
			update platform.api_keys k set name = coalesce($3, name), description = coalesce($4, description),
				claims = coalesce($5, claims), updated_at = $6
			where k.project_id = $1 and k.id = $2 returning `+apiKeyColumns,
			project.ID, id, patch.Name, patch.Description, nullable(patch.Claims), s.now())
		changed, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[APIKey])
		if violates(err, "api_keys_project_id_type_name_key") {
			return APIKey{}, AuditEntry{}, apiKeyNameTaken(*patch.Name)
		}
		return changed, apiKeyEntry(project, "api_keys.update", changed), err
	})
}

// DeleteAPIKey revokes a key. Every gateway node is told at once. reason and compromised are for the audit log.
// ErrNotFound: the project has no such key.
func (s *Store) DeleteAPIKey(ctx context.Context, actor Actor, ref Ref, id uuid.UUID, reason string, compromised bool) (APIKey, error) {
	return write(ctx, s, actor, "revoke the API key", func(ctx context.Context, tx pgx.Tx) (APIKey, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return APIKey{}, AuditEntry{}, err
		}
		rows, _ := tx.Query(ctx, `delete from platform.api_keys k where k.project_id = $1 and k.id = $2 returning `+apiKeyColumns, project.ID, id)
		gone, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[APIKey])
		entry := apiKeyEntry(project, "api_keys.delete", gone)
		maps.Copy(entry.Details, map[string]any{"reason": reason, "was_compromised": compromised})
		return gone, entry, err
	})
}

// LegacyAPIKeysEnabled tells whether a project's anon and service_role JWTs open its API.
func (s *Store) LegacyAPIKeysEnabled(ctx context.Context, projectID int64) (bool, error) {
	enabled := true
	err := s.pool.QueryRow(ctx, `select legacy_keys_enabled from platform.project_gateway where project_id = $1`, projectID).Scan(&enabled)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return enabled, wrap("read whether legacy keys are enabled", err)
}

// EnableLegacyAPIKeys lets a project's anon and service_role JWTs open its API, or not any more.
func (s *Store) EnableLegacyAPIKeys(ctx context.Context, actor Actor, ref Ref, enabled bool) error {
	_, err := write(ctx, s, actor, "switch the legacy keys", func(ctx context.Context, tx pgx.Tx) (struct{}, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return struct{}{}, AuditEntry{}, err
		}
		_, err = tx.Exec(ctx, `
			insert into platform.project_gateway (project_id, legacy_keys_enabled) values ($1, $2)
			on conflict (project_id) do update set legacy_keys_enabled = excluded.legacy_keys_enabled`, project.ID, enabled)
		return struct{}{}, AuditEntry{
			Action: "api_keys.legacy", OrganizationID: project.OrganizationID, ProjectRef: ref, Details: map[string]any{"enabled": enabled},
		}, err
	})
	return err
}

// NoteAPIKeysUsed writes down when keys were last used. Keys that are gone are passed over.
func (s *Store) NoteAPIKeysUsed(ctx context.Context, used map[uuid.UUID]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	// In one order, so that two nodes that write at once don't wait for each other in a circle.
	ids := slices.SortedFunc(maps.Keys(used), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	times := make([]time.Time, len(ids))
	for i, id := range ids {
		times[i] = used[id]
	}
	_, err := s.pool.Exec(ctx, `
		update platform.api_keys k set last_used_at = greatest(k.last_used_at, u.at)
		from (select unnest($1::uuid[]) as id, unnest($2::timestamptz[]) as at) u where k.id = u.id`, ids, times)
	return wrap("note when API keys were used", err)
}

// LegacyKeyUse is when one of a project's two legacy keys was last used.
type LegacyKeyUse struct {
	ProjectID int64
	Role      string // anon or service_role
	Signature string // its beginning
	At        time.Time
}

// NoteLegacyKeysUsed writes down when legacy keys were last used. Projects that are gone are passed over.
func (s *Store) NoteLegacyKeysUsed(ctx context.Context, used []LegacyKeyUse) error {
	if len(used) == 0 {
		return nil
	}
	// In one order, as NoteAPIKeysUsed has it.
	slices.SortFunc(used, func(a, b LegacyKeyUse) int {
		return cmp.Or(cmp.Compare(a.ProjectID, b.ProjectID), cmp.Compare(a.Role, b.Role))
	})
	ids, roles := make([]int64, len(used)), make([]string, len(used))
	signatures, times := make([]string, len(used)), make([]time.Time, len(used))
	for i, one := range used {
		ids[i], roles[i], signatures[i], times[i] = one.ProjectID, one.Role, one.Signature, one.At
	}
	_, err := s.pool.Exec(ctx, `
		insert into platform.legacy_key_uses as k (project_id, role, signature, used_at)
		select u.project_id, u.role, u.signature, u.at
		from unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[]) as u (project_id, role, signature, at)
			join platform.projects p on p.id = u.project_id
		on conflict (project_id, role) do update set signature = excluded.signature, used_at = excluded.used_at
		where excluded.used_at > k.used_at`, ids, roles, signatures, times)
	return wrap("note when legacy keys were used", err)
}

// LegacyKeyUses returns when a project's legacy keys were last used, those that were.
func (s *Store) LegacyKeyUses(ctx context.Context, projectID int64) ([]LegacyKeyUse, error) {
	rows, _ := s.pool.Query(ctx, `select project_id, role, signature, used_at from platform.legacy_key_uses where project_id = $1 order by role`, projectID)
	uses, err := pgx.CollectRows(rows, pgx.RowToStructByPos[LegacyKeyUse])
	return uses, wrap("read when legacy keys were used", err)
}

func apiKeyEntry(project Project, action string, key APIKey) AuditEntry {
	return AuditEntry{
		Action: action, OrganizationID: project.OrganizationID, ProjectRef: project.Ref,
		Details: map[string]any{"name": key.Name, "type": key.Type, "prefix": key.Prefix},
	}
}

func apiKeyNameTaken(name string) error {
	return &ConflictError{fmt.Sprintf("There is an API key %q already.", name)}
}

// nullable returns nil for an object that is not there, which JSON would call null.
func nullable(object map[string]any) any {
	if object == nil {
		return nil
	}
	return object
}

// apiKeySecret is the name that a sealed key is bound to.
func apiKeySecret(id uuid.UUID) string { return "api-key/" + id.String() }

// newAPIKey makes a key of upstream's form: `sb_secret_`, 22 characters of randomness and 8 of a checksum, so that a key that
// was copied in part is known for it.
func newAPIKey(random io.Reader, ref Ref, keyType APIKeyType) (string, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("draw a key: %w", err)
	}
	body := "sb_" + string(keyType) + "_" + base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(string(ref) + "|" + body))
	return body + "_" + base64.RawURLEncoding.EncodeToString(sum[:])[:8], nil
}

// prefixOf is what a list shows of a key: five characters of what is random.
func prefixOf(key string, keyType APIKeyType) string { return key[:len("sb_")+len(keyType)+len("_")+5] }
