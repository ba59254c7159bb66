package telemetry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store/telemetry"
)

// patience is ample for anything that a test waits for.
const patience = 10 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestAProcessIsReadyWhenWhatItNeedsIs(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	where := telemetry.Settings{Listen: telemetry.Listen(t.TempDir()), Token: "a token"}
	needs := telemetry.Check{Name: "postgres", Ask: func(context.Context) error {
		if broken.Load() {
			return errors.New("database unavailable")
		}
		return nil
	}}
	require.NoError(t, telemetry.Serve(t.Context(), where, "platform-api", prometheus.NewRegistry(), quiet(), needs))
	require.Eventually(t, func() bool { return telemetry.AskReady(t.Context(), where, "platform-api") == nil }, patience, time.Millisecond)
	broken.Store(true)
	require.ErrorContains(t, telemetry.AskReady(t.Context(), where, "platform-api"), "postgres:database unavailable")
	require.Error(t, telemetry.AskReady(t.Context(), where, "another"), "nobody listens under that name")
}

func TestReadyHealthAndMetricsAreThreeThings(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "plurabase_test_total"}))
	server := httptest.NewServer(telemetry.Handler(registry, "", telemetry.Check{Name: "docker", Ask: func(context.Context) error { return errors.New("no answer") }}))
	t.Cleanup(server.Close)
	for path, wanted := range map[string]struct {
		status int
		body   string
	}{
		"/health":  {200, "{\"status\":\"ok\"}\n"},
		"/ready":   {503, "{\"status\":\"unavailable\",\"failed\":{\"docker\":\"no answer\"}}\n"},
		"/metrics": {200, "# HELP plurabase_test_total \n# TYPE plurabase_test_total counter\nplurabase_test_total 0\n"},
		"/":        {404, "404 page not found\n"},
	} {
		response, err := http.Get(server.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, errors.Join(err, response.Body.Close()))
		require.Equal(t, wanted.status, response.StatusCode, path)
		require.Equal(t, wanted.body, string(body), path)
	}
}

func TestEachProcessFindsItsOwnPlace(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	where := telemetry.Settings{Listen: telemetry.Listen("other=127.0.0.1:1, platform-api=" + taken.Addr().String())}
	require.NoError(t, telemetry.Serve(t.Context(), where, "platform-api", prometheus.NewRegistry(), quiet()))
	require.NoError(t, telemetry.Serve(t.Context(), where, "unnamed", prometheus.NewRegistry(), quiet()))
	require.ErrorContains(t, telemetry.AskReady(t.Context(), where, "unnamed"), "names no place for unnamed")
	// The plugin before this one has the port still, and gives it up.
	require.NoError(t, taken.Close())
	require.Eventually(t, func() bool { return telemetry.AskReady(t.Context(), where, "platform-api") == nil }, patience, 10*time.Millisecond)
}

func TestAPlaceThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, where := range []telemetry.Listen{"here", "platform-api=", "platform-api=9100", telemetry.Listen(filepath.Join("a", "folder"))} {
		require.ErrorContains(t, telemetry.Serve(t.Context(), telemetry.Settings{Listen: where}, "platform-api", prometheus.NewRegistry(), quiet()), telemetry.Variable, where)
	}
	require.NoError(t, telemetry.Serve(t.Context(), telemetry.Settings{}, "platform-api", prometheus.NewRegistry(), quiet()))
}

func TestWithoutTheTokenNothingIsToldButWhetherItCanWork(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(telemetry.Handler(prometheus.NewRegistry(), "a token",
		telemetry.Check{Name: "postgres", Ask: func(context.Context) error { return errors.New("dial tcp 10.0.0.7:5432") }}))
	t.Cleanup(server.Close)
	ask := func(path, token string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		require.NoError(t, err)
		request.Header.Set("Authorization", token)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, errors.Join(err, response.Body.Close()))
		return response.StatusCode, string(body)
	}
	for _, token := range []string{"", "Bearer ", "Bearer another", "a token"} {
		status, _ := ask("/metrics", token)
		require.Equal(t, http.StatusUnauthorized, status, token)
		status, body := ask("/ready", token)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.NotContains(t, body, "10.0.0.7")
	}
	status, _ := ask("/metrics", "Bearer a token")
	require.Equal(t, http.StatusOK, status)
	_, body := ask("/ready", "Bearer a token")
	require.Contains(t, body, "10.0.0.7")
}
