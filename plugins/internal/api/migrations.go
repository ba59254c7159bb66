package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store/projectdb"
)

// V1MigrationName is a migration in a list.
type V1MigrationName struct {
	Version string  `json:"version" doc:"By time, 20260301120000."`
	Name    *string `json:"name,omitempty"`
}

// V1Migration is one migration.
type V1Migration struct {
	V1MigrationName
	Statements     []string `json:"statements"`
	Rollback       []string `json:"rollback"`
	CreatedBy      *string  `json:"created_by,omitempty"`
	IdempotencyKey *string  `json:"idempotency_key,omitempty"`
}

// V1CreateMigrationBody is a migration to apply, or to note.
type V1CreateMigrationBody struct {
	Query    string `json:"query" minLength:"1"`
	Name     string `json:"name,omitempty" maxLength:"256"`
	Rollback string `json:"rollback,omitempty" doc:"SQL that takes the migration back."`
}

// V1PatchMigrationBody changes what the history says of a migration.
type V1PatchMigrationBody struct {
	Name     *string `json:"name,omitempty" maxLength:"256"`
	Rollback *string `json:"rollback,omitempty"`
}

type createMigrationInput struct {
	Ref            string `path:"ref"`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"256" doc:"A migration with a key that was used before is not applied again."`
	Body           V1CreateMigrationBody
}

type migrationPath struct {
	Ref     string `path:"ref"`
	Version string `path:"version" pattern:"^[0-9]{1,20}$" patternDescription:"digits"`
}

type patchMigrationInput struct {
	Ref     string `path:"ref"`
	Version string `path:"version" pattern:"^[0-9]{1,20}$" patternDescription:"digits"`
	Body    V1PatchMigrationBody
}

type rollBackInput struct {
	Ref  string `path:"ref"`
	From string `query:"gte" required:"true" pattern:"^[0-9]{1,20}$" patternDescription:"digits" doc:"The first version that is taken back."`
}

func (a *API) registerMigrations() {
	read := access.InProject(access.TenantSQLAdminRead, "schema_migrations")
	write := access.InProject(access.TenantSQLAdminWrite, "schema_migrations")
	const list, one = "/v1/projects/{ref}/database/migrations", "/v1/projects/{ref}/database/migrations/{version}"
	handle(a, route{
		method: http.MethodGet, path: list, permission: read, kind: Real, summary: "The migrations that were applied",
	}, a.v1ListMigrations)
	act(a, route{
		method: http.MethodPost, path: list, permission: write, kind: Real, summary: "Apply a migration and note it",
	}, a.v1ApplyMigration)
	act(a, route{
		method: http.MethodPut, path: list, permission: write, kind: Real, summary: "Note a migration without applying it",
	}, a.v1NoteMigration)
	act(a, route{
		method: http.MethodDelete, path: list, permission: write, kind: Real, summary: "Take back every migration from a version on",
	}, a.v1RollBack)
	handle(a, route{
		method: http.MethodGet, path: one, permission: read, kind: Real, summary: "One migration",
	}, a.v1GetMigration)
	act(a, route{
		method: http.MethodPatch, path: one, permission: write, kind: Real, summary: "Rename a migration, or say how it is taken back",
	}, a.v1PatchMigration)
}

func (a *API) v1ListMigrations(ctx context.Context, c *call, _ *refPath) ([]V1MigrationName, error) {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleReadOnly)
	if err != nil {
		return nil, err
	}
	migrations, err := database.Migrations(ctx)
	if err != nil {
		return nil, databaseProblem(err)
	}
	list := make([]V1MigrationName, len(migrations))
	for i, migration := range migrations {
		list[i] = V1MigrationName{Version: migration.Version, Name: migration.Name}
	}
	return list, nil
}

func (a *API) v1GetMigration(ctx context.Context, c *call, in *migrationPath) (V1Migration, error) {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleReadOnly)
	if err != nil {
		return V1Migration{}, err
	}
	migration, err := database.Migration(ctx, in.Version)
	return V1Migration{
		V1MigrationName: V1MigrationName{Version: migration.Version, Name: migration.Name},
		Statements:      migration.Statements, Rollback: migration.Rollback,
		CreatedBy: migration.CreatedBy, IdempotencyKey: migration.IdempotencyKey,
	}, databaseProblem(err)
}

// changedDatabase is where the migration is made, once it is noted who makes it.
func (a *API) changedDatabase(ctx context.Context, c *call, what string) (projectdb.Address, error) {
	database, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleOwner)
	if err != nil {
		return projectdb.Address{}, err
	}
	return database, a.store.Note(ctx, c.actor, c.databaseChange(what))
}

func (a *API) v1ApplyMigration(ctx context.Context, c *call, in *createMigrationInput) error {
	database, err := a.changedDatabase(ctx, c, "apply_migration")
	if err != nil {
		return err
	}
	return databaseProblem(database.ApplyMigration(ctx, a.now(), newMigrationOf(c, in)))
}

func (a *API) v1NoteMigration(ctx context.Context, c *call, in *createMigrationInput) error {
	database, err := a.changedDatabase(ctx, c, "note_migration")
	if err != nil {
		return err
	}
	return databaseProblem(database.NoteMigration(ctx, a.now(), newMigrationOf(c, in)))
}

// newMigrationOf takes the request's own id where the client names no key: the gateway may run a request again.
func newMigrationOf(c *call, in *createMigrationInput) projectdb.NewMigration {
	key := in.IdempotencyKey
	if key == "" {
		key = c.actor.RequestID
	}
	return projectdb.NewMigration{
		Name: in.Body.Name, Query: in.Body.Query, Rollback: in.Body.Rollback, CreatedBy: c.Profile.PrimaryEmail, IdempotencyKey: key,
	}
}

func (a *API) v1PatchMigration(ctx context.Context, c *call, in *patchMigrationInput) error {
	database, err := a.changedDatabase(ctx, c, "change_migration")
	if err != nil {
		return err
	}
	return databaseProblem(database.ChangeMigration(ctx, in.Version, in.Body.Name, in.Body.Rollback))
}

func (a *API) v1RollBack(ctx context.Context, c *call, in *rollBackInput) error {
	database, err := a.changedDatabase(ctx, c, "roll_back")
	if err != nil {
		return err
	}
	return databaseProblem(database.RollBack(ctx, in.From))
}
