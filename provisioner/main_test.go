package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

// binary is the provisioner, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "provisioner-test-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "provisioner")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the provisioner: %v\n%s", err, out)
		os.Exit(1)
	}
	code := pgtest.WithServer(m).Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

const (
	databasePassword = `it's "a" \pass:word`
	// patience is ample for any single thing that a test waits for.
	patience = 3 * time.Minute
)

// bundle is a platform of its own on a target of its own: nothing else on the same Docker is touched.
type bundle struct {
	testing.TB
	store   *store.Store
	url     string
	target  string
	image   string
	pool    string // apart from other platforms on this machine, and from what a killed Docker Engine may have left
	ports   string // likewise
	docker  *client.Client
	profile store.Profile
	orgID   int64
}

func setup(t testing.TB) *bundle {
	t.Helper()
	return setupOn(t, pgtest.URL(t))
}

// setupOn is setup on a platform's database of the test's own.
func setupOn(t testing.TB, url string) *bundle {
	t.Helper()
	b := &bundle{TB: t, url: url, target: "test-" + strings.ToLower(rand.Text()), image: os.Getenv("PLURABASE_POSTGRES_IMAGE")}
	if b.image == "" {
		b.image = "plurabase/postgres:15-debian"
	}
	b.pool = fmt.Sprintf("10.%d.%d.0/24", 234+mathrand.N(20), mathrand.N(256))
	first := 24000 + 10*mathrand.N(99)
	b.ports = fmt.Sprintf("%d-%d", first, first+19)
	b.requireDocker()
	var err error
	b.store, err = store.Open(t.Context(), store.Settings{DatabaseURL: b.url, MasterKey: storetest.MasterKey(t)})
	require.NoError(t, err)
	t.Cleanup(b.store.Close)
	b.profile, err = b.store.EnsureProfile(t.Context(), "6f5ec7a5-8a0c-4c6e-8d7f-4f2f3c6c9d11", "ada@example.com")
	require.NoError(t, err)
	organization, err := b.store.CreateOrganization(t.Context(), b.actor(), "Acme")
	require.NoError(t, err)
	b.orgID = organization.ID
	return b
}

// requireDocker skips the test where no Docker answers or the image is missing, and fails it under CI=true.
func (b *bundle) requireDocker() {
	b.Helper()
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	require.NoError(b, err)
	b.Cleanup(func() { _ = docker.Close() })
	if _, err = docker.Ping(b.Context()); err == nil {
		_, err = docker.ImageInspect(b.Context(), b.image)
	}
	if err != nil && os.Getenv("CI") != "true" {
		b.Skipf("needs Docker with the image %s: %v", b.image, err)
	}
	require.NoError(b, err)
	b.docker = docker
	b.Cleanup(b.removeEverything)
}

func (b *bundle) actor() store.Actor {
	return store.Actor{ProfileID: b.profile.ID, RequestID: rand.Text()}
}

func (b *bundle) create(name string) store.Ref {
	b.Helper()
	project, err := b.store.CreateProject(b.Context(), b.actor(), store.NewProject{
		OrganizationID: b.orgID, Name: name, CloudProvider: "LOCAL", Region: "local", Target: b.target,
		ComputeSize: "nano", Services: []string{"db"}, DatabasePassword: databasePassword,
	})
	require.NoError(b, err)
	return project.Ref
}

func (b *bundle) change(ref store.Ref, kind store.OperationKind) {
	b.Helper()
	_, err := b.store.ChangeProject(b.Context(), b.actor(), ref, kind)
	require.NoError(b, err)
}

func (b *bundle) project(ref store.Ref) store.Project {
	b.Helper()
	access, err := b.store.ProjectByRef(b.Context(), b.profile.ID, ref)
	require.NoError(b, err)
	return access.Project
}

func (b *bundle) awaitStatus(ref store.Ref, status store.Status) store.Project {
	b.Helper()
	var project store.Project
	require.Eventually(b, func() bool {
		project = b.project(ref)
		return project.Status == status
	}, patience, 50*time.Millisecond, "the project should become %s", status)
	return project
}

func (b *bundle) awaitGone(ref store.Ref) {
	b.Helper()
	require.Eventually(b, func() bool {
		_, err := b.store.ProjectByRef(b.Context(), b.profile.ID, ref)
		return errors.Is(err, store.ErrNotFound)
	}, patience, 50*time.Millisecond, "the project should be gone")
}

// scalar runs a query on the platform's own database.
func scalar[T any](b *bundle, query string, arguments ...any) T {
	b.Helper()
	connection, err := pgx.Connect(b.Context(), b.url)
	require.NoError(b, err)
	defer func() { _ = connection.Close(context.WithoutCancel(b.Context())) }()
	var value T
	require.NoError(b, connection.QueryRow(b.Context(), query, arguments...).Scan(&value))
	return value
}

// connect opens the project's database as a role.
func (b *bundle) connect(project store.Project, role string) *pgx.Conn {
	b.Helper()
	secrets, err := b.store.ProjectSecrets(b.Context(), project.ID, project.Ref)
	require.NoError(b, err)
	config, err := pgx.ParseConfig("dbname=postgres sslmode=disable")
	require.NoError(b, err)
	config.Host, config.Port, config.User = *project.DBHost, uint16(*project.DBPort), role
	config.Password = secrets[store.SecretDatabasePassword]
	if role == "supabase_read_only_user" {
		config.Password = secrets[store.SecretReadOnlyPassword]
	}
	connection, err := pgx.ConnectConfig(b.Context(), config)
	require.NoError(b, err)
	b.Cleanup(func() { _ = connection.Close(context.Background()) })
	return connection
}

// process is a running provisioner.
type process struct {
	command *exec.Cmd
	log     *buffer
	ended   chan struct{}
}

func (b *bundle) start(environment ...string) *process {
	b.Helper()
	p := &process{command: exec.Command(binary), log: &buffer{}, ended: make(chan struct{})}
	p.command.Env = append(os.Environ(), "DATABASE_URL="+b.url, "PLURABASE_MASTER_KEY="+storetest.MasterKeyText,
		"PLURABASE_TARGET="+b.target, "PLURABASE_POSTGRES_IMAGE="+b.image, "PLURABASE_LEASE=1s", "PLURABASE_RESYNC=500ms",
		"PLURABASE_SUBNET_POOL="+b.pool, "PLURABASE_PORT_RANGE="+b.ports, "PLURABASE_LOG_FORMAT=text")
	p.command.Env = append(p.command.Env, environment...)
	p.command.Stderr = p.log
	require.NoError(b, p.command.Start())
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	b.Cleanup(func() {
		p.kill()
		if b.Failed() {
			b.Logf("the provisioner's log:\n%s", p.log)
		}
		require.NotContains(b, p.log.String(), databasePassword)
	})
	return p
}

func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.ended
}

// stop asks the provisioner to end, and returns its exit code.
func (p *process) stop() int {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	<-p.ended
	return p.command.ProcessState.ExitCode()
}

type buffer struct {
	mutex sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.Write(p)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.String()
}

// objects returns the names of everything on Docker that carries the label, with its kind.
func (b *bundle) objects(label string) []string {
	b.Helper()
	ctx, by := context.WithoutCancel(b.Context()), filters.NewArgs(filters.Arg("label", label))
	var names []string
	containers, err := b.docker.ContainerList(ctx, container.ListOptions{All: true, Filters: by})
	require.NoError(b, err)
	for _, one := range containers {
		names = append(names, "container "+strings.TrimPrefix(one.Names[0], "/"))
	}
	networks, err := b.docker.NetworkList(ctx, network.ListOptions{Filters: by})
	require.NoError(b, err)
	for _, one := range networks {
		names = append(names, "network "+one.Name)
	}
	volumes, err := b.docker.VolumeList(ctx, volume.ListOptions{Filters: by})
	require.NoError(b, err)
	for _, one := range volumes.Volumes {
		names = append(names, "volume "+one.Name)
	}
	return names
}

// removeEverything removes what a failed test left on its target.
func (b *bundle) removeEverything() {
	ctx := context.WithoutCancel(b.Context())
	for _, object := range b.objects("io.plurabase.target=" + b.target) {
		kind, name, _ := strings.Cut(object, " ")
		switch kind {
		case "container":
			_ = b.docker.ContainerRemove(ctx, name, container.RemoveOptions{Force: true})
		case "network":
			_ = b.docker.NetworkRemove(ctx, name)
		case "volume":
			_ = b.docker.VolumeRemove(ctx, name, true)
		}
	}
}
