package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// DatabaseRole is a login role of the platform's own database.
type DatabaseRole struct{ Name, Password string }

// PrepareDatabase makes an empty database ready for the platform: a role that owns the schema `platform`, and one for the
// platform's GoTrue with its schema `auth`. url is a superuser's. It may be called again: passwords are then set anew,
// which is how they are changed.
func PrepareDatabase(ctx context.Context, url string, platform, auth DatabaseRole) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return wrap("connect as the superuser", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return wrap("prepare the database", pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, role := range []DatabaseRole{platform, auth} {
			if err := ensureRole(ctx, tx, role); err != nil {
				return fmt.Errorf("make the role %s: %w", role.Name, err)
			}
		}
		return runFormatted(ctx, tx, []any{platform.Name, auth.Name},
			`select format('grant create on database %I to %I', current_database(), $1::text, $2::text)`,
			`select format('create schema if not exists auth authorization %2$I', $1::text, $2::text)`,
			// GoTrue's migrations name their tables without a schema.
			`select format('alter role %2$I set search_path = auth', $1::text, $2::text)`,
		)
	}))
}

func ensureRole(ctx context.Context, tx pgx.Tx, role DatabaseRole) error {
	var there bool
	if err := tx.QueryRow(ctx, `select exists (select from pg_roles where rolname = $1)`, role.Name).Scan(&there); err != nil {
		return err
	}
	verb := "create"
	if there {
		verb = "alter"
	}
	return runFormatted(ctx, tx, []any{verb, role.Name, role.Password},
		`select format('%s role %I with login noinherit password %L', $1::text, $2::text, $3::text)`)
}

// runFormatted runs statements that take no parameters of their own: Postgres itself quotes what goes into them.
func runFormatted(ctx context.Context, tx pgx.Tx, arguments []any, formats ...string) error {
	for _, format := range formats {
		var statement string
		if err := tx.QueryRow(ctx, format, arguments...).Scan(&statement); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
