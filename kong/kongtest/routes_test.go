package kongtest_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
)

func TestUnknownPluginClosesItsRoutes(t *testing.T) {
	t.Parallel()
	b := setup(t, `
services:
  - name: guarded
    url: ${UPSTREAM}
    routes:
      - {name: by-service, paths: [/by-service]}
      - {name: by-route, paths: [/by-route], plugins: [{name: acl}]}
    plugins: [{name: key-auth}]
  - name: free
    url: ${UPSTREAM}
    routes:
      - {name: disabled, paths: [/disabled], plugins: [{name: key-auth, enabled: false}]}
  - {name: off, url: "${UPSTREAM}", enabled: false, routes: [{name: off, paths: [/off]}]}
`, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})

	require.Equal(t, []kongtest.UnservedRoute{
		{Route: "by-service", Plugins: []string{"key-auth"}}, {Route: "by-route", Plugins: []string{"acl", "key-auth"}},
	}, b.Unserved())
	require.Contains(t, b.logs.String(), "route=by-route")
	got := b.send(t, http.MethodGet, "/by-route", "")
	require.Equal(t, http.StatusNotImplemented, got.StatusCode)
	require.Contains(t, got.body, "acl, key-auth")
	require.Equal(t, http.StatusNoContent, b.send(t, http.MethodGet, "/disabled", "").StatusCode)
	require.Equal(t, http.StatusNotFound, b.send(t, http.MethodGet, "/off", "").StatusCode)
}

func TestUnknownGlobalPluginClosesEveryRoute(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute+"plugins: [{name: ip-restriction}]\n", noUpstream(t))

	require.Len(t, b.Unserved(), 1)
	require.Equal(t, http.StatusNotImplemented, b.send(t, http.MethodGet, "/", "").StatusCode)
	require.Equal(t, http.StatusNotImplemented, b.send(t, http.MethodGet, "/none/at/all", "").StatusCode)
}

func TestPathIsMatchedAsNginxAndKongReadIt(t *testing.T) {
	t.Parallel()
	b := setup(t, `
services:
  - name: api
    url: ${UPSTREAM}
    routes:
      - {name: outer, paths: [/api], plugins: [{name: request-termination, config: {status_code: 401}}]}
      - {name: inner, paths: [/api/inner/], plugins: [{name: request-termination, config: {status_code: 402}}]}
      - {name: secure, paths: [/secure], protocols: [https]}
`, noUpstream(t))

	for path, want := range map[string]int{
		"/api/x":                http.StatusUnauthorized,
		"/api/inner":            http.StatusUnauthorized,
		"/api/inner/x":          http.StatusPaymentRequired,
		"/api//inner/x":         http.StatusPaymentRequired,
		"/api/%69nner/x":        http.StatusPaymentRequired,
		"/api/inner/../x":       http.StatusUnauthorized,
		"/api/x/..%2finner/x":   http.StatusUnauthorized,
		"/other/../api/inner/x": http.StatusPaymentRequired,
		"/other":                http.StatusNotFound,
		"/api/../../x":          http.StatusBadRequest,
		"/%2e%2e/api":           http.StatusBadRequest,
		"/api/%00":              http.StatusBadRequest,
		"/secure":               http.StatusUpgradeRequired,
	} {
		require.Equal(t, want, b.send(t, http.MethodGet, path, "").StatusCode, path)
	}
}

func TestWrongConfigurationOfBuiltInPluginIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))

	for plugin, want := range map[string]string{
		"{name: cors, config: {origin: [a]}}":                             `unknown field "origin"`,
		"{name: cors, config: {origins: ['(']}}":                          "read an origin",
		"{name: request-termination, config: {status_code: 600}}":         "status_code must be from 100 to 599",
		"{name: request-termination, config: {message: a, body: b}}":      "message cannot be used",
		"{name: request-termination, config: {content_type: text/plain}}": "content_type requires a body",
		"{name: request-termination, config: {echo: true}}":               `unknown field "echo"`,
		"{name: cors, config: {max_age: nothing}}":                        "route everything: plugin cors, line 9",
	} {
		config := strings.ReplaceAll(oneRoute, "paths: [/]", "paths: [/]\n        plugins: ["+plugin+"]")
		require.ErrorContains(t, b.Reload(parse(t, b, config)), want, plugin)
	}
}

func TestAbsoluteTargetIsReadAsItsPath(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))
	connection, err := net.Dial("tcp", b.Addr())
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()

	_, err = io.WriteString(connection, "GET http://h.test/a?b HTTP/1.1\r\nHost: x\r\nDo: path_with_query; host\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"path_with_query": "/a?b", "host": "h.test"}, results(t, string(body)))
}

func TestRequestTermination(t *testing.T) {
	t.Parallel()
	b := setup(t, `
services:
  - name: api
    url: ${UPSTREAM}
    routes:
      - {name: bare, paths: [/bare], plugins: [{name: request-termination}]}
      - {name: message, paths: [/message], plugins: [{name: request-termination, config: {status_code: 403, message: "closed"}}]}
      - {name: body, paths: [/body], plugins: [{name: request-termination, config: {body: "<p>", content_type: text/html}}]}
      - {name: triggered, paths: [/triggered], plugins: [{name: request-termination, config: {trigger: x-stop}}]}
      - {name: guard, paths: [/guard], plugins: [{name: request-termination}, {name: tester}]}
`, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

	got := b.send(t, http.MethodGet, "/bare", "")
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	require.JSONEq(t, `{"message":"Service unavailable"}`, got.body)
	got = b.send(t, http.MethodGet, "/message", "")
	require.Equal(t, http.StatusForbidden, got.StatusCode)
	require.JSONEq(t, `{"message":"closed"}`, got.body)
	got = b.send(t, http.MethodGet, "/body", "")
	require.Equal(t, "<p>", got.body)
	require.Equal(t, "text/html; charset=UTF-8", got.Header.Get("Content-Type"))

	require.Equal(t, http.StatusNoContent, b.send(t, http.MethodGet, "/triggered", "").StatusCode)
	require.Equal(t, http.StatusServiceUnavailable, b.send(t, http.MethodGet, "/triggered", "", "X-Stop: 1").StatusCode)
	require.Equal(t, http.StatusServiceUnavailable, b.send(t, http.MethodGet, "/triggered?x-stop", "").StatusCode)

	require.Equal(t, http.StatusTeapot, b.send(t, http.MethodGet, "/guard", "", "Do: exit:418").StatusCode)
	require.Equal(t, http.StatusServiceUnavailable, b.send(t, http.MethodGet, "/guard", "", "Do: proxy").StatusCode,
		"it runs after the plugin, when that did not answer")
}
