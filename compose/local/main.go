//go:build unix

// Command local runs the platform on this machine without containers of its own: for a first look, for development and for
// tests. Production is compose/'s other files.
//
//	local run             prepare the machine, and run the platform until Ctrl-C
//	local with COMMAND…   prepare the machine, and run a command on it
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/plurabase/plurabase/compose/local/machine"
	"github.com/plurabase/plurabase/compose/local/platform"
)

const usage = `usage: local run | local with COMMAND…

Settings of both, from the environment:
  PLURABASE_POSTGRES_IMAGE   the image of the projects' databases; debian: a small one that is made here from Debian's
                             packages (run: upstream's, or debian where no registry has it for you; with: debian)
and of run:
  PLURABASE_SERVICES         what a new project has where nobody decides (db). The images of the others are pulled, or
                             named by PLURABASE_AUTH_IMAGE and its like: provisioner -h lists them
  PLURABASE_LISTEN           the gateway's address (127.0.0.1:8000)
  PLURABASE_POSTGRES_LISTEN  the address of the one Postgres port for every project (127.0.0.1:5432, where that is free);
                             empty: there is none
  DATABASE_URL               a Postgres to use instead of a private one in .run/postgres
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	var ended exitError
	switch {
	case errors.As(err, &ended):
		os.Exit(ended.code)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "run":
		return run(ctx)
	case len(arguments) > 1 && arguments[0] == "with":
		return with(ctx, arguments[1:])
	default:
		fmt.Fprint(os.Stderr, usage)
		return exitError{2}
	}
}

// prepare makes the machine ready, and returns the repository and the run folder with it.
func prepare(ctx context.Context, image string, tests bool) (m *machine.Machine, root, dir string, err error) {
	if root, err = os.Getwd(); err != nil {
		return nil, "", "", err
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return nil, "", "", errors.New("run this in the repository's own folder")
	}
	dir = filepath.Join(root, ".run")
	m, err = machine.Prepare(ctx, machine.Options{
		Root: root, Dir: dir, PostgresImage: image, Tests: tests, Progress: machine.NewProgress(os.Stdout),
	})
	return m, root, dir, err
}

func run(ctx context.Context) error {
	began := time.Now()
	fmt.Println("Preparing this machine:")
	m, root, dir, err := prepare(ctx, os.Getenv("PLURABASE_POSTGRES_IMAGE"), false)
	if err != nil {
		return err
	}
	defer m.Close()
	listen := os.Getenv("PLURABASE_LISTEN")
	if listen == "" {
		listen = "127.0.0.1:8000"
	}
	postgres := postgresAddress(ctx)
	p, err := platform.Start(ctx, platform.Options{
		Machine: m, Root: root, Dir: dir, Listen: listen, Postgres: postgres, DatabaseURL: os.Getenv("DATABASE_URL"), Target: "local",
		Log: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is taken: end what listens there, or name another address by PLURABASE_LISTEN", listen)
	}
	if err != nil {
		return err
	}
	greet(p, m, root, time.Since(began))
	if postgres != "" {
		fmt.Printf("Its database is at postgresql://postgres.<its ref>@%s/postgres.\n", p.PostgresAddress())
		if !strings.HasPrefix(p.PostgresAddress(), platform.PostgresName) {
			fmt.Printf("For supabase --linked, this machine has to know a name: add `127.0.0.1 %s` to /etc/hosts, and start again.\n", platform.PostgresName)
		}
	}
	if err := p.Follow(ctx, os.Stdout); err != nil {
		return errors.Join(err, p.Close()) //nolint:contextcheck // ending takes a time of its own
	}
	fmt.Println("\nEnding. Projects that are running go on in Docker; `make run` finds them again.")
	return p.Close() //nolint:contextcheck // ctx has ended, and ending takes a time of its own
}

// postgresAddress is where the one Postgres port for every project is opened: nowhere, where the machine has a Postgres of its own there.
func postgresAddress(ctx context.Context) string {
	address, given := os.LookupEnv("PLURABASE_POSTGRES_LISTEN")
	if !given {
		address = "127.0.0.1:5432"
	}
	if address == "" {
		return ""
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		fmt.Printf("\n%s is taken, so that there is no Postgres port for every project: psql reaches each database on a port of its own, and\n"+
			"supabase --linked none. PLURABASE_POSTGRES_LISTEN names another port.\n", address)
		return ""
	}
	_ = listener.Close()
	return address
}

// greet says where the platform is and what to type next.
func greet(p *platform.Platform, m *machine.Machine, root string, took time.Duration) {
	relative := func(path string) string {
		if short, err := filepath.Rel(root, path); err == nil {
			return short
		}
		return path
	}
	cli := relative(p.CLI()) + " --profile " + relative(p.ProfileFile())
	fmt.Printf(`
Ready after %s: %s
Projects' databases run %s. Logs are in %s. Ctrl-C ends it.

In another terminal:
  export SUPABASE_ACCESS_TOKEN=%s
  %s orgs create Acme --yes
  %s projects create shop --org-id <its id> --db-password <a password> --region eu-central-1 --yes
  %s projects list

A project's API is at http://<its ref>.localhost:%s, and at %s/p/<its ref>.
`, took.Round(100*time.Millisecond), p.URL(), m.PostgresImage, relative(filepath.Join(root, ".run", "log")), p.AccessToken(), cli, cli, cli, p.Port(), p.URL())
}

// with runs a command on a machine that is ready, and ends what had to be started for it.
func with(ctx context.Context, arguments []string) error {
	image := os.Getenv("PLURABASE_POSTGRES_IMAGE")
	if image == "" {
		image = machine.DebianImage
	}
	m, _, _, err := prepare(ctx, image, true)
	if err != nil {
		return err
	}
	defer m.Close()
	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...) //nolint:gosec // running what it is told is its task
	command.Env = append(os.Environ(), "PLURABASE_POSTGRES_IMAGE="+m.PostgresImage)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	err = command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitError{exit.ExitCode()}
	}
	return err
}

// exitError is the end of a command that has said itself what went wrong.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }
