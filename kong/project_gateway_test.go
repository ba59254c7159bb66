package kong_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func TestARevokedKeyIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	w := setupProjects(t)
	p := w.project(store.ServiceRest)
	w.becomes(http.StatusOK, p.host(), "/rest/v1/todos", "apikey", p.secret.Key)
	_, err := w.store.DeleteAPIKey(t.Context(), w.actor(), p.Ref, p.secret.ID, "", false)
	require.NoError(t, err)
	revoked := time.Now()
	w.becomes(http.StatusUnauthorized, p.host(), "/rest/v1/todos", "apikey", p.secret.Key)
	require.Less(t, time.Since(revoked), heardWithin)
	require.Equal(t, http.StatusOK, w.ask(p.host(), "/rest/v1/todos", "apikey", p.publishable.Key).status, "the other key goes on")
}

func TestStreamsAndRedirectsGoThroughAsTheyAre(t *testing.T) {
	t.Parallel()
	w := setupProjects(t)
	p := w.project(store.ServiceStorage, store.ServiceRealtime, store.ServiceAuth)
	w.serve(p, store.ServiceAuth, "127.1.1.9", http.RedirectHandler("http://127.0.0.1:9/elsewhere", http.StatusFound))
	w.serve(p, store.ServiceRealtime, "127.1.1.10", http.HandlerFunc(echoWebSocket))
	moved := w.becomes(http.StatusFound, p.host(), "/auth/v1/verify")
	require.Equal(t, "http://127.0.0.1:9/elsewhere", moved.header.Get("Location"), "nobody but the client follows it")

	const size = 20 << 20
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.gateway.URL()+"/storage/v1/object/b/large", io.LimitReader(zeros{}, size))
	require.NoError(t, err)
	request.Host, request.ContentLength = p.host(), size
	request.Header.Set("apikey", p.secret.Key)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var said asked
	require.NoError(t, json.NewDecoder(response.Body).Decode(&said))
	require.Equal(t, int64(size), said.Body)

	var spoken string
	require.Eventually(t, func() bool {
		spoken = w.speak(p.host(), "/realtime/v1/websocket?vsn=1.0.0&apikey="+p.publishable.Key, "hello")
		return spoken == "hello"
	}, time.Minute, 50*time.Millisecond, spoken)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// echoWebSocket stands in for Realtime: it takes the upgrade of who has a key, and says what it hears.
func echoWebSocket(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("X-Api-Key") == "" || !strings.HasPrefix(r.RequestURI, "/socket/websocket?") {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = connection.Close() }()
	_, _ = buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	_ = buffered.Flush()
	_, _ = io.Copy(connection, buffered)
}

// speak opens a WebSocket, and returns what comes back.
func (w *projectWorld) speak(host, path, text string) string {
	w.t.Helper()
	connection, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.gateway.URL(), "http://"))
	require.NoError(w.t, err)
	defer func() { _ = connection.Close() }()
	require.NoError(w.t, connection.SetDeadline(time.Now().Add(5*time.Second)))
	_, err = io.WriteString(connection, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	require.NoError(w.t, err)
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(w.t, err)
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return response.Status
	}
	_, err = io.WriteString(connection, text)
	require.NoError(w.t, err)
	heard := make([]byte, len(text))
	_, err = io.ReadFull(reader, heard)
	require.NoError(w.t, err)
	return string(heard)
}

// TestProjectsNeedNoHandOver: a gateway that knows nothing of the variable and of the post-function asks the services the same.
func TestProjectsNeedNoHandOver(t *testing.T) {
	t.Parallel()
	w := setupProjects(t, withoutHandOver)
	p := w.project(store.ServiceRest, store.ServiceRealtime)
	var said asked
	answer := w.becomes(http.StatusOK, p.host(), "/rest/v1/todos?a=b", "apikey", p.publishable.Key)
	require.NoError(t, json.Unmarshal(answer.body, &said))
	require.Equal(t, "/todos?a=b", said.Path)
	require.Equal(t, "anon", p.role(said.Headers.Get("Authorization")))
	require.NoError(t, json.Unmarshal(w.ask(p.host(), "/realtime/v1/api/x", "apikey", p.secret.Key).body, &said))
	require.Equal(t, store.RealtimeTenant+".realtime", said.Host)
	require.Equal(t, http.StatusUnauthorized, w.ask(p.host(), "/rest/v1/todos").status)
}
