package render_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/render"
)

var update = flag.Bool("update", false, "write the golden files anew")

// installation is the environment of an upstream installation with opaque keys.
func installation(changes map[string]string) render.Lookup {
	variables := map[string]string{
		"SUPABASE_ANON_KEY": "anon.jwt", "SUPABASE_SERVICE_KEY": "service.jwt",
		"SUPABASE_PUBLISHABLE_KEY": "sb_publishable_p", "SUPABASE_SECRET_KEY": "sb_secret_s",
		"ANON_KEY_ASYMMETRIC": "anon.es256", "SERVICE_ROLE_KEY_ASYMMETRIC": "service.es256",
		"DASHBOARD_USERNAME": "supabase", "DASHBOARD_PASSWORD": "d4shb0ard",
		"TIMEOUT": "5000", "STUDIO": "https://studio.example.com",
	}
	for name, value := range changes {
		variables[name] = value
	}
	return func(name string) (string, bool) { value, ok := variables[name]; return value, ok }
}

func testOptions(base string) render.Options {
	return render.Options{Base: base, Platform: []string{"testdata/platform.yml"}, Lookup: installation(nil)}
}

func TestBothGenerationsOfUpstreamsFileAreRendered(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*render.Options){
		"upstream-2021":              func(o *render.Options) { o.Base = "testdata/upstream-2021.yml"; o.SignIn = true },
		"upstream-2026":              func(o *render.Options) { o.SignIn = true },
		"upstream-2026-behind-basic": func(o *render.Options) { o.DashboardBasicAuth = true },
		"upstream-2026-without-opaque": func(o *render.Options) {
			o.Lookup = installation(map[string]string{"SUPABASE_PUBLISHABLE_KEY": "", "SUPABASE_SECRET_KEY": "", "ANON_KEY_ASYMMETRIC": "", "SERVICE_ROLE_KEY_ASYMMETRIC": ""})
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counted(t)
			options := testOptions("testdata/upstream-2026.yml")
			change(&options)
			rendered, err := render.Render(options)
			require.NoError(t, err)
			requireGolden(t, name+".golden.yml", string(rendered.YAML))
			requireGolden(t, name+".diff", strings.Join(rendered.Changes, "\n")+"\n")

			again, err := render.Render(options)
			require.NoError(t, err)
			require.Equal(t, rendered, again)
		})
	}
}

// TestTheStandAlonePlatformIsRendered holds the files that we ship: every plugin of ours has a second guard behind it.
func TestTheStandAlonePlatformIsRendered(t *testing.T) {
	t.Parallel()
	counted(t)
	rendered, err := render.Render(render.Options{Base: "../kong.standalone.yml", Platform: []string{"../kong.platform.yml"}, Lookup: standAlone})
	require.NoError(t, err)
	merged := parseWhole(t, rendered.YAML)
	require.Subset(t, serviceNames(merged), []string{"platform-auth", "dashboard", "platform-api", "platform-pg-meta"})
	for _, service := range merged.Services {
		for _, scope := range append([][]render.Plugin{service.Plugins}, routePlugins(service)...) {
			names := map[string]bool{}
			for _, plugin := range scope {
				names[plugin.Name] = true
			}
			if names["platform-api"] || names["pg-meta-crypto"] || names["project-gateway"] {
				require.True(t, names["post-function"] || names["request-termination"], "the service %s has no second guard", service.Name)
			}
		}
	}
}

func serviceNames(config *render.Config) []string {
	var names []string
	for _, service := range config.Services {
		names = append(names, service.Name)
	}
	return names
}

func routePlugins(service render.Service) [][]render.Plugin {
	var plugins [][]render.Plugin
	for _, route := range service.Routes {
		plugins = append(plugins, route.Plugins)
	}
	return plugins
}

// standAlone gives every variable that the platform's own files name a value that is an address.
func standAlone(name string) (string, bool) {
	if strings.HasPrefix(name, "SUPABASE_") || strings.HasSuffix(name, "_ASYMMETRIC") {
		return "", false
	}
	return "http://" + strings.ToLower(strings.ReplaceAll(name, "_", "-")), true
}

func requireGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// temporary writes a file and returns its path.
func temporary(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestSignInNeedsNoKeyOnTheAuthRoutesAlone(t *testing.T) {
	t.Parallel()
	options := testOptions("testdata/upstream-2026.yml")
	options.SignIn = true
	rendered, err := render.Render(options)
	require.NoError(t, err)
	merged := parseWhole(t, rendered.YAML)
	for _, service := range merged.Services {
		for _, plugin := range service.Plugins {
			if plugin.Name == "key-auth" {
				_, anonymous := plugin.Config["anonymous"]
				require.Equal(t, service.Name == "auth-v1", anonymous, service.Name)
			}
		}
	}

	options.SignIn = false
	rendered, err = render.Render(options)
	require.NoError(t, err)
	require.NotContains(t, string(rendered.YAML), render.SignInConsumer)
}

// parseWhole reads a rendered file by the package's other reader.
func parseWhole(t *testing.T, data []byte) *render.Config {
	t.Helper()
	config, err := render.Parse("rendered.yml", data, func(name string) (string, bool) { return "${" + name + "}", true })
	require.NoError(t, err, string(data))
	return config
}

func TestSecretsAreNotInTheDiff(t *testing.T) {
	t.Parallel()
	rendered, err := render.Render(testOptions("testdata/upstream-2026.yml"))
	require.NoError(t, err)
	for _, secret := range []string{"anon.jwt", "service.jwt", "sb_secret_s", "d4shb0ard", "es256"} {
		require.NotContains(t, strings.Join(rendered.Changes, "\n"), secret)
	}
}

func TestAVariableCannotAddToTheConfiguration(t *testing.T) {
	t.Parallel()
	options := testOptions("testdata/upstream-2026.yml")
	options.Lookup = installation(map[string]string{"DASHBOARD_PASSWORD": "a\nservices: []\n- b: $(rm -rf /) `id` ${STUDIO}", "STUDIO": "x\"]\nplugins: [evil]"})
	options.DashboardBasicAuth = true
	rendered, err := render.Render(options)
	require.NoError(t, err)
	merged := parseWhole(t, rendered.YAML)
	require.Empty(t, merged.Plugins)
	require.Len(t, merged.Services, 9)
	require.Contains(t, merged.Entities["basicauth_credentials"], map[string]any{
		"consumer": "DASHBOARD", "username": "supabase", "password": "a\nservices: []\n- b: $(rm -rf /) `id` ${STUDIO}",
	})
}

func TestAKeyCannotAddToAnExpression(t *testing.T) {
	t.Parallel()
	options := testOptions("testdata/upstream-2026.yml")
	options.Lookup = installation(map[string]string{"SUPABASE_SECRET_KEY": "x' or os.exit() or '"})
	_, err := render.Render(options)
	require.EqualError(t, err, "SUPABASE_SECRET_KEY and SERVICE_ROLE_KEY_ASYMMETRIC may have letters, digits and ._~+/=- alone")
}

func TestBadInputIsExplainedByFileAndLine(t *testing.T) {
	t.Parallel()
	const (
		base    = "_format_version: '2.1'\n"
		service = base + "services:\n- name: s\n  url: http://s\n"
		over    = "_format_version: '3.0'\n"
	)
	tests := map[string]struct{ base, platform, want string }{
		"another format":       {"_format_version: '4.0'\n", over, `BASE:1: _format_version must be "1.1", "2.1", "3.0"`},
		"platform of old":      {base, base, `PLATFORM:1: _format_version must be "3.0"`},
		"no list":              {base + "services: {}", over, "BASE:2: services must be a list"},
		"no mapping":           {base + "services: [a]", over, "BASE:2: an entry of services must be a mapping"},
		"unset in the base":    {service + "  path: $NOT_SET", over, "BASE:5: the environment variable NOT_SET is not set"},
		"unset in ours":        {base, over + "x: ${NOT_SET}", "PLATFORM:2: the environment variable NOT_SET is not set"},
		"no url":               {base + "services: [{name: s}]", over, `BASE:2: the service "s" needs a url such as http://host:port`},
		"a bad url":            {base + "services: [{name: s, url: '${TIMEOUT}'}]", over, "BASE:2: the url is not of the form http://host:port/path"},
		"a route of two":       {service + "  routes: [{name: r, paths: [/]}]", over + "services: [{name: t, url: http://t, routes: [{name: r, paths: [/]}]}]", `PLATFORM:2: the route "r" is already on line 5 of BASE`},
		"a route for all":      {service + "  routes: [{name: r}]", over, `BASE:5: the route "r" needs hosts, paths or methods`},
		"a relative path":      {service + "  routes: [{name: r, paths: [a]}]", over, `BASE:5: a path of the route "r" must start with "/", or with "~/" if it is a regular expression`},
		"a nameless plugin":    {service + "  plugins: [{config: {}}]", over, "BASE:5: a plugin needs a name"},
		"a key twice":          {base + "consumers: [{username: a, keyauth_credentials: [{key: k}]}, {username: b, keyauth_credentials: [{key: k}]}]", over, "BASE:2: this API key is there twice"},
		"a stranger's group":   {base + "acls: [{consumer: a, group: g}]", over, `BASE:2: there is no consumer "a"`},
		"a stranger's route":   {service + "  plugins: [{name: key-auth, config: {anonymous: a}}]", over, "BASE:5: the plugin key-auth names an anonymous consumer that is not there"},
		"a merge key":          {base + "x: &x {a: b}\nservices: [{<<: *x, name: s, url: http://s}]", over, `BASE:3: "<<" is not supported; write the fields out, or use an alias for the whole value`},
		"mixed with the auth":  {service + "  routes: [{name: r, paths: [/auth/v1/]}, {name: q, paths: [/rest/v1/]}]\n  plugins: [{name: key-auth}]", over, `BASE:6: key-auth guards routes of "s" that are not under /auth/v1: give them a service of their own`},
		"a route of no servie": {base + "routes: [{name: r, paths: [/]}]", over, "BASE:2: write a route under its service"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counted(t)
			options := render.Options{
				Base: temporary(t, "base.yml", test.base), Platform: []string{temporary(t, "platform.yml", test.platform)},
				Lookup: installation(nil), SignIn: true,
			}
			_, err := render.Render(options)
			want := strings.NewReplacer("BASE", options.Base, "PLATFORM", options.Platform[0]).Replace(test.want)
			require.ErrorContains(t, err, want)
		})
	}
}
