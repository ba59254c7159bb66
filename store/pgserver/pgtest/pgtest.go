//go:build unix

// Package pgtest gives each test a database of its own on a real Postgres. One server serves a whole test binary; it
// starts with the first test that asks, and ends in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.WithServer(m).Run()) }
//
// or, in packages with goroutines, goleak.VerifyTestMain(pgtest.WithServer(m)).
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plurabase/plurabase/migrations/apply"
	"github.com/plurabase/plurabase/store/pgserver"
)

const (
	// timeout is for one step: starting the server, or making or dropping one database.
	timeout = time.Minute
	// migrated is the database that the others are copied from.
	migrated = "migrated"
)

// Runner runs the tests of a binary, as *testing.M does.
type Runner interface{ Run() int }

// WithServer lets the tests that m runs use this package.
func WithServer(m Runner) Runner { return runner{m} }

type runner struct{ tests Runner }

// Run runs the tests and then ends the server, if one was started.
func (r runner) Run() int {
	shared = &server{}
	code := r.tests.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// shared is the binary's server; nil where TestMain lacks WithServer.
var shared *server

// URL returns the URL of a fresh database with the platform's newest schema, which goes when the test ends. Where
// Postgres is missing, it fails the test under CI=true, and skips it elsewhere.
func URL(t testing.TB) string {
	t.Helper()
	s := running(t)
	if err := s.migrate(); err != nil {
		t.Fatalf("prepare a migrated database: %v", err)
	}
	return s.fresh(t, migrated)
}

// Empty is URL for a database with nothing in it.
func Empty(t testing.TB) string {
	t.Helper()
	return running(t).fresh(t, "template0")
}

func running(t testing.TB) *server {
	t.Helper()
	if shared == nil {
		t.Fatal("TestMain has to run the tests through pgtest.WithServer")
	}
	err := shared.start()
	if errors.Is(err, pgserver.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return shared
}

// server is started and migrated at most once, by whichever test comes first.
type server struct {
	starting, migrating sync.Once
	startErr, migrErr   error
	dir                 string
	postgres            *pgserver.Server
	databases           atomic.Int64
}

func (s *server) start() error {
	s.starting.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if s.dir, s.startErr = os.MkdirTemp("", "plurabase-postgres-"); s.startErr != nil {
			return
		}
		s.postgres, s.startErr = pgserver.Start(ctx, pgserver.Options{Dir: s.dir, Throwaway: true})
	})
	return s.startErr
}

func (s *server) migrate() error {
	s.migrating.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		var url string
		if url, s.migrErr = s.postgres.NewDatabase(ctx, migrated); s.migrErr == nil {
			s.migrErr = apply.Up(ctx, url)
		}
	})
	return s.migrErr
}

// fresh copies template and drops the copy when the test, and what it cleans up later than this call, is done.
func (s *server) fresh(t testing.TB, template string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	name := "test" + strconv.FormatInt(s.databases.Add(1), 10)
	url, err := s.postgres.CopyDatabase(ctx, name, template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := s.postgres.DropDatabase(ctx, name); err != nil {
			t.Error(err)
		}
	})
	return url
}

func (s *server) stop() error {
	var err error
	if s.postgres != nil {
		err = s.postgres.Stop()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
