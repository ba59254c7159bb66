package kongtest_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDeadPluginAnswers500UntilItIsBack(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))
	b.do(t, http.MethodGet, "/", "", "pid") // Now there is an instance, and a connection that will be dead.
	pid, ok := b.PluginPID("tester")
	require.True(t, ok)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))

	failed := 0
	require.Eventually(t, func() bool {
		got := b.send(t, http.MethodGet, "/", "", "Do: pid")
		if got.StatusCode == http.StatusInternalServerError {
			require.Contains(t, got.body, "An unexpected error occurred")
			failed++
			return false
		}
		require.Equal(t, http.StatusOK, got.StatusCode)
		return true
	}, patience, tick)
	require.Positive(t, failed)
	next, ok := b.PluginPID("tester")
	require.True(t, ok)
	require.NotEqual(t, pid, next)
}

func TestPluginIsRespawnedAtMostOnceASecond(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))

	started := time.Now()
	for range 2 {
		pid, _ := b.PluginPID("tester")
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		require.Eventually(t, func() bool {
			next, running := b.PluginPID("tester")
			return running && next != pid
		}, patience, tick)
	}
	require.GreaterOrEqual(t, time.Since(started), time.Second)
}

func TestPanicAnswers500ForEveryRequestInFlight(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))
	marker := filepath.Join(t.TempDir(), "held")
	held := b.sendLater(t, "hang:"+marker)
	waitForFile(t, marker)

	got := b.send(t, http.MethodGet, "/", "", "Do: panic:on purpose")
	require.Equal(t, http.StatusInternalServerError, got.StatusCode)
	require.Equal(t, http.StatusInternalServerError, held(t).StatusCode)
	require.Contains(t, b.logs.String(), "on purpose")
}

// TestReplacedPluginRunsTheRequestAgain is Kong's behaviour when it is reloaded: the plugin's phase runs twice.
func TestReplacedPluginRunsTheRequestAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))
	marker := filepath.Join(t.TempDir(), "held")
	held := b.sendLater(t, "var:kong_request_id; hang:"+marker)
	waitForFile(t, marker)
	before, _ := b.PluginPID("tester")

	require.NoError(t, b.ReplacePlugin(t.Context(), "tester"))
	got := held(t)
	require.Equal(t, http.StatusOK, got.StatusCode)
	list := results(t, got.body)
	require.Equal(t, "came back", list["hang:"+marker])
	require.Equal(t, got.Header.Get("X-Kong-Request-Id"), list["var:kong_request_id"], "the id is the request's, not the try's")
	after, ok := b.PluginPID("tester")
	require.True(t, ok)
	require.NotEqual(t, before, after)
	require.ErrorContains(t, b.ReplacePlugin(t.Context(), "nobody"), "there is no plugin")
}

func TestConcurrentRequestsHaveConnectionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))

	for i := range 32 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			path := "/" + strings.Repeat("x", i+1)
			require.Equal(t, path, b.do(t, http.MethodGet, path, "", "path")["path"])
		})
	}
}

// TestExitBlocksUntilTheClientHasReadEverything looks at the plugin's connection from outside: as long as the client
// reads nothing, the plugin is in Exit, and its log line is not written.
func TestExitBlocksUntilTheClientHasReadEverything(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))
	connection, err := net.Dial("tcp", b.Addr())
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(connection, "GET / HTTP/1.1\r\nHost: x\r\nDo: exit:200,large\r\n\r\n")
	require.NoError(t, err)
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()

	require.Equal(t, 1, b.openSockets(t), "the plugin's call is still open")
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.openSockets(t) == 0 }, patience, tick, "and closed afterwards")
}

func TestConnectionIsKeptUnlessThePluginExits(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

	for range 3 {
		got := b.send(t, http.MethodGet, "/", "", "Do: proxy")
		require.Equal(t, http.StatusNoContent, got.StatusCode)
	}
	require.Equal(t, 1, b.openSockets(t))
	b.do(t, http.MethodGet, "/", "", "path")
	require.Eventually(t, func() bool { return b.openSockets(t) == 0 }, patience, tick)
}

// openSockets counts the connections that the plugin's process has accepted.
func (b *bundle) openSockets(t *testing.T) int {
	t.Helper()
	table, err := os.ReadFile("/proc/net/unix")
	require.NoError(t, err)
	const connected = " 03 " // SS_CONNECTED, in the column before the inode.
	open := 0
	for line := range strings.SplitSeq(string(table), "\n") {
		if strings.HasSuffix(line, filepath.Join(b.prefix, "tester.socket")) && strings.Contains(line, connected) {
			open++
		}
	}
	return open
}

func TestPluginThatStaysSilentAnswers500(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t), withPluginTimeout(100*time.Millisecond))

	got := b.send(t, http.MethodGet, "/", "", "Do: hang:"+filepath.Join(t.TempDir(), "held"))
	require.Equal(t, http.StatusInternalServerError, got.StatusCode)
	require.Contains(t, b.logs.String(), "timeout")
}

func TestPhasesRunInTheirOrder(t *testing.T) {
	t.Parallel()
	logFile := filepath.Join(t.TempDir(), "log")
	b := setup(t, `
services:
  - name: api
    url: ${UPSTREAM}
    routes:
      - name: everything
        paths: [/]
        plugins:
          - name: tester
          - name: logger
            config: {log_file: `+logFile+`}
          - name: responder
plugins:
  - name: rewriter
`, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Upstream", "yes")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "from upstream")
	}, withPlugins("rewriter", "responder", "logger"))

	got := b.send(t, http.MethodGet, "/", "",
		"Do-Rewrite: share:note=from rewrite; proxy",
		"Do: shared:note; proxy",
		"Do-Response: upstream_status; upstream_header:x-upstream; upstream_headers; upstream_body; answer_headers; answer_source; answer_status; answer_header:x-upstream; set_status:203; proxy",
	)
	require.Equal(t, http.StatusNonAuthoritativeInfo, got.StatusCode)
	require.Equal(t, "from upstream", got.body)
	list := results(t, got.Header.Get("X-Results"))
	for _, name := range []string{"upstream_headers", "answer_headers"} {
		require.Equal(t, []any{"yes"}, list[name].(map[string]any)["x-upstream"])
		delete(list, name)
	}
	require.Equal(t, map[string]any{
		"upstream_status": 202.0, "upstream_header:x-upstream": "yes", "upstream_body": "from upstream",
		"answer_source": "service", "answer_status": 202.0, "answer_header:x-upstream": "yes", "set_status:203": nil,
	}, list)
	require.Equal(t, map[string]any{
		"status": 203.0, "do": "shared:note; proxy", "note": "from rewrite",
	}, lastLine(t, logFile))
}

func TestPluginAnswersInTheResponsePhase(t *testing.T) {
	t.Parallel()
	b := setup(t, `
services:
  - name: api
    url: ${UPSTREAM}
    routes: [{name: everything, paths: [/]}]
    plugins: [{name: responder}]
`, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "from upstream") }, withPlugins("responder"))

	got := b.send(t, http.MethodGet, "/", "", "Do-Response: exit:451")
	require.Equal(t, 451, got.StatusCode)
	require.Equal(t, "body", got.body)
	got = b.send(t, http.MethodGet, "/", "", "Do-Response: path; ask:nope; proxy")
	require.Equal(t, http.StatusInternalServerError, got.StatusCode)
	require.NotContains(t, got.body, "from upstream")
}

func TestRewritePhaseRunsForGlobalPluginsAlone(t *testing.T) {
	t.Parallel()
	const config = `
services:
  - name: api
    url: ${UPSTREAM}
    routes: [{name: everything, paths: [/known]}]
`
	upstream := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	inRoute := setup(t, strings.ReplaceAll(config, "/known]", "/known], plugins: [{name: rewriter}]"), upstream, withPlugins("rewriter"))
	global := setup(t, config+"plugins: [{name: rewriter}]", upstream, withPlugins("rewriter"))

	require.Equal(t, http.StatusNoContent, inRoute.send(t, http.MethodGet, "/known", "", "Do-Rewrite: exit:418").StatusCode)
	require.Equal(t, http.StatusTeapot, global.send(t, http.MethodGet, "/known", "", "Do-Rewrite: exit:418").StatusCode)
	require.Equal(t, http.StatusTeapot, global.send(t, http.MethodGet, "/unknown", "", "Do-Rewrite: exit:418").StatusCode,
		"and before a route is looked for")
}

func TestHigherPriorityRunsFirst(t *testing.T) {
	t.Parallel()
	b := setup(t, `
services:
  - name: api
    url: ${UPSTREAM}
    routes: [{name: everything, paths: [/]}]
    plugins:
      - name: tester
        config: {label: tester}
      - name: first
        config: {label: first}
`, noUpstream(t), withPlugins("first"))

	require.Equal(t, "first", b.do(t, http.MethodGet, "/", "", "label")["label"])
}

func TestMostSpecificConfigurationWins(t *testing.T) {
	t.Parallel()
	b := setup(t, `
services:
  - name: api
    url: ${UPSTREAM}
    routes:
      - name: own
        paths: [/own]
        plugins: [{name: tester, config: {label: route}}]
      - name: inherited
        paths: [/inherited]
    plugins: [{name: tester, config: {label: service}}]
  - name: other
    url: ${UPSTREAM}
    routes: [{name: other, paths: [/other]}]
plugins:
  - {name: tester, config: {label: global}}
`, noUpstream(t))

	for path, want := range map[string]string{"/own": "route", "/inherited": "service", "/other": "global"} {
		require.Equal(t, want, b.do(t, http.MethodGet, path, "", "label")["label"])
	}
}

func waitForFile(t *testing.T, path string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Stat(path)
		return err == nil
	}, patience, tick)
}

// lastLine waits for a file of JSON lines and gives its last one.
func lastLine(t *testing.T, path string) map[string]any {
	t.Helper()
	waitForFile(t, path)
	var line map[string]any
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		return json.Unmarshal([]byte(lines[len(lines)-1]), &line) == nil
	}, patience, tick)
	return line
}
