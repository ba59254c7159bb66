package kongtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/kong/render"
)

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// tick is how often it looks.
const tick = 5 * time.Millisecond

// binaries is the directory with the test plugin under each of its names.
var binaries string

// pluginNames are the names that the test plugin knows, see its own documentation.
var pluginNames = []string{"tester", "first", "rewriter", "responder", "logger"}

func TestMain(m *testing.M) {
	if file := os.Getenv(killedHostConfig); file != "" {
		fmt.Fprintln(os.Stderr, runKilledHost(file))
		os.Exit(1)
	}
	if err := buildPlugins(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(binaries)
		os.Exit(code)
	}))
}

func buildPlugins() error {
	directory, err := os.MkdirTemp("", "plugins")
	if err != nil {
		return err
	}
	binaries = directory
	build := exec.Command("go", "build", "-o", pluginPath(pluginNames[0]), "./internal/testplugin")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the test plugin: %w\n%s", err, output)
	}
	for _, name := range pluginNames[1:] {
		if err := os.Link(pluginPath(pluginNames[0]), pluginPath(name)); err != nil {
			return err
		}
	}
	return nil
}

func pluginPath(name string) string { return filepath.Join(binaries, name) }

// bundle is a running host and what a test needs around it.
type bundle struct {
	*kongtest.Host
	prefix   string
	logs     *logs
	upstream *httptest.Server
	client   *http.Client
}

// setup starts a host with an upstream. In the configuration ${UPSTREAM} is the upstream's URL; the one plugin that runs
// is "tester", unless change says otherwise.
func setup(t *testing.T, config string, upstream http.HandlerFunc, change ...func(*kongtest.Options)) *bundle {
	t.Helper()
	prefix, err := os.MkdirTemp("", "kong") // t.TempDir may be too long for a socket.
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(prefix) })

	b := &bundle{prefix: prefix, logs: &logs{}, upstream: httptest.NewServer(upstream)}
	t.Cleanup(b.upstream.Close)
	options := kongtest.Options{
		Config:  parse(t, b, config),
		Plugins: map[string]string{"tester": pluginPath("tester")},
		Prefix:  prefix,
		Logger:  slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&options)
	}
	b.Host, err = kongtest.New(options)
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	transport := &http.Transport{DisableCompression: true}
	b.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		require.NoError(t, b.Close())
	})
	return b
}

func parse(t *testing.T, b *bundle, config string) *render.Config {
	t.Helper()
	parsed, err := render.Parse("kong.yml", []byte("_format_version: \"3.0\"\n"+config), func(name string) (string, bool) {
		return b.upstream.URL, name == "UPSTREAM"
	})
	require.NoError(t, err)
	return parsed
}

// withPlugins lets further plugins run.
func withPlugins(names ...string) func(*kongtest.Options) {
	return func(o *kongtest.Options) {
		for _, name := range names {
			o.Plugins[name] = pluginPath(name)
		}
	}
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

// send sends a request to the host. Headers are "Name: value".
func (b *bundle) send(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	got, err := b.try(t.Context(), method, path, body, headers...)
	require.NoError(t, err)
	return got
}

// sendLater sends a request while the test goes on, which then calls what it gives to get the answer.
func (b *bundle) sendLater(t *testing.T, commands string) func(t *testing.T) answer {
	t.Helper()
	var got answer
	var err error
	done := make(chan struct{})
	ctx := t.Context()
	go func() {
		defer close(done)
		got, err = b.try(ctx, http.MethodGet, "/", "", "Do: "+commands)
	}()
	return func(t *testing.T) answer {
		t.Helper()
		<-done
		require.NoError(t, err)
		return got
	}
}

func (b *bundle) try(ctx context.Context, method, path, body string, headers ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, b.URL(), strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	// Opaque is sent as it is; a URL's path would be cleaned.
	path, query, asked := strings.Cut(path, "?")
	request.URL.Opaque, request.URL.RawQuery, request.URL.ForceQuery = path, query, asked
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			request.Host = value
		}
		request.Header.Add(name, value)
	}
	response, err := b.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	return answer{response, string(data)}, err
}

// do lets the plugin carry out commands and gives their results, "!" before an error.
func (b *bundle) do(t *testing.T, method, path, body, commands string, headers ...string) map[string]any {
	t.Helper()
	got := b.send(t, method, path, body, append(headers, "Do: "+commands)...)
	require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	return results(t, got.body)
}

func results(t *testing.T, data string) map[string]any {
	t.Helper()
	var list map[string]struct {
		Value any
		Error string
	}
	require.NoError(t, json.Unmarshal([]byte(data), &list), data)
	out := map[string]any{}
	for name, result := range list {
		out[name] = result.Value
		if result.Error != "" {
			out[name] = "!" + result.Error
		}
	}
	return out
}

// logs keeps what is logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// noUpstream fails a test whose requests reach the upstream.
func noUpstream(t *testing.T) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s must not reach the upstream", r.Method, r.URL)
	}
}

// withPluginTimeout lets plugins be silent for a while only.
func withPluginTimeout(timeout time.Duration) func(*kongtest.Options) {
	return func(o *kongtest.Options) { o.PluginTimeout = timeout }
}
