//go:build unix

// Package machine makes a machine ready to run the platform without containers of its own: it installs what is missing
// where it may (root on Debian), and elsewhere says exactly what to install. What is there already is left alone, so a
// second time costs next to nothing.
package machine

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/compose/postgres"
	"github.com/plurabase/plurabase/provisioner/images"
	"github.com/plurabase/plurabase/store"
)

// Options say where things go.
type Options struct {
	// Root is the repository.
	Root string
	// Dir is the run folder: everything that is fetched or built goes there.
	Dir string
	// PostgresImage is the image of the projects' databases, or DebianImage. Where it is empty: upstream's, if a registry
	// has it for us, else DebianImage.
	PostgresImage string
	// Tests asks for what only tests need, too.
	Tests    bool
	Progress *Progress
}

// Machine is a machine that is ready.
type Machine struct {
	// Binaries holds the plugins and the provisioner.
	Binaries string
	// Modules is npm's folder: postgres-meta, the supabase CLI and supabase-js.
	Modules string
	// PostgresImage is the image of the projects' databases, which the engine has.
	PostgresImage string

	docker *dockerd
}

// Prepare makes the machine ready. Close ends what it had to start.
func Prepare(ctx context.Context, options Options) (*Machine, error) {
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the run folder: %w", err)
	}
	m := &Machine{
		Binaries: filepath.Join(options.Dir, "bin"),
		Modules:  filepath.Join(options.Dir, "npm", "node_modules"),
	}
	if err := checkNode(ctx); err != nil {
		return nil, err
	}
	group, groupContext := errgroup.WithContext(ctx)
	group.Go(func() error {
		return options.Progress.Run(groupContext, "plugins and provisioner, built", func(ctx context.Context) error {
			return build(ctx, options.Root, m.Binaries)
		})
	})
	group.Go(func() error {
		return options.Progress.Run(groupContext, "postgres-meta, the supabase CLI and supabase-js, from npm", func(ctx context.Context) error {
			return installModules(ctx, platformModules, filepath.Dir(m.Modules))
		})
	})
	group.Go(func() error { return m.prepareDocker(groupContext, options) })
	if err := group.Wait(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close ends the Docker Engine, if Prepare started it.
func (m *Machine) Close() { m.docker.stop() }

// prepareDocker goes from Debian's packages to the image of the projects' databases: each needs the one before.
func (m *Machine) prepareDocker(ctx context.Context, options Options) error {
	progress := options.Progress
	err := progress.Run(ctx, "Postgres, Docker and what else Debian has", installPackages)
	if err != nil {
		return err
	}
	if options.Tests {
		err = progress.Run(ctx, "nginx, which Kong is made of, for a test", func(ctx context.Context) error {
			return ensureNginx(ctx, filepath.Join(options.Dir, "nginx"))
		})
		if err != nil {
			return err
		}
	}
	err = progress.Run(ctx, "Docker Engine", func(ctx context.Context) (err error) {
		m.docker, err = ensureDocker(ctx, filepath.Join(options.Dir, "log"))
		return err
	})
	if err != nil {
		return err
	}
	return progress.Run(ctx, "image of the projects' databases", func(ctx context.Context) (err error) {
		m.PostgresImage, err = ensurePostgresImage(ctx, options.PostgresImage)
		return err
	})
}

// DebianImage as Options.PostgresImage asks for the small image that is made here from Debian's packages.
const DebianImage = "debian"

// ensurePostgresImage decides on the image of the projects' databases: the wanted one; where none is named, upstream's, if
// a registry has it for us; else the one from Debian's packages. The provisioner pulls what is missing.
func ensurePostgresImage(ctx context.Context, wanted string) (string, error) {
	if wanted != "" && wanted != DebianImage {
		return wanted, nil
	}
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return "", fmt.Errorf("reach Docker: %w", err)
	}
	defer func() { _ = docker.Close() }()
	if upstream := images.Default(store.ServiceDatabase); wanted == "" && canBeHad(ctx, docker, upstream) {
		return upstream, nil
	}
	return postgres.EnsureImage(ctx, docker, slog.New(slog.DiscardHandler))
}

// registryTimeout is how long a registry may take to say that it has an image.
const registryTimeout = 10 * time.Second

func canBeHad(ctx context.Context, docker *client.Client, image string) bool {
	if _, err := docker.ImageInspect(ctx, image); err == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	_, err := docker.DistributionInspect(ctx, image, "")
	return err == nil
}

// build compiles the plugins and the provisioner; Go itself knows what is up to date.
func build(ctx context.Context, root, folder string) error {
	command := exec.CommandContext(ctx, "go", "build", "-o", folder+string(filepath.Separator), "./plugins/...", "./provisioner")
	command.Dir = root
	return run(command)
}

// run runs a command, and shows what it printed when it fails.
func run(command *exec.Cmd) error {
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command.Args[0], err, output)
	}
	return nil
}
