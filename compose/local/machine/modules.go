//go:build unix

package machine

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed npm/package.json npm/package-lock.json clients/package.json clients/package-lock.json
var npmFiles embed.FS

// What is installed from npm, by the folder here that names it.
const (
	platformModules = "npm"     // what the platform needs to run
	clientModules   = "clients" // the official tools, which it is tried with
)

// InstallClients installs the official tools that the platform is tried with below dir, and returns npm's folder.
func InstallClients(ctx context.Context, dir string) (modules string, err error) {
	folder := filepath.Join(dir, clientModules)
	return filepath.Join(folder, "node_modules"), installModules(ctx, clientModules, folder)
}

// installModules installs what the lock file of a list names into folder, unless that was done before. Install scripts do
// not run: nothing here needs one, and they could do anything. It is `npm install`, not `npm ci`, which refuses a lock file
// without the CLI's executables for every other platform.
func installModules(ctx context.Context, list, folder string) error {
	lock, err := npmFiles.ReadFile(list + "/package-lock.json")
	if err != nil {
		return err
	}
	// Written last: it is there only when the installation is whole.
	marker := filepath.Join(folder, "installed.json")
	if installed, err := os.ReadFile(marker); err == nil && bytes.Equal(installed, lock) {
		return nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make npm's folder: %w", err)
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := npmFiles.ReadFile(list + "/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return fmt.Errorf("write npm's %s: %w", name, err)
		}
	}
	command := exec.CommandContext(ctx, "npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	command.Dir = folder
	if err := run(command); err != nil {
		return err
	}
	if err := os.WriteFile(marker, lock, 0o600); err != nil {
		return fmt.Errorf("note the installation: %w", err)
	}
	return nil
}
