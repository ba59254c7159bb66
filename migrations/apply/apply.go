// Package apply brings a database to the platform's schema and back, with golang-migrate. It stands apart from the files, so that
// the plugins, which only ask for the newest number, do not carry it.
package apply

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver `pgx`

	"github.com/plurabase/plurabase/migrations"
)

// schemaLock is the advisory lock under which the schema itself is created: `create schema if not exists` is not safe
// against itself. The number only has to differ from golang-migrate's own, which is a CRC of the database's name.
const schemaLock = 7_526_872_411

// Up brings the database at databaseURL to the newest schema. Any number of processes may call it at once: one
// works, the others wait and find it done.
func Up(ctx context.Context, databaseURL string) error {
	return run(ctx, databaseURL, (*migrate.Migrate).Up)
}

// Down takes every migration back, newest first, and leaves an empty schema `platform`.
func Down(ctx context.Context, databaseURL string) error {
	return run(ctx, databaseURL, (*migrate.Migrate).Down)
}

func run(ctx context.Context, databaseURL string, direction func(*migrate.Migrate) error) error {
	db, err := sql.Open("pgx", databaseURL)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer func() { _ = db.Close() }()
	if err := createSchema(ctx, db); err != nil {
		return fmt.Errorf("create schema platform: %w", err)
	}
	source, err := iofs.New(migrations.Files, ".")
	if err != nil {
		return fmt.Errorf("read the embedded migrations: %w", err)
	}
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{SchemaName: "platform", MigrationsTable: "schema_migrations"})
	if err != nil {
		return fmt.Errorf("prepare the migrations table: %w", err)
	}
	m, err := migrate.NewWithInstance("iofs", source, "pgx5", driver)
	if err != nil {
		return fmt.Errorf("load the migrations: %w", err)
	}
	// The driver holds a connection of its own, which closing db leaves open.
	defer func() { _, _ = m.Close() }()
	if err := direction(m); err != nil && !errors.Is(err, migrate.ErrNoChange) {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func createSchema(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "select pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "create schema if not exists platform"); err != nil {
		return err
	}
	return tx.Commit()
}
