package postgres

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnotherPackageOrReleaseMakesAnotherImage(t *testing.T) {
	t.Parallel()
	one := recipe{release: "bookworm", major: "15", version: "15.18-0+deb12u1", sources: []string{"one"}}
	newer, other, mirrored := one, one, one
	newer.version = "15.19-0+deb12u1"
	other.release = "trixie"
	mirrored.sources = []string{"another"}
	require.NotEqual(t, one.hash(), newer.hash())
	require.NotEqual(t, one.hash(), other.hash())
	require.Equal(t, one.hash(), mirrored.hash(), "every mirror has the same packages")
}

func TestTheFilesThatGoIntoTheImageAreReadableAndTheHooksCanBeRun(t *testing.T) {
	t.Parallel()
	folder, err := unpack()
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(folder)) }()
	for name, mode := range map[string]os.FileMode{
		".": 0o755, "image": 0o755, "image/entrypoint.sh": 0o644, "build/account.sh": 0o755, "build/install.sh": 0o755, "build/cluster.sh": 0o644,
	} {
		info, err := os.Stat(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm()&mode, name)
	}
}

func TestHalfAFilesystemIsNeverTakenForAWholeOne(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("mmdebstrap"); err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	nowhere := recipe{release: "bookworm", major: "15", sources: []string{"deb file:///nowhere bookworm main"}}
	tar, err := nowhere.build(t.Context(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, tar)
	require.ErrorContains(t, err, "mmdebstrap: exit status")
	require.NoError(t, tar.Close())
}

func TestAnErrorInDockersAnswerIsFound(t *testing.T) {
	t.Parallel()
	require.NoError(t, importError(strings.NewReader(`{"status":"sha256:1"}{"status":"done"}`)))
	require.ErrorContains(t, importError(strings.NewReader(`{"status":"x"}{"error":"no space left on device"}`)), "no space")
	require.ErrorContains(t, importError(strings.NewReader(`{"status":`)), "read Docker's answer")
}

func TestMessagesAreTakenLineByLine(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	m := messages{logger: slog.New(slog.NewTextHandler(&log, nil))}
	for _, part := range []string{"I: extract", "ing archives...\nnoise\nE: first\nE: la", "st\nI: unfinished"} {
		_, err := io.WriteString(&m, part)
		require.NoError(t, err)
	}
	require.Contains(t, log.String(), `msg="mmdebstrap: extracting archives..."`)
	require.NotContains(t, log.String(), "noise")
	require.NotContains(t, log.String(), "unfinished")
	require.Equal(t, "last", m.lastError)
}
