package kong_test

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// npmModules is where `make test` installs what the tests need of npm: the run folder of compose/local.
const npmModules = "../.run/npm/node_modules"

// npm returns that folder, for a package of it.
func npm(t *testing.T, name string) string {
	t.Helper()
	modules, err := filepath.Abs(npmModules)
	require.NoError(t, err)
	_, missing := os.Stat(filepath.Join(modules, name))
	if missing == nil {
		_, missing = exec.LookPath("node")
	}
	if missing != nil && os.Getenv("CI") != "true" {
		t.Skip(name, " is not installed: `make test` does that: ", missing)
	}
	require.NoError(t, missing)
	return modules
}

// TestSupabaseJSSpeaksToAProject tells an app's story (testdata/supabase-js.mjs) by the project's host and by its path. The client is
// the real one; the services are stand-ins that check what they are sent (standins_test.go), and the data API's queries run in
// a real Postgres, as the role that the token says.
func TestSupabaseJSSpeaksToAProject(t *testing.T) {
	t.Parallel()
	modules := npm(t, "@supabase/supabase-js")
	w := setupProjects(t)
	foreign := w.project(store.ServiceRest)
	for form, urlOf := range map[string]func(project) string{
		"by its host": func(p project) string { return "http://" + net.JoinHostPort(p.host(), portOf(t, w.gateway.URL())) },
		"by its path": func(p project) string { return w.gateway.URL() + "/p/" + string(p.Ref) },
	} {
		t.Run(form, func(t *testing.T) {
			p := w.project(services...)
			startStandIns(w, p)
			w.becomes(http.StatusOK, p.host(), "/functions/v1/whoami", "apikey", p.secret.Key)
			story := exec.CommandContext(t.Context(), "node", "--experimental-websocket", "testdata/supabase-js.mjs")
			story.Env = append(os.Environ(), "MODULES="+modules, "PROJECT_URL="+urlOf(p),
				"PUBLISHABLE_KEY="+p.publishable.Key, "SECRET_KEY="+p.secret.Key, "FOREIGN_KEY="+foreign.publishable.Key)
			said, err := story.CombinedOutput()
			require.NoError(t, err, string(said))
			require.Contains(t, string(said), "supabase-js: ok")
		})
	}
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	return parsed.Port()
}
