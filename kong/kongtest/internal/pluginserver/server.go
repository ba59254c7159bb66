package pluginserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// maxSocketPath is what fits into sockaddr_un on Linux, without the byte that ends it.
const maxSocketPath = 107

// Options say how to run a plugin.
type Options struct {
	Executable  string
	Prefix      string   // The directory of the plugin's socket.
	Environment []string // Everything that the process sees, as NAME=value.
	Timeout     time.Duration
	Spawner     *Spawner
	Logger      *slog.Logger
}

// Server is one plugin: what it says of itself, its process, its connections and its instances.
type Server struct {
	Info Info

	process   *process
	pool      *pool
	instances *instances
	logger    *slog.Logger
}

// New asks the plugin for its schema. Nothing is running yet.
func New(ctx context.Context, options Options) (*Server, error) {
	executable, err := filepath.Abs(options.Executable)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", options.Executable, err)
	}
	if _, err := os.Stat(executable); err != nil {
		return nil, fmt.Errorf("find the executable: %w", err)
	}
	// A Go plugin takes both names, its own and the socket's, from its executable's file.
	socket := filepath.Join(options.Prefix, filepath.Base(executable)+".socket")
	if len(socket) > maxSocketPath {
		return nil, fmt.Errorf("the socket's path %s is longer than %d bytes: use a shorter prefix", socket, maxSocketPath)
	}
	info, err := Query(ctx, executable, options.Environment)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Info: info,
		process: &process{
			executable: executable, prefix: options.Prefix, socket: socket, environment: options.Environment,
			spawner: options.Spawner, logger: options.Logger,
		},
		pool:   &pool{path: socket, timeout: options.Timeout},
		logger: options.Logger,
	}
	s.instances = newInstances(s)
	return s, nil
}

// Start starts the process and returns when its socket answers.
func (s *Server) Start(ctx context.Context) error {
	if err := s.process.start(); err != nil {
		return err
	}
	if err := s.process.ready(ctx, nil); err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// PID is the process's id; ok is false while no process is running.
func (s *Server) PID() (pid int, ok bool) {
	c := s.process.running()
	if c == nil || !c.alive() {
		return 0, false
	}
	return c.pid, true
}

// Replace starts a new process, lets it take the socket over and ends the old one, whose events are cut off.
func (s *Server) Replace(ctx context.Context) error {
	return s.process.replace(ctx)
}

// Close ends the process and the connections.
func (s *Server) Close() error {
	err := s.process.close()
	s.pool.close()
	return err
}
