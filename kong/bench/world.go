package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/migrations/apply"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver"
)

// Keys that protect nothing: everything is thrown away.
const (
	masterKey = "cGx1cmFiYXNlLWJlbmNoLWtleS0zMi1ieXRlcy1sbmc="
	jwtSecret = "a-secret-of-at-least-32-characters-here"
	somebody  = "11111111-1111-4111-8111-111111111111"
)

// What somebody has, and what others have beside it.
const (
	organizationCount = 3
	projectCount      = 20
)

// names of the plugins that are run. The first one is the measure.
const (
	emptyPlugin    = "empty"
	platformAPI    = "platform-api"
	pgMetaCrypto   = "pg-meta-crypto"
	projectGateway = "project-gateway"
)

// moreServices are added to kong.platform.yml: the plugin that only answers, and the upstream without a plugin before it.
const moreServices = `
  - name: bench-empty
    url: http://127.0.0.1:9
    routes: [{name: bench-empty, paths: [/empty], strip_path: false}]
    plugins: [{name: empty}]
  # The same upstream as that of the plugins, without one of them before it.
  - name: bench-direct
    url: ${PG_META_URL}
    routes: [{name: bench-direct, paths: [/query, /todos], strip_path: false}]
`

// world is a gateway with the plugins and a database behind it.
type world struct {
	folder   string
	database *pgserver.Server
	host     *kongtest.Host
	session  string
	project  int64
	ref      store.Ref
	token    string // for pg-meta
	// publishable is the API key of the project.
	publishable string
	closers     []func() error
}

func newWorld(ctx context.Context, o options) (w *world, err error) {
	w = &world{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.folder, err = os.MkdirTemp("", "bench"); err != nil {
		return w, err
	}
	w.closers = append(w.closers, func() error { return os.RemoveAll(w.folder) })
	if err := w.build(ctx); err != nil {
		return w, err
	}
	if w.database, err = pgserver.Start(ctx, pgserver.Options{Dir: filepath.Join(w.folder, "postgres"), Throwaway: true}); err != nil {
		return w, err
	}
	w.closers = append(w.closers, w.database.Stop)
	if err := apply.Up(ctx, w.database.URL()); err != nil {
		return w, err
	}
	if err := w.seed(ctx); err != nil {
		return w, err
	}
	upstream, err := w.startUpstream(ctx, o.upstream)
	if err != nil {
		return w, err
	}
	if err := w.bringUp(ctx, upstream); err != nil {
		return w, err
	}
	if err := w.startGateway(ctx, "http://"+upstream.String()); err != nil {
		return w, err
	}
	return w, w.readToken(ctx)
}

func (w *world) close() error {
	var problems []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		problems = append(problems, w.closers[i]())
	}
	return errors.Join(problems...)
}

func (w *world) binary(name string) string { return filepath.Join(w.folder, "bin", name) }

// build makes executables as production has them: static and stripped.
func (w *world) build(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(w.folder, "bin")+"/",
		"./plugins/...", "./provisioner", "./kong/bench/empty")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the plugins (from the repository's top folder): %w\n%s", err, output)
	}
	return nil
}

// seed makes somebody with organizations and projects.
func (w *world) seed(ctx context.Context) error {
	var key store.MasterKey
	if err := key.UnmarshalText([]byte(masterKey)); err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Settings{DatabaseURL: w.database.URL(), MasterKey: key})
	if err != nil {
		return err
	}
	defer s.Close()
	profile, err := s.EnsureProfile(ctx, somebody, "ada@example.com")
	if err != nil {
		return err
	}
	for i := range organizationCount {
		actor := store.Actor{ProfileID: profile.ID, RequestID: fmt.Sprintf("organization-%d", i)}
		organization, err := s.CreateOrganization(ctx, actor, fmt.Sprintf("Acme %d", i))
		if err != nil {
			return err
		}
		for j := range projectCount / organizationCount {
			actor.RequestID = fmt.Sprintf("project-%d-%d", i, j)
			made, err := s.CreateProject(ctx, actor, store.NewProject{
				OrganizationID: organization.ID, Name: fmt.Sprintf("shop %d", j), CloudProvider: "LOCAL", Region: "local",
				Target: "local", ComputeSize: "micro", Services: []string{store.ServiceDatabase, store.ServiceRest}, DatabasePassword: "correct horse",
			})
			if err != nil {
				return err
			}
			w.project, w.ref = made.ID, made.Ref
		}
	}
	keys, err := s.APIKeys(ctx, w.project, w.ref)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if key.Type == store.PublishableKey {
			w.publishable = key.Key
		}
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": somebody, "email": "ada@example.com", "aud": "authenticated", "role": "authenticated",
		"exp": time.Now().Add(24 * time.Hour).Unix(),
	}).SignedString([]byte(jwtSecret))
	w.session = "Bearer " + signed
	return err
}

// bringUp makes the projects look as if a provisioner had, and the one that is asked have the upstream as its data API.
func (w *world) bringUp(ctx context.Context, upstream netip.AddrPort) error {
	connection, err := pgx.Connect(ctx, w.database.URL())
	if err != nil {
		return err
	}
	var batch pgx.Batch
	batch.Queue(`update platform.projects set status = 'ACTIVE_HEALTHY', observed_generation = generation, db_host = '127.0.0.1', db_port = 54400`)
	batch.Queue(`insert into platform.project_subnets (target, subnet, project_id) values ('local', '127.0.0.0/24', $1)
		on conflict (project_id) do update set subnet = excluded.subnet`, w.project)
	batch.Queue(`insert into platform.project_services (project_id, service, host, port, image, healthy, seen_at) values ($1, $2, $3, $4, 'stand-in', true, now())`,
		w.project, store.ServiceRest, upstream.Addr().String(), upstream.Port())
	return errors.Join(connection.SendBatch(ctx, &batch).Close(), connection.Close(ctx))
}

// startUpstream starts what stands in for postgres-meta and PostgREST: it takes a while and answers.
func (w *world) startUpstream(ctx context.Context, takes time.Duration) (netip.AddrPort, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(takes)
		_, _ = answer.Write([]byte(`[{"?column?":1}]`))
	})}
	w.closers = append(w.closers, server.Close)
	go func() { _ = server.Serve(listener) }()
	return netip.ParseAddrPort(listener.Addr().String())
}

func (w *world) startGateway(ctx context.Context, upstream string) error {
	platform, err := os.ReadFile("kong/kong.platform.yml")
	if err != nil {
		return err
	}
	config := filepath.Join(w.folder, "kong.yml")
	if err := os.WriteFile(config, append(platform, moreServices...), 0o600); err != nil { //nolint:gosec // a folder of its own
		return err
	}
	image, err := kongtest.ReadImage("kong/Dockerfile")
	if err != nil {
		return err
	}
	environment := map[string]string{
		"DATABASE_URL": w.database.URL(), "PLURABASE_MASTER_KEY": masterKey, "PLURABASE_JWT_SECRET": jwtSecret,
		"PLURABASE_PUBLIC_URL": "http://localhost:8000", "PLURABASE_PROJECT_DOMAIN": "localhost:8000",
		"PLURABASE_PROJECT_HOST":  "localhost",
		"PLURABASE_DATABASE_HOST": "localhost", "PLURABASE_STUDIO_URL": "http://localhost:8000",
		"PG_META_CRYPTO_KEY": "bench", "PG_META_URL": upstream, "PLURABASE_PPROF_DIR": w.folder,
	}
	host, err := kongtest.New(kongtest.Options{
		ConfigFile: config, Environment: image.Environment, ProxySet: image.ProxySet, LogFormat: image.LogFormat, AccessLog: image.AccessLog,
		Lookup: func(name string) (string, bool) { value, ok := environment[name]; return value, ok },
		Plugins: map[string]string{
			emptyPlugin: w.binary(emptyPlugin), platformAPI: w.binary(platformAPI), pgMetaCrypto: w.binary(pgMetaCrypto),
			projectGateway: w.binary(projectGateway),
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	if err := host.Start(ctx); err != nil {
		return err
	}
	w.host = host
	w.closers = append(w.closers, host.Close)
	if unserved := host.Unserved(); len(unserved) > 0 {
		return fmt.Errorf("routes are not served: %v", unserved)
	}
	return nil
}

// readToken asks for what Studio sends with its queries.
func (w *world) readToken(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.host.URL()+"/api/platform/projects/"+string(w.ref), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", w.session)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		return err
	}
	var project struct{ ConnectionString string }
	if err := json.Unmarshal(body.Bytes(), &project); err != nil || project.ConnectionString == "" {
		return fmt.Errorf("the project has no connection: %d %s", response.StatusCode, body.Bytes())
	}
	w.token = project.ConnectionString
	return nil
}
