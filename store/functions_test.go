package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func packed(t testing.TB, content string) []byte {
	t.Helper()
	archive, err := store.PackFunction([]store.FunctionFile{{Path: "index.ts", Content: []byte(content)}})
	require.NoError(t, err)
	return archive
}

func newFunction(t *testing.T, slug, content string) store.NewFunctionVersion {
	t.Helper()
	return store.NewFunctionVersion{Slug: slug, Name: slug, VerifyJWT: true, EntrypointPath: "index.ts", Archive: packed(t, content)}
}

func TestAFunctionRunsInItsLastDeployedVersion(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)

	first, err := s.DeployFunction(t.Context(), actor(profile, "2"), project.Ref, newFunction(t, "hello", "one"))
	require.NoError(t, err)
	require.Equal(t, int32(1), first.Version)
	again, err := s.DeployFunction(t.Context(), actor(profile, "2"), project.Ref, newFunction(t, "hello", "one"))
	require.NoError(t, err)
	require.Equal(t, first.Version, again.Version, "the gateway runs a request again")

	uploaded, err := s.UploadFunction(t.Context(), actor(profile, "3"), project.Ref, newFunction(t, "hello", "two"))
	require.NoError(t, err)
	require.Equal(t, int32(2), uploaded.Version)
	require.Equal(t, "one", runningSource(t, s, project, "hello"))

	noJWT := false
	ran, err := s.RunFunctions(t.Context(), actor(profile, "4"), project.Ref, []store.RunVersion{{Slug: "hello", Version: 2, VerifyJWT: &noJWT}})
	require.NoError(t, err)
	require.False(t, ran[0].VerifyJWT)
	require.Equal(t, "two", runningSource(t, s, project, "hello"))

	name := "Hello"
	updated, err := s.UpdateFunction(t.Context(), actor(profile, "5"), project.Ref, "hello", store.FunctionPatch{Name: &name})
	require.NoError(t, err)
	require.Equal(t, int32(3), updated.Version)
	require.False(t, updated.VerifyJWT, "what a patch does not name stays")
	require.Equal(t, "two", runningSource(t, s, project, "hello"))

	require.NoError(t, s.DeleteFunction(t.Context(), actor(profile, "6"), project.Ref, "hello"))
	_, _, err = s.FunctionBySlug(t.Context(), project.ID, "hello")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Equal(t, "4", run(t, url, `select functions_generation::text from platform.projects`), "an upload alone changes nothing that runs")
	require.Equal(t, "create", run(t, url, `select string_agg(kind, ' ') from platform.operations`), "the project goes on with what it does")
}

func runningSource(t *testing.T, s *store.Store, project store.CreatedProject, slug string) string {
	t.Helper()
	_, archive, err := s.FunctionBySlug(t.Context(), project.ID, slug)
	require.NoError(t, err)
	files, err := store.UnpackFunction(archive)
	require.NoError(t, err)
	return string(files[0].Content)
}

func TestVersionsOfFunctionsRunTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	s, _ := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	_, err = s.UploadFunction(t.Context(), actor(profile, "2"), project.Ref, newFunction(t, "one", "1"))
	require.NoError(t, err)

	_, err = s.RunFunctions(t.Context(), actor(profile, "3"), project.Ref, []store.RunVersion{{Slug: "one", Version: 1}, {Slug: "two", Version: 1}})
	require.ErrorIs(t, err, store.ErrNotFound)
	functions, err := s.Functions(t.Context(), project.ID)
	require.NoError(t, err)
	require.Empty(t, functions)
}

func TestOldVersionsOfAFunctionAreForgotten(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	for _, request := range []string{"2", "3", "4", "5", "6"} {
		_, err = s.DeployFunction(t.Context(), actor(profile, request), project.Ref, newFunction(t, "hello", request))
		require.NoError(t, err)
	}
	require.Equal(t, "3 4 5", run(t, url, `select string_agg(version::text, ' ' order by version) from platform.function_versions`))
	_, err = s.RunFunctions(t.Context(), actor(profile, "7"), project.Ref, []store.RunVersion{{Slug: "hello", Version: 3}})
	require.NoError(t, err, "the versions before can be had back")
	require.Equal(t, "4", runningSource(t, s, project, "hello"))
}

func TestTheSameFilesMakeTheSameArchive(t *testing.T) {
	t.Parallel()
	files := []store.FunctionFile{{Path: "b/c.bin", Content: []byte{0, 255}}, {Path: "a.ts", Content: []byte("a")}}
	one, err := store.PackFunction(files)
	require.NoError(t, err)
	other, err := store.PackFunction([]store.FunctionFile{files[1], files[0]})
	require.NoError(t, err)
	require.Equal(t, one, other)
	unpacked, err := store.UnpackFunction(one)
	require.NoError(t, err)
	require.Equal(t, []store.FunctionFile{files[1], files[0]}, unpacked)
}

func TestAFunctionsFilesStayInItsFolder(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"index.ts": "index.ts", "./a//b.ts": "a/b.ts", "a/../b.ts": "b.ts", "supabase/functions/hello/index.ts": "supabase/functions/hello/index.ts",
		"": "", ".": "", "..": "", "a/..": "", "../a": "", "a/../../b": "", "/etc/passwd": "", "a\\b": "", "a\x00": "", "a\nb": "", "a/": "",
	} {
		cleaned, ok := store.CleanFunctionPath(given)
		require.Equal(t, want, cleaned, given)
		require.Equal(t, want != "", ok, given)
	}
}

func TestAProjectIsClaimedForItsFunctions(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	made := newProject(organization)
	made.Services = []string{"db", "functions"}
	project, err := s.CreateProject(t.Context(), actor(profile, "1"), made)
	require.NoError(t, err)
	claim := func() *store.Claim {
		claimed, err := s.ClaimProject(t.Context(), project.Target, "a", time.Minute, nil)
		require.NoError(t, err)
		return claimed
	}
	created := claim()
	_, err = s.DeployFunction(t.Context(), actor(profile, "2"), project.Ref, newFunction(t, "hello", "one"))
	require.NoError(t, err)
	require.NoError(t, created.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))

	claimed := claim()
	require.NotNil(t, claimed, "what was deployed meanwhile is still to be brought to its service")
	require.Zero(t, claimed.OperationID)
	deployed, err := claimed.Functions(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(1), deployed.Generation)
	require.Len(t, deployed.Functions, 1)
	files, err := claimed.FunctionFiles(t.Context(), deployed.Functions[0])
	require.NoError(t, err)
	require.Equal(t, []store.FunctionFile{{Path: "index.ts", Content: []byte("one")}}, files)
	_, err = s.DeployFunction(t.Context(), actor(profile, "3"), project.Ref, newFunction(t, "hello", "two"))
	require.NoError(t, err)
	require.NoError(t, claimed.FunctionsSynced(t.Context(), deployed.Generation))
	require.NoError(t, claimed.Release(t.Context()))

	claimed = claim()
	require.NotNil(t, claimed, "it was deployed again while the first was brought there")
	require.NoError(t, claimed.FunctionsSynced(t.Context(), 2))
	require.NoError(t, claimed.FunctionsSynced(t.Context(), 1))
	require.NoError(t, claimed.Release(t.Context()))
	require.Nil(t, claim())
	require.Equal(t, "2", run(t, url, `select functions_synced::text from platform.projects`), "it never goes back")

	for _, change := range []string{
		`update platform.projects set functions_synced = 0, status = 'INIT_FAILED'`,
		`update platform.projects set status = 'INACTIVE', desired = 'inactive'`,
		`update platform.projects set status = 'ACTIVE_HEALTHY', desired = 'active', services = array['db']`,
	} {
		execute(t, url, change)
		require.Nil(t, claim(), change)
	}
}
