package pgserver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindBinaries(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // nothing to be found there
	for name, test := range map[string]struct {
		installed []string
		major     string
		want      string
	}{
		"the newest, by number":          {installed: []string{"9.6", "15", "17", "8"}, want: "17"},
		"the version of the data":        {installed: []string{"15", "17"}, major: "15", want: "15"},
		"never another than the data's":  {installed: []string{"17"}, major: "15"},
		"nothing":                        {},
		"not a client without a server":  {installed: []string{"15", "17-client"}, want: "15"},
		"not a folder with another name": {installed: []string{"15", "old"}, want: "15"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, version := range test.installed {
				install(t, root, version)
			}
			got, err := findBinaries(filepath.Join(root, "*", "bin"), test.major)
			if test.want == "" {
				require.ErrorIs(t, err, ErrNotInstalled)
				return
			}
			require.NoError(t, err)
			require.Equal(t, filepath.Join(root, test.want, "bin"), got)
		})
	}
}

func TestFindBinariesInPathFollowsLinks(t *testing.T) {
	root, links := t.TempDir(), t.TempDir()
	install(t, root, "15")
	require.NoError(t, os.Symlink(filepath.Join(root, "15", "bin", "initdb"), filepath.Join(links, "initdb")))
	t.Setenv("PATH", links)
	got, err := findBinaries(filepath.Join(t.TempDir(), "*", "bin"), "")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(root, "15", "bin"), got)
}

func install(t *testing.T, root, version string) {
	t.Helper()
	dir := filepath.Join(root, version, "bin")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	programs := []string{"initdb", "postgres"}
	if version == "17-client" {
		programs = []string{"psql"}
	}
	for _, program := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"), 0o700))
	}
}
