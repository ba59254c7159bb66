// Package studio_test runs the scripts around Studio's image on a stand-in for Studio's build: the build itself needs a
// registry, GitHub and gigabytes.
package studio_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// built is a folder with what a build of Studio has the addresses in.
func built(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{
		".next/static/chunks/app.js":  `let a="https://plurabase-public.invalid/api/platform",b="https://plurabase-auth.invalid/auth/v1"`,
		".next/routes-manifest.json":  `{"value":"connect-src https://plurabase-public.invalid https://*.plurabase-projects.invalid wss://*.plurabase-projects.invalid https://plurabase-auth.invalid;"}`,
		".next/static/untouched.js":   `let c="https://supabase.com"`,
		"server.js":                   `const u = "https://plurabase-public.invalid"`,
		"public/with blank/image.svg": `<svg/>`,
	}
	for name, text := range files {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return folder
}

func start(t *testing.T, folder string, variables ...string) (string, error) {
	t.Helper()
	command := exec.Command("./entrypoint.sh", "echo", "started")
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "STUDIO_FOLDER=" + folder}, variables...)
	output, err := command.CombinedOutput()
	return string(output), err
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(parts...))
	require.NoError(t, err)
	return string(content)
}

func TestOneImageFitsEveryHost(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ public, path, domain, app, policy string }{
		"http": {
			"http://localhost:8000", "/auth/v1", "localhost:8000",
			`let a="http://localhost:8000/api/platform",b="http://localhost:8000/auth/v1"`,
			"connect-src http://localhost:8000 http://*.localhost:8000 ws://*.localhost:8000 http://localhost:8000;",
		},
		"https": {
			"https://studio.plurabase.test", "/platform/auth/v1", "projects.plurabase.test",
			`let a="https://studio.plurabase.test/api/platform",b="https://studio.plurabase.test/platform/auth/v1"`,
			"connect-src https://studio.plurabase.test https://*.projects.plurabase.test wss://*.projects.plurabase.test https://studio.plurabase.test;",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := built(t)
			for range 2 { // a container that is started again
				output, err := start(t, folder, "PLURABASE_PUBLIC_URL="+test.public, "PLURABASE_AUTH_PATH="+test.path, "PLURABASE_PROJECT_DOMAIN="+test.domain)
				require.NoError(t, err, output)
				require.Equal(t, "started\n", output)
			}
			require.Equal(t, test.app, read(t, folder, ".next/static/chunks/app.js"))
			require.Contains(t, read(t, folder, ".next/routes-manifest.json"), test.policy)
			require.Equal(t, `let c="https://supabase.com"`, read(t, folder, ".next/static/untouched.js"))
			require.NotContains(t, read(t, folder, "server.js"), "invalid")
		})
	}
}

func TestAnAddressCannotAddToStudiosCode(t *testing.T) {
	t.Parallel()
	good := map[string]string{"PLURABASE_PUBLIC_URL": "https://a.test", "PLURABASE_AUTH_PATH": "/auth/v1", "PLURABASE_PROJECT_DOMAIN": "a.test"}
	for name := range good {
		for _, bad := range []string{`https://a.test";alert(1)//`, "https://a.test|e", "a b", "https://a.test\nx", "&"} {
			folder := built(t)
			variables := []string{}
			for other, value := range good {
				if other == name {
					value = bad
				}
				variables = append(variables, other+"="+value)
			}
			output, err := start(t, folder, variables...)
			require.Error(t, err, bad)
			require.Contains(t, output, name+" is not of the form")
			require.Contains(t, read(t, folder, "server.js"), "plurabase-public.invalid", "nothing was changed")
		}
	}
}

func TestTheBuildSaysWhatItWillBuild(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	dryRun := func() string {
		command := exec.Command("./build.sh")
		command.Env = append(os.Environ(), "DRY_RUN=1", "XDG_CACHE_HOME="+cache)
		output, err := command.CombinedOutput()
		require.NoError(t, err, string(output))
		return string(output)
	}
	ref := strings.TrimSpace(strings.SplitAfter(read(t, "Dockerfile"), "ARG STUDIO_REF=")[1])[:40]
	require.Contains(t, dryRun(), ref)
	require.Contains(t, dryRun(), "not known yet")
	require.NoError(t, os.WriteFile(filepath.Join(cache, "plurabase-studio-build"), []byte("17\n"), 0o600))
	require.Contains(t, dryRun(), "The last time it took 17 minutes here.")
}
