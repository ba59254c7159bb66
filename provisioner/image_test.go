package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheImageHoldsStaticExecutablesOfNobody builds the image, which needs no registry, and runs what is in it.
func TestTheImageHoldsStaticExecutablesOfNobody(t *testing.T) {
	t.Parallel()
	if err := exec.Command("docker", "info").Run(); err != nil {
		t.Skip("no Docker Engine answers")
	}
	folder := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-o", folder+string(filepath.Separator), ".", "./plurabase", "../compose/setup")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "backups"), 0o755)) // as `make images` makes it
	const tag = "plurabase/provisioner:image-test"
	output, err = exec.Command("docker", "build", "--quiet", "--tag", tag, "--file", "Dockerfile", folder).CombinedOutput()
	require.NoError(t, err, string(output))
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "--force", tag).Run() })

	inside := func(arguments ...string) (string, error) {
		output, err := exec.Command("docker", append([]string{"run", "--rm", "--network", "none", "--read-only"}, arguments...)...).CombinedOutput()
		return string(output), err
	}
	printed, err := inside(tag, "-h")
	require.NoError(t, err, printed)
	require.Equal(t, usage, printed)
	printed, err = inside(tag)
	require.Error(t, err)
	require.Contains(t, printed, "PLURABASE_MASTER_KEY", "it misses its settings, not a library")
	printed, err = inside("--entrypoint", "/setup", tag)
	require.Error(t, err)
	require.Contains(t, printed, "usage: setup env")
	printed, err = inside("--entrypoint", "/plurabase", tag, "--help")
	require.NoError(t, err, printed)
	require.Contains(t, printed, "doctor")
	user, err := exec.Command("docker", "image", "inspect", "--format", "{{.Config.User}}", tag).Output()
	require.NoError(t, err)
	require.Equal(t, "65532:65532\n", string(user))

	const volume = "plurabase-image-test"
	t.Cleanup(func() { _ = exec.Command("docker", "volume", "rm", "--force", volume).Run() })
	printed, err = inside("--volume", volume+":/backups", tag, "-h")
	require.NoError(t, err, printed)
	mounted, err := exec.Command("docker", "volume", "inspect", "--format", "{{.Mountpoint}}", volume).Output()
	require.NoError(t, err)
	about, err := os.Stat(strings.TrimSpace(string(mounted)))
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		t.Skip("the engine's folders cannot be seen from here")
	}
	require.NoError(t, err)
	require.Equal(t, uint32(65532), about.Sys().(*syscall.Stat_t).Uid, "a new volume for backups is the provisioner's own")
}
