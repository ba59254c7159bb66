package projectdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Migration is a row of supabase_migrations.schema_migrations, the history that the supabase CLI keeps, too.
type Migration struct {
	Version        string // by time, `20260301120000`
	Name           *string
	Statements     []string
	Rollback       []string
	CreatedBy      *string // an e-mail address
	IdempotencyKey *string
	// Noted says that it is noted in a history without being run there (TakeOver).
	Noted bool `db:"-"`
}

// NewMigration is what a user decides of a migration.
type NewMigration struct {
	Name           string
	Query          string
	Rollback       string
	CreatedBy      string
	IdempotencyKey string // empty: every request is a migration of its own
}

// ErrNoMigration says that the history has no such version.
var ErrNoMigration = errors.New("there is no such migration")

const migrationColumns = `version, name, coalesce(statements, '{}'), coalesce(rollback, '{}'), created_by, idempotency_key`

// ensureHistory makes the table where it is missing, and adds what an older CLI left out.
const ensureHistory = `
	create schema if not exists supabase_migrations;
	create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
	alter table supabase_migrations.schema_migrations
		add column if not exists statements text[],
		add column if not exists name text,
		add column if not exists created_by text,
		add column if not exists idempotency_key text unique,
		add column if not exists rollback text[];`

// Migrations lists the history, the oldest first. A database without one has none.
func (a Address) Migrations(ctx context.Context) ([]Migration, error) {
	var list []Migration
	err := a.within(ctx, func(connection *pgx.Conn) error {
		var exists bool
		err := connection.QueryRow(ctx, `select to_regclass('supabase_migrations.schema_migrations') is not null`).Scan(&exists)
		if err != nil || !exists {
			return err
		}
		// By to_jsonb, for a history that the CLI made may lack the columns that it does not use.
		rows, _ := connection.Query(ctx, `
			select m.version, row ->> 'name',
				coalesce(array(select jsonb_array_elements_text(nullif(row -> 'statements', 'null'))), '{}'),
				coalesce(array(select jsonb_array_elements_text(nullif(row -> 'rollback', 'null'))), '{}'),
				row ->> 'created_by', row ->> 'idempotency_key'
			from supabase_migrations.schema_migrations m, to_jsonb(m) row order by m.version`)
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Migration])
		return err
	})
	return list, doing("list the migrations", err)
}

// Migration returns one row of the history, or ErrNoMigration.
func (a Address) Migration(ctx context.Context, version string) (Migration, error) {
	list, err := a.Migrations(ctx)
	if err != nil {
		return Migration{}, err
	}
	for _, one := range list {
		if one.Version == version {
			return one, nil
		}
	}
	return Migration{}, ErrNoMigration
}

// ApplyMigration runs a migration and notes it, both or neither. With an idempotency key that was used before, it does
// nothing. A *SQLError says what Postgres has against the SQL.
func (a Address) ApplyMigration(ctx context.Context, now time.Time, wanted NewMigration) error {
	err := a.inHistory(ctx, func(connection *pgx.Conn) error {
		done, err := known(ctx, connection, wanted.IdempotencyKey)
		if err != nil || done {
			return err
		}
		if _, err := connection.PgConn().Exec(ctx, wanted.Query).ReadAll(); err != nil {
			return sqlError(wanted.Query, err)
		}
		return insertMigration(ctx, connection, now, wanted)
	})
	return doing("apply a migration", err)
}

// NoteMigration notes a migration without running it. With an idempotency key that was used before, it replaces what was
// noted then.
func (a Address) NoteMigration(ctx context.Context, now time.Time, wanted NewMigration) error {
	err := a.inHistory(ctx, func(connection *pgx.Conn) error {
		tag, err := connection.Exec(ctx, `
			update supabase_migrations.schema_migrations set name = nullif($2, ''), statements = array[$3], rollback = $4
			where idempotency_key = nullif($1, '')`, wanted.IdempotencyKey, wanted.Name, wanted.Query, rollbackOf(wanted.Rollback))
		if err != nil || tag.RowsAffected() > 0 {
			return err
		}
		return insertMigration(ctx, connection, now, wanted)
	})
	return doing("note a migration", err)
}

// ChangeMigration renames a migration, or says how it is taken back; nil leaves either as it is. ErrNoMigration: the history
// has no such version.
func (a Address) ChangeMigration(ctx context.Context, version string, name, rollback *string) error {
	err := a.inHistory(ctx, func(connection *pgx.Conn) error {
		tag, err := connection.Exec(ctx, `
			update supabase_migrations.schema_migrations
			set name = coalesce($2, name), rollback = case when $3::text is null then rollback else array[$3] end
			where version = $1`, version, name, rollback)
		if err == nil && tag.RowsAffected() == 0 {
			return ErrNoMigration
		}
		return err
	})
	return doing("change a migration", err)
}

// RollBack takes back every migration from a version on, the newest first, and strikes them from the history: all of them or
// none. A migration that does not say how it is taken back is only struck.
func (a Address) RollBack(ctx context.Context, from string) error {
	err := a.inHistory(ctx, func(connection *pgx.Conn) error {
		rows, _ := connection.Query(ctx, `
			delete from supabase_migrations.schema_migrations where version >= $1 returning `+migrationColumns, from)
		gone, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Migration])
		if err != nil {
			return err
		}
		if len(gone) == 0 {
			return ErrNoMigration
		}
		return takeBack(ctx, connection, gone)
	})
	return doing("roll migrations back", err)
}

func takeBack(ctx context.Context, connection *pgx.Conn, gone []Migration) error {
	slices.SortFunc(gone, func(x, y Migration) int { return strings.Compare(y.Version, x.Version) })
	for _, one := range gone {
		for _, sql := range one.Rollback {
			if _, err := connection.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
				return sqlError(sql, err)
			}
		}
	}
	return nil
}

// inHistory runs do in one transaction, in which the history is there and nobody else changes it.
func (a Address) inHistory(ctx context.Context, do func(*pgx.Conn) error) error {
	return a.within(ctx, func(connection *pgx.Conn) error {
		return pgx.BeginFunc(ctx, connection, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, ensureHistory); err != nil {
				return fmt.Errorf("make the history of migrations: %w", err)
			}
			if _, err := tx.Exec(ctx, `lock table supabase_migrations.schema_migrations in share row exclusive mode`); err != nil {
				return fmt.Errorf("keep others from the history of migrations: %w", err)
			}
			return do(tx.Conn())
		})
	})
}

func known(ctx context.Context, connection *pgx.Conn, key string) (bool, error) {
	var found bool
	err := connection.QueryRow(ctx, `
		select exists (select from supabase_migrations.schema_migrations where idempotency_key = nullif($1, ''))`, key).Scan(&found)
	return found, err
}

// insertMigration gives the migration the version of its time, as the CLI does, or the next one that is free.
func insertMigration(ctx context.Context, connection *pgx.Conn, now time.Time, wanted NewMigration) error {
	_, err := connection.Exec(ctx, `
		insert into supabase_migrations.schema_migrations (version, name, statements, rollback, created_by, idempotency_key)
		select to_char(moment, 'YYYYMMDDHH24MISS'), nullif($2, ''), array[$3], $4, nullif($5, ''), nullif($6, '')
		from generate_series($1::timestamp, $1::timestamp + interval '1 hour', interval '1 second') moment
		where not exists (
			select from supabase_migrations.schema_migrations m where m.version = to_char(moment, 'YYYYMMDDHH24MISS'))
		order by moment limit 1`,
		now.UTC(), wanted.Name, wanted.Query, rollbackOf(wanted.Rollback), wanted.CreatedBy, wanted.IdempotencyKey)
	return err
}

func rollbackOf(sql string) []string {
	if sql == "" {
		return nil
	}
	return []string{sql}
}

// doing says what was being done, but for what the user is told in its own words.
func doing(what string, err error) error {
	var own *SQLError
	var refused *pgconn.PgError
	switch {
	case err == nil, errors.As(err, &own), errors.Is(err, ErrNoMigration), errors.Is(err, ErrUnreachable):
		return err
	case errors.As(err, &refused): // the history was made by somebody else, or the role may not write
		return &SQLError{SQLState: refused.Code, text: errorText("", refused)}
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
