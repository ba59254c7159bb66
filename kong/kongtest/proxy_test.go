package kongtest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo answers with the request as the upstream saw it.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Header.Set("Host", r.Host)
	_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Header, string(body), r.ContentLength})
}

type seen struct {
	Method, URI string
	Header      http.Header
	Body        string
	Length      int64
}

// through sends a request that is proxied, and gives what the upstream saw.
func (b *bundle) through(t *testing.T, method, path, body string, headers ...string) seen {
	t.Helper()
	got := b.send(t, method, path, body, headers...)
	require.Equal(t, http.StatusOK, got.StatusCode, got.body)
	var s seen
	require.NoError(t, json.Unmarshal([]byte(got.body), &s), got.body)
	return s
}

func TestUpstreamSeesTheRequestAsKongSendsIt(t *testing.T) {
	t.Parallel()
	b := setup(t, `
services:
  - name: api
    url: ${UPSTREAM}/base
    routes:
      - {name: stripped, paths: [/strip]}
      - {name: kept, paths: [/keep], strip_path: false, preserve_host: true}
`, echo)
	upstreamHost := strings.TrimPrefix(b.upstream.URL, "http://")
	port := b.Addr()[strings.LastIndex(b.Addr(), ":")+1:]

	got := b.through(t, http.MethodPost, "/strip/a/../b%20c%2Fd?x=%31&y", "text", "Host: Some.test:80",
		"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /forged", "Via: 1.1 before",
		"Connection: x-hop", "X-Hop: gone", "X-Mine: kept")
	require.Equal(t, "POST", got.Method)
	require.Equal(t, "/base/b%20c%2Fd?x=%31&y", got.URI)
	require.Equal(t, "text", got.Body)
	for name, want := range map[string]string{
		"Host": upstreamHost, "X-Forwarded-For": "1.2.3.4, 127.0.0.1", "X-Forwarded-Proto": "http",
		"X-Forwarded-Host": "some.test", "X-Forwarded-Port": port, "X-Forwarded-Path": "/strip/a/../b%20c%2Fd",
		"X-Forwarded-Prefix": "/strip", "X-Real-Ip": "127.0.0.1", "Via": "1.1 before, 1.1 kongtest/3.9",
		"X-Hop": "", "X-Mine": "kept",
	} {
		require.Equal(t, want, got.Header.Get(name), name)
	}
	require.Regexp(t, `^[0-9a-f]{32}$`, got.Header.Get("X-Kong-Request-Id"))

	got = b.through(t, http.MethodGet, "/keep//it?", "", "Host: Some.test:80", "Upgrade: h2c")
	require.Equal(t, "/base/keep/it?", got.URI)
	require.Equal(t, "Some.test:80", got.Header.Get("Host"))
	require.Empty(t, got.Header.Get("X-Forwarded-Prefix"))
	require.Empty(t, got.Header.Get("Upgrade"), "Kong upgrades to WebSocket alone")
}

func TestPluginChangesTheRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, echo)
	other := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(other.Close)
	target := strings.TrimPrefix(other.URL, "http://")

	tests := map[string]func(t *testing.T, got seen){
		"set_path:/new path/%2f": func(t *testing.T, got seen) { require.Equal(t, "/new%20path/%2f?q=1", got.URI) },
		"set_raw_query:a=b%20c":  func(t *testing.T, got seen) { require.Equal(t, "/base?a=b%20c", got.URI) },
		"set_query:z=2 3,1":      func(t *testing.T, got seen) { require.Equal(t, "/base?z=2%203&z=1", got.URI) },
		"set_method:PATCH":       func(t *testing.T, got seen) { require.Equal(t, "PATCH", got.Method) },
		"set_header:X-Mine=new":  func(t *testing.T, got seen) { require.Equal(t, []string{"new"}, got.Header["X-Mine"]) },
		"add_header:X-Mine=new":  func(t *testing.T, got seen) { require.Equal(t, []string{"old", "new"}, got.Header["X-Mine"]) },
		"clear_header:X-Mine":    func(t *testing.T, got seen) { require.Nil(t, got.Header["X-Mine"]) },
		"set_headers:X-Mine=1,2": func(t *testing.T, got seen) { require.Equal(t, []string{"1", "2"}, got.Header["X-Mine"]) },
		"set_header:Host=h.test": func(t *testing.T, got seen) { require.Equal(t, "h.test", got.Header.Get("Host")) },
		"add_header:Host=h.test": func(t *testing.T, got seen) { require.Equal(t, "h.test", got.Header.Get("Host")) },
		"set_body:other body": func(t *testing.T, got seen) {
			require.Equal(t, "other body", got.Body)
			require.EqualValues(t, 10, got.Length)
		},
		"target:" + target: func(t *testing.T, got seen) {
			require.Equal(t, "127.0.0.1", got.Header.Get("Host"), "without the port: so does Kong")
		},
		"body": func(t *testing.T, got seen) {
			require.Equal(t, "old body", got.Body, "reading leaves it for the upstream")
		},
		"set_upstream:any": func(t *testing.T, got seen) {
			require.Equal(t, "/base?q=1", got.URI, "there is no upstream of that name")
		},
		"set_scheme:http": func(t *testing.T, got seen) { require.Equal(t, "/base?q=1", got.URI) },
	}
	for commands, check := range tests {
		t.Run(commands, func(t *testing.T) {
			t.Parallel()
			check(t, b.through(t, http.MethodPost, "/?q=1", "old body", "X-Mine: old", "Do: "+commands+"; proxy"))
		})
	}
}

func TestLargeBodyReachesPluginAndUpstream(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, echo)
	body := strings.Repeat("large ", 100_000)

	for _, commands := range []string{"method", "body_size"} {
		require.Equal(t, body, b.through(t, http.MethodPut, "/", body, "Do: "+commands+"; proxy").Body, commands)
	}
	require.Equal(t, "new", b.through(t, http.MethodPut, "/", body, "Do: body_size; set_body:new; proxy").Body)
	response := b.send(t, http.MethodPut, "/", body, "Do: body_dir:"+b.prefix+"; proxy")
	require.Nil(t, results(t, response.Header.Get("X-Results"))["body_dir:"+b.prefix], "nobody asked for it")
}

func TestClientSeesTheResponseAsKongSendsIt(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		w.Header().Set("Location", "/elsewhere")
		w.Header().Set("X-Both", "upstream")
		w.Header().Set("Connection", "x-hop")
		w.Header().Set("X-Hop", "gone")
		if r.URL.Query().Has("text") {
			w.Header().Set("Content-Type", "text/plain")
		}
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "moved")
	})

	got := b.send(t, http.MethodGet, "/", "", "Do: set_answer:X-Both=plugin; set_answer:Location=lost; proxy")
	require.Equal(t, http.StatusFound, got.StatusCode, "redirects are the client's business")
	require.Equal(t, "moved", got.body)
	require.Equal(t, []string{"/elsewhere"}, got.Header["Location"])
	require.Equal(t, []string{"plugin", "upstream"}, got.Header["X-Both"])
	require.Equal(t, "1.1 kongtest/3.9", got.Header.Get("Via"))
	require.Equal(t, "kongtest/3.9", got.Header.Get("Server"))
	require.NotEmpty(t, got.Header.Get("X-Kong-Upstream-Latency"))
	require.NotEmpty(t, got.Header.Get("X-Kong-Proxy-Latency"))
	require.Nil(t, got.Header["X-Hop"])
	require.Nil(t, got.Header["Content-Type"])
	got = b.send(t, http.MethodGet, "/?text", "")
	require.Equal(t, "text/plain; charset=UTF-8", got.Header.Get("Content-Type"))
}

func TestUpstreamThatFails(t *testing.T) {
	t.Parallel()
	silent := make(chan struct{})
	b := setup(t, `
services:
  - {name: refused, url: "http://127.0.0.1:9", routes: [{name: refused, paths: [/refused]}]}
  - {name: nameless, url: "http://no-such-host.invalid", routes: [{name: nameless, paths: [/nameless]}]}
  - name: silent
    url: ${UPSTREAM}
    read_timeout: 50
    retries: 0
    routes: [{name: silent, paths: [/silent]}]
  - name: target
    url: http://127.0.0.1:9
    routes: [{name: target, paths: [/target], plugins: [{name: tester}]}]
`, func(http.ResponseWriter, *http.Request) { <-silent })
	t.Cleanup(func() { close(silent) })

	for path, want := range map[string]struct {
		status  int
		message string
	}{
		"/refused":  {502, "An invalid response was received from the upstream server"},
		"/nameless": {503, "name resolution failed"},
		"/silent":   {504, "The upstream server is timing out"},
		"/target":   {500, "An unexpected error occurred"},
	} {
		got := b.send(t, http.MethodGet, path, "", "Do: target:localhost:80; proxy")
		require.Equal(t, want.status, got.StatusCode, path)
		require.JSONEq(t, fmt.Sprintf(`{"message":%q,"request_id":%q}`, want.message, got.Header.Get("X-Kong-Request-Id")), got.body)
		require.Equal(t, "application/json; charset=utf-8", got.Header.Get("Content-Type"))
	}
	require.Contains(t, b.logs.String(), "Kong resolves no name for it")
}

func TestErrorsComeAsTheClientAcceptsThem(t *testing.T) {
	t.Parallel()
	b := setup(t, `services: [{name: a, url: "${UPSTREAM}", routes: [{name: a, paths: [/a]}]}]`, noUpstream(t))

	for accept, want := range map[string]struct{ kind, start string }{
		"":                                   {"application/json", "{\n  \"message\":\"no Route matched with those values\",\n  \"request_id\":\""},
		"*/*":                                {"application/json", "{"},
		"text/html":                          {"text/html", "<!doctype html>"},
		"application/xml;q=0.9, text/*;q=.5": {"application/xml", "<?xml"},
		"text/*":                             {"text/plain", "no Route matched with those values\nrequest_id: "},
		"image/png":                          {"application/json", "{"},
		"not a type":                         {"application/json", "{"},
	} {
		got := b.send(t, http.MethodGet, "/", "", "Accept: "+accept)
		require.Equal(t, http.StatusNotFound, got.StatusCode)
		require.Equal(t, want.kind+"; charset=utf-8", got.Header.Get("Content-Type"), accept)
		require.True(t, strings.HasPrefix(got.body, want.start), got.body)
	}
}

func TestConnectionIsTriedAgain(t *testing.T) {
	t.Parallel()
	for retries, want := range map[int]int{0: http.StatusBadGateway, 5: http.StatusOK} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		b := setup(t, fmt.Sprintf(`
services:
  - {name: api, url: "http://%s", retries: %d, routes: [{name: all, paths: [/]}]}
`, listener.Addr(), retries), noUpstream(t))
		go func() {
			// The first connection is dropped, the second one served.
			first, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(first).ReadString('\n')
			_ = first.Close()
			second, err := listener.Accept()
			if err != nil {
				return
			}
			defer func() { _ = second.Close() }()
			_, _ = http.ReadRequest(bufio.NewReader(second))
			_, _ = io.WriteString(second, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}()
		require.Equal(t, want, b.send(t, http.MethodGet, "/", "").StatusCode, "%d retries", retries)
		_ = listener.Close()
	}
}

func TestResponseIsStreamed(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	b := setup(t, oneRoute, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		<-goOn
		_, _ = io.WriteString(w, "second\n")
	})

	response, err := b.client.Get(b.URL())
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	reader := bufio.NewReader(response.Body)
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "first\n", line)
	close(goOn)
	line, err = reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "second\n", line)
}

// TestWebSocketIsProxied uses the handshake alone: what follows it is bytes in both directions.
func TestWebSocketIsProxied(t *testing.T) {
	t.Parallel()
	b := setup(t, oneRoute, func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		connection, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(connection, "echo "+line)
	})

	connection, err := net.Dial("tcp", b.Addr())
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(connection, "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n")
	require.NoError(t, err)
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	_, err = io.WriteString(connection, "hello\n")
	require.NoError(t, err)
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "echo hello\n", line)
}
