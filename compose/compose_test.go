// Package compose_test loads every combination of the compose files as `docker compose config` does, by the library that it is
// made of.
package compose_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
)

// combination is what an operator gives `docker compose` by -f.
type combination struct {
	name, project string
	files         []string
	environment   []string
}

// environment makes .env as `make env` does, once for all tests.
func environment(t *testing.T) []string {
	t.Helper()
	made, err := madeEnvironment()
	require.NoError(t, err)
	return made
}

var madeEnvironment = sync.OnceValues(func() ([]string, error) {
	folder, err := os.MkdirTemp("", "compose-env")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, ".env")
	if output, err := exec.Command("go", "run", "./setup", "env", "-file", file, "-email", "ada@plurabase.test").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, output)
	}
	content, err := os.ReadFile(file)
	return strings.Split(strings.TrimSpace(string(content)), "\n"), err
})

// installation is what an installation of upstream's has in its own .env, as far as the overlay reads it.
var installation = []string{
	"POSTGRES_HOST=db", "POSTGRES_PORT=5432", "POSTGRES_PASSWORD=p", "JWT_SECRET=j", "ANON_KEY=a", "SERVICE_ROLE_KEY=s",
	"SUPABASE_PUBLIC_URL=http://localhost:8000", "API_EXTERNAL_URL=http://localhost:8000", "DASHBOARD_USERNAME=u", "DASHBOARD_PASSWORD=d",
}

func combinations(environment []string) []combination {
	var all []combination
	for _, docker := range []string{"docker-socket.yml", "docker-proxy.yml"} {
		all = append(all,
			combination{"stand-alone " + docker, "plurabase", []string{"platform.yml", "gateway.yml", docker}, environment},
			combination{"beside 2026 " + docker, "supabase", []string{
				"testdata/upstream/docker-compose.yml", "testdata/upstream/docker-compose.kong.yml", "platform.yml", docker, "overlay/api-gw.yml",
			}, slices.Concat(installation, environment)},
			combination{"beside older " + docker, "supabase", []string{
				"testdata/upstream/docker-compose.older.yml", "platform.yml", docker, "overlay/kong.yml",
			}, slices.Concat(installation, environment)},
		)
	}
	for _, c := range slices.Clone(all) {
		c.name, c.files = c.name+" monitoring", append(slices.Clone(c.files), "monitoring.yml")
		all = append(all, c)
	}
	return all
}

func load(ctx context.Context, c combination) (*types.Project, error) {
	options, err := cli.NewProjectOptions(c.files, cli.WithEnv(c.environment), cli.WithProfiles([]string{"*"}))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

func TestEveryCombinationIsValid(t *testing.T) {
	t.Parallel()
	for _, c := range combinations(environment(t)) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			project, err := load(t.Context(), c)
			require.NoError(t, err)
			require.Equal(t, c.project, project.Name, "an installation keeps its name, and with it its volumes")
			for name, service := range project.Services {
				require.NotEmpty(t, service.Image, name)
				if !slices.Contains(ours, name) {
					continue
				}
				require.Contains(t, service.SecurityOpt, "no-new-privileges:true", name)
				require.Equal(t, []string{"ALL"}, service.CapDrop, name)
				require.NotEqual(t, "0", service.User, name)
				require.NotEqual(t, "root", service.User, name)
				require.False(t, service.Privileged, name)
			}
		})
	}
}

// ours are the services that this repository runs.
var ours = []string{
	"platform-db", "platform-prepare", "platform-auth", "platform-first-start", "platform-meta", "provisioner", "platform-mail",
	"platform-docker", "platform-prometheus", "platform-grafana", "platform-adopt",
}

func TestWhatIsOursCannotWriteToItsImage(t *testing.T) {
	t.Parallel()
	for _, c := range combinations(environment(t)) {
		project, err := load(t.Context(), c)
		require.NoError(t, err)
		for name, service := range project.Services {
			if slices.Contains(ours, name) {
				require.True(t, service.ReadOnly, "%s of %s", name, c.name)
			}
		}
	}
}

// TestWhatPrometheusAsksIsThere holds the addresses in prometheus.yml against those that the processes listen on.
func TestWhatPrometheusAsksIsThere(t *testing.T) {
	t.Parallel()
	asked := read(t, "monitoring/prometheus.yml")
	for _, c := range combinations(environment(t)) {
		project, err := load(t.Context(), c)
		require.NoError(t, err)
		for name, service := range project.Services {
			listen := service.Environment["PLURABASE_METRICS_LISTEN"]
			if listen == nil {
				continue
			}
			host := name
			if network := service.Networks["platform"]; network != nil && len(network.Aliases) > 0 {
				host = network.Aliases[0]
			}
			for entry := range strings.SplitSeq(*listen, ",") {
				require.Contains(t, asked, host+":"+entry[strings.LastIndex(entry, ":")+1:], c.name)
			}
			require.NotEmpty(t, *service.Environment["PLURABASE_METRICS_TOKEN"], "projects' containers reach the gateway")
		}
	}
}

// sections are the proxy's switches for the calls of Docker's client, by how the calls begin.
var sections = []struct{ call, section string }{
	{"ContainerExec", "EXEC"},
	{"Container", "CONTAINERS"},
	{"CopyToContainer", "CONTAINERS"},
	{"CopyFromContainer", "CONTAINERS"},
	{"Image", "IMAGES"},
	{"Network", "NETWORKS"},
	{"Volume", "VOLUMES"},
	{"Events", "EVENTS"},
	{"Info", "INFO"},
	{"Ping", "PING"},
	{"NegotiateAPIVersion", "PING"},
	{"ServerVersion", "VERSION"},
	{"Close", ""},
	{"ClientVersion", ""},
	{"DaemonHost", ""},
	{"DiskUsage", "SYSTEM"},
}

// TestTheProxyLetsThroughWhatTheProvisionerCallsAndNothingElse reads the calls where they are made.
func TestTheProxyLetsThroughWhatTheProvisionerCallsAndNothingElse(t *testing.T) {
	t.Parallel()
	needed := map[string]bool{"POST": true} // whatever changes something
	call := regexp.MustCompile(`\.client\.([A-Z][A-Za-z]+)\(`)
	for _, path := range sources(t, ".go") {
		if !strings.Contains(path, "provisioner/internal/engine/docker/") {
			continue
		}
		for _, found := range call.FindAllStringSubmatch(read(t, path), -1) {
			i := slices.IndexFunc(sections, func(s struct{ call, section string }) bool { return strings.HasPrefix(found[1], s.call) })
			require.GreaterOrEqual(t, i, 0, "which of the proxy's switches is %s?", found[1])
			needed[sections[i].section] = true
		}
	}
	delete(needed, "")
	project, err := load(t.Context(), combinations(environment(t))[3])
	require.NoError(t, err)
	var allowed []string
	for name, value := range project.Services["platform-docker"].Environment {
		require.Equal(t, "1", *value)
		allowed = append(allowed, name)
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(needed)), allowed)
}

func TestTestUpSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), "browser/test-up.sh")
	command.Env = append(os.Environ(), "DOCKER_HOST=tcp://127.0.0.1:1")
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	require.Contains(t, string(output), "test-up: not run: Docker does not answer")
}

func TestTheBrowsersStoryCanBeRead(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed: `make test` installs it")
	}
	output, err := exec.CommandContext(t.Context(), "node", "--check", "browser/story.mjs").CombinedOutput()
	require.NoError(t, err, string(output))
}

func TestDockersSocketIsTheProvisionersOrTheProxysAlone(t *testing.T) {
	t.Parallel()
	for _, c := range combinations(environment(t)) {
		holder := "provisioner"
		if slices.Contains(c.files, "docker-proxy.yml") {
			holder = "platform-docker"
		}
		project, err := load(t.Context(), c)
		require.NoError(t, err)
		for name, service := range project.Services {
			for _, volume := range service.Volumes {
				if strings.HasSuffix(volume.Source, "docker.sock") {
					require.Equal(t, holder, name, c.name)
				}
			}
		}
		require.NotEmpty(t, project.Services[holder].Volumes, c.name)
	}
}

func TestWhatStartsWaitsForWhatItNeeds(t *testing.T) {
	t.Parallel()
	project, err := load(t.Context(), combinations(environment(t))[0])
	require.NoError(t, err)
	for name, service := range project.Services {
		for other, dependency := range service.DependsOn {
			needed := project.Services[other]
			switch dependency.Condition {
			case types.ServiceConditionHealthy:
				require.NotNil(t, needed.HealthCheck, "%s waits for the health of %s, which has no check", name, other)
			case types.ServiceConditionCompletedSuccessfully:
				require.NotEqual(t, "unless-stopped", needed.Restart, "%s waits for the end of %s, which never ends", name, other)
			}
		}
	}
}

func TestNothingIsRunWithoutSecrets(t *testing.T) {
	t.Parallel()
	_, err := load(t.Context(), combination{"no .env", "plurabase", []string{"platform.yml", "gateway.yml", "docker-socket.yml"}, nil})
	require.ErrorContains(t, err, "run make env first")
}

// TestTheGatewayPassesOnWhatItsPluginsRead holds the compose files against the image: Kong wipes its plugins' environment but for what
// the image lists.
func TestTheGatewayPassesOnWhatItsPluginsRead(t *testing.T) {
	t.Parallel()
	dockerfile, err := os.ReadFile("../kong/Dockerfile")
	require.NoError(t, err)
	_, listed, _ := strings.Cut(string(dockerfile), `KONG_NGINX_MAIN_ENV="`)
	listed, _, _ = strings.Cut(listed, `"`)
	names := strings.Split(listed, "; env ")
	settings := pluginSettings(t)
	require.Subset(t, names, settings)
	for _, c := range combinations(environment(t)) {
		project, err := load(t.Context(), c)
		require.NoError(t, err)
		gateway := project.Services["kong"]
		if gateway.Name == "" {
			gateway = project.Services["api-gw"]
		}
		for _, name := range settings {
			if !slices.Contains(forOthers, name) {
				require.Contains(t, gateway.Environment, name, c.name)
			}
		}
		require.Equal(t, []string{"/usr/local/bin/entrypoint.sh"}, []string(orImage(gateway.Entrypoint)), c.name)
	}
}

// TestTheGatewaysLogsHaveTheirFormats: nginx does not start with a log whose format nobody defines, and a compose file replaces what the
// image sets.
func TestTheGatewaysLogsHaveTheirFormats(t *testing.T) {
	t.Parallel()
	image, err := kongtest.ReadImage("../kong/Dockerfile")
	require.NoError(t, err)
	for _, c := range combinations(environment(t)) {
		project, err := load(t.Context(), c)
		require.NoError(t, err)
		formats, logs := image.LogFormat, []string{image.AccessLog}
		for _, service := range []string{"kong", "api-gw"} {
			set := project.Services[service].Environment
			if given := set["KONG_NGINX_HTTP_LOG_FORMAT"]; given != nil {
				formats = *given
				require.Contains(t, formats, image.LogFormat, c.name)
			}
			if given := set["KONG_PROXY_ACCESS_LOG"]; given != nil {
				logs = append(logs, *given)
			}
		}
		for _, log := range logs {
			if words := strings.Fields(log); len(words) > 1 {
				require.Regexp(t, `(^|log_format )`+words[1]+` `, formats, c.name)
			}
		}
	}
}

// forOthers are settings of the plugins that no compose file decides: those of Go's profiles, the issuer of another GoTrue than the
// platform's own, and the proxies that Kong is told to believe.
var forOthers = []string{"PLURABASE_PPROF_DIR", "PLURABASE_JWT_ISSUER", "KONG_TRUSTED_IPS"}

// pluginSettings are the environment variables that the plugins read, by the code.
func pluginSettings(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, path := range append(sources(t, ".go"), "../store/store.go") {
		if !strings.HasPrefix(path, "../plugins/") && !strings.HasPrefix(path, "../store/telemetry/") && path != "../store/store.go" {
			continue
		}
		for _, name := range settingInGo.FindAllStringSubmatch(read(t, path), -1) {
			names = append(names, name[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// orImage is the entrypoint of kong/Dockerfile where a service names none.
func orImage(entrypoint types.ShellCommand) types.ShellCommand {
	if len(entrypoint) == 0 {
		return types.ShellCommand{"/usr/local/bin/entrypoint.sh"}
	}
	return entrypoint
}

func TestShellScriptsAreClean(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not installed: `make test` installs it")
	}
	listed, err := exec.Command("git", "-C", "..", "ls-files", "*.sh", ".ci/run").Output()
	require.NoError(t, err)
	for path := range strings.FieldsSeq(string(listed)) {
		output, err := exec.Command("shellcheck", filepath.Join("..", path)).CombinedOutput()
		require.NoError(t, err, string(output))
	}
}
