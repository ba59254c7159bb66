// Package projectdb talks to a project's own database: it runs what its users send, keeps the history of their migrations,
// and lends the supabase CLI a role to sign in with. It never touches the platform's own database.
package projectdb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The roles that a project's database has from the start (compose/postgres/image/roles.sql, and upstream's image).
const (
	RoleAdmin    = "supabase_admin" // superuser; never lent to anybody's SQL
	RoleOwner    = "postgres"
	RoleReadOnly = "supabase_read_only_user"
)

const (
	// Database is the name of the database that a project's users and services work in.
	Database = "postgres"
	// statementTimeout ends a statement before the API's own deadline of 30 s does, so that the user is told why.
	statementTimeout = 25 * time.Second
	connectTimeout   = 5 * time.Second
)

// Address is where a project's database is, and as whom to sign in. It prints as a placeholder, for it has a password.
type Address struct {
	Host     string
	Port     uint16
	Role     string
	Password string
	Database string // Database where empty
}

// String hides the password from logs and error messages.
func (a Address) String() string { return "[" + a.Role + " of a project's database]" }

// GoString hides the password from %#v.
func (a Address) GoString() string { return a.String() }

// ErrUnreachable says that the database could not be reached.
var ErrUnreachable = errors.New("the project's database cannot be reached")

func (a Address) config() (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("prepare a connection: %w", err)
	}
	config.Host, config.Port, config.User, config.Password, config.Database = a.Host, a.Port, a.Role, a.Password, Database
	if a.Database != "" {
		config.Database = a.Database
	}
	config.Fallbacks = nil
	config.ConnectTimeout = connectTimeout
	config.RuntimeParams = map[string]string{
		"application_name":  "plurabase",
		"statement_timeout": strconv.FormatInt(statementTimeout.Milliseconds(), 10),
	}
	if a.Role == RoleAdmin {
		// Nothing that a user made may stand in for one of Postgres' own functions when a superuser calls it.
		config.RuntimeParams["search_path"] = "pg_catalog, pg_temp"
	}
	return config, nil
}

// connect opens a connection of its own: what a user's SQL sets in a session must not outlive the request.
func (a Address) connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := a.config()
	if err != nil {
		return nil, err
	}
	connection, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		return connection, nil
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		// pgx's text names the host and the user; Postgres' own reason is enough.
		return nil, fmt.Errorf("%w: %s", ErrUnreachable, refused.Message)
	}
	return nil, ErrUnreachable
}

// within runs do on a connection that is closed afterwards, whatever becomes of the request.
func (a Address) within(ctx context.Context, do func(*pgx.Conn) error) error {
	connection, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = connection.Close(closing)
	}()
	return do(connection)
}

// SQLError is what Postgres says of a user's own SQL. Its text is written for that user.
type SQLError struct {
	SQLState string
	text     string
}

func (e *SQLError) Error() string { return e.text }

// sqlError words an error of a user's SQL as upstream does, with the line that it is in. Any other error stays what it is.
func sqlError(sql string, err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err
	}
	return &SQLError{SQLState: refused.Code, text: errorText(sql, refused)}
}
