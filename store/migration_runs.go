package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/plurabase/plurabase/store/projectdb"
)

// migrationRunSecret is the name that what shall be taken over is bound to.
const migrationRunSecret = "migrations/run"

// TakeOver has a project take migrations of another one over, and its functions with them. It returns the operation that does it.
// A ConflictError says that the project is busy with others.
func (s *Store) TakeOver(ctx context.Context, actor Actor, ref, source Ref, what projectdb.TakeOver) (operationID int64, err error) {
	return write(ctx, s, actor, "take migrations over", func(ctx context.Context, tx pgx.Tx) (int64, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return 0, AuditEntry{}, err
		}
		entry := AuditEntry{
			Action: "branches.migrate", OrganizationID: project.OrganizationID, ProjectRef: ref,
			Details: map[string]any{"from": source, "migrations": len(what.Migrations), "reset": what.Reset},
		}
		if project, err = s.advance(ctx, tx, actor, project, OperationMigrate, nil); err != nil {
			return 0, entry, err
		}
		var sourceID int64
		if err := tx.QueryRow(ctx, `select id from platform.projects where ref = $1`, source).Scan(&sourceID); err != nil {
			return 0, entry, err
		}
		if err := s.insertRun(ctx, tx, project, sourceID, what); err != nil {
			return 0, entry, err
		}
		err = tx.QueryRow(ctx, `select max(id) from platform.operations where project_id = $1 and generation = $2`,
			project.ID, project.Generation).Scan(&operationID)
		return operationID, entry, err
	})
}

func (s *Store) insertRun(ctx context.Context, tx pgx.Tx, project Project, sourceID int64, what projectdb.TakeOver) error {
	plain, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("encode the migrations: %w", err)
	}
	dataKey, err := s.dataKey(ctx, tx, project)
	if err != nil {
		return err
	}
	sealed, err := s.sealer.seal(dataKey, project.Ref, migrationRunSecret, plain)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into platform.migration_runs (project_id, source_id, sealed, created_at) values ($1, $2, $3, $4)`,
		project.ID, sourceID, sealed, s.now())
	if violates(err, "migration_runs_pkey") {
		return &ConflictError{"The project is taking migrations over already: wait until it has."}
	}
	return err
}

// copyFunctions lets a project run those functions of another one that it lacks or has otherwise. Those that the other one lacks stay.
func (s *Store) copyFunctions(ctx context.Context, tx pgx.Tx, sourceID int64, project Project) error {
	type version struct {
		NewFunctionVersion
		Digest []byte
	}
	rows, _ := tx.Query(ctx, `
		select f.slug, v.name, v.verify_jwt, v.entrypoint_path, v.import_map_path, v.archive, v.digest
		from platform.functions f join platform.function_versions v on v.function_id = f.id and v.version = f.version
		where f.project_id = $1 and not exists (
			select from platform.functions g join platform.function_versions w on w.function_id = g.id and w.version = g.version
			where g.project_id = $2 and g.slug = f.slug and w.digest = v.digest and w.name = v.name and w.verify_jwt = v.verify_jwt
				and w.entrypoint_path = v.entrypoint_path and w.import_map_path is not distinct from v.import_map_path)
		order by f.slug`, sourceID, project.ID)
	versions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[version])
	if err != nil || len(versions) == 0 {
		return err
	}
	for _, one := range versions {
		made, err := s.insertFunctionVersion(ctx, tx, project, one.NewFunctionVersion)
		if err != nil {
			return err
		}
		if _, err := s.runVersion(ctx, tx, project, made.Slug, made.Version); err != nil {
			return err
		}
	}
	return functionsChanged(ctx, tx, project)
}

// What follows is the provisioner's.

// TakeOver returns what the project shall take over and has not; nil where there is nothing.
func (c *Claim) TakeOver(ctx context.Context) (*projectdb.TakeOver, error) {
	var sealed []byte
	err := c.store.pool.QueryRow(ctx, `select sealed from platform.migration_runs where project_id = $1`, c.Project.ID).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("look up what is to be taken over", err)
	}
	dataKey, err := c.store.dataKey(ctx, c.store.pool, c.Project)
	if err != nil {
		return nil, wrap("look up what is to be taken over", err)
	}
	plain, err := c.store.sealer.unseal(dataKey, c.Project.Ref, migrationRunSecret, sealed)
	if err != nil {
		return nil, fmt.Errorf("open what is to be taken over: %w", err)
	}
	var what projectdb.TakeOver
	if err := json.Unmarshal(plain, &what); err != nil {
		return nil, fmt.Errorf("read what is to be taken over: %w", err)
	}
	return &what, nil
}

// TakenOver notes that the project has the migrations, and lets it run the functions that come with them.
func (c *Claim) TakenOver(ctx context.Context) error {
	return c.endRun(ctx, "note that the migrations are taken over", false, func(tx pgx.Tx, sourceID *int64) error {
		if sourceID == nil {
			return nil // deleted meanwhile
		}
		return c.store.copyFunctions(ctx, tx, *sourceID, c.Project)
	})
}

// GiveTakeOverUp notes that the project does not take the migrations over.
func (c *Claim) GiveTakeOverUp(ctx context.Context) error {
	return c.endRun(ctx, "give the migrations up", true, func(pgx.Tx, *int64) error { return nil })
}

func (c *Claim) endRun(ctx context.Context, doing string, failed bool, do func(tx pgx.Tx, sourceID *int64) error) error {
	return c.write(ctx, doing, func(tx pgx.Tx) error {
		var sourceID *int64
		err := tx.QueryRow(ctx, `delete from platform.migration_runs where project_id = $1 returning source_id`, c.Project.ID).Scan(&sourceID)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `update platform.branches set failed = $2, updated_at = $3 where project_id = $1`, c.Project.ID, failed, c.store.now())
		if err != nil {
			return err
		}
		return do(tx, sourceID)
	})
}
