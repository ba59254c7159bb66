//go:build unix

package pgserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// cluster is a folder with Postgres' data in it, and what is needed to run programs on it.
type cluster struct {
	dir       string // absolute
	binaries  string
	account   *syscall.Credential // nil: our own
	port      int
	throwaway bool
	logger    *slog.Logger
}

func openCluster(dir string, options Options) (*cluster, error) {
	c := &cluster{dir: dir, port: options.Port, throwaway: options.Throwaway, logger: options.Logger}
	major, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the version of the cluster: %w", err)
	}
	if c.binaries, err = findBinaries(debianBinaries, strings.TrimSpace(string(major))); err != nil {
		return nil, err
	}
	if c.account, err = unprivileged(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *cluster) data() string         { return filepath.Join(c.dir, "data") }
func (c *cluster) passwordFile() string { return filepath.Join(c.dir, "password") }
func (c *cluster) logFile() string      { return filepath.Join(c.dir, "postgres.log") }

// initialize makes the cluster unless it is there, and returns the superuser's password. The cluster appears under its
// name only when it is complete: an interrupted initdb leaves nothing but a folder that the next one replaces.
func (c *cluster) initialize(ctx context.Context) (password string, err error) {
	known, err := os.ReadFile(c.passwordFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the password of Postgres: %w", err)
	}
	if _, statErr := os.Stat(c.data()); statErr == nil {
		if len(known) == 0 {
			return "", fmt.Errorf("%s is missing: restore it, or remove %s to begin anew", c.passwordFile(), c.dir)
		}
		return string(known), nil
	}
	if password, err = c.newPassword(); err != nil {
		return "", fmt.Errorf("write the password of Postgres: %w", err)
	}
	unfinished := c.data() + ".unfinished"
	if err := c.makeEmpty(unfinished); err != nil {
		return "", fmt.Errorf("make the folder of the cluster: %w", err)
	}
	if err := c.initdb(ctx, unfinished); err != nil {
		return "", err
	}
	if err := os.Rename(unfinished, c.data()); err != nil {
		return "", fmt.Errorf("put the cluster in place: %w", err)
	}
	return password, nil
}

func (c *cluster) newPassword() (string, error) {
	password := rand.Text()
	if err := os.WriteFile(c.passwordFile(), []byte(password), 0o600); err != nil {
		return "", err
	}
	return password, c.give(c.passwordFile())
}

func (c *cluster) makeEmpty(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return c.give(dir)
}

// give makes the account that Postgres runs as the owner.
func (c *cluster) give(path string) error {
	if c.account == nil {
		return nil
	}
	return os.Chown(path, int(c.account.Uid), int(c.account.Gid))
}

func (c *cluster) initdb(ctx context.Context, dir string) error {
	c.logger.InfoContext(ctx, "making a Postgres cluster", "dir", dir, "binaries", c.binaries)
	cmd := c.command(ctx, "initdb")
	data, returnData, err := c.lend(cmd, dir)
	if err != nil {
		return fmt.Errorf("open the folder of the cluster: %w", err)
	}
	defer returnData()
	password, returnPassword, err := c.lend(cmd, c.passwordFile())
	if err != nil {
		return fmt.Errorf("open the password of Postgres: %w", err)
	}
	defer returnPassword()
	cmd.Args = append(
		cmd.Args, "--pgdata", data, "--pwfile", password, "--username", superuser, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C.UTF-8",
	)
	if c.throwaway {
		cmd.Args = append(cmd.Args, "--no-sync")
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(output.Bytes()))
	}
	return nil
}

// command prepares one of Postgres' programs, under its account and with an environment of its own: ours holds secrets,
// and PG… variables that would change what it does.
func (c *cluster) command(ctx context.Context, name string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.binaries, name))
	cmd.Dir = "/" // ours may be closed to that account
	cmd.Env = []string{"PATH=" + c.binaries + ":/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.account}
	return cmd
}

// lend returns the path under which cmd reaches the file or folder at path. The account that it runs as may be barred
// from a folder above (/root is 0700), so it gets the open file itself, and names it by its number.
func (c *cluster) lend(cmd *exec.Cmd, path string) (name string, giveBack func(), err error) {
	if c.account == nil {
		return path, func() {}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", nil, err
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	return fmt.Sprintf("/proc/self/fd/%d", 2+len(cmd.ExtraFiles)), func() { _ = f.Close() }, nil
}

// lastLines keeps what an error message can bear of a program's output.
func lastLines(output []byte) string {
	const most = 5
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
