//go:build unix

// Package platform runs the whole platform on this machine without containers of its own: a private Postgres, the real
// plugins behind kongtest's host, the real postgres-meta and the real provisioner, each started again when it ends. The
// projects themselves are real containers.
package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/compose/local/machine"
	"github.com/plurabase/plurabase/compose/profile"
	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/migrations/apply"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver"
)

// Options say what to run and where.
type Options struct {
	Machine *machine.Machine
	// Root is the repository: kong.platform.yml comes from there.
	Root string
	// Dir is the run folder: data, secrets and logs.
	Dir string
	// Listen is the gateway's address, as 127.0.0.1:8000.
	Listen string
	// Postgres is the address of the one Postgres port for every project; empty: there is none.
	Postgres string
	// DatabaseURL names a Postgres to use instead of a private one.
	DatabaseURL string
	// Target is the deployment target: what the projects' containers are told apart by, where one Docker Engine serves
	// several platforms.
	Target string
	// Provisioner are further settings of the provisioner.
	Provisioner map[string]string
	Log         *slog.Logger
}

// Platform is a running platform.
type Platform struct {
	options     Options
	secrets     *secrets
	databaseURL string
	postgres    *pgserver.Server
	host        *kongtest.Host
	pgMeta      *service
	pgMetaPort  int
	provisioner *service

	postgresAddress string // where the world reaches the one Postgres port; empty where there is none
}

// The names of the programs that can be told apart by PID.
const (
	PlatformAPI    = "platform-api"
	PgMetaCrypto   = "pg-meta-crypto"
	ProjectGateway = "project-gateway"
	PostgresMeta   = "postgres-meta"
	Provisioner    = "provisioner"
)

// Start starts everything and returns when it answers. Close ends it.
func Start(ctx context.Context, options Options) (*Platform, error) {
	p := &Platform{options: options}
	steps := []func(context.Context) error{
		p.startPostgres, p.startPostgresMeta, p.startProvisioner, p.startGateway, p.ensureToken, p.writeProfile, p.ready, p.awaitTarget,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, p.Close()) //nolint:contextcheck // ending takes a time of its own
		}
	}
	return p, nil
}

// Close ends what was started, the newest first. The projects' containers go on: they are the Docker Engine's.
func (p *Platform) Close() error {
	var problems []error
	if p.host != nil {
		problems = append(problems, p.host.Close())
	}
	for _, s := range []*service{p.provisioner, p.pgMeta} {
		if s != nil {
			s.stop()
		}
	}
	if p.postgres != nil {
		problems = append(problems, p.postgres.Stop())
	}
	return errors.Join(problems...)
}

// URL is where the gateway answers.
func (p *Platform) URL() string { return "http://localhost:" + p.Port() }

// AccessToken is a personal access token of the machine's own administrator.
func (p *Platform) AccessToken() string { return p.secrets.AccessToken }

// JWTSecret is what the platform's GoTrue would sign session tokens with.
func (p *Platform) JWTSecret() string { return p.secrets.JWTSecret }

// DatabaseURL is the platform's own Postgres.
func (p *Platform) DatabaseURL() string { return p.databaseURL }

// ProfileFile is a profile for the supabase CLI.
func (p *Platform) ProfileFile() string { return filepath.Join(p.options.Dir, profile.Name) }

// CLI is the supabase CLI that was installed.
func (p *Platform) CLI() string {
	return filepath.Join(p.options.Machine.Modules, ".bin", "supabase")
}

// PID returns a program's process. ok is false when it is not running.
func (p *Platform) PID(name string) (pid int, ok bool) {
	switch name {
	case PostgresMeta:
		return p.pgMeta.pid(), true
	case Provisioner:
		return p.provisioner.pid(), true
	default:
		return p.host.PluginPID(name)
	}
}

// Port is the port on which the gateway answers.
func (p *Platform) Port() string {
	_, port, _ := net.SplitHostPort(p.host.Addr())
	return port
}

// PostgresName is what this machine is called in the place of a pooler, where it knows the name: as most that run systemd know every name
// under localhost, and others by a line in /etc/hosts. The CLI asks in which domain a pooler is, and an address and `localhost` are in none.
const PostgresName = "postgres.localhost"

// PostgresAddress is where every project's database is reached on this machine.
func (p *Platform) PostgresAddress() string { return p.postgresAddress }

func postgresAddress(ctx context.Context, listen string) string {
	host, port, _ := net.SplitHostPort(listen)
	if address, err := netip.ParseAddr(host); err != nil || !address.Is4() || address.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if known, err := net.DefaultResolver.LookupHost(ctx, PostgresName); err == nil && slices.Contains(known, host) {
		host = PostgresName
	}
	return net.JoinHostPort(host, port)
}

func (p *Platform) logs() string { return filepath.Join(p.options.Dir, "log") }

func (p *Platform) startPostgres(ctx context.Context) (err error) {
	if p.secrets, err = loadSecrets(p.options.Dir); err != nil {
		return err
	}
	p.databaseURL = p.options.DatabaseURL
	if p.databaseURL == "" {
		p.postgres, err = pgserver.Start(ctx, pgserver.Options{Dir: filepath.Join(p.options.Dir, "postgres"), Logger: p.options.Log})
		if err != nil {
			return err
		}
		p.databaseURL = p.postgres.URL()
	}
	return apply.Up(ctx, p.databaseURL)
}

// startPostgresMeta gives postgres-meta a default connection that leads nowhere (port 1 is tcpmux, which nobody runs), so
// that a request without the connection header can only fail.
func (p *Platform) startPostgresMeta(context.Context) (err error) {
	if p.pgMetaPort, err = freePorts(); err != nil {
		return err
	}
	program := filepath.Join(p.options.Machine.Modules, "@supabase", "postgres-meta", "dist", "server", "server.js")
	p.pgMeta, err = startService(p.logs(), p.options.Log, PostgresMeta, "node", []string{program}, map[string]string{
		"PG_META_HOST":   "127.0.0.1",
		"PG_META_PORT":   strconv.Itoa(p.pgMetaPort),
		"PG_META_DB_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
		"CRYPTO_KEY":     p.secrets.PgMetaCryptoKey,
	})
	return err
}

// startProvisioner lets new projects have a database alone, where nobody says otherwise: the images of the other services may
// not be had here.
func (p *Platform) startProvisioner(context.Context) error {
	public, err := p.public()
	if err != nil {
		return err
	}
	environment := map[string]string{
		"DATABASE_URL":             p.databaseURL,
		"PLURABASE_MASTER_KEY":     p.secrets.MasterKey,
		"PLURABASE_POSTGRES_IMAGE": p.options.Machine.PostgresImage,
		"PLURABASE_LOG_FORMAT":     "text",
		"PLURABASE_TARGET":         p.options.Target,
		"PLURABASE_PUBLIC_URL":     public,
		"PLURABASE_PROJECT_DOMAIN": strings.TrimPrefix(public, "http://"),
		"PLURABASE_SERVICES":       cmp.Or(os.Getenv("PLURABASE_SERVICES"), store.ServiceDatabase),
	}
	for name, value := range p.options.Provisioner {
		environment[name] = value
	}
	p.provisioner, err = startService(p.logs(), p.options.Log, Provisioner, filepath.Join(p.options.Machine.Binaries, "provisioner"), nil, environment)
	return err
}

// public is the gateway's URL, as it will be.
func (p *Platform) public() (string, error) {
	_, port, err := net.SplitHostPort(p.options.Listen)
	if err != nil {
		return "", fmt.Errorf("read the gateway's address: %w", err)
	}
	return "http://localhost:" + port, nil
}

func (p *Platform) startGateway(ctx context.Context) error {
	public, err := p.public()
	if err != nil {
		return err
	}
	environment := map[string]string{
		"DATABASE_URL":             p.databaseURL,
		"PLURABASE_MASTER_KEY":     p.secrets.MasterKey,
		"PLURABASE_JWT_SECRET":     p.secrets.JWTSecret,
		"PLURABASE_PUBLIC_URL":     public,
		"PLURABASE_PROJECT_DOMAIN": strings.TrimPrefix(public, "http://"),
		"PLURABASE_DATABASE_HOST":  "localhost",
		"PLURABASE_TARGET":         p.options.Target,
		"PG_META_CRYPTO_KEY":       p.secrets.PgMetaCryptoKey,
		"PLURABASE_PG_META_URL":    "http://127.0.0.1:" + strconv.Itoa(p.pgMetaPort),
		// For kong.platform.yml itself.
		"PLURABASE_PROJECT_HOST": "localhost",
		"PLURABASE_STUDIO_URL":   public,
		"PG_META_URL":            "http://127.0.0.1:" + strconv.Itoa(p.pgMetaPort),
	}
	if p.options.Postgres != "" {
		p.postgresAddress = postgresAddress(ctx, p.options.Postgres)
		environment["PLURABASE_POSTGRES_LISTEN"] = p.options.Postgres
		environment["PLURABASE_POSTGRES_ADDRESS"] = p.postgresAddress
	}
	image, err := kongtest.ReadImage(filepath.Join(p.options.Root, "kong", "Dockerfile"))
	if err != nil {
		return err
	}
	p.host, err = kongtest.New(kongtest.Options{
		ConfigFile:  filepath.Join(p.options.Root, "kong", "kong.platform.yml"),
		Lookup:      func(name string) (string, bool) { value, ok := environment[name]; return value, ok },
		Environment: image.Environment,
		ProxySet:    image.ProxySet,
		LogFormat:   image.LogFormat,
		AccessLog:   image.AccessLog,
		Plugins: map[string]string{
			PlatformAPI:    filepath.Join(p.options.Machine.Binaries, PlatformAPI),
			PgMetaCrypto:   filepath.Join(p.options.Machine.Binaries, PgMetaCrypto),
			ProjectGateway: filepath.Join(p.options.Machine.Binaries, ProjectGateway),
		},
		Listen: p.options.Listen,
		Logger: p.options.Log,
	})
	if err != nil {
		return err
	}
	return p.host.Start(ctx)
}

// administrator is the user of the machine's own access token. Its id is nobody's at any GoTrue.
const administrator = "00000000-0000-4000-8000-000000000001"

// openStore opens the platform's database.
func (p *Platform) openStore(ctx context.Context) (*store.Store, error) {
	var masterKey store.MasterKey
	if err := masterKey.UnmarshalText([]byte(p.secrets.MasterKey)); err != nil {
		return nil, fmt.Errorf("read the run folder's master key: %w", err)
	}
	return store.Open(ctx, store.Settings{DatabaseURL: p.databaseURL, MasterKey: masterKey})
}

// ensureToken makes an access token the first time, and again when the kept one has been revoked.
func (p *Platform) ensureToken(ctx context.Context) error {
	opened, err := p.openStore(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	_, err = opened.ProfileByAccessToken(ctx, p.secrets.AccessToken)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	profile, err := opened.EnsureProfile(ctx, administrator, "admin@localhost")
	if err != nil {
		return err
	}
	made, err := opened.CreateAccessToken(ctx, store.Actor{ProfileID: profile.ID, RequestID: uuid.NewString()}, "this machine", nil)
	if err != nil {
		return err
	}
	p.secrets.AccessToken = made.Token
	return p.secrets.save(p.options.Dir)
}

// writeProfile writes the profile by which the supabase CLI talks to this platform and not to the hosted one.
func (p *Platform) writeProfile(context.Context) error {
	return profile.Write(p.ProfileFile(), p.URL(), "localhost")
}

const readyTimeout = 30 * time.Second

// ready waits until the gateway, and postgres-meta behind it, answer.
func (p *Platform) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	addresses := []string{p.URL() + "/api/platform/profile", fmt.Sprintf("http://127.0.0.1:%d/health", p.pgMetaPort)}
	for _, address := range addresses {
		if err := waitFor(ctx, address); err != nil {
			return fmt.Errorf("wait for %s (see the logs in %s): %w", address, p.logs(), err)
		}
	}
	return nil
}

// awaitTarget waits for the provisioner's first heartbeat, which says what new projects have.
func (p *Platform) awaitTarget(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	opened, err := p.openStore(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	for {
		targets, err := opened.Targets(ctx)
		if err == nil && slices.ContainsFunc(targets, func(t store.Target) bool { return t.Name == p.options.Target }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the provisioner's heartbeat (see its log in %s): %w", p.logs(), errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func waitFor(ctx context.Context, address string) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode < http.StatusInternalServerError {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// freePorts returns a port of 127.0.0.1 that is free, and so is the next one: postgres-meta takes both.
func freePorts() (int, error) {
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
		if err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+1)) //nolint:noctx // likewise
		_ = first.Close()
		if err != nil {
			continue
		}
		_ = second.Close()
		return port, nil
	}
	return 0, errors.New("find a free port: no two in a row")
}
