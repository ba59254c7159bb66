//go:build unix

// Package pgserver runs a private Postgres out of a folder: for development and for tests, on a machine that has
// Postgres' programs and nothing set up. It listens on 127.0.0.1 alone, asks for a random password (SCRAM), and ends
// with the process that started it. It knows nothing of what the databases hold.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/plurabase/plurabase/store/pgserver/child"
)

const (
	// superuser is the name of the only role of a new cluster.
	superuser = "postgres"
	// startTimeout is for a start whose context has no deadline. Recovery after a crash can take some seconds.
	startTimeout = time.Minute
	// stopTimeout is for writing out what is in memory.
	stopTimeout = 30 * time.Second
)

// Options say where and how a server runs.
type Options struct {
	// Dir holds everything: the cluster (data), the password, a lock and the server's own log of its last run. It is
	// made when it is missing. One process uses it at a time.
	Dir string
	// Port to listen on; 0 takes any free one.
	Port int
	// Throwaway trades safety against a crash of the machine for speed: for data that nobody needs tomorrow.
	Throwaway bool
	// Logger is told what happens, never the password. Nil is silent.
	Logger *slog.Logger
}

// Server is a running Postgres.
type Server struct {
	process *child.Process
	url     url.URL
	unlock  func()
	stop    func() error
}

// Start starts the server in options.Dir and returns when it answers. The first time it makes the cluster. What an
// earlier process that was killed left behind is cleaned up. It returns ErrNotInstalled where Postgres is missing.
func Start(ctx context.Context, options Options) (*Server, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
	}
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder of Postgres: %w", err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	s, err := startLocked(ctx, dir, options)
	if err != nil {
		unlock()
		return nil, err
	}
	s.unlock = unlock
	s.stop = sync.OnceValue(s.shutDown)
	return s, nil
}

func startLocked(ctx context.Context, dir string, options Options) (*Server, error) {
	c, err := openCluster(dir, options)
	if err != nil {
		return nil, err
	}
	if err := c.cleanUp(ctx); err != nil {
		return nil, fmt.Errorf("clean up after an earlier Postgres: %w", err)
	}
	password, err := c.initialize(ctx)
	if err != nil {
		return nil, err
	}
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, password), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	process, err := c.run(ctx, &address)
	if err != nil {
		return nil, err
	}
	options.Logger.InfoContext(ctx, "Postgres runs", "address", address.Host, "dir", dir)
	return &Server{process: process, url: address}, nil
}

// URL of the database `postgres`, as superuser, with the password. Keep it out of logs.
func (s *Server) URL() string { return s.url.String() }

// Done is closed when the server has ended, asked to or not.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Stop ends the server: it cuts off its clients and writes out everything. It may be called more than once.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) shutDown() error {
	defer s.unlock()
	// SIGINT is Postgres' fast shutdown: https://www.postgresql.org/docs/current/server-shutdown.html
	if !s.process.Stop(syscall.SIGINT, stopTimeout) {
		return fmt.Errorf("stop Postgres: killed after %s", stopTimeout)
	}
	if err := s.process.Err(); err != nil {
		return fmt.Errorf("stop Postgres: %w", err)
	}
	return nil
}

// lock makes dir and takes it for this process. The kernel lets go of it when the process ends, however it does.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of Postgres: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the folder of Postgres: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		_ = f.Close()
		return nil, fmt.Errorf("another process runs a Postgres in %s", strconv.Quote(dir))
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}
