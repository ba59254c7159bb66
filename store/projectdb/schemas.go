package projectdb

import (
	"context"

	"github.com/jackc/pgx/v5"
)

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
