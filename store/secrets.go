package store

import (
	"context"
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
	secrets, err := s.projectSecrets(ctx, s.pool, projectID, ref, names...)
	return secrets, wrap("read the project's secrets", err)
}

func (s *Store) projectSecrets(ctx context.Context, q querier, projectID int64, ref Ref, names ...string) (Secrets, error) {
	rows, err := q.Query(ctx, `
		select k.master_key_id, k.wrapped, s.name, s.sealed
		from platform.project_keys k join platform.project_secrets s using (project_id)
		where project_id = $1 and (cardinality($2::text[]) = 0 or s.name = any ($2))`, projectID, append([]string{}, names...))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	secrets := Secrets{}
	var dataKey []byte
	for rows.Next() {
		var masterKeyID, name string
		var wrapped, sealed []byte
		if err := rows.Scan(&masterKeyID, &wrapped, &name, &sealed); err != nil {
			return nil, err
		}
		if dataKey == nil {
			if dataKey, err = s.sealer.unwrapDataKey(ref, masterKeyID, wrapped); err != nil {
				return nil, err
			}
		}
		plain, err := s.sealer.unseal(dataKey, ref, name, sealed)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", name, err)
		}
		secrets[name] = string(plain)
	}
	return secrets, rows.Err()
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
func (s *Store) dataKey(ctx context.Context, tx pgx.Tx, project Project) ([]byte, error) {
	var masterKeyID string
	var wrapped []byte
	err := tx.QueryRow(ctx, `select master_key_id, wrapped from platform.project_keys where project_id = $1`, project.ID).Scan(&masterKeyID, &wrapped)
	if err != nil {
		return nil, fmt.Errorf("read the data key: %w", err)
	}
	return s.sealer.unwrapDataKey(project.Ref, masterKeyID, wrapped)
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
