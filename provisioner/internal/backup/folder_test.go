package backup

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

const ref = store.Ref("abcdefghijklmnopqrst")

// written is a finished backup with one file.
func written(t *testing.T, content string) (root string, backup store.Backup) {
	t.Helper()
	root = t.TempDir()
	into, err := newFolder(root, location(ref, 7))
	require.NoError(t, err)
	require.NoError(t, into.write(databaseFile, func(out io.Writer) error {
		_, err := io.WriteString(out, content)
		return err
	}))
	summary, err := into.finish(manifest{Version: 1, Backup: 7, Project: ref, DBVersion: "17.6"})
	require.NoError(t, err)
	return root, store.Backup{ID: 7, ProjectRef: ref, Location: &summary.Location, Checksum: summary.Checksum, Bytes: &summary.Bytes}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	root, backup := written(t, "what the project had")
	source, err := openChecked(root, backup)
	require.NoError(t, err)
	require.NoError(t, source.read(databaseFile, func(in io.Reader) error {
		content, err := io.ReadAll(in)
		require.Equal(t, "what the project had", string(content))
		return err
	}))
	require.Equal(t, "17.6", source.summary().DBVersion)
	require.Equal(t, *backup.Bytes, source.summary().Bytes)
	require.Positive(t, *backup.Bytes)
	for path, mode := range map[string]fs.FileMode{"": folderMode, databaseFile: fileMode, manifestFile: fileMode} {
		about, err := os.Stat(source.path(path))
		require.NoError(t, err)
		require.Equal(t, mode, about.Mode().Perm(), "%q is the provisioner's alone", path)
	}
}

func TestAnUnfinishedBackupIsNone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for range 2 { // an interrupted try is begun again
		into, err := newFolder(root, location(ref, 7))
		require.NoError(t, err)
		require.NoFileExists(t, into.path(databaseFile))
		require.NoError(t, into.write(databaseFile, func(io.Writer) error { return nil }))
		_, err = open(root, location(ref, 7))
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
}

func TestADamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, folder string, backup *store.Backup){
		"a file that has changed": func(t *testing.T, folder string, _ *store.Backup) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(folder, databaseFile), []byte("other"), fileMode))
		},
		"a file that is gone": func(t *testing.T, folder string, _ *store.Backup) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(folder, databaseFile)))
		},
		"a manifest that has changed": func(t *testing.T, folder string, _ *store.Backup) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(folder, manifestFile), []byte(`{"files": []}`), fileMode))
		},
		"no manifest": func(t *testing.T, folder string, _ *store.Backup) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(folder, manifestFile)))
		},
		"a place outside the backup directory": func(_ *testing.T, _ string, backup *store.Backup) {
			outside := "../" + *backup.Location
			backup.Location = &outside
		},
		"no place": func(_ *testing.T, _ string, backup *store.Backup) { backup.Location = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, backup := written(t, "what the project had")
			damage(t, filepath.Join(root, *backup.Location), &backup)
			_, err := openChecked(root, backup)
			require.ErrorIs(t, err, errDamaged)
		})
	}
}

func TestAFileOfAnotherFolderIsNeverRead(t *testing.T) {
	t.Parallel()
	root, backup := written(t, "")
	source, err := open(root, *backup.Location)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "secret"), []byte("secret"), fileMode))
	for _, name := range []string{"../../secret", "/etc/passwd", "a/../b", ""} {
		require.ErrorContains(t, source.copyPlain(name, io.Discard), "is no name of a file", name)
	}
}

func TestInventoriesAreComparedLineByLine(t *testing.T) {
	t.Parallel()
	require.NoError(t, difference("a 1\nb 2\n", "b 2\na 1\n"))
	require.EqualError(t, difference("a 1\nb 2\nb 2\n", "a 2\nb 2\n"),
		"what was restored is not what was backed up: missing: a 1; missing: b 2; unexpected: a 2")
	require.EqualError(t, difference("", "a\nb\nc\nd\ne\n"),
		"what was restored is not what was backed up: unexpected: a; unexpected: b; unexpected: c; and 2 more")
}
