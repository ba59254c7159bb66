package kongtest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

const corsRoutes = `
services:
  - name: api
    url: ${UPSTREAM}
    routes:
      - name: one
        paths: [/one]
        plugins:
          - name: cors
            config:
              origins: ["http://studio.test"]
              credentials: true
              methods: [GET, POST]
              headers: [authorization, content-type]
              exposed_headers: [x-total]
              max_age: 3600
          - name: tester
      - name: many
        paths: [/many]
        plugins:
          - name: cors
            config: {origins: ["http://a.test", '^https?://.*\.b\.test$', '(x|y)\.c\.test'], credentials: true}
      - name: any
        paths: [/any]
        plugins: [{name: cors, config: {credentials: true}}]
      - name: star
        paths: [/star]
        plugins: [{name: cors, config: {origins: ["*", "http://a.test"]}}]
      - name: continued
        paths: [/continued]
        plugins: [{name: cors, config: {preflight_continue: true}}]
`

func TestPreflight(t *testing.T) {
	t.Parallel()
	b := setup(t, corsRoutes, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	preflight := []string{"Origin: http://evil.test", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-asked"}

	got := b.send(t, http.MethodOptions, "/one", "", preflight...)
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Empty(t, got.body)
	requireHeaders(t, got, map[string]string{
		"Access-Control-Allow-Origin": "http://studio.test", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods": "GET,POST", "Access-Control-Allow-Headers": "authorization,content-type",
		"Access-Control-Max-Age": "3600", "Access-Control-Expose-Headers": "", "Vary": "Origin",
	})

	got = b.send(t, http.MethodOptions, "/any", "", preflight...)
	requireHeaders(t, got, map[string]string{
		"Access-Control-Allow-Origin": "http://evil.test", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Headers": "x-asked",
		"Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT",
	})

	got = b.send(t, http.MethodOptions, "/continued", "", preflight...)
	require.Equal(t, http.StatusTeapot, got.StatusCode)
	require.Empty(t, got.Header.Get("Access-Control-Allow-Origin"))

	got = b.send(t, http.MethodOptions, "/many", "", "Origin: http://a.test")
	require.Equal(t, http.StatusTeapot, got.StatusCode, "without the method that is asked for, it is no preflight")
}

func TestOriginsThatMayReadTheAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, corsRoutes, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Vary", "Accept")
		w.WriteHeader(http.StatusNoContent)
	})

	tests := []struct{ path, origin, allowed, credentials string }{
		{"/one", "http://evil.test", "http://studio.test", "true"},
		{"/many", "http://a.test", "http://a.test", "true"},
		{"/many", "http://a.test:80", "http://a.test", "true"},
		{"/many", "http://a.test:81", "", "true"},
		{"/many", "https://deep.b.test", "https://deep.b.test", "true"},
		{"/many", "https://b.test.evil", "", "true"},
		{"/many", "https://x.c.test:8443", "https://x.c.test:8443", "true"},
		{"/many", "", "", "true"},
		{"/any", "http://evil.test", "http://evil.test", "true"},
		{"/any", "", "*", ""},
		{"/star", "http://evil.test", "*", ""},
	}
	for _, test := range tests {
		var headers []string
		if test.origin != "" {
			headers = append(headers, "Origin: "+test.origin)
		}
		got := b.send(t, http.MethodGet, test.path, "", headers...)
		require.Equal(t, test.allowed, got.Header.Get("Access-Control-Allow-Origin"), test)
		require.Equal(t, test.credentials, got.Header.Get("Access-Control-Allow-Credentials"), test)
	}
	require.Equal(t, []string{"Accept", "Origin"}, b.send(t, http.MethodGet, "/one", "").Header["Vary"])
}

func TestAnswersOfPluginsHaveTheirOrigin(t *testing.T) {
	t.Parallel()
	b := setup(t, corsRoutes, noUpstream(t))

	for commands, status := range map[string]int{"exit:401": 401, "ask:nope": 500} {
		got := b.send(t, http.MethodGet, "/one", "", "Do: "+commands)
		require.Equal(t, status, got.StatusCode)
		requireHeaders(t, got, map[string]string{
			"Access-Control-Allow-Origin": "http://studio.test", "Access-Control-Expose-Headers": "x-total",
		})
	}
	require.Empty(t, b.send(t, http.MethodGet, "/unknown", "").Header.Get("Access-Control-Allow-Origin"))
}

func requireHeaders(t *testing.T, got answer, want map[string]string) {
	t.Helper()
	for name, value := range want {
		require.Equal(t, value, got.Header.Get(name), name)
	}
}
