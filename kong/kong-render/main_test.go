package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func rendered(t *testing.T, variables map[string]string, arguments ...string) (string, error) {
	t.Helper()
	folder := t.TempDir()
	base, platform := filepath.Join(folder, "kong.yml"), filepath.Join(folder, "kong.platform.yml")
	require.NoError(t, os.WriteFile(base, []byte("_format_version: '2.1'\nservices: [{name: s, url: http://s, routes: [{name: s, paths: [/]}], plugins: [{name: basic-auth}]}]\n"), 0o600))
	require.NoError(t, os.WriteFile(platform, []byte("_format_version: '3.0'\nservices: [{name: ours, url: http://ours, routes: [{name: o, paths: [/o]}]}]\n"), 0o600))
	var stdout, stderr bytes.Buffer
	lookup := func(name string) (string, bool) { value, ok := variables[name]; return value, ok }
	err := run(append([]string{"-base", base, "-platform", platform}, arguments...), lookup, &stdout, &stderr)
	return stdout.String(), err
}

func TestTheDashboardsBasicAuthIsSwitched(t *testing.T) {
	t.Parallel()
	without, err := rendered(t, nil)
	require.NoError(t, err)
	require.NotContains(t, without, "basic-auth")
	with, err := rendered(t, map[string]string{"PLATFORM_DASHBOARD_BASIC_AUTH_ENABLED": "true"})
	require.NoError(t, err)
	require.Contains(t, with, "basic-auth")
	_, err = rendered(t, map[string]string{"PLATFORM_DASHBOARD_BASIC_AUTH_ENABLED": "maybe"})
	require.EqualError(t, err, "PLATFORM_DASHBOARD_BASIC_AUTH_ENABLED must be true or false")
}

func TestTheDiffTellsAndWritesNothing(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out.yml")
	told, err := rendered(t, nil, "-diff", "-out", out)
	require.NoError(t, err)
	require.Equal(t, "~ _format_version: \"2.1\" → \"3.0\"\n+ services.ours\n- services.s.plugins.basic-auth\n", told)
	require.NoFileExists(t, out)
}

func TestTheFileIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out.yml")
	_, err := rendered(t, nil, "-out", out)
	require.NoError(t, err)
	info, err := os.Stat(out)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
