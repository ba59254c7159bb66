package projectdb

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// IsReadOnly tells whether transactions begin as read-only in the database, unless they say otherwise. a has to be of RoleAdmin: roles
// may have settings of their own.
func (a Address) IsReadOnly(ctx context.Context) (readOnly bool, err error) {
	err = a.within(ctx, func(connection *pgx.Conn) error {
		return connection.QueryRow(ctx, `select current_setting('default_transaction_read_only')::bool`).Scan(&readOnly)
	})
	return readOnly, doing("ask whether the database is read-only", err)
}

// EndReadOnly takes back that the database's transactions begin as read-only, for those who connect from now on. Where Postgres'
// own configuration says so, it stays. a has to be of RoleAdmin.
func (a Address) EndReadOnly(ctx context.Context) error {
	err := a.within(ctx, func(connection *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, connection, pgx.TxOptions{AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `do $$ begin execute format('alter database %I reset default_transaction_read_only', current_database()); end $$`)
			return err
		})
	})
	return doing("end the database's read-only mode", err)
}
