package main_test

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/images"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/provisioner/internal/standin"
	"github.com/plurabase/plurabase/store"
)

// TestFunctionsReachTheirContainer deploys functions to a project on real Docker, and kills the provisioner when they are there and
// nothing has noted it. What runs in the container is a stand-in: that the files are there is what is seen here. How they are served,
// provisioner/internal/stack tests.
func TestFunctionsReachTheirContainer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	image, err := standin.EnsureImage(t.Context(), b.docker)
	require.NoError(t, err)
	environment := []string{
		"PLURABASE_PUBLIC_URL=https://studio.example.com", "PLURABASE_PROJECT_DOMAIN=example.com",
		images.Variable(store.ServiceFunctions) + "=" + image,
	}
	first := b.start(append(environment, "PLURABASE_CRASH=restore/deploy-functions")...)
	ref := b.createWith("shop", []string{"db", "functions"})
	b.settle(ref, "create")
	b.deploy(ref, "hello", "one", true)
	list := b.awaitFunctions(ref, map[string]string{"hello": "one"})
	for _, path := range []string{"/deployed/functions.json", "/" + list["hello"].Folder} {
		stat, err := b.docker.ContainerStatPath(t.Context(), stack.Name(string(ref), "functions"), stack.FunctionsPath+path)
		require.NoError(t, err)
		require.Equal(t, int64(1), stat.Mtime.Unix(), "by their times the main service sees what came with which generation")
	}

	b.change(ref, store.OperationPause)
	b.awaitStatus(ref, store.StatusInactive)
	b.deploy(ref, "hello", "two", false)
	b.deploy(ref, "other", "three", true)
	b.change(ref, store.OperationRestore)
	require.True(t, first.diesOfItself())
	b.start(environment...)
	b.settle(ref, "restore")
	list = b.awaitFunctions(ref, map[string]string{"hello": "two", "other": "three"})
	require.False(t, list["hello"].VerifyJWT)
	require.True(t, list["other"].VerifyJWT)

	require.NoError(t, b.store.DeleteFunction(t.Context(), b.actor(), ref, "hello"))
	b.awaitFunctions(ref, map[string]string{"other": "three"})
	_, err = b.store.UpdateProjectConfig(t.Context(), b.actor(), ref, store.ConfigFunctionSecrets, store.SectionConfig{"STRIPE_KEY": "sk"})
	require.NoError(t, err)
	b.settle(ref, "configure")
	require.Contains(t, b.environment(ref, "functions"), "PLURABASE_SECRET_STRIPE_KEY=sk")
	b.awaitFunctions(ref, map[string]string{"other": "three"})
}

func (b *bundle) deploy(ref store.Ref, slug, source string, verifyJWT bool) {
	b.Helper()
	archive, err := store.PackFunction([]store.FunctionFile{{Path: "source/index.ts", Content: []byte(source)}})
	require.NoError(b, err)
	_, err = b.store.DeployFunction(b.Context(), b.actor(), ref, store.NewFunctionVersion{
		Slug: slug, Name: slug, VerifyJWT: verifyJWT, EntrypointPath: "source/index.ts", Archive: archive,
	})
	require.NoError(b, err)
}

// awaitFunctions waits until the container has these functions, by slug, with the sources that the list of them leads to.
func (b *bundle) awaitFunctions(ref store.Ref, want map[string]string) stack.FunctionList {
	b.Helper()
	var list stack.FunctionList
	require.Eventually(b, func() bool {
		files := b.functionFiles(ref)
		list = nil
		if json.Unmarshal([]byte(files["functions/deployed/functions.json"]), &list) != nil || len(list) != len(want) {
			return false
		}
		for slug, source := range want {
			if files["functions/"+list[slug].Folder+"/"+list[slug].Entrypoint] != source {
				return false
			}
		}
		return true
	}, patience, 50*time.Millisecond, "%v", want)
	return list
}

// functionFiles reads all files of the project's functions container.
func (b *bundle) functionFiles(ref store.Ref) map[string]string {
	files := map[string]string{}
	reader, _, err := b.docker.CopyFromContainer(b.Context(), stack.Name(string(ref), "functions"), stack.FunctionsPath)
	if err != nil {
		return files
	}
	defer func() { _ = reader.Close() }()
	for archive := tar.NewReader(reader); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(b, err)
		content, err := io.ReadAll(archive)
		require.NoError(b, err)
		if !strings.HasSuffix(header.Name, "/") {
			files[header.Name] = string(content)
		}
	}
}
