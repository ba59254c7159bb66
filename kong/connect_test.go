package kong_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// TestWhatIsCopiedFromStudioWorks takes what Studio's Connect page and API settings show of a project from the routes that it asks, and
// uses it: the URLs and keys against the gateway, and the connection string, with the password in its place, against a Postgres.
func TestWhatIsCopiedFromStudioWorks(t *testing.T) {
	t.Parallel()
	w := setupProjects(t)
	p := w.project(store.ServiceRest)
	database, err := url.Parse(w.databaseURL)
	require.NoError(t, err)
	w.run(`insert into platform.project_ports (target, port, project_id, service) values ('local', $2, $1, 'db')
		on conflict (project_id, service) do update set port = excluded.port`, p.ID, database.Port())

	var settings struct {
		AppConfig      struct{ Protocol, Endpoint string } `json:"app_config"`
		ServiceAPIKeys []shownKey                          `json:"service_api_keys"`
	}
	w.shown("/api/platform/projects/"+string(p.Ref)+"/settings", &settings)
	require.Equal(t, "http", settings.AppConfig.Protocol)
	require.Len(t, settings.ServiceAPIKeys, 2)
	var detail struct{ RestURL string }
	w.shown("/api/platform/projects/"+string(p.Ref), &detail)
	require.Equal(t, "http://"+settings.AppConfig.Endpoint+"/rest/v1/", detail.RestURL)
	var keys []shownKey
	w.shown("/api/v1/projects/"+string(p.Ref)+"/api-keys?reveal=true", &keys)
	require.Len(t, keys, 4)
	for _, key := range append(keys, settings.ServiceAPIKeys...) {
		var said asked
		answer := w.becomes(http.StatusOK, settings.AppConfig.Endpoint, "/rest/v1/todos", "apikey", key.APIKey)
		require.NoError(t, json.Unmarshal(answer.body, &said))
		require.Equal(t, key.role(), p.role(said.Headers.Get("Authorization")), key.Name)
	}
	// What Studio's own pages call the project with, for a while.
	temporary := w.signedIn(http.MethodPost, "/api/platform/projects/"+string(p.Ref)+`/api-keys/temporary?authorization_exp=60&claims=%7B%22role%22:%22anon%22%7D`, "")
	require.Equal(t, http.StatusCreated, temporary.status, string(temporary.body))
	require.Equal(t, http.StatusOK, w.ask(settings.AppConfig.Endpoint, "/rest/v1/todos", "apikey", temporary.json(t)["api_key"].(string)).status)

	var pooler struct {
		ConnectionString string `json:"connection_string"`
	}
	w.shown("/api/platform/projects/"+string(p.Ref)+"/config/pgbouncer", &pooler)
	password, _ := database.User.Password()
	require.Contains(t, pooler.ConnectionString, "[YOUR-PASSWORD]")
	connection, err := pgx.Connect(t.Context(), strings.Replace(pooler.ConnectionString, "[YOUR-PASSWORD]", url.QueryEscape(password), 1))
	require.NoError(t, err)
	var user string
	require.NoError(t, connection.QueryRow(t.Context(), `select current_user`).Scan(&user))
	require.NoError(t, connection.Close(t.Context()))
	require.Equal(t, "postgres", user)
}

// shownKey is an API key as Studio shows it.
type shownKey struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	APIKey string `json:"api_key"`
	Tags   string `json:"tags"`
}

// role is that of the database which the key stands for.
func (k shownKey) role() string {
	if k.Type == "secret" || k.Name == "service_role" || k.Tags == "service_role" {
		return "service_role"
	}
	return "anon"
}

// shown reads what the project's owner is shown.
func (w *projectWorld) shown(path string, into any) {
	w.t.Helper()
	answer := w.signedIn(http.MethodGet, path, "")
	require.Equal(w.t, http.StatusOK, answer.status, string(answer.body))
	require.NoError(w.t, json.Unmarshal(answer.body, into), string(answer.body))
}
