//go:build unix

package pgserver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// quitTimeout is for processes that were told to drop everything; those that are stuck are killed after it.
const quitTimeout = 5 * time.Second

// cleanUp makes a cluster usable whose server or supervisor was killed. We hold the folder's lock, so whatever still
// works in it has lost its parent, and a postmaster.pid names nobody, or somebody who got the number since.
func (c *cluster) cleanUp(ctx context.Context) error {
	if err := c.endOrphans(ctx); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(c.data(), "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// endOrphans ends the processes of an earlier server. Postgres does not start beside them: they share its memory.
func (c *cluster) endOrphans(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	signal := syscall.SIGQUIT // immediate shutdown, for the postmaster and for its children
	deadline := time.Now().Add(quitTimeout)
	for told := false; ; {
		orphans := processesOf(c.data())
		if len(orphans) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			signal, told = syscall.SIGKILL, false
		}
		if !told {
			c.logger.WarnContext(ctx, "ending an earlier Postgres that was left alone", "processes", len(orphans))
			for _, pid := range orphans {
				_ = syscall.Kill(pid, signal) // fails when it has ended since
			}
			told = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
