package kongtest_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
)

// oneRoute runs the test plugin for every request.
const oneRoute = `
services:
  - name: api
    url: ${UPSTREAM}/base
    routes:
      - name: everything
        paths: [/]
        strip_path: false
    plugins:
      - name: tester
        config: {label: hello, number: 3}
`

func TestPluginReadsTheRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t), func(o *kongtest.Options) {
		o.ProxySet = map[string]string{"plurabase": `$request_method $request_uri ${http_authorization}`}
	})
	port := b.Addr()[strings.LastIndex(b.Addr(), ":")+1:]

	tests := map[string]struct {
		path    string
		headers []string
		want    any
	}{
		"method":                       {want: "POST"},
		"path":                         {path: "/a/../b%41%2f//c/./d?x", want: "/bA%2F/c/d"},
		"path_with_query":              {path: "/a/../b%41%2f//c?x=%31&y", want: "/a/../b%41%2f//c?x=%31&y"},
		"raw_query":                    {path: "/?x=%31&y", want: "x=%31&y"},
		"query_arg:x":                  {path: "/?x=%31+2&x=3", want: "1 2"},
		"query_arg:none":               {path: "/?x=1", want: ""},
		"query:100":                    {path: "/?x=1&y=2&x=3&bad=%zz", want: map[string]any{"x": list("1", "3"), "y": list("2"), "bad": list("%zz")}},
		"query:1":                      {path: "/?x=1&y=2", want: map[string]any{"x": list("1")}},
		"header:x-one":                 {headers: []string{"X-One: first", "X-One: second"}, want: "first"},
		"header:none":                  {want: ""},
		"header:host":                  {headers: []string{"Host: Example.com:99"}, want: "Example.com:99"},
		"host":                         {headers: []string{"Host: Example.com:99"}, want: "example.com"},
		"scheme":                       {want: "http"},
		"port":                         {want: jsonNumber(t, port)},
		"forwarded_scheme":             {headers: []string{"X-Forwarded-Proto: https"}, want: "http"},
		"forwarded_host":               {headers: []string{"Host: a.test", "X-Forwarded-Host: b.test"}, want: "a.test"},
		"forwarded_port":               {headers: []string{"X-Forwarded-Port: 1"}, want: jsonNumber(t, port)},
		"http_version":                 {want: 1.1},
		"body":                         {want: "the body"},
		"ip":                           {want: "127.0.0.1"},
		"forwarded_ip":                 {headers: []string{"X-Forwarded-For: 1.2.3.4"}, want: "127.0.0.1"},
		"trusted:127.0.0.1":            {want: false},
		"subsystem":                    {want: "http"},
		"var:request":                  {path: "/a?b", want: "POST /a?b HTTP/1.1"},
		"var:request_method":           {want: "POST"},
		"var:request_uri":              {path: "/a/../b?c=d", want: "/a/../b?c=d"},
		"var:is_args":                  {path: "/?c=d", want: "?"},
		"var:http_host":                {headers: []string{"Host: A.test:1"}, want: "A.test:1"},
		"var:http_cookie":              {headers: []string{"Cookie: a=1", "Cookie: b=2"}, want: "a=1; b=2"},
		"var:upstream_uri":             {path: "/a%20b", want: "/base/a%20b"},
		"var:args":                     {path: "/?c=d", want: "c=d"},
		"var:http_x_two":               {headers: []string{"X-Two: a", "X-Two: b"}, want: "a, b"},
		"var:arg_c":                    {path: "/?c=%20", want: "%20"},
		"var:cookie_c":                 {headers: []string{"Cookie: a=1; c=2"}, want: "2"},
		"var:remote_addr":              {want: "127.0.0.1"},
		"var:host":                     {headers: []string{"Host: A.test:1"}, want: "a.test"},
		"var:unknown":                  {want: ""},
		"var:plurabase":                {path: "/p?q", headers: []string{"Authorization: Bearer t"}, want: "POST /p?q Bearer t"},
		"shared:none":                  {want: nil},
		"config":                       {want: map[string]any{"label": "hello", "log_file": "", "number": 3.0, "list": nil}},
		"log:a line":                   {want: nil},
		"share:k=v; shared:k":          {want: "v"},
		"share_flag:k=1; shared:k":     {want: nil},
		"set_ctx:k=v; ctx:k":           {want: "v"},
		"set_method:PUT; method":       {want: "PUT"},
		"set_header:X-A=b; header:x-a": {want: "b"},
	}
	for commands, test := range tests {
		t.Run(commands, func(t *testing.T) {
			t.Parallel()
			path := test.path
			if path == "" {
				path = "/"
			}
			got := b.do(t, http.MethodPost, path, "the body", commands, test.headers...)
			last := commands[strings.LastIndex(commands, "; ")+1:]
			require.Equal(t, test.want, got[strings.TrimSpace(last)])
		})
	}
}

func list(values ...any) []any { return values }

func jsonNumber(t *testing.T, text string) float64 {
	t.Helper()
	var number float64
	_, err := fmt.Sscan(text, &number)
	require.NoError(t, err)
	return number
}

func TestPluginKnowsItsRouteAndService(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))

	got := b.do(t, http.MethodGet, "/", "", "route; service; node; start_time; client_port")
	require.Equal(t, "everything", got["route"].(map[string]any)["name"])
	require.Equal(t, "api", got["service"].(map[string]any)["name"])
	require.Equal(t, "/base", got["service"].(map[string]any)["path"])
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, got["node"])
	require.Greater(t, got["start_time"], 1e9)
	require.Greater(t, got["client_port"], 1024.0)
}

func TestPluginSeesHeadersInLowerCase(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))

	got := b.do(t, http.MethodGet, "/", "", "headers:100", "Host: h.test", "X-Two: a", "X-Two: b", "User-Agent: test")
	require.Equal(t, map[string]any{
		"do": list("headers:100"), "host": list("h.test"), "x-two": list("a", "b"), "user-agent": list("test"),
	}, got["headers:100"], "and nothing that Kong adds for the upstream")
}

func TestPluginGetsNoMoreHeadersThanItAsksFor(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))
	var headers []string
	for i := range 1200 {
		headers = append(headers, fmt.Sprintf("X-%04d: v", i))
	}

	for commands, want := range map[string]int{"headers:-1": 100, "headers:7": 7, "headers:1000": 1000} {
		got := b.do(t, http.MethodGet, "/", "", commands, headers...)
		require.Len(t, got[commands], want, commands)
	}
}

func TestPluginReadsALargeBodyFromAFile(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))
	directory := "body_dir:" + b.prefix

	for _, size := range []int{0, 16 << 10, 16<<10 + 1, 3 << 20} {
		body := strings.Repeat("x", size)
		got := b.do(t, http.MethodPost, "/", body, "body; "+directory)
		require.Equal(t, body, got["body"], size)
		require.Equal(t, size > 16<<10, got[directory] != nil, "a file for %d bytes", size)
	}
	left, err := os.ReadDir(b.prefix + "/client_body_temp")
	require.NoError(t, err)
	require.Empty(t, left, "the files go with their requests")
}

func TestPluginAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))

	tests := map[string]struct {
		commands string
		method   string
		status   int
		body     string
		header   http.Header // What must be there; nil values must not be.
	}{
		"with a status and a body": {
			commands: "exit:418", status: 418, body: "body",
			header: http.Header{"Content-Length": {"4"}, "Content-Type": nil, "Server": {"kongtest/3.9"}, "Via": nil},
		},
		"to HEAD with the body's length": {
			commands: "exit:200", method: http.MethodHead, status: 200, header: http.Header{"Content-Length": {"4"}},
		},
		"with no content":      {commands: "exit:204", status: 204},
		"with several cookies": {commands: "exit:200,cookies", status: 200, body: "body", header: http.Header{"Set-Cookie": {"a=1", "b=2"}}},
		"with a charset":       {commands: "exit:200,text", status: 200, body: "body", header: http.Header{"Content-Type": {"text/plain; charset=UTF-8"}}},
		"with too short a length": {
			commands: "exit:200,short", status: 200, body: "bo", header: http.Header{"Content-Length": {"2"}},
		},
		"without headers when one is not UTF-8": {
			commands: "exit:200,latin1", status: 200, body: "body", header: http.Header{"X-Name": nil, "X-Other": nil},
		},
		"with headers of before": {
			commands: "set_answer:X-A=1; add_answer:X-A=2; set_answers:X-B=3,4; set_answer:X-C=5; clear_answer:X-C; exit:200",
			status:   200, body: "body", header: http.Header{"X-A": {"1", "2"}, "X-B": {"3", "4"}, "X-C": nil},
		},
		"but not with a transfer coding": {
			commands: "exit:200,transfer", status: 200, body: "body", header: http.Header{"Transfer-Encoding": nil},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method := test.method
			if method == "" {
				method = http.MethodGet
			}
			got := b.send(t, method, "/", "", "Do: "+test.commands)
			require.Equal(t, test.status, got.StatusCode)
			require.Equal(t, test.body, got.body)
			for header, values := range test.header {
				require.Equal(t, values, got.Header[header], header)
			}
			require.Regexp(t, `^[0-9a-f]{32}$`, got.Header.Get("X-Kong-Request-Id"))
			require.NotEmpty(t, got.Header.Get("X-Kong-Response-Latency"))
		})
	}
}

// TestBrokenCallAnswers500 shows that a request is not proxied when its plugin did something that Kong does not allow.
func TestBrokenCallAnswers500(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))

	tests := map[string]string{
		"headers:1001":              "max_headers must be <= 1000",
		"headers:0":                 "max_headers must be >= 1",
		"query:1001":                "max_args must be <= 1000",
		"query_arg:flag":            "the argument has no value",
		"exit:600":                  "code must be a number between 100 and 599",
		"exit:99":                   "code must be a number between 100 and 599",
		"exit:100":                  "a status below 200",
		"set_status:600":            "code must be a number between 100 and 599",
		"answer_status":             "cannot be called in access phase",
		"upstream_status":           "cannot be called in access phase",
		"ask:kong.request.get_nope": `method \"kong.request.get_nope\" is not known`,
		"set_method:NOPE":           "invalid method",
		"set_path:nope":             "path must start with /",
		"set_scheme:ftp":            "invalid scheme",
		"target:host:70000":         "port must be an integer between 0 and 65535",
	}
	for commands, reason := range tests {
		t.Run(commands, func(t *testing.T) {
			t.Parallel()
			got := b.send(t, http.MethodGet, "/?flag", "", "Do: "+commands+"; proxy")
			require.Equal(t, http.StatusInternalServerError, got.StatusCode)
			require.JSONEq(t, fmt.Sprintf(`{"message":"An unexpected error occurred","request_id":%q}`,
				got.Header.Get("X-Kong-Request-Id")), got.body)
			require.Contains(t, b.logs.String(), reason)
		})
	}
}

func TestPluginSeesBytesThatAreNotUTF8AsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))

	got := b.do(t, http.MethodGet, "/", "", "header:x-name", "X-Name: caf\xe9")
	require.Contains(t, got["header:x-name"], "UTF-8", "Go's decoder refuses what Kong sends")
}

func TestPluginLogsToTheHost(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, noUpstream(t))

	b.do(t, http.MethodGet, "/", "", "log:noted; print:a printed line")
	require.Contains(t, b.logs.String(), "msg=noted7true")
	require.Eventually(t, func() bool {
		return strings.Contains(b.logs.String(), `level=INFO msg="a printed line" plugin=tester`)
	}, patience, tick)
}
