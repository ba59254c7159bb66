package stack

import (
	_ "embed"
	"encoding/hex"
	"strings"

	"github.com/plurabase/plurabase/store"
)

// Database is what has to be done inside a project's database, which no container setting can do.
type Database struct {
	Container string
	// Inspect prints two lines: Postgres' version, and the mark of the last setup that went well, empty without one.
	Inspect Command
	// Setup gives the roles their passwords and leaves Mark. It may be run any number of times.
	Setup Command
	Mark  string
}

// Command is a program to run inside a container. What is secret is in Env and Input alone: a process list shows Args.
type Command struct {
	Args  []string
	Env   Env
	Input string
}

// String hides the secrets from logs and error messages.
func (c Command) String() string { return strings.Join(c.Args, " ") }

// GoString hides the secrets from %#v.
func (c Command) GoString() string { return c.String() }

// setupSQL is run as supabase_admin. Its placeholders are the passwords, as hexadecimal digits, and the mark.
//
//go:embed database.sql
var setupSQL string

// inspectSQL reads what setupSQL leaves.
const inspectSQL = `select current_setting('server_version');
select coalesce(current_setting('plurabase.configured', true), '');`

func (b builder) databaseSetup() *Database {
	password := b.wanted.Secrets[store.SecretDatabasePassword]
	readOnly := b.wanted.Secrets[store.SecretReadOnlyPassword]
	mark := b.hash(setupSQL, password, readOnly)
	return &Database{
		Container: Name(b.ref(), DatabaseService),
		Inspect:   psql(password, inspectSQL),
		Setup: psql(password, strings.NewReplacer(
			"{{password}}", hex.EncodeToString([]byte(password)),
			"{{read_only_password}}", hex.EncodeToString([]byte(readOnly)),
			"{{mark}}", mark,
		).Replace(setupSQL)),
		Mark: mark,
	}
}

// psql runs SQL in one transaction. Terse messages never quote a statement, which may hold a password.
func psql(password, sql string) Command {
	return Command{
		Args: []string{
			"psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--single-transaction",
			"--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse",
			"--host=127.0.0.1", "--username=supabase_admin", "--dbname=postgres", "--file=-",
		},
		Env:   Env{"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"},
		Input: sql,
	}
}
