package render_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/plurabase/plurabase/kong/render"
)

// gatewayFile draws one of Kong's files: services with routes and plugins, of few names, so that two files meet.
func gatewayFile(t *rapid.T, version, prefix string) map[string]any {
	name := rapid.SampledFrom([]string{"auth-v1", "rest-v1", "dashboard", "yes", "1:30", "häß lich", "a.b"})
	text := rapid.OneOf(rapid.StringMatching(`[a-z/~$%{}:# \\'"\n]{0,12}`), rapid.SampledFrom([]string{"null", "on", "0x1", "1e3", " x", "x ", "|", "-", "*a", "&a"}))
	plugin := rapid.Custom(func(t *rapid.T) map[string]any {
		return map[string]any{
			"name":   rapid.SampledFrom([]string{"cors", "key-auth", "acl", "basic-auth"}).Draw(t, "plugin"),
			"config": rapid.MapOf(rapid.SampledFrom([]string{"allow", "x", "y"}), plain(text)).Draw(t, "config"),
		}
	})
	services := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) map[string]any {
		service := name.Draw(t, "service")
		return map[string]any{
			"name": service, "url": "http://" + rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "host"),
			"routes": []any{map[string]any{
				"name":       prefix + service,
				"paths":      []any{"/" + rapid.SampledFrom([]string{"", "auth/v1/", "rest/v1/", "x[0-9]+", "a%2Db"}).Draw(t, "path")},
				"strip_path": rapid.Bool().Draw(t, "strip"),
			}},
			"plugins": rapid.SliceOfNDistinct(plugin, 0, 3, func(p map[string]any) string { return p["name"].(string) }).Draw(t, "plugins"),
		}
	}), 1, 4, func(s map[string]any) string { return s["name"].(string) }).Draw(t, "services")
	return map[string]any{"_format_version": version, "services": services}
}

// plain draws texts without variables.
func plain(text *rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.Map(text, func(s string) string { return string(bytes.ReplaceAll([]byte(s), []byte("$"), []byte("S"))) })
}

// written writes a value as YAML, with the keys of each mapping in an order that random decides.
func written(t *rapid.T, folder, name string, value any, random *rand.Rand) string {
	data, err := yaml.Marshal(shuffled(t, value, random))
	require.NoError(t, err)
	path := filepath.Join(folder, name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func shuffled(t *rapid.T, value any, random *rand.Rand) *yaml.Node {
	var node yaml.Node
	require.NoError(t, node.Encode(value))
	var shuffle func(*yaml.Node)
	shuffle = func(n *yaml.Node) {
		if n.Kind == yaml.MappingNode {
			random.Shuffle(len(n.Content)/2, func(i, j int) {
				n.Content[2*i], n.Content[2*j] = n.Content[2*j], n.Content[2*i]
				n.Content[2*i+1], n.Content[2*j+1] = n.Content[2*j+1], n.Content[2*i+1]
			})
		}
		for _, child := range n.Content {
			shuffle(child)
		}
	}
	shuffle(&node)
	return &node
}

// TestRenderingHolds draws pairs of files and holds what has to be so of every pair.
func TestRenderingHolds(t *testing.T) {
	t.Parallel()
	t.Cleanup(func() {
		if t.Failed() {
			wrong.Add(1)
		}
	})
	folder := t.TempDir()
	none := func(string) (string, bool) { return "", false }
	rapid.Check(t, func(t *rapid.T) {
		inputs.Add(1)
		base, over := gatewayFile(t, rapid.SampledFrom([]string{"1.1", "2.1", "3.0"}).Draw(t, "version"), ""), gatewayFile(t, "3.0", "ours-")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		options := render.Options{
			Base: written(t, folder, "base.yml", base, random), Platform: []string{written(t, folder, "platform.yml", over, random)},
			Lookup: none, SignIn: rapid.Bool().Draw(t, "sign in"), DashboardBasicAuth: rapid.Bool().Draw(t, "basic auth"),
		}
		rendered, err := render.Render(options)
		if err != nil { // the base's key-auth guards an auth route and another one
			require.ErrorContains(t, err, "give them a service of their own")
			return
		}

		// The order of keys makes no difference.
		options.Base, options.Platform[0] = written(t, folder, "base.yml", base, random), written(t, folder, "platform.yml", over, random)
		again, err := render.Render(options)
		require.NoError(t, err)
		require.Equal(t, string(rendered.YAML), string(again.YAML))

		// Merging once more changes nothing.
		options.Base = filepath.Join(folder, "merged.yml")
		require.NoError(t, os.WriteFile(options.Base, rendered.YAML, 0o600))
		again, err = render.Render(options)
		require.NoError(t, err)
		require.Equal(t, string(rendered.YAML), string(again.YAML))
		require.Empty(t, again.Changes)

		// What the platform's file says is there, and every service of both files.
		merged := map[string]any{}
		require.NoError(t, yaml.Unmarshal(rendered.YAML, &merged))
		names := map[string]bool{}
		for _, service := range merged["services"].([]any) {
			names[service.(map[string]any)["name"].(string)] = true
		}
		for _, file := range []map[string]any{base, over} {
			for _, service := range file["services"].([]map[string]any) {
				require.Contains(t, names, service["name"])
			}
		}
	})
}

func FuzzRender(f *testing.F) {
	for _, name := range []string{"upstream-2021.yml", "upstream-2026.yml", "platform.yml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(string(data), "_format_version: '3.0'\n")
	}
	f.Add("_format_version: '2.1'\nservices: [{name: s, url: http://s, routes: [{name: r, paths: ['/${A}$B']}]}]", "_format_version: '3.0'\nservices: [{name: s, x: |\n  a\n}]")
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, base, over string) {
		options := render.Options{Base: filepath.Join(folder, fmt.Sprint(os.Getpid())+"b"), Platform: []string{filepath.Join(folder, fmt.Sprint(os.Getpid())+"p")}, Lookup: installation(nil), SignIn: true}
		require.NoError(t, os.WriteFile(options.Base, []byte(base), 0o600))
		require.NoError(t, os.WriteFile(options.Platform[0], []byte(over), 0o600))
		rendered, err := render.Render(options)
		if err != nil {
			return
		}
		// What was written is read again as the same, and its variables are not looked at twice.
		require.NoError(t, os.WriteFile(options.Platform[0], []byte("_format_version: '3.0'\n"), 0o600))
		if bytes.Contains(rendered.YAML, []byte("$")) {
			return
		}
		require.NoError(t, os.WriteFile(options.Base, rendered.YAML, 0o600))
		again, err := render.Render(options)
		require.NoError(t, err)
		require.Equal(t, string(rendered.YAML), string(again.YAML))
	})
}
