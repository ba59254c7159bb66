//go:build unix

package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/docker/docker/client"

	"github.com/plurabase/plurabase/store/pgserver/child"
)

const (
	dockerStart = time.Minute
	// dockerStop is how long the engine may take to stop its containers.
	dockerStop = time.Minute
	pollPause  = 200 * time.Millisecond
)

// dockerd is a Docker Engine that this program started. The nil dockerd is one that it did not.
type dockerd struct {
	process *child.Process
	log     *os.File
}

// ensureDocker finds the Docker Engine that answers, or starts one.
func ensureDocker(ctx context.Context, logs string) (*dockerd, error) {
	if answers(ctx) {
		return nil, nil
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return nil, fmt.Errorf("no Docker Engine answers at DOCKER_HOST (%s)", host)
	}
	if os.Getuid() != 0 {
		return nil, errors.New("no Docker Engine answers: start it, and see that this user may use it (group docker)")
	}
	started, err := startDocker(logs)
	if err != nil {
		return nil, err
	}
	if err := started.wait(ctx); err != nil {
		started.stop()
		return nil, err
	}
	return started, nil
}

func answers(ctx context.Context) bool {
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return false
	}
	defer func() { _ = docker.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = docker.Ping(ctx)
	return err == nil
}

func startDocker(logs string) (*dockerd, error) {
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, fmt.Errorf("make the log folder: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(logs, "dockerd.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open Docker's log: %w", err)
	}
	command := exec.Command("dockerd") //nolint:noctx // it outlives whoever asked; stop ends it
	command.Stdout, command.Stderr = log, log
	process, err := child.Start(command, syscall.SIGTERM)
	if err != nil {
		_ = log.Close()
		return nil, err
	}
	return &dockerd{process, log}, nil
}

func (d *dockerd) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dockerStart)
	defer cancel()
	for !answers(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the Docker Engine did not come up; see %s", d.log.Name())
		case <-d.process.Done():
			return fmt.Errorf("the Docker Engine ended at once; see %s", d.log.Name())
		case <-time.After(pollPause):
		}
	}
	return nil
}

func (d *dockerd) stop() {
	if d == nil {
		return
	}
	d.process.Stop(syscall.SIGTERM, dockerStop)
	_ = d.log.Close()
}
