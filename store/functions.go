package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Function is an edge function as it runs, without its source.
type Function struct {
	ID             string // a UUID
	Slug           string
	Name           string
	Version        int32
	VerifyJWT      bool
	EntrypointPath string  // within its files
	ImportMapPath  *string // within its files
	Digest         []byte  // SHA-256 of its archive
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// NewFunctionVersion is what a user uploads of a function.
type NewFunctionVersion struct {
	Slug           string
	Name           string
	VerifyJWT      bool
	EntrypointPath string
	ImportMapPath  *string
	Archive        []byte // a tar, gzipped
}

// FunctionPatch changes what nil does not leave as it is. Any change is a new version.
type FunctionPatch struct {
	Name           *string
	VerifyJWT      *bool
	EntrypointPath *string
	Archive        []byte
	// WithoutImportMap takes the import map away, for an archive that has none.
	WithoutImportMap bool
}

const (
	// keptVersions is how many versions of a function are kept beside the newest one and the one that runs.
	keptVersions = 2
	// maxFunctions is how many functions a project can have.
	maxFunctions = 1000
)

// RunVersion names a version that was uploaded, and what shall be changed of it before it runs.
type RunVersion struct {
	Slug      string
	Version   int32
	Name      *string
	VerifyJWT *bool
}

const functionColumns = `f.id::text, f.slug, v.name, v.version, v.verify_jwt, v.entrypoint_path, v.import_map_path, v.digest, f.created_at, f.updated_at`

// Functions lists a project's functions that run, by slug.
func (s *Store) Functions(ctx context.Context, projectID int64) ([]Function, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+functionColumns+`
		from platform.functions f join platform.function_versions v on v.function_id = f.id and v.version = f.version
		where f.project_id = $1 order by f.slug`, projectID)
	functions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Function])
	return functions, wrap("list the functions", err)
}

// FunctionBySlug returns a function and the archive of its files. ErrNotFound: the project has no such function.
func (s *Store) FunctionBySlug(ctx context.Context, projectID int64, slug string) (Function, []byte, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+functionColumns+`, v.archive
		from platform.functions f join platform.function_versions v on v.function_id = f.id and v.version = f.version
		where f.project_id = $1 and f.slug = $2`, projectID, slug)
	type row struct {
		Function
		Archive []byte
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[row])
	return found.Function, found.Archive, wrap("look the function up", err)
}

// DeployFunction uploads a function and lets it run.
func (s *Store) DeployFunction(ctx context.Context, actor Actor, ref Ref, made NewFunctionVersion) (Function, error) {
	return s.changeFunctions(ctx, actor, ref, "functions.deploy", made.Slug, func(ctx context.Context, tx pgx.Tx, project Project) (Function, error) {
		function, err := s.insertFunctionVersion(ctx, tx, project, made)
		if err != nil {
			return Function{}, err
		}
		return s.runVersion(ctx, tx, project, function.Slug, function.Version)
	})
}

// UploadFunction uploads a function and leaves running what does: RunFunctions runs it.
func (s *Store) UploadFunction(ctx context.Context, actor Actor, ref Ref, made NewFunctionVersion) (Function, error) {
	return write(ctx, s, actor, "upload a function", func(ctx context.Context, tx pgx.Tx) (Function, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return Function{}, AuditEntry{}, err
		}
		function, err := s.insertFunctionVersion(ctx, tx, project, made)
		return function, functionEntry(project, "functions.upload", made.Slug), err
	})
}

// RunFunctions lets versions run that were uploaded, all of them or none. ErrNotFound: one of them was not.
func (s *Store) RunFunctions(ctx context.Context, actor Actor, ref Ref, versions []RunVersion) ([]Function, error) {
	return write(ctx, s, actor, "run functions", func(ctx context.Context, tx pgx.Tx) ([]Function, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return nil, AuditEntry{}, err
		}
		functions := make([]Function, len(versions))
		slugs := make([]string, len(versions))
		for i, one := range versions {
			_, err := tx.Exec(ctx, `
				update platform.function_versions v set name = coalesce($4, v.name), verify_jwt = coalesce($5, v.verify_jwt)
				from platform.functions f
				where f.id = v.function_id and f.project_id = $1 and f.slug = $2 and v.version = $3`,
				project.ID, one.Slug, one.Version, one.Name, one.VerifyJWT)
			if err != nil {
				return nil, AuditEntry{}, err
			}
			if functions[i], err = s.runVersion(ctx, tx, project, one.Slug, one.Version); err != nil {
				return nil, AuditEntry{}, err
			}
			slugs[i] = one.Slug
		}
		return functions, functionEntry(project, "functions.deploy", slugs...), functionsChanged(ctx, tx, project)
	})
}

// UpdateFunction changes a function. ErrNotFound: the project has no such function.
func (s *Store) UpdateFunction(ctx context.Context, actor Actor, ref Ref, slug string, patch FunctionPatch) (Function, error) {
	return s.changeFunctions(ctx, actor, ref, "functions.update", slug, func(ctx context.Context, tx pgx.Tx, project Project) (Function, error) {
		var digest []byte
		if patch.Archive != nil {
			sum := sha256.Sum256(patch.Archive)
			digest = sum[:]
		}
		var version int32
		err := tx.QueryRow(ctx, `
			insert into platform.function_versions (function_id, version, name, verify_jwt, entrypoint_path, import_map_path, digest, archive, created_at)
			select f.id, (select max(version) + 1 from platform.function_versions where function_id = f.id), coalesce($3, v.name),
				coalesce($4, v.verify_jwt), coalesce($5, v.entrypoint_path), case when $6 then null else v.import_map_path end,
				coalesce($7, v.digest), coalesce($8, v.archive), $9
			from platform.functions f join platform.function_versions v on v.function_id = f.id and v.version = f.version
			where f.project_id = $1 and f.slug = $2 returning version`,
			project.ID, slug, patch.Name, patch.VerifyJWT, patch.EntrypointPath, patch.WithoutImportMap, digest, patch.Archive, s.now()).Scan(&version)
		if err != nil {
			return Function{}, err
		}
		return s.runVersion(ctx, tx, project, slug, version)
	})
}

// DeleteFunction deletes a function with all its versions. ErrNotFound: the project has no such function.
func (s *Store) DeleteFunction(ctx context.Context, actor Actor, ref Ref, slug string) error {
	_, err := s.changeFunctions(ctx, actor, ref, "functions.delete", slug, func(ctx context.Context, tx pgx.Tx, project Project) (Function, error) {
		tag, err := tx.Exec(ctx, `delete from platform.functions where project_id = $1 and slug = $2`, project.ID, slug)
		if err == nil && tag.RowsAffected() == 0 {
			err = ErrNotFound
		}
		return Function{}, err
	})
	return err
}

// changeFunctions runs a change that the project's functions service has to take up.
func (s *Store) changeFunctions(ctx context.Context, actor Actor, ref Ref, action, slug string,
	do func(context.Context, pgx.Tx, Project) (Function, error),
) (Function, error) {
	return write(ctx, s, actor, "change a function", func(ctx context.Context, tx pgx.Tx) (Function, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return Function{}, AuditEntry{}, err
		}
		function, err := do(ctx, tx, project)
		if err != nil {
			return Function{}, AuditEntry{}, err
		}
		return function, functionEntry(project, action, slug), functionsChanged(ctx, tx, project)
	})
}

func functionEntry(project Project, action string, slugs ...string) AuditEntry {
	return AuditEntry{
		Action: action, OrganizationID: project.OrganizationID, ProjectRef: project.Ref, Details: map[string]any{"functions": slugs},
	}
}

// functionsChanged has the project's functions service take up what changed. It is no operation: whatever else the project
// is doing goes on, and a project that does not run takes it up when it is started.
func functionsChanged(ctx context.Context, tx pgx.Tx, project Project) error {
	_, err := tx.Exec(ctx, `update platform.projects set functions_generation = functions_generation + 1 where id = $1`, project.ID)
	if err != nil {
		return fmt.Errorf("note that the functions changed: %w", err)
	}
	return wake(ctx, tx, project)
}

// insertFunctionVersion adds the version after the newest one, of a function that may be new.
func (s *Store) insertFunctionVersion(ctx context.Context, tx pgx.Tx, project Project, made NewFunctionVersion) (Function, error) {
	var id string
	err := tx.QueryRow(ctx, `
		insert into platform.functions (project_id, slug, created_at, updated_at) values ($1, $2, $3, $3)
		on conflict (project_id, slug) do update set updated_at = excluded.updated_at returning id::text`,
		project.ID, made.Slug, s.now()).Scan(&id)
	if err != nil {
		return Function{}, fmt.Errorf("note the function: %w", err)
	}
	if err := checkFunctionCount(ctx, tx, project); err != nil {
		return Function{}, err
	}
	digest := sha256.Sum256(made.Archive)
	rows, _ := tx.Query(ctx, `
		with v as (
			insert into platform.function_versions (function_id, version, name, verify_jwt, entrypoint_path, import_map_path, digest, archive, created_at)
			select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6, $7, $8 from platform.function_versions where function_id = $1
			returning *
		)
		select `+functionColumns+` from platform.functions f join v on v.function_id = f.id`,
		id, made.Name, made.VerifyJWT, made.EntrypointPath, made.ImportMapPath, digest[:], made.Archive, s.now())
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Function])
}

func checkFunctionCount(ctx context.Context, tx pgx.Tx, project Project) error {
	var count int
	err := tx.QueryRow(ctx, `select count(*) from platform.functions where project_id = $1`, project.ID).Scan(&count)
	if err != nil {
		return fmt.Errorf("count the functions: %w", err)
	}
	if count > maxFunctions {
		return &ConflictError{fmt.Sprintf("A project can have %d functions, and this one has them: delete one first.", maxFunctions)}
	}
	return nil
}

// runVersion lets a version run, and forgets the oldest ones.
func (s *Store) runVersion(ctx context.Context, tx pgx.Tx, project Project, slug string, version int32) (Function, error) {
	rows, _ := tx.Query(ctx, `
		with f as (
			update platform.functions set version = $3, updated_at = $4
			where project_id = $1 and slug = $2 and exists (
				select from platform.function_versions v where v.function_id = functions.id and v.version = $3)
			returning *
		), forgotten as (
			delete from platform.function_versions v using f
			where v.function_id = f.id and v.version <> $3 and v.version < $5::integer + (
				select max(version) from platform.function_versions where function_id = f.id)
		)
		select `+functionColumns+` from f join platform.function_versions v on v.function_id = f.id and v.version = f.version`,
		project.ID, slug, version, s.now(), -keptVersions)
	function, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Function])
	if errors.Is(err, pgx.ErrNoRows) {
		return Function{}, ErrNotFound
	}
	return function, err
}
