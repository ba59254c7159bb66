//go:build unix

package platform

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/plurabase/plurabase/store/pgserver/child"
)

const (
	// restartPause keeps a program that ends at once from being started over and over.
	restartPause = time.Second
	stopGrace    = 15 * time.Second
)

// service is a program that is started again whenever it ends, until it is stopped.
type service struct {
	name        string
	program     string
	arguments   []string
	environment []string
	log         *slog.Logger
	output      *os.File

	mutex    sync.Mutex
	process  *child.Process // nil while none runs
	stopping chan struct{}
	stopped  chan struct{}
}

// startService starts a program, with its output in a file of the folder logs.
func startService(logs string, log *slog.Logger, name, program string, arguments []string, environment map[string]string) (*service, error) {
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, fmt.Errorf("make the log folder: %w", err)
	}
	output, err := os.OpenFile(filepath.Join(logs, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	s := &service{
		name: name, program: program, arguments: arguments, log: log, output: output,
		environment: os.Environ(), stopping: make(chan struct{}), stopped: make(chan struct{}),
	}
	for key, value := range environment {
		s.environment = append(s.environment, key+"="+value)
	}
	process, err := s.start()
	if err != nil {
		_ = output.Close()
		return nil, err
	}
	go s.keep(process)
	return s, nil
}

func (s *service) start() (*child.Process, error) {
	command := exec.Command(s.program, s.arguments...) //nolint:noctx // it outlives whoever asked; stop ends it
	command.Env = s.environment
	command.Stdout, command.Stderr = io.Writer(s.output), s.output
	process, err := child.Start(command, syscall.SIGTERM)
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.process = process
	return process, nil
}

// keep starts the program again, at most once every restartPause.
func (s *service) keep(process *child.Process) {
	defer close(s.stopped)
	for {
		select {
		case <-s.stopping:
			if process != nil {
				process.Stop(syscall.SIGTERM, stopGrace)
			}
			return
		case <-ended(process):
		}
		if process != nil {
			s.log.Warn("it ended and is started again", "program", s.name, "reason", fmt.Sprint(process.Err()))
		}
		select {
		case <-s.stopping:
			return
		case <-time.After(restartPause):
		}
		var err error
		if process, err = s.start(); err != nil {
			s.log.Error("it could not be started", "program", s.name, "error", err)
		}
	}
}

// ended is closed when the process has ended; at once, where there is none.
func ended(process *child.Process) <-chan struct{} {
	if process != nil {
		return process.Done()
	}
	none := make(chan struct{})
	close(none)
	return none
}

// pid returns the program's process, or the last one that it had.
func (s *service) pid() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.process.Pid()
}

func (s *service) stop() {
	close(s.stopping)
	<-s.stopped
	_ = s.output.Close()
}
