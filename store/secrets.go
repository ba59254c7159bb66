package store

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// querier is what a pool and a transaction have in common.
type querier interface {
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
}

// ProjectSecrets opens a project's secrets: the named ones, or all of them where no name is given.
func (s *Store) ProjectSecrets(ctx context.Context, projectID int64, ref Ref, names ...string) (Secrets, error) {
	sealed, err := s.sealedSecrets(ctx, projectID)
	if err != nil {
		return nil, wrap("read the project's secrets", err)
	}
	secrets, err := s.openSecrets(ref, sealed, names...)
	return secrets, wrap("read the project's secrets", err)
}

func (s *Store) sealedSecrets(ctx context.Context, projectID int64) (sealedSecrets, error) {
	read := func() (sealedSecrets, error) { return readSealedSecrets(ctx, s.pool, projectID) }
	if s.memory == nil {
		return read()
	}
	return remember(s.memory, s.memory.secrets, projectID, read)
}

// sealedSecrets are a project's secrets as they are kept, with the data key that they are sealed by.
type sealedSecrets struct {
	key    wrappedKey
	byName map[string][]byte
}

func readSealedSecrets(ctx context.Context, q querier, projectID int64) (sealedSecrets, error) {
	rows, err := q.Query(ctx, `
		select k.master_key_id, k.wrapped, s.name, s.sealed
		from platform.project_keys k join platform.project_secrets s using (project_id)
		where project_id = $1`, projectID)
	if err != nil {
		return sealedSecrets{}, err
	}
	found := sealedSecrets{byName: map[string][]byte{}}
	var name string
	var sealed []byte
	_, err = pgx.ForEachRow(rows, []any{&found.key.masterKeyID, &found.key.wrapped, &name, &sealed}, func() error {
		found.byName[name] = sealed
		return nil
	})
	return found, err
}

// wrappedKey is a project's data key as it is kept.
type wrappedKey struct {
	masterKeyID string
	wrapped     []byte
}

// openSecrets opens the named secrets, or all of them where no name is given.
func (s *Store) openSecrets(ref Ref, sealed sealedSecrets, names ...string) (Secrets, error) {
	secrets := make(Secrets, len(sealed.byName))
	if len(sealed.byName) == 0 {
		return secrets, nil
	}
	dataKey, err := s.sealer.unwrapDataKey(ref, sealed.key.masterKeyID, sealed.key.wrapped)
	if err != nil {
		return nil, err
	}
	for name, one := range sealed.byName {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		plain, err := s.sealer.unseal(dataKey, ref, name, one)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", name, err)
		}
		secrets[name] = string(plain)
	}
	return secrets, nil
}

// insertSecrets gives a new project its data key and its secrets.
func (s *Store) insertSecrets(ctx context.Context, tx pgx.Tx, projectID int64, ref Ref, secrets Secrets) error {
	dataKey, wrapped, err := s.sealer.newDataKey(ref)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into platform.project_keys (project_id, master_key_id, wrapped) values ($1, $2, $3)`,
		projectID, s.sealer.master.ID(), wrapped)
	if err != nil {
		return fmt.Errorf("keep the data key: %w", err)
	}
	return s.sealSecrets(ctx, tx, projectID, ref, dataKey, secrets)
}

// replaceSecrets sets some of a project's secrets; the others stay.
func (s *Store) replaceSecrets(ctx context.Context, tx pgx.Tx, project Project, secrets Secrets) error {
	dataKey, err := s.dataKey(ctx, tx, project)
	if err != nil {
		return err
	}
	return s.sealSecrets(ctx, tx, project.ID, project.Ref, dataKey, secrets)
}

// dataKey opens the key by which a project's secrets are sealed.
func (s *Store) dataKey(ctx context.Context, q querier, project Project) ([]byte, error) {
	rows, _ := q.Query(ctx, `select master_key_id, wrapped from platform.project_keys where project_id = $1`, project.ID)
	key, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[struct {
		MasterKeyID string
		Wrapped     []byte
	}])
	if err != nil {
		return nil, fmt.Errorf("read the data key: %w", err)
	}
	return s.sealer.unwrapDataKey(project.Ref, key.MasterKeyID, key.Wrapped)
}

func (s *Store) sealSecrets(ctx context.Context, tx pgx.Tx, projectID int64, ref Ref, dataKey []byte, secrets Secrets) error {
	names := slices.Sorted(maps.Keys(secrets))
	sealed := make([][]byte, len(names))
	for i, name := range names {
		var err error
		if sealed[i], err = s.sealer.seal(dataKey, ref, name, []byte(secrets[name])); err != nil {
			return fmt.Errorf("seal %s: %w", name, err)
		}
	}
	_, err := tx.Exec(ctx, `
		insert into platform.project_secrets (project_id, name, sealed)
		select $1, * from unnest($2::text[], $3::bytea[])
		on conflict (project_id, name) do update set sealed = excluded.sealed`, projectID, names, sealed)
	if err != nil {
		return fmt.Errorf("keep the secrets: %w", err)
	}
	return nil
}

// seed is derived from a project's data key (HKDF-SHA-256, RFC 5869), which lasts as long as the project: it is the same
// every time, and leads back to nothing.
func (s *Store) seed(ctx context.Context, project Project) (string, error) {
	dataKey, err := s.dataKey(ctx, s.pool, project)
	if err != nil {
		return "", err
	}
	seed, err := hkdf.Key(sha256.New, dataKey, nil, "plurabase seed "+string(project.Ref), sha256.Size)
	return hex.EncodeToString(seed), err
}
