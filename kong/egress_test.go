package kong_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/store"
)

// nginxPrograms are where nginx may be: from Debian's package, or where compose/local unpacks that.
var nginxPrograms = []string{"nginx", "/usr/sbin/nginx", "../.run/nginx/usr/sbin/nginx"}

// TestWhatIsSentIsCountedAndLoggedAsNginxTellsIt sends answers of a project's through a real nginx, which Kong is made of, with the image's
// own settings of the access log. The plugin counts every byte that reached the client, logs the requests, and goes on to after it was
// replaced.
func TestWhatIsSentIsCountedAndLoggedAsNginxTellsIt(t *testing.T) {
	t.Parallel()
	program := findNginx(t)
	prefix := shortTempDir(t)
	w := setupProjects(t, func(o *kongtest.Options) { o.Prefix, o.LogFormat, o.AccessLog = prefix, "", "" })
	p := w.project()
	const slow = 20 * time.Millisecond
	w.serve(p, store.ServiceStorage, "127.1.1.2", http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			time.Sleep(slow)
			_, _ = io.CopyN(answer, zeros{}, 1<<20)
		}
	}))
	w.run(`update platform.projects set services = '{db,storage}' where id = $1`, p.ID)
	w.becomes(http.StatusOK, p.host(), "/storage/v1/object/public/b/c")
	proxy := startNginx(t, program, prefix, w.targetOf(p, store.ServiceStorage))

	sent := receive(t, proxy, p.host(), "/large?token=abc&a=%22") + receive(t, proxy, "any", "/large")
	receive(t, proxy, p.host(), "/nowhere") // answered by nginx itself: what it sent is nobody's
	require.Eventually(t, func() bool { return w.egress(p) == sent && len(w.edgeLog(p)) == 2 }, time.Minute, 100*time.Millisecond, "%d", sent)
	requests := w.edgeLog(p)
	require.Equal(t, []string{"/nowhere", "/large"}, []string{requests[0].Path, requests[1].Path})
	require.Equal(t, []int{http.StatusNotFound, http.StatusOK}, []int{requests[0].Status, requests[1].Status})
	one := requests[1]
	require.Equal(t, []string{"GET", p.host(), "?token=***&a=%22", "a \"client\"\t\u00e9", "127.0.0.1"}, []string{one.Method, one.Host, one.Search, one.UserAgent, one.Client.String()})
	require.Greater(t, one.Sent, int64(1<<20))
	require.Less(t, one.Received, int64(1000))
	require.WithinDuration(t, time.Now(), one.At, 2*time.Minute)
	require.GreaterOrEqual(t, one.Origin, slow-time.Millisecond)
	require.GreaterOrEqual(t, one.Took, one.Origin-time.Millisecond, "nginx reads its clock anew for each of the two")

	host := w.gateway.(*kongtest.Host)
	require.NoError(t, host.ReplacePlugin(t.Context(), "project-gateway"))
	w.becomes(http.StatusOK, p.host(), "/storage/v1/object/public/b/c")
	// By its next line nginx only finds out that the socket before is gone: that one is lost, and the others are not.
	require.Eventually(t, func() bool {
		receive(t, proxy, "any", "/small")
		return w.egress(p) > sent
	}, time.Minute, 200*time.Millisecond)
}

func findNginx(t *testing.T) string {
	t.Helper()
	for _, one := range nginxPrograms {
		if found, err := exec.LookPath(one); err == nil {
			found, err = filepath.Abs(found)
			require.NoError(t, err)
			return found
		}
	}
	if os.Getenv("CI") != "true" {
		t.Skip("nginx is not here: `make test` fetches it where there is apt-get")
	}
	require.FailNow(t, "nginx is not here")
	return ""
}

// shortTempDir is a folder whose name leaves room for those of sockets in it.
func shortTempDir(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "egress")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// startNginx starts an nginx before an upstream, and returns where it listens.
func startNginx(t *testing.T, program, prefix, upstream string) string {
	t.Helper()
	settings := image(t)
	folder, listen := shortTempDir(t), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	var temporary strings.Builder
	for _, one := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s/%s; ", one, folder, one)
	}
	config := fmt.Sprintf(`
daemon off; master_process off; error_log stderr; pid %[1]s/nginx.pid;
events {}
http {
	%[2]s
	log_format %[3]s;
	server {
		listen %[4]s;
		access_log %[5]s;
		location / { proxy_pass http://%[6]s; proxy_buffering off; }
		location /nowhere { return 404; }
	}
}`, folder, temporary.String(), settings.LogFormat, listen, strings.ReplaceAll(settings.AccessLog, "/usr/local/kong", prefix), upstream)
	file := filepath.Join(folder, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	var said strings.Builder
	nginx := exec.Command(program, "-p", folder, "-c", file)
	nginx.Stdout, nginx.Stderr = &said, &said
	require.NoError(t, nginx.Start())
	t.Cleanup(func() {
		_ = nginx.Process.Signal(os.Interrupt)
		_ = nginx.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	require.Eventually(t, func() bool {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listen)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	return listen
}

// receive asks for a path, and returns how many bytes came, with the head of the answer.
func receive(t *testing.T, address, host, path string) int64 {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	require.NoError(t, connection.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(connection, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nUser-Agent: a \"client\"\t\u00e9\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	read, err := io.Copy(io.Discard, connection)
	require.NoError(t, err)
	return read
}

// targetOf is where a service of a project is.
func (w *projectWorld) targetOf(p project, service string) string {
	w.t.Helper()
	served, err := w.store.GatewayProjects(w.t.Context(), p.ID)
	require.NoError(w.t, err)
	return served[0].Targets[service].String()
}

// edgeLog is what was logged of a project's requests, newest first.
func (w *projectWorld) edgeLog(p project) []store.EdgeRequest {
	w.t.Helper()
	requests, err := w.store.EdgeLog(context.WithoutCancel(w.t.Context()), p.ID, "", time.Now().Add(-time.Hour), time.Now().Add(time.Hour), 100)
	require.NoError(w.t, err)
	return requests
}

// egress is what was counted of a project.
func (w *projectWorld) egress(p project) int64 {
	w.t.Helper()
	hours, err := w.store.ProjectTraffic(context.WithoutCancel(w.t.Context()), p.ID, time.Now().Add(-2*time.Hour), time.Now().Add(time.Hour))
	require.NoError(w.t, err)
	var sum int64
	for _, hour := range hours {
		sum += hour.Egress
	}
	return sum
}
