package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

// beside runs a script of ours with a Postgres of the tests in the place of compose's.
func beside(t *testing.T, url, script, file string) string {
	t.Helper()
	binaries, err := pgserver.FindBinaries()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), script, file)
	command.Env = []string{"PATH=" + binaries + ":/usr/bin:/bin", "PLURABASE_IN_DATABASE=env LC_ALL=C.UTF-8", "PLURABASE_DUMP_URL=" + url}
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	return string(output)
}

func TestABackupOfThePlatformOpensEverySecretAgain(t *testing.T) {
	t.Parallel()
	s, from := storetest.NewWithURL(t)
	profile, err := s.EnsureProfile(t.Context(), uuid.NewString(), "ada@plurabase.test")
	require.NoError(t, err)
	actor := func() store.Actor { return store.Actor{ProfileID: profile.ID, RequestID: uuid.NewString()} }
	organization, err := s.CreateOrganization(t.Context(), actor(), "Main")
	require.NoError(t, err)
	project, err := s.CreateProject(t.Context(), actor(), store.NewProject{
		OrganizationID: organization.ID, Name: "shop", CloudProvider: "LOCAL", Region: "local", Target: "local", ComputeSize: "nano",
		Services: []string{"db"}, DatabasePassword: "correct horse",
	})
	require.NoError(t, err)

	file := filepath.Join(t.TempDir(), "platform.dump")
	beside(t, from, "../backup.sh", file)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it is its owner's alone")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(content), "correct horse")

	to := pgtest.URL(t) // with a schema of its own, which the backup replaces
	beside(t, to, "../restore.sh", file)
	restored, err := store.Open(t.Context(), store.Settings{DatabaseURL: to, MasterKey: storetest.MasterKey(t)})
	require.NoError(t, err)
	t.Cleanup(restored.Close)
	secrets, err := restored.ProjectSecrets(t.Context(), project.ID, project.Ref)
	require.NoError(t, err)
	require.Equal(t, "correct horse", secrets[store.SecretDatabasePassword])
	require.NoError(t, prepareAgain(t, to), "what prepares a database at every start finds it as it should be")
}

// prepareAgain is what the next start does to the platform's database.
func prepareAgain(t *testing.T, admin string) error {
	t.Helper()
	settings := prepareSettings{AdminURL: admin, DatabaseURL: admin, PlatformPassword: "p", AuthPassword: "p"}
	return settings.prepare(t.Context())
}

func TestABackupThatFailsLeavesNoFile(t *testing.T) {
	t.Parallel()
	binaries, err := pgserver.FindBinaries()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "platform.dump")
	nowhere := url.URL{Scheme: "postgresql", Host: "127.0.0.1:1", Path: "/plurabase"}
	command := exec.CommandContext(t.Context(), "../backup.sh", file)
	command.Env = []string{"PATH=" + binaries + ":/usr/bin:/bin", "PLURABASE_IN_DATABASE=env LC_ALL=C.UTF-8", "PLURABASE_DUMP_URL=" + nowhere.String()}
	output, err := command.CombinedOutput()
	require.Error(t, err, string(output))
	left, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Empty(t, left)
}
