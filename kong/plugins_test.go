// Package kong_test runs the real plugin executables behind a gateway that reads kong.platform.yml: kongtest's host
// everywhere, and a real Kong where its image can be had (make test-kong).
package kong_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

// binaries is where the plugins were built, once for all tests.
var binaries string

// asTests are the flags that the plugins are built with, as the tests themselves are: with the race detector, or without.
var asTests []string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	directory, err := os.MkdirTemp("", "plugins")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(directory) }()
	binaries = directory
	arguments := slices.Concat([]string{"build"}, asTests, []string{"-o", directory, "github.com/plurabase/plurabase/plugins/...", "github.com/plurabase/plurabase/kong/kong-render"})
	build := exec.Command("go", arguments...)
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the plugins: %v\n%s", err, output)
		return 1
	}
	return pgtest.WithServer(m).Run()
}

const (
	jwtSecret = "a-secret-of-at-least-32-characters-here"
	cryptoKey = "the-key-of-postgres-meta"
	studio    = "http://studio.example.com"
	ada       = "11111111-1111-4111-8111-111111111111"
)

// bundle is a gateway with the plugins on a database of their own.
type bundle struct {
	t           *testing.T
	gateway     gateway
	environment map[string]string // of the gateway, so that there can be another
	databaseURL string
	// upstream stands in for postgres-meta: it says what it was asked.
	upstream *httptest.Server
	asked    atomic.Int64
	goTrue   *goTrue
}

// gateway is what the tests need of Kong, or of what stands in for it.
type gateway interface {
	URL() string
	PluginPID(name string) (int, bool)
}

func setup(t *testing.T, change ...func(*kongtest.Options)) *bundle {
	t.Helper()
	b := &bundle{t: t, databaseURL: pgtest.URL(t), goTrue: newGoTrue(t)}
	b.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]any{"path": r.RequestURI, "headers": r.Header})
	}))
	t.Cleanup(b.upstream.Close)
	b.environment = map[string]string{
		"DATABASE_URL":             b.databaseURL,
		"PLURABASE_MASTER_KEY":     storetest.MasterKeyText,
		"PLURABASE_JWT_SECRET":     jwtSecret,
		"PLURABASE_GOTRUE_URL":     b.goTrue.URL,
		"PLURABASE_SIGNUP":         "example.com",
		"PLURABASE_PUBLIC_URL":     "http://localhost:8000",
		"PLURABASE_PROJECT_DOMAIN": "localhost:8000",
		"PLURABASE_PROJECT_HOST":   "localhost",
		"PLURABASE_DATABASE_HOST":  "localhost",
		"PLURABASE_STUDIO_URL":     studio,
		"PG_META_CRYPTO_KEY":       cryptoKey,
		"PG_META_URL":              b.upstream.URL,
		// By a name, as compose has it: in front of the projects, Kong looks none up.
		"PLURABASE_PG_META_URL": strings.Replace(b.upstream.URL, "127.0.0.1", "localhost", 1),
	}
	b.gateway = startGateway(t, b.environment, change...)
	return b
}

func session(t *testing.T) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": ada, "email": "ada@example.com", "aud": "authenticated", "role": "authenticated",
		"exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte(jwtSecret))
	require.NoError(t, err)
	return "Bearer " + signed
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	decoded := map[string]any{}
	require.NoError(t, json.Unmarshal(a.body, &decoded), "%d %s", a.status, a.body)
	return decoded
}

// client follows nothing: a redirect is an answer like others.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// send sends a request through the gateway. headers are name, value, name, value…
func (b *bundle) send(method, path, body string, headers ...string) answer {
	b.t.Helper()
	a, err := b.trySend(method, path, body, headers...)
	require.NoError(b.t, err)
	return a
}

func (b *bundle) trySend(method, path, body string, headers ...string) (answer, error) {
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.gateway.URL(), strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	// As it stands: url.Parse would make a path clean that is to arrive as it is.
	request.URL.Opaque = "//" + request.URL.Host + path
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	if request.Host = request.Header.Get("Host"); request.Host != "" {
		request.URL.Opaque = path // only so the Host is not that of the address
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, read}, err
}

func (b *bundle) signedIn(method, path, body string, headers ...string) answer {
	b.t.Helper()
	return b.send(method, path, body, append([]string{"Authorization", session(b.t), "Content-Type", "application/json"}, headers...)...)
}

// project makes a project that looks as if the provisioner had brought it up, and returns its ref.
func (b *bundle) project() string {
	b.t.Helper()
	slug := b.signedIn(http.MethodPost, "/api/platform/organizations", `{"name":"Acme"}`).json(b.t)["slug"].(string)
	made := b.signedIn(http.MethodPost, "/api/platform/projects", `{"organization_slug":"`+slug+`","name":"shop","db_pass":"correct horse"}`)
	require.Equal(b.t, http.StatusCreated, made.status, string(made.body))
	b.exec(`update platform.projects set status = 'ACTIVE_HEALTHY', db_host = '127.0.0.1', db_port = 54400`)
	return made.json(b.t)["ref"].(string)
}

// exec changes something in the platform's database.
func (b *bundle) exec(query string) {
	b.t.Helper()
	connection, err := pgx.Connect(b.t.Context(), b.databaseURL)
	require.NoError(b.t, err)
	defer func() { _ = connection.Close(b.t.Context()) }()
	_, err = connection.Exec(b.t.Context(), query)
	require.NoError(b.t, err)
}

func TestThePlatformAPIAnswersThroughTheGateway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	profile := b.signedIn(http.MethodGet, "/api/platform/profile", "")
	require.Equal(t, http.StatusOK, profile.status, string(profile.body))
	require.Equal(t, "application/json", profile.header.Get("Content-Type"))
	require.Equal(t, "ada@example.com", profile.json(t)["primary_email"])

	refused := b.send(http.MethodGet, "/api/v1/projects", "")
	require.Equal(t, http.StatusUnauthorized, refused.status)
	require.NotEmpty(t, refused.json(t)["message"])
	unknown := b.signedIn(http.MethodGet, "/api/platform/nothing", "")
	require.Equal(t, http.StatusNotFound, unknown.status)
	require.Equal(t, "There is no endpoint GET /platform/nothing.", unknown.json(t)["message"])
}

func TestABodyThatTheGatewayKeepsInAFileArrivesWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	name := strings.Repeat("n", 100)
	filler := strings.Repeat("x", 200_000)
	made := b.signedIn(http.MethodPost, "/api/platform/organizations", `{"filler":"`+filler+`","name":"`+name+`"}`)
	require.Equal(t, http.StatusCreated, made.status, string(made.body))
	require.Equal(t, name, made.json(t)["name"])
}

func TestAPathThatIsNotCleanIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{
		"/api/platform/x/..%2fprofile", "/api/platform/%2e%2e/%2e%2e/api/platform/profile", "/api/platform//profile",
		"/api/platform/x/../profile", "/api/platform/profile%00", "/api/platform/pg-meta/..%2f..%2fprofile",
	} {
		refused := b.signedIn(http.MethodGet, path, "")
		require.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, refused.status, "%s: %s", path, refused.body)
	}
	require.Zero(t, b.asked.Load())
}

func TestOnlyStudiosOriginMayCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	preflight := func(origin string) answer {
		return b.send(http.MethodOptions, "/api/platform/profile", "", "Origin", origin, "Access-Control-Request-Method", "GET",
			"Access-Control-Request-Headers", "authorization,x-request-id")
	}
	allowed := preflight(studio)
	require.Equal(t, studio, allowed.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", allowed.header.Get("Access-Control-Allow-Credentials"))
	require.NotEqual(t, "http://evil.example.com", preflight("http://evil.example.com").header.Get("Access-Control-Allow-Origin"))

	answered := b.signedIn(http.MethodGet, "/api/platform/profile", "", "Origin", studio)
	require.Equal(t, studio, answered.header.Get("Access-Control-Allow-Origin"), "plugin answers have cors' headers too")
}

func TestAQueryReachesPostgresMetaAsItsProjectAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.project()
	token := b.signedIn(http.MethodGet, "/api/platform/projects/"+ref, "").json(t)["connectionString"].(string)

	passed := b.signedIn(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query?key=tables", `{"query":"select 1"}`, "x-connection-encrypted", token)
	require.Equal(t, http.StatusOK, passed.status, string(passed.body))
	asked := passed.json(t)
	require.Equal(t, "/query?key=tables", asked["path"])
	headers := asked["headers"].(map[string]any)
	require.NotContains(t, headers, "Authorization")
	sent := headers["X-Connection-Encrypted"].([]any)
	require.Len(t, sent, 1)
	require.NotEqual(t, token, sent[0])
	require.Equal(t, "postgresql://postgres:correct%20horse@127.0.0.1:54400/postgres", decrypt(t, sent[0].(string)))

	for name, refused := range map[string]answer{
		"no token":        b.signedIn(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", `{}`),
		"a forged one":    b.signedIn(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", `{}`, "x-connection-encrypted", "U2FsdGVkX18AAAA"),
		"not signed in":   b.send(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", `{}`, "x-connection-encrypted", token),
		"another project": b.signedIn(http.MethodPost, "/api/platform/pg-meta/abcdefghijklmnopqrst/query", `{}`, "x-connection-encrypted", token),
	} {
		require.GreaterOrEqual(t, refused.status, 400, name)
		require.Less(t, refused.status, 500, name)
	}
	require.Equal(t, int64(1), b.asked.Load(), "what is refused never reaches postgres-meta")
}

func decrypt(t *testing.T, text string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "openssl", "enc", "-d", "-aes-256-cbc", "-md", "md5", "-base64", "-A", "-pass", "pass:"+cryptoKey)
	command.Stdin = bytes.NewBufferString(text)
	plain, err := command.Output()
	require.NoError(t, err)
	return string(plain)
}

func TestADeadPluginLetsNothingThroughAndComesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.project()
	token := b.signedIn(http.MethodGet, "/api/platform/projects/"+ref, "").json(t)["connectionString"].(string)
	for range 3 {
		pid, running := b.gateway.PluginPID("pg-meta-crypto")
		require.True(t, running)
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		require.Eventually(t, func() bool {
			passed := b.signedIn(http.MethodPost, "/api/platform/pg-meta/"+ref+"/query", `{}`, "x-connection-encrypted", token)
			if passed.status == http.StatusOK {
				require.NotContains(t, string(passed.body), token, "the token never goes on as it came")
			}
			now, running := b.gateway.PluginPID("pg-meta-crypto")
			return passed.status == http.StatusOK && running && now != pid
		}, 20*time.Second, 50*time.Millisecond)
	}
}

func TestAKilledPluginRepeatsNoWrite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.signedIn(http.MethodGet, "/api/platform/profile", "")
	pid, running := b.gateway.PluginPID("platform-api")
	require.True(t, running)

	const writes = 40
	var group errgroup.Group
	for i := range writes {
		id := uuid.NewString()
		group.Go(func() error {
			for attempt := 0; attempt < 100; attempt++ {
				made, err := b.trySend(http.MethodPost, "/api/platform/organizations", fmt.Sprintf(`{"name":"Acme %d"}`, i),
					"Authorization", session(t), "Content-Type", "application/json", "X-Request-Id", id)
				if err == nil && made.status == http.StatusCreated {
					return nil
				}
				time.Sleep(50 * time.Millisecond) // a client's own pause before it tries again
			}
			return fmt.Errorf("write %d was never answered", i)
		})
	}
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.NoError(t, group.Wait())
	var names []struct{ Name string }
	require.NoError(t, json.Unmarshal(b.signedIn(http.MethodGet, "/api/platform/organizations", "").body, &names))
	require.Len(t, names, writes)
}

func TestMissingSettingsAreAllNamed(t *testing.T) {
	t.Parallel()
	for plugin, missing := range map[string][]string{
		"platform-api":    {"DATABASE_URL", "PLURABASE_MASTER_KEY", "PLURABASE_JWT_SECRET", "PLURABASE_PUBLIC_URL"},
		"pg-meta-crypto":  {"DATABASE_URL", "PLURABASE_MASTER_KEY", "PLURABASE_JWT_SECRET", "PG_META_CRYPTO_KEY"},
		"project-gateway": {"DATABASE_URL", "PLURABASE_MASTER_KEY", "PLURABASE_PUBLIC_URL", "PLURABASE_PROJECT_DOMAIN"},
	} {
		command := exec.CommandContext(t.Context(), filepath.Join(binaries, plugin))
		command.Env = []string{"PWD=/"}
		output, err := command.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 1, exit.ExitCode())
		for _, name := range missing {
			require.Contains(t, string(output), name)
		}
	}
}

func TestWrongSettingsAreAllNamedAndNotRepeated(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), filepath.Join(binaries, "platform-api"))
	command.Env = []string{"PLURABASE_JWT_SECRET=hunter2", "PLURABASE_GOTRUE_URL=auth:9999", "PLURABASE_SIGNUP=opne"}
	output, err := command.CombinedOutput()
	require.Error(t, err)
	for _, name := range []string{"DATABASE_URL", "PLURABASE_JWT_SECRET", "PLURABASE_GOTRUE_URL", "PLURABASE_SIGNUP"} {
		require.Contains(t, string(output), name)
	}
	require.NotContains(t, string(output), "hunter2")
}

func TestAWrongMasterKeyIsNotRepeated(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), filepath.Join(binaries, "platform-api"))
	command.Env = []string{"PLURABASE_MASTER_KEY=hunter2"}
	output, err := command.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(output), "openssl rand -base64 32")
	require.NotContains(t, string(output), "hunter2")
}

func TestTheDumpTouchesNothing(t *testing.T) {
	t.Parallel()
	for _, plugin := range []string{"platform-api", "pg-meta-crypto", "project-gateway"} {
		command := exec.CommandContext(t.Context(), filepath.Join(binaries, plugin), "-dump")
		command.Env = []string{} // no database, no key
		output, err := command.Output()
		require.NoError(t, err)
		var dump struct {
			Protocol string
			Plugins  []struct{ Name string }
		}
		require.NoError(t, json.Unmarshal(output, &dump))
		require.Equal(t, "ProtoBuf:1", dump.Protocol)
		require.Equal(t, plugin, dump.Plugins[0].Name)
	}
}
