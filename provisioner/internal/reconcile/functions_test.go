package reconcile_test

import (
	"archive/tar"
	"encoding/json"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

func (b *bundle) deploy(ref store.Ref, slug, source string) {
	b.Helper()
	archive, err := store.PackFunction([]store.FunctionFile{{Path: "index.ts", Content: []byte(source)}})
	require.NoError(b, err)
	_, err = b.store.DeployFunction(b.Context(), b.actor(), ref, store.NewFunctionVersion{
		Slug: slug, Name: slug, VerifyJWT: true, EntrypointPath: "index.ts", Archive: archive,
	})
	require.NoError(b, err)
}

// folder returns the files that were last written into a folder of the project's functions container.
func (b *bundle) folder(ref store.Ref, folder string) map[string]string {
	reader, err := b.engine.ReadFolder(b.Context(), stack.Name(string(ref), store.ServiceFunctions), folder)
	if err != nil {
		return nil
	}
	files := map[string]string{}
	for archive := tar.NewReader(reader); ; {
		header, err := archive.Next()
		if err != nil {
			return files
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return files
		}
		if header.Typeflag == tar.TypeReg {
			files[header.Name] = string(content)
		}
	}
}

// listed is the list of functions that the project's container has, by slug.
func (b *bundle) listed(ref store.Ref) stack.FunctionList {
	var list stack.FunctionList
	_ = json.Unmarshal([]byte(b.folder(ref, stack.FunctionListPath)[stack.FunctionListFile]), &list)
	return list
}

// runsFunctions waits until the project's container has these functions and no others, and it is noted.
func (b *bundle) runsFunctions(ref store.Ref, slugs ...string) stack.FunctionList {
	b.Helper()
	require.Eventually(b, func() bool {
		return slices.Equal(slugs, slices.Sorted(maps.Keys(b.listed(ref)))) && scalar[bool](b, `
			select functions_synced = functions_generation from platform.projects where ref = $1`, ref)
	}, patience, poll, "%v", slugs)
	return b.listed(ref)
}

func TestFunctionsReachTheirService(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("", withServices)
	ref := b.createWith("db", "functions")
	b.become(ref, store.StatusActiveHealthy)
	require.Zero(t, b.calls("WriteFolder"), "a project without functions costs nothing")

	b.deploy(ref, "hello", "one")
	first := b.runsFunctions(ref, "hello")["hello"]
	require.Equal(t, stack.ListedFunction{Folder: first.Folder, Entrypoint: "index.ts", VerifyJWT: true}, first)
	require.Equal(t, map[string]string{path.Join(first.Folder, "index.ts"): "one"}, b.folder(ref, stack.FunctionsPath))
	require.Equal(t, []string{"create:succeeded"}, b.operations(ref), "it is no operation")
	require.Equal(t, store.StatusActiveHealthy, b.become(ref, store.StatusActiveHealthy).Status)

	b.deploy(ref, "other", "two")
	other := b.runsFunctions(ref, "hello", "other")["other"]
	require.Equal(t, map[string]string{path.Join(other.Folder, "index.ts"): "two"}, b.folder(ref, stack.FunctionsPath), "what is there is not written again")

	noJWT := false
	_, err := b.store.UpdateFunction(t.Context(), b.actor(), ref, "hello", store.FunctionPatch{VerifyJWT: &noJWT})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !b.listed(ref)["hello"].VerifyJWT }, patience, poll)

	require.NoError(t, b.store.DeleteFunction(t.Context(), b.actor(), ref, "hello"))
	b.runsFunctions(ref, "other")
	b.deploy(ref, "hello", "three")
	require.NotEqual(t, first.Folder, b.runsFunctions(ref, "hello", "other")["hello"].Folder, "a function made anew is not taken for the old one")
}

func TestFunctionsAreDeployedWhenTheProjectIsBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("", withServices)
	ref := b.createWith("db", "functions")
	b.become(ref, store.StatusActiveHealthy)
	b.change(ref, store.OperationPause)
	b.become(ref, store.StatusInactive)
	b.deploy(ref, "hello", "one")
	require.Zero(t, b.calls("WriteFolder"))
	b.change(ref, store.OperationRestore)
	b.become(ref, store.StatusActiveHealthy)
	b.runsFunctions(ref, "hello")

	b.change(ref, store.OperationPause)
	b.become(ref, store.StatusInactive)
	written := b.calls("WriteFolder")
	b.change(ref, store.OperationRestore)
	b.become(ref, store.StatusActiveHealthy)
	require.Equal(t, written, b.calls("WriteFolder"), "they were there all the time")
}

func TestFunctionsAreTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("deploy-functions:2", withServices)
	ref := b.createWith("db", "functions")
	b.deploy(ref, "hello", "one")
	b.become(ref, store.StatusActiveHealthy)
	require.Equal(t, []string{"create:succeeded"}, b.operations(ref), "no operation fails by them")
	b.runsFunctions(ref, "hello")
	b.become(ref, store.StatusActiveHealthy)
}

func TestFunctionsThatAreThereByHalfAreWrittenAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	writes := 0
	b.engine.Before = func(call string) error {
		if strings.HasPrefix(call, "WriteFolder ") {
			if writes++; writes == 2 {
				return io.ErrUnexpectedEOF // the folders are there, and their list is not
			}
		}
		return nil
	}
	b.launch("", withServices)
	ref := b.createWith("db", "functions")
	b.become(ref, store.StatusActiveHealthy)
	b.deploy(ref, "hello", "one")
	b.runsFunctions(ref, "hello")
	require.Equal(t, 4, writes)
	require.Len(t, b.folder(ref, stack.FunctionsPath), 1)
}
