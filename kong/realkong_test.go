package kong_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// realKong is a container of a real Kong on the host's network, with the plugins in its image.
type realKong struct {
	t         *testing.T
	container string
	url       string
}

// builtImage is the image with the plugins in it, built once for all tests; an error says why it can't be had.
var builtImage = sync.OnceValues(func() (string, error) {
	const tag = "plurabase/kong:test"
	kongImage := os.Getenv("KONG_IMAGE")
	if output, err := exec.Command("docker", "image", "inspect", kongImage).CombinedOutput(); err != nil {
		if pulled, pullErr := exec.Command("docker", "pull", kongImage).CombinedOutput(); pullErr != nil {
			return "", fmt.Errorf("the image %s can't be had: %s%s", kongImage, output, pulled)
		}
	}
	folder, err := os.MkdirTemp("", "kong-image")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	build := exec.Command("go", "build", "-o", folder, "github.com/plurabase/plurabase/plugins/...", "github.com/plurabase/plurabase/kong/kong-render")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the plugins: %w\n%s", err, output)
	}
	for _, name := range []string{"entrypoint.sh", "kong.platform.yml", "kong.standalone.yml", "kong.beside.yml"} {
		content, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return "", err
		}
	}
	image := exec.Command("docker", "build", "--build-arg", "KONG_IMAGE="+kongImage, "-t", tag, "-f", "Dockerfile", folder)
	if output, err := image.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the image: %w\n%s", err, output)
	}
	return tag, nil
})

func startKong(t *testing.T, kongImage string, environment map[string]string) gateway {
	t.Helper()
	built, err := builtImage()
	if err != nil && strings.Contains(err.Error(), "can't be had") {
		t.Skipf("no real Kong: %v", err)
	}
	require.NoError(t, err, kongImage)

	// Nothing but kong.platform.yml, as in kongtest's host.
	base := filepath.Join(t.TempDir(), "kong.yml")
	require.NoError(t, os.WriteFile(base, []byte("_format_version: \"3.0\"\n"), 0o644)) // Kong runs as another user
	require.NoError(t, os.Chmod(filepath.Dir(base), 0o755))

	port := freePort(t)
	arguments := []string{
		"run", "--detach", "--network", "host", "--volume", base + ":/base.yml:ro", "--env", "PLURABASE_KONG_BASE=/base.yml",
		"--env", "KONG_ADMIN_LISTEN=off", "--env", "KONG_STATUS_LISTEN=off",
		"--env", fmt.Sprintf("KONG_PROXY_LISTEN=127.0.0.1:%d", port), "--env", "KONG_NGINX_WORKER_PROCESSES=1",
	}
	for name, value := range environment {
		arguments = append(arguments, "--env", name+"="+value)
	}
	started, err := exec.CommandContext(t.Context(), "docker", append(arguments, built)...).Output()
	require.NoError(t, err)
	k := &realKong{t: t, container: strings.TrimSpace(string(started)), url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	t.Cleanup(k.remove)
	require.Eventually(t, k.answers, time.Minute, 100*time.Millisecond, "Kong with the plugins did not come up")
	return k
}

// URL is where Kong proxies.
func (k *realKong) URL() string { return k.url }

// PluginPID finds a plugin's process, by its number on the host.
func (k *realKong) PluginPID(name string) (int, bool) {
	listed, err := exec.CommandContext(k.t.Context(), "docker", "top", k.container, "-eo", "pid,comm").Output()
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(listed)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[1] == name {
			pid, err := strconv.Atoi(fields[0])
			return pid, err == nil
		}
	}
	return 0, false
}

// answers tells whether the plugin does, and not Kong in its place.
func (k *realKong) answers() bool {
	request, err := http.NewRequestWithContext(k.t.Context(), http.MethodGet, k.url+"/api/platform/profile", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusUnauthorized
}

func (k *realKong) remove() {
	if k.t.Failed() {
		logs, _ := exec.Command("docker", "logs", "--tail", "100", k.container).CombinedOutput()
		k.t.Logf("Kong's log:\n%s", logs)
	}
	// The test's own context has ended by now.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(k.t, exec.CommandContext(ctx, "docker", "rm", "--force", "--volumes", k.container).Run())
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return listener.Addr().(*net.TCPAddr).Port
}
