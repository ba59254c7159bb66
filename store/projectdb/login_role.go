package projectdb

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// LoginRole is a role that the supabase CLI signs in with, and that is worth nothing after a while.
type LoginRole struct {
	Name     string
	Password string
	TTL      time.Duration
}

// loginRoleTTL is how long such a role lets in; who is in by then stays in.
const loginRoleTTL = 10 * time.Minute

// loginRolePrefix is what the CLI knows such roles by: it then takes the role that they are for.
const loginRolePrefix = "cli_login_"

// CreateLoginRole makes a role that may take the role of (RoleOwner or RoleReadOnly), and strikes those that are worth
// nothing any more. a has to be of RoleAdmin.
func (a Address) CreateLoginRole(ctx context.Context, now time.Time, of string) (LoginRole, error) {
	role := LoginRole{
		Name: loginRolePrefix + strings.ToLower(rand.Text()[:12]), Password: rand.Text() + rand.Text(), TTL: loginRoleTTL,
	}
	err := a.within(ctx, func(connection *pgx.Conn) error {
		return pgx.BeginFunc(ctx, connection, func(tx pgx.Tx) error {
			if err := dropLoginRoles(ctx, tx, `rolvaliduntil < now()`); err != nil {
				return err
			}
			// Nothing in it is of the user's, and none of it can be a parameter.
			_, err := tx.Exec(ctx, fmt.Sprintf(`
				set local log_statement = none;
				create role %s login noinherit password '%s' valid until '%s' in role %s`,
				role.Name, role.Password, now.UTC().Add(loginRoleTTL).Format(time.RFC3339), of))
			if err != nil || of != RoleReadOnly {
				return err
			}
			_, err = tx.Exec(ctx, fmt.Sprintf(`alter role %s set default_transaction_read_only = on`, role.Name))
			return err
		})
	})
	if err != nil {
		return LoginRole{}, doing("make a login role", err)
	}
	return role, nil
}

// DropLoginRoles strikes all roles that were lent to the CLI. a has to be of RoleAdmin.
func (a Address) DropLoginRoles(ctx context.Context) error {
	err := a.within(ctx, func(connection *pgx.Conn) error {
		return pgx.BeginFunc(ctx, connection, func(tx pgx.Tx) error { return dropLoginRoles(ctx, tx, `true`) })
	})
	return doing("drop the login roles", err)
}

// dropLoginRoles drops the roles for which the condition holds. Such a role owns nothing: what it makes, it makes as the role
// that it took, unless somebody went out of their way. What it owns nevertheless goes to RoleOwner.
func dropLoginRoles(ctx context.Context, tx pgx.Tx, condition string) error {
	rows, _ := tx.Query(ctx, `select rolname from pg_roles where starts_with(rolname, $1) and `+condition, loginRolePrefix)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		quoted := pgx.Identifier{name}.Sanitize()
		_, err := tx.Exec(ctx, fmt.Sprintf(`reassign owned by %s to %s; drop owned by %s; drop role %s`, quoted, RoleOwner, quoted, quoted))
		if err != nil {
			return err
		}
	}
	return nil
}
