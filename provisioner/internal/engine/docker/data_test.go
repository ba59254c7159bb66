package docker_test

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

const dataFolder = "/var/lib/postgresql/data"

// packed is an archive of one file, which belongs to somebody of its own.
func packed(t *testing.T, name, content string) io.Reader {
	t.Helper()
	var archive bytes.Buffer
	out := tar.NewWriter(&archive)
	require.NoError(t, out.WriteHeader(&tar.Header{Name: name, Mode: 0o640, Uid: 1234, Gid: 1234, Size: int64(len(content)), Typeflag: tar.TypeReg}))
	_, err := io.WriteString(out, content)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	return &archive
}

// unpacked returns an archive's files by their names, and who they belong to.
func unpacked(t *testing.T, archive io.ReadCloser) (files map[string]string, owners map[string]int) {
	t.Helper()
	defer func() { _ = archive.Close() }()
	files, owners = map[string]string{}, map[string]int{}
	for in := tar.NewReader(archive); ; {
		header, err := in.Next()
		if err == io.EOF {
			return files, owners
		}
		require.NoError(t, err)
		if header.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(in)
			require.NoError(t, err)
			files[header.Name], owners[header.Name] = string(content), header.Uid
		}
	}
}

func TestAFolderIsWrittenAndReadWhereNothingRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	service := b.sleeper("one")
	require.NoError(t, b.CreateContainer(t.Context(), b.network().Name, service))
	require.NoError(t, b.WriteFolder(t.Context(), service.Container, dataFolder, packed(t, "first", "is kept")))
	require.NoError(t, b.WriteFolder(t.Context(), service.Container, dataFolder, packed(t, "second", "comes beside")))
	archive, err := b.ReadFolder(t.Context(), service.Container, dataFolder)
	require.NoError(t, err)
	files, owners := unpacked(t, archive)
	require.Equal(t, "is kept", files["./first"], "%v", files)
	require.Equal(t, "comes beside", files["./second"])
	require.Equal(t, 1234, owners["./first"])

	_, err = b.ReadFolder(t.Context(), service.Container, "/nowhere")
	require.ErrorIs(t, err, engine.ErrNotFound)
	_, err = b.ReadFolder(t.Context(), service.Container+"-other", dataFolder)
	require.ErrorIs(t, err, engine.ErrNotFound)
	require.ErrorIs(t, b.WriteFolder(t.Context(), service.Container, "/nowhere", packed(t, "a", "")), engine.ErrNotFound)
}

func TestAScratchLeavesNothingAndTakesNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	service := b.sleeper("kept") // whose volume is the project's
	require.NoError(t, b.CreateContainer(t.Context(), b.network().Name, service))
	labels := map[string]string{stack.LabelScratch: b.ref, stack.LabelBackup: "7"}
	other := map[string]string{stack.LabelScratch: b.ref, stack.LabelBackup: "8"}
	for _, each := range []map[string]string{labels, other} {
		scratch := service
		scratch.Container, scratch.Labels = "plurabase-scratch-"+b.ref+each[stack.LabelBackup], each
		scratch.Mounts = []stack.Mount{{Path: dataFolder}, {Volume: service.Mounts[0].Volume, Path: "/kept"}}
		require.NoError(t, b.CreateScratch(t.Context(), scratch))
	}
	require.NoError(t, b.RemoveScratch(t.Context(), labels))
	found, err := b.Scratches(t.Context(), b.ref)
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, one := range found {
		require.Equal(t, "8", one[stack.LabelBackup])
	}
	for range 2 {
		require.NoError(t, b.RemoveScratch(t.Context(), other))
	}
	found, err = b.Scratches(t.Context(), b.ref)
	require.NoError(t, err)
	require.Empty(t, found)
	require.Len(t, b.observe().Containers, 1)
	require.Len(t, b.observe().Volumes, 1)
}
