package projectdb

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// PlatformSchemas are those that Supabase's services and extensions make themselves, the same in every project.
var PlatformSchemas = strings.Fields(`auth storage realtime _realtime extensions graphql graphql_public vault net cron pgmq pgmq_public
	pgsodium pgsodium_masks pgbouncer supabase_functions supabase_migrations _analytics _supavisor pgtle tiger tiger_data topology`)

// Schemas lists the schemas of the database that are not Postgres' own.
func (a Address) Schemas(ctx context.Context) ([]string, error) {
	var names []string
	err := a.within(ctx, func(connection *pgx.Conn) (err error) {
		rows, _ := connection.Query(ctx, `
			select nspname from pg_namespace
			where nspname <> 'information_schema' and not starts_with(nspname, 'pg_') order by nspname`)
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return names, doing("list the schemas", err)
}
