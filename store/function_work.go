package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// What follows is what the provisioner does with a project's functions: it brings those that run to the project's functions
// service.

// functionsDue holds of a project, p, that runs, whose functions service lacks what was deployed last.
const functionsDue = `p.functions_synced < p.functions_generation and p.desired = 'active'
	and p.status in ('ACTIVE_HEALTHY', 'ACTIVE_UNHEALTHY') and '` + ServiceFunctions + `' = any (p.services)`

// DeployedFunctions are the functions that run, as they were at one moment.
type DeployedFunctions struct {
	Generation int64 // grows with each change
	Functions  []Function
}

// Functions returns the project's functions that run, by slug.
func (c *Claim) Functions(ctx context.Context) (deployed DeployedFunctions, err error) {
	// Read before the functions, the generation is never newer than they are: what changes in between is brought once more.
	err = c.store.pool.QueryRow(ctx, `select functions_generation from platform.projects where id = $1`, c.Project.ID).Scan(&deployed.Generation)
	if err != nil {
		return DeployedFunctions{}, wrap("read the functions' generation", err)
	}
	deployed.Functions, err = c.store.Functions(ctx, c.Project.ID)
	return deployed, err
}

// FunctionFiles returns the files of a version of a function. ErrNotFound: it is not kept any more.
func (c *Claim) FunctionFiles(ctx context.Context, function Function) ([]FunctionFile, error) {
	var archive []byte
	err := c.store.pool.QueryRow(ctx, `
		select v.archive from platform.function_versions v join platform.functions f on f.id = v.function_id
		where f.project_id = $1 and f.id = $2 and v.version = $3`, c.Project.ID, function.ID, function.Version).Scan(&archive)
	if err != nil {
		return nil, wrap("read the function's files", err)
	}
	return UnpackFunction(archive)
}

// FunctionsSynced notes that the project's functions service has the functions of a generation.
func (c *Claim) FunctionsSynced(ctx context.Context, generation int64) error {
	return c.write(ctx, "note that the functions are deployed", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update platform.projects set functions_synced = $2 where id = $1 and functions_synced < $2`, c.Project.ID, generation)
		return err
	})
}
