//go:build linux

package main_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/migrations/apply"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver"
	"github.com/plurabase/plurabase/store/storetest"
)

// ownDocker is a Docker Engine of a test's own, whose disk is small, and which may be ended.
type ownDocker struct {
	*bundle
	dir     string
	bridge  string
	process *exec.Cmd
	log     *buffer
}

// diskBytes is ample for the image and one database, and soon full.
const diskBytes = 1 << 30

// ownEngine moves a test to a Docker Engine of its own: sockets, data and networks are apart from the machine's. It needs root,
// for it mounts its disk.
func ownEngine(t *testing.T) *ownDocker {
	t.Helper()
	d := &ownDocker{bundle: setup(t), log: &buffer{}}
	if _, err := exec.LookPath("dockerd"); (err != nil || os.Getuid() != 0) && os.Getenv("CI") != "true" {
		t.Skip("needs root, and dockerd, for a Docker Engine of its own")
	}
	shared := d.docker
	var err error
	d.dir, err = os.MkdirTemp("", "docker-") // a socket's path is short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(d.dir) })
	require.NoError(t, os.Mkdir(d.path("data"), 0o700))
	err = syscall.Mount("plurabase-test", d.path("data"), "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes))
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skip("needs to mount a disk of its own")
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Unmount(d.path("data"), syscall.MNT_DETACH) })
	d.makeBridge()
	own, err := client.NewClientWithOpts(client.WithHost(d.host()), client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	d.docker = own
	t.Cleanup(func() {
		d.end(syscall.SIGTERM)
		_ = own.Close()
		d.docker = shared // for what setup does last
		if t.Failed() {
			t.Logf("Docker's log:\n%s", d.log)
		}
	})
	d.up()
	image, err := shared.ImageSave(t.Context(), []string{d.image})
	require.NoError(t, err)
	defer func() { _ = image.Close() }()
	loaded, err := d.docker.ImageLoad(t.Context(), image)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, loaded.Body)
	require.NoError(t, errors.Join(err, loaded.Body.Close()))
	t.Cleanup(d.removeEverything) // before it ends
	return d
}

func (d *ownDocker) path(name string) string { return filepath.Join(d.dir, name) }

func (d *ownDocker) host() string { return "unix://" + d.path("docker.sock") }

// makeBridge makes a bridge that the engine is told to use: without one it would remove docker0, which is the machine's own engine's.
func (d *ownDocker) makeBridge() {
	d.Helper()
	d.bridge = "plurabase-" + strings.ToLower(rand.Text()[:4])
	ip := func(arguments ...string) {
		output, err := exec.Command("ip", arguments...).CombinedOutput()
		require.NoError(d, err, "%s", output)
	}
	ip("link", "add", "name", d.bridge, "type", "bridge")
	d.Cleanup(func() { ip("link", "delete", d.bridge) })
	ip("address", "add", fmt.Sprintf("10.255.%d.1/24", mathrand.N(256)), "dev", d.bridge)
}

// up starts the engine, and waits until it answers. It leaves the machine's packet filter alone.
func (d *ownDocker) up() {
	d.Helper()
	d.process = exec.Command("dockerd", "--host="+d.host(), "--data-root="+d.path("data"), "--exec-root="+d.path("exec"),
		"--pidfile="+d.path("pid"), "--bridge="+d.bridge, "--iptables=false", "--ip-masq=false", "--ip-forward=false")
	d.process.Stdout, d.process.Stderr = d.log, d.log
	require.NoError(d, d.process.Start())
	require.Eventually(d, func() bool {
		_, err := d.docker.Ping(d.Context())
		return err == nil
	}, patience, 100*time.Millisecond, "the engine answers")
}

// end ends the engine with all that keeps its containers, as with the machine. Engine 20.10 cannot start a container again whose
// start it was ended in, as long as containerd's shim of that first start is there: `task …: already exists`.
func (d *ownDocker) end(signal syscall.Signal) {
	if d.process == nil {
		return
	}
	_ = d.process.Process.Signal(signal)
	_ = d.process.Wait()
	d.process = nil
	programs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(d, err)
	for _, program := range programs {
		line, _ := os.ReadFile(program) // it may have ended
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(program))); err == nil &&
			bytes.Contains(line, []byte("containerd-shim")) && bytes.Contains(line, []byte(d.dir)) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// fill leaves nothing of the engine's disk. It returns what gives it back.
func (d *ownDocker) fill() (free func()) {
	d.Helper()
	name := d.path("data/filler")
	file, err := os.Create(name)
	require.NoError(d, err)
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = file.Write(block)
	}
	require.ErrorIs(d, err, syscall.ENOSPC)
	require.NoError(d, file.Close())
	return func() { require.NoError(d, os.Remove(name)) }
}

// begun waits until an operation's step has begun.
func (b *bundle) begun(step string) {
	b.Helper()
	require.Eventually(b, func() bool {
		return scalar[bool](b, `select exists (select from platform.operation_steps where step = $1)`, step)
	}, patience, 10*time.Millisecond, step)
}

// TestTroublesOfDockerLoseNothing restarts Docker in the middle of creates, and lets its disk be full.
func TestTroublesOfDockerLoseNothing(t *testing.T) {
	t.Parallel()
	d := ownEngine(t)
	working := d.start("DOCKER_HOST=" + d.host())
	shop, blog := d.create("shop"), d.create("blog")
	d.begun("start-container:db")
	d.end(syscall.SIGTERM)
	d.up()
	for _, ref := range []store.Ref{shop, blog} {
		d.awaitStatus(ref, store.StatusActiveHealthy)
		name := "plurabase-" + string(ref)
		require.ElementsMatch(t, []string{
			"container " + name + "-db", "network " + name, "volume " + name + "-db", "volume " + name + "-db-config",
		}, d.objects("io.plurabase.project="+string(ref)), "nothing twice, and nothing lost")
	}

	d.run(shop, `create table kept as select 42 as answer`)
	before := d.objects("io.plurabase.project=" + string(shop))
	working.kill()
	d.start("DOCKER_HOST="+d.host(), "PLURABASE_OPERATION_DEADLINE=20s") // it is not to be waited for long
	free := d.fill()
	d.change(shop, store.OperationRestart)
	d.awaitOperation(shop, store.OperationRestart)
	free()
	project := d.awaitStatus(shop, store.StatusActiveHealthy) // by itself
	d.requireData(project)
	require.ElementsMatch(t, before, d.objects("io.plurabase.project="+string(shop)))
}

// awaitOperation waits until a project's last operation has ended, in whatever way.
func (b *bundle) awaitOperation(ref store.Ref, kind store.OperationKind) {
	b.Helper()
	require.Eventually(b, func() bool {
		return scalar[bool](b, `
			select state in ('succeeded', 'failed') from platform.operations where project_ref = $1 and kind = $2 order by id desc limit 1`, ref, kind)
	}, patience, 50*time.Millisecond)
	status := b.project(ref).Status
	require.Contains(b, []store.Status{store.StatusActiveHealthy, store.StatusActiveUnhealthy}, status)
}

// TestAPostgresThatIsRestartedIsWaitedFor restarts the platform's own Postgres in the middle of creates, of a pause and of a restore.
func TestAPostgresThatIsRestartedIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "postgres-") // not below a folder that is root's alone, as t.TempDir is
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	options := pgserver.Options{Dir: dir}
	server, err := pgserver.Start(t.Context(), options)
	if errors.Is(err, pgserver.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("needs Postgres' programs")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	address, err := url.Parse(server.URL())
	require.NoError(t, err)
	options.Port, err = strconv.Atoi(address.Port())
	require.NoError(t, err)
	require.NoError(t, apply.Up(t.Context(), server.URL()))
	b := setupOn(t, server.URL())
	again := func() {
		require.NoError(t, server.Stop())
		server, err = pgserver.Start(context.WithoutCancel(t.Context()), options)
		require.NoError(t, err)
		b.store, err = store.Open(t.Context(), store.Settings{DatabaseURL: b.url, MasterKey: storetest.MasterKey(t)}) // the one before has broken connections
		require.NoError(t, err)
		t.Cleanup(b.store.Close)
	}
	working := b.start()
	shop, blog := b.create("shop"), b.create("blog")
	b.begun("start-container:db")
	again()
	b.awaitStatus(shop, store.StatusActiveHealthy)
	b.run(shop, `create table kept as select 42 as answer`)
	b.change(shop, store.OperationPause)
	b.begun("stop-container:db")
	again()
	b.awaitStatus(shop, store.StatusInactive)
	b.change(shop, store.OperationRestore)
	again()
	b.requireData(b.awaitStatus(shop, store.StatusActiveHealthy))
	b.awaitStatus(blog, store.StatusActiveHealthy)
	for _, ref := range []store.Ref{shop, blog} {
		name := "plurabase-" + string(ref)
		require.ElementsMatch(t, []string{
			"container " + name + "-db", "network " + name, "volume " + name + "-db", "volume " + name + "-db-config",
		}, b.objects("io.plurabase.project="+string(ref)), "nothing twice, and nothing lost")
	}
	select {
	case <-working.ended:
		require.Fail(t, "the provisioner ended with its Postgres", "%s", working.log)
	default:
	}
}
