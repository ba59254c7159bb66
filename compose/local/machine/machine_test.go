//go:build unix

package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProgressSaysHowEachTaskEnded(t *testing.T) {
	t.Parallel()
	var printed strings.Builder
	p := NewProgress(&printed)
	require.NoError(t, p.Run(t.Context(), "one", func(context.Context) error { return nil }))
	cause := errors.New("no network")
	err := p.Run(t.Context(), "two", func(context.Context) error { return cause })
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "two: no network")
	require.Equal(t, "  … one\n  ✓ one (0s)\n  … two\n  ✗ two (0s)\n", printed.String())
}

func TestNodeHasToBeThereAndNewEnough(t *testing.T) {
	for name, test := range map[string]struct {
		programs map[string]string
		want     string
	}{
		"missing":     {want: "install Node.js 20 or newer"},
		"too old":     {programs: map[string]string{"node": "v18.20.4", "npm": ""}, want: "node is v18.20.4"},
		"without npm": {programs: map[string]string{"node": "v20.1.0"}, want: "install npm"},
		"there":       {programs: map[string]string{"node": "v22.0.0", "npm": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			pathWith(t, test.programs)
			err := checkNode(t.Context())
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestModulesAreInstalledOnce(t *testing.T) {
	folder, calls := t.TempDir(), filepath.Join(t.TempDir(), "calls")
	installer := func(exit int) string { return fmt.Sprintf("#!/bin/sh\necho call >>'%s'\nexit %d\n", calls, exit) }
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	npm := filepath.Join(bin, "npm")

	require.NoError(t, os.WriteFile(npm, []byte(installer(1)), 0o700))
	require.Error(t, installModules(t.Context(), platformModules, folder))
	require.NoError(t, os.WriteFile(npm, []byte(installer(0)), 0o700))
	require.NoError(t, installModules(t.Context(), platformModules, folder), "a failed installation is tried again")
	require.NoError(t, installModules(t.Context(), platformModules, folder))
	made, err := os.ReadFile(calls)
	require.NoError(t, err)
	require.Equal(t, "call\ncall\n", string(made), "an installation that is whole is left alone")
}

func TestTheLockFileNamesNoRegistry(t *testing.T) {
	t.Parallel()
	lock, err := npmFiles.ReadFile("npm/package-lock.json")
	require.NoError(t, err)
	require.NotContains(t, string(lock), `"resolved"`)
	require.Contains(t, string(lock), `"integrity"`)
}

func TestAnEngineThatDoesNotAnswerIsNamed(t *testing.T) {
	host := "unix://" + filepath.Join(t.TempDir(), "docker.sock")
	t.Setenv("DOCKER_HOST", host)
	_, err := ensureDocker(t.Context(), t.TempDir())
	require.ErrorContains(t, err, host, "somebody else's engine is never replaced by one of ours")
}

func TestAnEngineThatEndsAtOnceIsAnError(t *testing.T) {
	logs := t.TempDir()
	pathWith(t, map[string]string{"dockerd": "no cgroups here"})
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(logs, "docker.sock"))
	engine, err := startDocker(logs)
	require.NoError(t, err)
	defer engine.stop()
	require.ErrorContains(t, engine.wait(t.Context()), "the Docker Engine ended at once; see "+logs)
	log, err := os.ReadFile(filepath.Join(logs, "dockerd.log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "no cgroups here")
}

func TestAnEngineOfOurOwnIsStartedAndEnded(t *testing.T) {
	dockerd, err := exec.LookPath("dockerd")
	if err != nil || os.Getuid() != 0 {
		t.Skip("only root can start a Docker Engine, and dockerd has to be installed")
	}
	// Apart from the machine's own engine in all that two can get into each other's way with: in one network namespace, an
	// engine without a bridge would remove the other one's.
	dir := t.TempDir()
	host := "unix://" + filepath.Join(dir, "docker.sock")
	script := fmt.Sprintf("#!/bin/sh\nexec unshare --net '%s' --host '%s' --data-root '%s' --exec-root '%s' --pidfile '%s' "+
		"--storage-driver=vfs --bridge=none --iptables=false --ip6tables=false\n",
		dockerd, host, filepath.Join(dir, "data"), filepath.Join(dir, "exec"), filepath.Join(dir, "pid"))
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "dockerd"), []byte(script), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("DOCKER_HOST", host)

	require.False(t, answers(t.Context()))
	engine, err := startDocker(dir)
	require.NoError(t, err)
	defer engine.stop()
	require.NoError(t, engine.wait(t.Context()))
	require.True(t, answers(t.Context()))
	found, err := ensureDocker(t.Context(), dir)
	require.NoError(t, err)
	require.Nil(t, found, "one that answers is used as it is")
	engine.stop()
	require.False(t, answers(t.Context()))
}

// pathWith leaves nothing in PATH but programs that print one line each.
func pathWith(t *testing.T, programs map[string]string) {
	t.Helper()
	bin := t.TempDir()
	for name, line := range programs {
		script := fmt.Sprintf("#!/bin/sh\necho '%s'\n", line)
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700))
	}
	t.Setenv("PATH", bin)
}
