package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stripe/pg-schema-diff/pkg/diff"

	"github.com/plurabase/plurabase/store/projectdb"
)

// between returns the SQL that gives one database the schema of another: tables with their columns, indexes, constraints, triggers,
// policies and privileges, views, functions, sequences, enums and extensions. Other types, domains, comments and publications it does
// not see. schemas narrows it; empty: all but those that Supabase's own services make. The result is empty where nothing differs, and
// the same each time where nothing changes. projectdb.ErrUnreachable: one of them does not answer.
func between(ctx context.Context, from, to projectdb.Address, schemas []string) (string, error) {
	current, err := from.Open()
	if err != nil {
		return "", err
	}
	defer func() { _ = current.Close() }()
	wanted, err := to.Open()
	if err != nil {
		return "", err
	}
	defer func() { _ = wanted.Close() }()
	narrowed := diff.WithExcludeSchemas(projectdb.PlatformSchemas...)
	if len(schemas) > 0 {
		narrowed = diff.WithIncludeSchemas(schemas...)
	}
	plan, err := diff.Generate(ctx, diff.DBSchemaSource(current), diff.DBSchemaSource(wanted), narrowed,
		diff.WithDoNotValidatePlan(), // that takes a database of its own; Postgres judges it when it is run, in one transaction
		diff.WithNoConcurrentIndexOps(), diff.WithRandReader(rand.NewChaCha8([32]byte{})), diff.WithLogger(silent{}))
	var failed *pgconn.ConnectError
	switch {
	case errors.As(err, &failed):
		return "", projectdb.ErrUnreachable // pgx's text names the host and the user
	case err != nil:
		return "", fmt.Errorf("compare the schemas: %w", err)
	}
	return textOf(plan), nil
}

// textOf prints a plan, with what each statement may do to a database that is in use.
func textOf(plan diff.Plan) string {
	var text strings.Builder
	for _, statement := range plan.Statements {
		for _, hazard := range statement.Hazards {
			fmt.Fprintf(&text, "-- %s: %s\n", hazard.Type, strings.Join(strings.Fields(hazard.Message), " "))
		}
		text.WriteString(strings.TrimRight(statement.ToSQL(), "\n") + "\n\n")
	}
	return text.String()
}

// silent keeps the library from printing.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
