package projectdb

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// maxResult is how much a query may answer, in bytes of JSON: the answer is held in memory until Kong has taken it.
const maxResult = 16 << 20

// ErrTooLarge says that a query's rows are more than an answer can hold.
var ErrTooLarge = fmt.Errorf("the result is larger than %d MB: ask for fewer rows or columns", maxResult>>20)

// Query runs SQL of the user's own and returns the rows of the last statement that has any, as a JSON array of objects. A
// *SQLError says what Postgres has against it. Parameters are what $1, $2 and so on stand for; with them, the SQL is one
// statement.
func (a Address) Query(ctx context.Context, sql string, parameters []any) (json.RawMessage, error) {
	var rows json.RawMessage
	err := a.within(ctx, func(connection *pgx.Conn) (err error) {
		if len(parameters) > 0 {
			rows, err = extended(ctx, connection, sql, parameters)
		} else {
			rows, err = simple(ctx, connection, sql)
		}
		return sqlError(sql, err)
	})
	return rows, err
}

// ReadOnlyQuery is Query for what must not change anything. Three things see to that: the role, which owns nothing and may
// write nothing; a read-only transaction, which not even a function with its owner's rights gets out of; and a protocol that
// takes one statement alone, so that nobody can end the transaction first.
func (a Address) ReadOnlyQuery(ctx context.Context, sql string, parameters []any) (json.RawMessage, error) {
	var rows json.RawMessage
	err := a.within(ctx, func(connection *pgx.Conn) error {
		tx, err := connection.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		// The first snapshot makes the transaction's mode final: without it, SET TRANSACTION READ WRITE still works.
		if _, err := tx.Exec(ctx, "select 1"); err != nil {
			return fmt.Errorf("make the transaction's mode final: %w", err)
		}
		rows, err = extended(ctx, connection, sql, parameters)
		return sqlError(sql, err)
	})
	return rows, err
}

// simple runs any number of statements, as psql -c does: one transaction, unless they say otherwise.
func simple(ctx context.Context, connection *pgx.Conn, sql string) (json.RawMessage, error) {
	results := connection.PgConn().Exec(ctx, sql)
	last := json.RawMessage("[]")
	for results.NextResult() {
		rows, err := collect(results.ResultReader())
		if err != nil {
			_ = results.Close()
			return nil, err
		}
		if len(rows) > len("[]") {
			last = rows
		}
	}
	return last, results.Close()
}

func extended(ctx context.Context, connection *pgx.Conn, sql string, parameters []any) (json.RawMessage, error) {
	values := make([][]byte, len(parameters))
	for i, parameter := range parameters {
		values[i] = parameterText(parameter)
	}
	result := connection.PgConn().ExecParams(ctx, sql, values, nil, nil, nil)
	rows, err := collect(result)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// collect reads all rows of one statement.
func collect(result *pgconn.ResultReader) (json.RawMessage, error) {
	encoder := newRowEncoder(result.FieldDescriptions())
	rows := []byte{'['}
	for result.NextRow() {
		if len(rows) > 1 {
			rows = append(rows, ',')
		}
		rows = encoder.appendRow(rows, result.Values())
		if len(rows) > maxResult {
			_, _ = result.Close()
			return nil, ErrTooLarge
		}
	}
	if _, err := result.Close(); err != nil {
		return nil, err
	}
	return append(rows, ']'), nil
}
