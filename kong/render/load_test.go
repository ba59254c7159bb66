package render_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/render"
)

// environment is what the tests' files may name.
func environment(name string) (string, bool) {
	value, ok := map[string]string{
		"HOST":    "upstream",
		"NUMBER":  "17",
		"EMPTY":   "",
		"TRICKY":  "a: {b: c}\n- d # \"'&*${HOST}",
		"NULL":    "null",
		"SECRET":  "s3cr3t",
		"BAD_URL": "http://user:s3cr3t@host:port",
	}[name]
	return value, ok
}

const header = "_format_version: '3.0'\n"

func parse(t *testing.T, text string) *render.Config {
	t.Helper()
	config, err := render.Parse("kong.yml", []byte(header+text), environment)
	require.NoError(t, err)
	return config
}

func TestConfigIsRead(t *testing.T) {
	t.Parallel()
	config := parse(t, `
services:
  - name: first
    url: http://${HOST}:${NUMBER}/base
    connect_timeout: 1
    write_timeout: 2000
    read_timeout: ${NUMBER}
    retries: 0
    enabled: false
    tags: [a]
    routes:
      - name: route
        hosts: ["*.${HOST}"]
        paths: [/a, "~/b$"]
        methods: [GET]
        protocols: [https]
        strip_path: false
        preserve_host: true
        request_buffering: false
        response_buffering: false
        plugins:
          - {name: acl, enabled: false}
    plugins:
      - name: cors
        config: {max_age: 3600, origins: ["${HOST}"]}
  - name: second
    url: https://second
    routes:
      - name: plain
        paths: [/]
plugins:
  - name: global
    instance_name: once
consumers:
  - username: anon
    keyauth_credentials: [{key: "${SECRET}"}]
acls:
  - {consumer: anon, group: anon}
`)

	require.Equal(t, &render.Config{
		Services: []render.Service{
			{
				Name: "first", URL: &url.URL{Scheme: "http", Host: "upstream:17", Path: "/base"}, Line: 4,
				ConnectTimeout: time.Millisecond, WriteTimeout: 2 * time.Second, ReadTimeout: 17 * time.Millisecond,
				Routes: []render.Route{{
					Name: "route", Hosts: []string{"*.upstream"}, Paths: []string{"/a", "~/b$"}, Methods: []string{"GET"},
					Protocols: []string{"https"}, PreserveHost: true, Line: 13,
					Plugins: []render.Plugin{{Name: "acl", Config: map[string]any{}, Line: 23}},
				}},
				Plugins: []render.Plugin{{
					Name: "cors", Enabled: true, Line: 25,
					Config: map[string]any{"max_age": 3600, "origins": []any{"upstream"}},
				}},
			},
			{
				Name: "second", URL: &url.URL{Scheme: "https", Host: "second"}, Line: 27,
				ConnectTimeout: time.Minute, WriteTimeout: time.Minute, ReadTimeout: time.Minute, Retries: 5, Enabled: true,
				Routes: []render.Route{{
					Name: "plain", Paths: []string{"/"}, Protocols: []string{"http", "https"}, Line: 30,
					StripPath: true, RequestBuffering: true, ResponseBuffering: true,
				}},
			},
		},
		Plugins: []render.Plugin{{Name: "global", Enabled: true, Config: map[string]any{}, Line: 33}},
		Consumers: []render.Consumer{{
			Username: "anon", Line: 36,
			Credentials: map[string]any{"keyauth_credentials": []any{map[string]any{"key": "s3cr3t"}}},
		}},
		Entities: map[string]any{"acls": []any{map[string]any{"consumer": "anon", "group": "anon"}}},
	}, config)
}

func TestVariableIsTextAndNothingElse(t *testing.T) {
	t.Parallel()
	tests := map[string]any{
		"${TRICKY}":              "a: {b: c}\n- d # \"'&*${HOST}",
		`"<${HOST}${HOST}>"`:     "<upstreamupstream>",
		"${NUMBER}":              "17",
		"'${NULL}'":              "null",
		"${NULL}":                "null",
		"${EMPTY}":               "",
		"$HOST $ {HOST} $(HOST)": "$HOST $ {HOST} $(HOST)",
		"|\n        ${HOST}\n":   "upstream\n",
		"{'${HOST}': 1}":         map[string]any{"${HOST}": 1},
		"['${HOST}', 17]":        []any{"upstream", 17},
	}
	for value, want := range tests {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			config := parse(t, "plugins:\n  - name: p\n    config:\n      value: "+value)
			require.Equal(t, map[string]any{"value": want}, config.Plugins[0].Config)
		})
	}
}

func TestAliasIsWhatItsAnchorIs(t *testing.T) {
	t.Parallel()
	config := parse(t, `
plugins:
  - name: &name p
    config: &shared {text: &text "${TRICKY}", list: [1]}
  - name: *name
    config: *shared
  - name: q
    config: {<<: *shared, list: [2], again: *text}
`)
	tricky, _ := environment("TRICKY")

	require.Equal(t, map[string]any{"text": tricky, "list": []any{1}}, config.Plugins[1].Config)
	require.Equal(t, "p", config.Plugins[1].Name)
	require.Equal(t, map[string]any{"text": tricky, "list": []any{2}, "again": tricky}, config.Plugins[2].Config)
}

func TestEveryMissingVariableIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := render.Parse("dir/kong.yml", []byte(header+`
plugins:
  - name: ${FIRST}
    config:
      text: |
        line one
        line ${SECOND}
      list: ["${HOST}", "${THIRD} ${FOURTH}"]
`), environment)

	require.EqualError(t, err, `dir/kong.yml:4: the environment variable FIRST is not set
dir/kong.yml:8: the environment variable SECOND is not set
dir/kong.yml:9: the environment variable THIRD is not set
dir/kong.yml:9: the environment variable FOURTH is not set`)
	var problem *render.Problem
	require.ErrorAs(t, err, &problem)
	require.Equal(t, 4, problem.Line)
}

func TestBadFileIsExplained(t *testing.T) {
	t.Parallel()
	service := "services:\n  - name: s\n    url: http://s\n"
	tests := map[string]struct{ text, want string }{
		"nothing":               {"", "kong.yml: the file is empty"},
		"two documents":         {header + "---\na: b", "kong.yml: the file must hold one YAML document"},
		"no YAML":               {header + "a: b: c", "kong.yml:2: mapping values are not allowed in this context"},
		"no mapping":            {"- a", "kong.yml:1: the file must be a mapping"},
		"no version":            {"services: []", `kong.yml:1: _format_version must be "3.0"`},
		"old version":           {"_format_version: '2.1'", `kong.yml:1: _format_version must be "3.0"`},
		"a key twice":           {header + "plugins: []\nplugins: []", `kong.yml:3: mapping key "plugins" already defined at line 2`},
		"an unknown alias":      {header + "plugins: *x", "kong.yml: unknown anchor 'x' referenced"},
		"an anchor in itself":   {header + "x: &x [*x]", "kong.yml: anchor 'x' value contains itself"},
		"broken variable":       {header + "x: ${", `kong.yml:2: after "${" there must be a variable's name and "}"`},
		"odd variable":          {header + "x: ${a-b}", `kong.yml:2: after "${" there must be a variable's name and "}"`},
		"services not a list":   {header + "services: {}", "kong.yml:2: here must be a list"},
		"service not a mapping": {header + "services: [a]", "kong.yml:2: a service must be a mapping"},
		"unknown field":         {header + service + "    hots: [a]", `kong.yml:5: a service has no field "hots" here`},
		"merged service":        {header + "x: &x {}\nservices: [{<<: *x, name: s, url: http://s}]", `kong.yml:3: a service can not be merged with "<<"`},
		"service twice":         {header + service + "  - {name: s, url: http://s}", `kong.yml:5: the service "s" is already on line 3`},
		"service without name":  {header + "services: [{url: http://s}]", "kong.yml:2: a service needs a name"},
		"service without url":   {header + "services: [{name: s}]", `kong.yml:2: the service "s" needs a url such as http://host:port`},
		"url of another scheme": {header + "services: [{name: s, url: tcp://s}]", "kong.yml:2: the url is not of the form http://host:port/path"},
		"url with a secret":     {header + "services: [{name: s, url: '${BAD_URL}'}]", "kong.yml:2: the url is not of the form http://host:port/path"},
		"timeout of zero":       {header + service + "    read_timeout: 0", "kong.yml:5: here must be a whole number from 1 to 2147483646"},
		"secret for a number":   {header + service + "    retries: ${SECRET}", "kong.yml:5: here must be a whole number from 0 to 32767"},
		"secret for a boolean":  {header + service + "    enabled: ${SECRET}", "kong.yml:5: here must be true or false"},
		"route twice":           {header + service + "    routes: [{name: r, paths: [/]}, {name: r, paths: [/]}]", `kong.yml:5: the route "r" is already on line 5`},
		"route for everything":  {header + service + "    routes: [{name: r}]", `kong.yml:5: the route "r" needs hosts, paths or methods`},
		"relative path": {
			header + service + "    routes: [{name: r, paths: [a]}]",
			`kong.yml:5: a path of the route "r" must start with "/", or with "~/" if it is a regular expression`,
		},
		"number for a text":       {header + service + "    routes: [{name: [r], paths: [/]}]", "kong.yml:5: here must be a text"},
		"plugin without name":     {header + "plugins: [{config: {}}]", "kong.yml:2: a plugin needs a name"},
		"plugin with a scope":     {header + "plugins: [{name: p, route: r}]", "kong.yml:2: write the plugin under its service or route"},
		"config not a mapping":    {header + "plugins: [{name: p, config: [a]}]", "kong.yml:2: here must be a mapping from texts"},
		"consumer without name":   {header + "consumers: [{}]", "kong.yml:2: a consumer needs a username or a custom_id"},
		"route without a service": {header + "routes: []", "kong.yml:2: write a route under its service"},
		"upstreams":               {header + "upstreams: []", "kong.yml:2: upstreams are not supported; name the target in the service's url"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render.Parse("kong.yml", []byte(test.text), environment)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "s3cr3t")
		})
	}
}

// TestAliasesMayNotUnfoldIntoTooMuch is the "billion laughs": nine lists, each with nine times the one before.
func TestAliasesMayNotUnfoldIntoTooMuch(t *testing.T) {
	t.Parallel()
	text := "a0: &a0 [x]\n"
	for i := range 9 {
		alias := fmt.Sprintf("*a%d, ", i)
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(alias, 9), ", "))
	}
	_, err := render.Parse("kong.yml", []byte(header+text), environment)
	require.EqualError(t, err, "kong.yml: document contains excessive aliasing")
}

func TestLoadReadsAFile(t *testing.T) {
	// Not parallel: it sets a variable of the process.
	t.Setenv("RENDER_TEST_HOST", "from-the-process")
	path := filepath.Join(t.TempDir(), "kong.yml")
	require.NoError(t, os.WriteFile(path, []byte(header+"services: [{name: s, url: 'http://${RENDER_TEST_HOST}'}]"), 0o600))

	config, err := render.Load(path, nil)
	require.NoError(t, err)
	require.Equal(t, "from-the-process", config.Services[0].URL.Host)
	_, err = render.Load(path+".none", nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestPlatformFileIsRead keeps the file that operators edit readable.
func TestPlatformFileIsRead(t *testing.T) {
	t.Parallel()
	config, err := render.Load("../kong.platform.yml", func(string) (string, bool) { return "http://variable", true })
	require.NoError(t, err)
	require.NotEmpty(t, config.Services)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "a", header, header + "services: [{name: s, url: http://s, routes: [{name: r, paths: [/]}]}]",
		header + "plugins: [&a {name: p, config: {x: ${HOST}}}, *a]", header + "x: &x [*x]", "a: &a [&b [*a, *b], ${}]",
		header + "consumers: [{username: u, k: {<<: {a: ${SECRET}}}}]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		config, err := render.Parse("kong.yml", []byte(text), environment)
		if (config == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", config, err)
		}
		if err == nil {
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.Contains(text, "s3cr3t") && strings.Contains(line, "s3cr3t") {
				t.Fatalf("a secret is in %q", line)
			}
		}
	})
}
