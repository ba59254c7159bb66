package execute

import (
	"context"
	"fmt"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
)

// hopelessRestarts is how often a service may die on its way up before it is given up.
const hopelessRestarts = 7

// waitHealthy looks at a container until its health check says that it is well. It fails for good when the container
// stopped, or dies again and again; it waits for ctx as long as the container runs.
func (e Executor) waitHealthy(ctx context.Context, name string) error {
	ticker := time.NewTicker(e.Poll)
	defer ticker.Stop()
	for {
		container, err := e.Engine.Container(ctx, name)
		switch {
		case err != nil:
			return err
		case container.Healthy:
			return nil
		case !container.Runs():
			return fmt.Errorf("the container is %s, exit code %d: see `docker logs %s`", container.State, container.ExitCode, name)
		case container.Restarts >= hopelessRestarts:
			return &engine.PermanentError{Err: fmt.Errorf(
				"the container died %d times, exit code %d: see `docker logs %s`", container.Restarts, container.ExitCode, name)}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the container did not become healthy: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}
