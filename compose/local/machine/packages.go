//go:build unix

package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/plurabase/plurabase/store/pgserver"
)

// need is a program that has to be there, and the Debian package that has it.
type need struct {
	debian  string
	present func() bool
}

var needs = []need{
	{"postgresql", func() bool { _, err := pgserver.FindBinaries(); return err == nil }},
	{"docker.io", inPath("dockerd")},
	{"iptables", inPath("iptables")},
	{"iproute2", inPath("ip")},
	{"mmdebstrap", inPath("mmdebstrap")},
	{"openssl", inPath("openssl")},
	{"shellcheck", inPath("shellcheck")},
}

func inPath(program string) func() bool {
	return func() bool {
		if _, err := exec.LookPath(program); err == nil {
			return true
		}
		_, err := os.Stat(filepath.Join("/usr/sbin", program)) // not in everybody's PATH
		return err == nil
	}
}

// clusterSettings keeps Debian from setting up and starting a Postgres of its own: this platform runs a private one.
const clusterSettings = "/etc/postgresql-common/createcluster.d/plurabase.conf"

// installPackages installs what is missing. Where it may not, it says what to install.
func installPackages(ctx context.Context) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	if os.Getuid() != 0 || !inPath("apt-get")() {
		return fmt.Errorf("install these first, and run this again: %s", strings.Join(missing, " "))
	}
	if err := os.MkdirAll(filepath.Dir(clusterSettings), 0o755); err != nil { //nolint:gosec // a folder of Debian's, with Debian's mode
		return fmt.Errorf("keep Debian from starting a Postgres: %w", err)
	}
	if err := os.WriteFile(clusterSettings, []byte("create_main_cluster = false\n"), 0o644); err != nil { //nolint:gosec // likewise
		return fmt.Errorf("keep Debian from starting a Postgres: %w", err)
	}
	if err := aptGet(ctx, "update"); err != nil {
		return err
	}
	if err := aptGet(ctx, append([]string{"install", "--yes", "--no-install-recommends"}, missing...)...); err != nil {
		return err
	}
	if still := missingPackages(); len(still) > 0 {
		return fmt.Errorf("installed, and still not found: %s", strings.Join(still, " "))
	}
	return nil
}

func missingPackages() []string {
	var missing []string
	for _, one := range needs {
		if !one.present() {
			missing = append(missing, one.debian)
		}
	}
	return missing
}

func aptGet(ctx context.Context, arguments ...string) error {
	command := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet=2"}, arguments...)...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	// Killed, it would leave Debian's package database halfway. Interrupted, it ends where it can.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	return run(command)
}

// minimumNode is what postgres-meta needs.
const minimumNode = 20

// checkNode finds Node.js and npm. They are not installed here: Debian's own are too old.
func checkNode(ctx context.Context) error {
	printed, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return errors.New("install Node.js 20 or newer with npm first, and run this again")
	}
	var major int
	if _, err := fmt.Sscanf(string(printed), "v%d.", &major); err != nil || major < minimumNode {
		return fmt.Errorf("node is %s, and has to be 20 or newer", strings.TrimSpace(string(printed)))
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return errors.New("install npm first, and run this again")
	}
	return nil
}
