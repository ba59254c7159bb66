package docker_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/engine/docker"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a real Docker, and a project on it that is the test's own.
type bundle struct {
	*testing.T
	*docker.Engine
	image, target, ref string
}

func setup(t *testing.T) *bundle {
	t.Helper()
	return setupIn(t, env.ToMap(os.Environ()))
}

// setupIn is setup with the Docker that an environment names.
func setupIn(t *testing.T, environment map[string]string) *bundle {
	t.Helper()
	runtime, err := docker.New(environment)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, runtime.Close()) })
	b := &bundle{
		T: t, Engine: runtime, image: os.Getenv("PLURABASE_POSTGRES_IMAGE"), target: "test",
		ref: strings.ToLower(rand.Text()[:20]),
	}
	if b.image == "" {
		b.image = "plurabase/postgres:15-debian"
	}
	err = runtime.Ping(t.Context())
	if err == nil && !b.observe().Images[b.image] {
		err = engine.ErrNotFound
	}
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("needs Docker with the image %s: %v", b.image, err)
	}
	require.NoError(t, err)
	t.Cleanup(b.removeEverything)
	return b
}

func (b *bundle) observe(others ...string) engine.Observed {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	seen, err := b.Observe(ctx, engine.Question{Target: b.target, Ref: b.ref, Images: []string{b.image}, Others: others})
	require.NoError(b, err)
	return seen
}

func (b *bundle) removeEverything() {
	ctx, seen := context.WithoutCancel(b.Context()), b.observe()
	for _, one := range seen.Containers {
		require.NoError(b, b.RemoveContainer(ctx, one.Name))
	}
	for _, one := range seen.Networks {
		require.NoError(b, b.RemoveNetwork(ctx, one.Name))
	}
	for _, one := range seen.Volumes {
		require.NoError(b, b.RemoveVolume(ctx, one.Name))
	}
}

// network makes the project's network, in a subnet that nobody else has by chance.
func (b *bundle) network() stack.Network {
	b.Helper()
	var random [2]byte
	_, _ = rand.Read(random[:])
	base := netip.AddrFrom4([4]byte{10, 215, random[0], random[1] &^ 15})
	network := stack.Network{Name: stack.Prefix(b.ref), Subnet: netip.PrefixFrom(base, 28), Labels: stack.Labels(b.target, b.ref)}
	require.NoError(b, b.CreateNetwork(b.Context(), network))
	return network
}

// sleeper is a service that does nothing of interest. Its volume carries the project's labels: Docker would make a nameless
// one for what the image declares, which nobody finds again.
func (b *bundle) sleeper(name string, ports ...stack.Port) stack.Service {
	b.Helper()
	volume := stack.Volume{Name: stack.Name(b.ref, name), Labels: stack.Labels(b.target, b.ref)}
	require.NoError(b, b.CreateVolume(b.Context(), volume))
	return stack.Service{
		Mounts: []stack.Mount{{Volume: volume.Name, Path: "/var/lib/postgresql/data"}},
		Name:   name, Container: stack.Name(b.ref, name), Image: b.image, Env: stack.Env{"POSTGRES_PASSWORD": "p"},
		Labels: stack.Labels(b.target, b.ref), Ports: ports, StopTimeout: time.Second, StopSignal: "SIGKILL",
		Health: stack.Health{Command: []string{"true"}, Interval: time.Second, Timeout: time.Second, Retries: 1, StartInterval: time.Second},
		Limits: stack.Limits{MemoryBytes: 256 << 20, MilliCPUs: 64_000, Processes: 100},
	}
}

func (b *bundle) start(network stack.Network, service stack.Service) {
	b.Helper()
	require.NoError(b, b.CreateContainer(b.Context(), network.Name, service))
	require.NoError(b, b.StartContainer(b.Context(), service.Container))
}

func TestAContainersLife(t *testing.T) {
	t.Parallel()
	b := setup(t)
	network, service := b.network(), b.sleeper("one")
	require.NoError(t, b.CreateContainer(t.Context(), network.Name, service))
	seen := b.observe()
	require.Equal(t, engine.StateCreated, seen.Containers[0].State)
	require.Equal(t, []string{network.Name}, seen.Containers[0].Networks)
	require.Equal(t, service.Labels, subset(seen.Containers[0].Labels, service.Labels))

	require.NoError(t, b.StartContainer(t.Context(), service.Container))
	require.Eventually(t, func() bool {
		one, err := b.Container(t.Context(), service.Container)
		return err == nil && one.Healthy && one.Runs()
	}, 30*time.Second, 50*time.Millisecond)
	require.True(t, b.observe().Containers[0].Healthy, "the list says so, too")
	require.Equal(t, []string{service.Container}, b.observe().Networks[0].Members)

	require.NoError(t, b.StopContainer(t.Context(), service.Container))
	require.Equal(t, engine.StateExited, b.observe().Containers[0].State)
	for range 2 { // what is away already is no error
		require.NoError(t, b.RemoveContainer(t.Context(), service.Container))
		require.NoError(t, b.StopContainer(t.Context(), service.Container))
		require.NoError(t, b.RemoveNetwork(t.Context(), network.Name))
	}
	_, err := b.Container(t.Context(), service.Container)
	require.ErrorIs(t, err, engine.ErrNotFound)
}

func TestACommandInsideAContainer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	service := b.sleeper("one")
	b.start(b.network(), service)
	printed, err := b.Engine.Run(t.Context(), service.Container, stack.Command{
		Args: []string{"sh", "-c", `cat; printf %s "$WORD"; echo noise >&2`}, Env: stack.Env{"WORD": "world"}, Input: "hello ",
	})
	require.NoError(t, err)
	require.Equal(t, "hello world", printed)

	_, err = b.Engine.Run(t.Context(), service.Container, stack.Command{Args: []string{"sh", "-c", "echo first >&2; echo last >&2; exit 3"}})
	require.EqualError(t, err, "sh exited with code 3: last")

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = b.Engine.Run(ctx, service.Container, stack.Command{Args: []string{"sleep", "60"}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestWhatAContainerPrintedIsRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := time.Now().Add(-time.Second)
	talker := b.sleeper("talker")
	talker.Entrypoint = []string{"sh", "-c", "echo one; echo two >&2; echo three; exec sleep 600"}
	b.start(b.network(), talker)
	var read []string
	require.Eventually(t, func() bool {
		lines, err := b.Logs(t.Context(), talker.Container, before, time.Now(), 10, 1000)
		require.NoError(t, err)
		read = read[:0]
		for _, line := range lines {
			read = append(read, line.Text)
		}
		return len(read) == 3
	}, 30*time.Second, 50*time.Millisecond)
	require.ElementsMatch(t, []string{"one", "two", "three"}, read, "in no order: Docker copies each of the two streams by itself")
	lines, err := b.Logs(t.Context(), talker.Container, before, time.Now(), 2, 1000)
	require.NoError(t, err)
	require.Len(t, lines, 2, "the newest alone")
	lines, err = b.Logs(t.Context(), talker.Container, before.Add(-time.Hour), before, 10, 1000)
	require.NoError(t, err)
	require.Empty(t, lines, "it was not there then")
	_, err = b.Logs(t.Context(), "plurabase-nobody", before, time.Now(), 10, 1000)
	require.ErrorIs(t, err, engine.ErrNotFound)
}

func TestAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	service := b.sleeper("one", stack.Port{Container: 5432, Host: listener.Addr().(*net.TCPAddr).AddrPort()})
	require.NoError(t, b.CreateContainer(t.Context(), b.network().Name, service))
	require.ErrorIs(t, b.StartContainer(t.Context(), service.Container), engine.ErrPortTaken)
}

func TestASubnetThatIsTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.network()
	subnets, err := b.Subnets(t.Context())
	require.NoError(t, err)
	require.Contains(t, subnets, first.Subnet)

	second := first
	second.Name += "-second"
	second.Subnet = netip.PrefixFrom(upper(first.Subnet), 29)
	require.ErrorIs(t, b.CreateNetwork(t.Context(), second), engine.ErrSubnetTaken)
}

// TestTwoNetworksOfOneName has the second one made as it is when two ask at once: Docker before 25 looks for a namesake
// only where it is told to, and not while it makes a network.
func TestTwoNetworksOfOneName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.network()
	raw, err := client.NewClientWithOpts(client.FromEnv)
	require.NoError(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	plain := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return raw.Dialer()(ctx)
	}}}
	t.Cleanup(plain.CloseIdleConnections)
	body := fmt.Sprintf(`{"Name":%q,"Labels":{%q:%q,%q:%q}}`, first.Name, stack.LabelTarget, b.target, stack.LabelProject, b.ref)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://docker/v1.41/networks/create", strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	answer, err := plain.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	if answer.StatusCode == http.StatusConflict || answer.StatusCode == http.StatusBadRequest {
		t.Skip("this Docker Engine does not let two networks have one name")
	}
	require.Equal(t, http.StatusCreated, answer.StatusCode)

	seen := b.observe().Networks
	require.Len(t, seen, 1)
	require.True(t, seen[0].Twice)
	service := b.sleeper("one")
	require.NoError(t, b.CreateContainer(t.Context(), first.Name, service))
	err = b.StartContainer(t.Context(), service.Container)
	require.ErrorContains(t, err, "ambiguous")
	var permanent *engine.PermanentError
	require.NotErrorAs(t, err, &permanent, "it is mended when the networks are made anew")
	require.NoError(t, b.RemoveContainer(t.Context(), service.Container))
	require.NoError(t, b.RemoveNetwork(t.Context(), first.Name))
	require.Empty(t, b.observe().Networks)
}

func TestSomebodyElsesContainerJoinsAndLeaves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	network, other := b.network(), setup(t)
	gateway := other.sleeper("gateway")
	other.start(other.network(), gateway)
	require.True(t, b.observe(gateway.Container).Others[gateway.Container])

	require.NoError(t, b.Connect(t.Context(), network.Name, gateway.Container))
	require.Equal(t, []string{gateway.Container}, b.observe().Networks[0].Members)
	survey, err := b.Survey(t.Context(), b.target, []string{gateway.Container})
	require.NoError(t, err)
	require.Contains(t, survey.Others[0].Networks, network.Name)

	for range 2 {
		_ = b.Disconnect(t.Context(), network.Name, gateway.Container)
		require.Empty(t, b.observe().Networks[0].Members)
	}
}

func TestNamesFindWhatHasNoLabels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.CreateVolume(t.Context(), stack.Volume{Name: stack.Name(b.ref, "db"), Labels: map[string]string{"mine": "true"}}))
	require.Equal(t, []engine.Volume{{Name: stack.Name(b.ref, "db"), Labels: map[string]string{"mine": "true"}}}, b.observe().Volumes)
}

func TestWatchingTellsOfAStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	service := b.sleeper("one")
	require.NoError(t, b.CreateContainer(t.Context(), b.network().Name, service))
	ctx, stop := context.WithCancel(t.Context())
	changed, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() {
		ended <- b.Watch(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}()
	require.Eventually(t, func() bool { // until the watch has begun, a start may pass unseen
		require.NoError(t, b.StartContainer(t.Context(), service.Container))
		require.NoError(t, b.StopContainer(t.Context(), service.Container))
		return len(changed) > 0
	}, 30*time.Second, 50*time.Millisecond)
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// upper returns the first address of a prefix's upper half.
func upper(prefix netip.Prefix) netip.Addr {
	raw := prefix.Addr().As4()
	binary.BigEndian.PutUint32(raw[:], binary.BigEndian.Uint32(raw[:])+1<<(31-prefix.Bits()))
	return netip.AddrFrom4(raw)
}

// subset returns those of labels that are also in names: an image adds its own.
func subset(labels, names map[string]string) map[string]string {
	kept := map[string]string{}
	for name := range names {
		kept[name] = labels[name]
	}
	return kept
}
