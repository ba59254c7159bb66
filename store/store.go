// Package store is the only place with SQL. It holds the platform's state in Postgres, schema `platform`, one file an
// aggregate, and seals every secret before it gets there (seal.go).
//
// The plugins write what is wanted, the provisioner writes what was seen; neither knows of the other. The store decides
// nothing about who may do what: callers have checked that before they call.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Settings are what every process of the platform needs to reach its state. They come from the environment.
type Settings struct {
	DatabaseURL string    `env:"DATABASE_URL,required,notEmpty"`
	MasterKey   MasterKey `env:"PLURABASE_MASTER_KEY,required,notEmpty"`
	// PreviousMasterKey is read with, and never written with: while a master key is being rotated, and on a process that
	// shall know the next one before the others write with it. The zero value is none.
	PreviousMasterKey MasterKey `env:"PLURABASE_MASTER_KEY_PREVIOUS"`
}

// Store reads and writes the platform's state. It is safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool
	sealer sealer
	now    func() time.Time
	random io.Reader
	tracer pgx.QueryTracer // nil: nothing is traced
	memory *memory         // nil: everything is asked of Postgres

	welcome string // what new members are told; empty: nothing
}

// Option changes what a Store takes from its surroundings; tests use it to read the same every time.
type Option func(*Store)

// WithClock replaces time.Now for the times that are recorded. Leases always use Postgres' own clock, which all
// provisioners share.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// WithRandom replaces crypto/rand as the source of refs, slugs, passwords and keys.
func WithRandom(random io.Reader) Option { return func(s *Store) { s.random = random } }

// WithWelcome sets what everybody is told when they first belong to an organization; empty: nothing.
func WithWelcome(message string) Option { return func(s *Store) { s.welcome = message } }

// WithTraces makes a span of every query, where traces are sent.
func WithTraces() Option {
	return func(s *Store) { s.tracer = otelpgx.NewTracer() }
}

// Open prepares a Store. It connects on first use, so that a process starts without waiting for Postgres.
func Open(ctx context.Context, settings Settings, options ...Option) (*Store, error) {
	config, err := pgxpool.ParseConfig(settings.DatabaseURL)
	if err != nil {
		// The parse error may repeat the URL, and with it the password.
		return nil, errors.New("DATABASE_URL is not a Postgres connection string")
	}
	config.MinConns, config.MinIdleConns = 0, 0
	config.ConnConfig.RuntimeParams["application_name"] = "plurabase"
	// Statements are prepared once. Left to itself, Postgres makes a plan for each value all the same, which takes longer than
	// running it; here the best plan is the same for every value.
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	// No query here runs for as long as compiling one takes; the estimates of a young database say otherwise.
	config.ConnConfig.RuntimeParams["jit"] = "off"
	s := &Store{now: func() time.Time { return time.Now().UTC() }, random: rand.Reader}
	for _, option := range options {
		option(s)
	}
	config.ConnConfig.Tracer = s.tracer
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("open the database pool: %w", err)
	}
	s.sealer = newSealer(settings.MasterKey, settings.PreviousMasterKey, s.random)
	s.openMemory() //nolint:contextcheck // it lives until Close, not as long as the caller's context
	return s, nil
}

// Close gives every connection back.
func (s *Store) Close() {
	if s.memory != nil {
		s.memory.listener.close()
	}
	s.pool.Close()
}

// Ping tells whether Postgres can be reached.
func (s *Store) Ping(ctx context.Context) error { return wrap("reach the database", s.pool.Ping(ctx)) }

// What a caller has to tell apart. Everything else is unexpected.
var (
	// ErrNotFound says that no such row exists, or none that the caller may know of.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable says that Postgres could not be reached; nothing was changed that was not committed.
	ErrUnavailable = errors.New("database unavailable")
)

// ConflictError says that the state does not allow what was asked. Its text is written for the user.
type ConflictError struct{ Message string }

func (e *ConflictError) Error() string { return e.Message }

// wrap adds what was being done, and translates pgx's own errors into the store's.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		// pgx's text names the host and the user; the cause is enough.
		return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, connect.Unwrap())
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// violates tells whether err is a violation of the named constraint.
func violates(err error, constraint string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.ConstraintName == constraint
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
