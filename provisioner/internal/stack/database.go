package stack

import (
	_ "embed"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// postgresPort is Postgres' own, inside the container.
const postgresPort = 5432

// internalDatabase is where those services keep their own tables that do not belong into a user's database.
const internalDatabase = "_supabase"

// database follows upstream's docker-compose.yml and the supabase CLI (internal/db/start/start.go). JWT_SECRET is left
// out on purpose: it would only feed the setting `app.settings.jwt_secret`, which every database role can read, and
// whoever has it can sign himself a service key.
func (b builder) database() (Service, error) {
	// Over TCP: while the image sets a new database up, its Postgres listens on a Unix socket alone.
	health := healthy("pg_isready", "-U", "postgres", "-h", "127.0.0.1", "-p", strconv.Itoa(postgresPort))
	return Service{
		Env: Env{
			"POSTGRES_HOST":     "/var/run/postgresql",
			"POSTGRES_PASSWORD": b.secret(store.SecretDatabasePassword),
		},
		Command: b.postgresCommand(),
		Mounts: []Mount{
			{Volume: Name(b.ref(), DatabaseService), Path: "/var/lib/postgresql/data"},
			// The root key of Vault lies here: without it, what a user keeps in Vault is lost.
			{Volume: Name(b.ref(), DatabaseService, "config"), Path: "/etc/postgresql-custom"},
		},
		Ports:       []Port{{Container: postgresPort, Host: netip.AddrPortFrom(b.settings.Bind, b.wanted.Allotment.DatabasePort)}},
		Health:      health,
		StopSignal:  "SIGINT", // Postgres' fast shutdown: SIGTERM would wait until every client has gone
		StopTimeout: time.Minute,
	}, nil
}

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

// internalSQL makes the database of those services that do not keep their tables in the user's.
//
//go:embed internal.sql
var internalSQL string

// inspectSQL reads what setupSQL leaves.
const inspectSQL = `select current_setting('server_version');
select coalesce(current_setting('plurabase.configured', true), '');`

func (b builder) databaseSetup() *Database {
	password, readOnly := b.secret(store.SecretDatabasePassword), b.secret(store.SecretReadOnlyPassword)
	sql := setupSQL
	if b.has(store.ServicePooler) || b.has(store.ServiceAnalytics) {
		sql = internalSQL + sql
	}
	mark := b.hash(sql, password, readOnly)
	return &Database{
		Container: Name(b.ref(), DatabaseService),
		Inspect:   psql(projectdb.RoleAdmin, password, inspectSQL),
		Setup: psql(projectdb.RoleAdmin, password, strings.NewReplacer(
			"{{password}}", hex.EncodeToString([]byte(password)),
			"{{read_only_password}}", hex.EncodeToString([]byte(readOnly)),
			"{{mark}}", mark,
		).Replace(sql)),
		Mark: mark,
	}
}

// psql runs SQL up to the first error. Terse messages never quote a statement, which may hold a password.
func psql(role, password, sql string) Command {
	return Command{
		Args: []string{
			"psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only",
			"--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse",
			"--host=127.0.0.1", "--username=" + role, "--dbname=postgres", "--file=-",
		},
		Env:   Env{"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"},
		Input: sql,
	}
}
