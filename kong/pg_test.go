package kong_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
)

// TestASecretKeyRunsSQLInItsProjectsDatabase has the real postgres-meta, as npm has it, in the place of the stand-in, and a real Postgres
// as the project's database: that its connection string is read there as it was meant.
func TestASecretKeyRunsSQLInItsProjectsDatabase(t *testing.T) {
	t.Parallel()
	modules := npm(t, "@supabase/postgres-meta")
	address := startPostgresMeta(t, modules)
	w := setupProjects(t, func(o *kongtest.Options) {
		others := o.Lookup
		o.Lookup = func(name string) (string, bool) {
			if name == "PLURABASE_PG_META_URL" {
				return address, true
			}
			return others(name)
		}
	})
	database, err := url.Parse(pgtest.Empty(t))
	require.NoError(t, err)
	w.password, _ = database.User.Password()
	p := w.project(store.ServiceRest)
	w.run(`update platform.projects set db_host = $2, db_port = $3 where id = $1`, p.ID, database.Hostname(), portOf(t, database.String()))
	w.becomes(http.StatusOK, p.host(), "/pg/config/version", "apikey", p.secret.Key)

	query := func(key, sql string) answer {
		return w.send(http.MethodPost, "/pg/query", `{"query":"`+sql+`"}`, "Host", p.host(), "Content-Type", "application/json", "apikey", key, "User-Agent", "test")
	}
	who := query(p.secret.Key, "select current_user, inet_server_port() as port")
	require.Equal(t, http.StatusOK, who.status, string(who.body))
	require.JSONEq(t, `[{"current_user":"postgres","port":`+portOf(t, database.String())+`}]`, string(who.body))
	require.Equal(t, http.StatusForbidden, query(p.publishable.Key, "select 1").status)
	tables := w.ask(p.host(), "/pg/schemas", "apikey", p.secrets[store.SecretServiceKey])
	require.Equal(t, http.StatusOK, tables.status)
	var schemas []struct{ Name string }
	require.NoError(t, json.Unmarshal(tables.body, &schemas))
	require.NotEmpty(t, schemas)

	// A new password is heard of, as every change is. This Postgres knows nothing of it.
	_, err = w.store.ChangeDatabasePassword(t.Context(), w.actor(), p.Ref, "another")
	require.NoError(t, err)
	w.status(p, store.StatusActiveHealthy)
	require.Eventually(t, func() bool {
		return strings.Contains(string(query(p.secret.Key, "select 1").body), "password authentication failed")
	}, time.Minute, 10*time.Millisecond)
}

// startPostgresMeta starts it with a connection of its own that leads nowhere, as compose does, and returns its URL.
func startPostgresMeta(t *testing.T, modules string) string {
	t.Helper()
	port := freePorts(t)
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	var said bytes.Buffer
	program := exec.Command("node", filepath.Join(modules, "@supabase", "postgres-meta", "dist", "server", "server.js"))
	program.Env = append(os.Environ(), "PG_META_HOST=127.0.0.1", fmt.Sprintf("PG_META_PORT=%d", port),
		"PG_META_DB_URL=postgresql://nobody@127.0.0.1:1/nowhere", "CRYPTO_KEY="+cryptoKey)
	program.Stdout, program.Stderr = &said, &said
	require.NoError(t, program.Start())
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	require.Eventually(t, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/health", http.NoBody)
		require.NoError(t, err)
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	return address
}

// freePorts returns a port that is free, and so is the next one: postgres-meta takes both.
func freePorts(t *testing.T) int {
	t.Helper()
	for {
		port := freePort(t)
		next, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		if err == nil {
			require.NoError(t, next.Close())
			return port
		}
	}
}
