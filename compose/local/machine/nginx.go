//go:build unix

package machine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ensureNginx fetches nginx for a test, unless it is here: Debian's package is unpacked into folder and not installed, for
// that would start a server. Where there is no apt-get nothing is fetched, and the test says that it needs it.
func ensureNginx(ctx context.Context, folder string) error {
	program := filepath.Join(folder, "usr", "sbin", "nginx")
	if _, err := os.Stat(program); err == nil || inPath("nginx")() || !inPath("apt-get")() {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // apt-get's own user looks into it
		return fmt.Errorf("make nginx's folder: %w", err)
	}
	download := func() error {
		command := exec.CommandContext(ctx, "apt-get", "--quiet=2", "download", "nginx")
		command.Dir = folder
		return run(command)
	}
	if err := download(); err != nil {
		if os.Getuid() != 0 {
			return err
		}
		if err := aptGet(ctx, "update"); err != nil {
			return err
		}
		if err := download(); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(folder, "nginx_*.deb"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("one package of nginx should be in %s, and not %d", folder, len(packages))
	}
	return run(exec.CommandContext(ctx, "dpkg-deb", "--extract", packages[0], folder))
}
