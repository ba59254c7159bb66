package kong_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
)

// watched is a setup whose plugins make sockets for whoever watches them, in the folder that it returns.
func watched(t *testing.T) (*bundle, string) {
	t.Helper()
	folder := t.TempDir()
	b := setup(t, func(options *kongtest.Options) {
		lookup := options.Lookup
		options.Lookup = func(name string) (string, bool) {
			if name == "PLURABASE_METRICS_LISTEN" {
				return folder, true
			}
			return lookup(name)
		}
	})
	return b, folder
}

// metrics is what a plugin says of itself.
func metrics(t *testing.T, folder, plugin string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(folder, plugin+".metrics"))
	}}}
	response, err := client.Get("http://plugin/metrics")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return string(body)
}

func TestAPluginCountsItsRequestsByTheirRoutes(t *testing.T) {
	t.Parallel()
	b, folder := watched(t)
	ref := b.project()
	b.signedIn(http.MethodGet, "/api/platform/projects/"+ref, "")
	b.signedIn(http.MethodGet, "/api/platform/projects/abcdefghijklmnopqrst", "")
	b.signedIn(http.MethodGet, "/api/platform/nothing/"+ref, "")
	said := metrics(t, folder, "platform-api")
	for _, line := range []string{
		`plurabase_requests_total{route="GET /platform/projects/{ref}",status="200"} 1`,
		`plurabase_requests_total{route="GET /platform/projects/{ref}",status="404"} 1`,
		`plurabase_requests_total{route="POST /platform/projects",status="201"} 1`,
		`plurabase_requests_total{route="none",status="404"} 1`,
		`plurabase_request_seconds_count{route="GET /platform/projects/{ref}"} 2`,
		`plurabase_memory_asked_total{answered="yes",kind="profile"}`,
		`plurabase_pool_connections{state="idle"}`,
	} {
		require.Contains(t, said, line)
	}
	require.NotContains(t, said, ref, "what clients send names no series")
	require.NotContains(t, said, "plurabase_pdk_calls_total 0\n")

	b.signedIn(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", `{}`)
	token := b.signedIn(http.MethodGet, "/api/platform/projects/"+ref, "").json(t)["connectionString"].(string)
	b.signedIn(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", `{}`, "x-connection-encrypted", token)
	said = metrics(t, folder, "pg-meta-crypto")
	require.Contains(t, said, `plurabase_requests_total{route="POST /platform/pg-meta/{ref}/query",status="403"} 1`)
	require.Contains(t, said, `plurabase_requests_total{route="POST /platform/pg-meta/{ref}/query",status="passed"} 1`)
}

func TestAPluginSaysWhetherItCanWork(t *testing.T) {
	t.Parallel()
	b, folder := watched(t)
	ready := func() ([]byte, error) {
		command := exec.CommandContext(t.Context(), filepath.Join(binaries, "platform-api"), "-ready")
		command.Env = []string{"PLURABASE_METRICS_LISTEN=" + folder}
		return command.CombinedOutput()
	}
	output, err := ready()
	require.NoError(t, err, string(output))
	b.exec(`update platform.schema_migrations set version = 1`)
	output, err = ready()
	require.Error(t, err)
	require.Contains(t, string(output), "the schema is at version 1")
}
