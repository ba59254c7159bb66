package docker_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
)

// registry has one image of one layer, in OCI's image format, which it hands out by halves.
type registry struct {
	*httptest.Server
	blobs    map[string][]byte // by digest
	manifest []byte
	layer    string        // its digest
	goOn     chan struct{} // closed: the second half may go
}

const imageName = "plurabase-test/pulled"

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{blobs: map[string][]byte{}, goOn: make(chan struct{})}
	var plain, packed bytes.Buffer
	out := tar.NewWriter(&plain)
	content := make([]byte, 8<<20)
	_, _ = rand.Read(content) // cannot be compressed
	require.NoError(t, out.WriteHeader(&tar.Header{Name: "content", Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}))
	_, err := out.Write(content)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	zip := gzip.NewWriter(&packed)
	_, err = zip.Write(plain.Bytes())
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	diff := sha256.Sum256(plain.Bytes())
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, diff)
	r.layer = r.add(packed.Bytes())
	r.manifest, err = json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
		"config": map[string]any{"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": r.add([]byte(config))},
		"layers": []any{map[string]any{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": packed.Len(), "digest": r.layer}},
	})
	require.NoError(t, err)
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *registry) add(blob []byte) (digest string) {
	sum := sha256.Sum256(blob)
	digest = "sha256:" + hex.EncodeToString(sum[:])
	r.blobs[digest] = blob
	return digest
}

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	path := request.URL.Path
	blob, known := r.blobs[path[strings.LastIndexByte(path, '/')+1:]]
	switch {
	case path == "/v2/":
	case strings.HasPrefix(path, "/v2/"+imageName+"/manifests/1"), strings.Contains(path, "/manifests/sha256:"):
		w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
		_, _ = w.Write(r.manifest)
	case known:
		w.Header().Set("Content-Length", fmt.Sprint(len(blob)))
		if strings.HasSuffix(path, r.layer) {
			_, _ = w.Write(blob[:len(blob)/2])
			w.(http.Flusher).Flush()
			blob = blob[len(blob)/2:]
			select {
			case <-r.goOn:
			case <-request.Context().Done():
			}
		}
		_, _ = w.Write(blob)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`))
	}
}

func TestAPullTellsHowFarItHasCome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newRegistry(t)
	name := strings.TrimPrefix(r.URL, "http://") + "/" + imageName // Docker takes plain HTTP from this host alone
	var told []engine.Progress
	half := sync.OnceFunc(func() { close(r.goOn) })
	ended := make(chan error, 1)
	go func() {
		ended <- b.PullImage(t.Context(), name+":1", func(progress engine.Progress) {
			told = append(told, progress)
			if strings.Contains(progress.Detail, " of 8.4 MB") && !strings.Contains(progress.Detail, "0.0 of") {
				half()
			}
		})
	}()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("nothing was told of the first half")
	}
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = docker.ImageRemove(context.WithoutCancel(t.Context()), name+":1", image.RemoveOptions{})
		_ = docker.Close()
	})
	_, err = docker.ImageRemove(t.Context(), name+":1", image.RemoveOptions{})
	require.NoError(t, err, "it is there")
	require.Equal(t, engine.Progress{Percent: 100, Detail: "1 of 1 layers, 8.4 of 8.4 MB"}, told[len(told)-1])
	under := 0
	for _, progress := range told {
		if progress.Percent > 0 && progress.Percent <= 50 {
			under++
		}
	}
	require.Positive(t, under, "%v", told)

	err = b.PullImage(t.Context(), name+":2", func(engine.Progress) {})
	var permanent *engine.PermanentError
	require.ErrorAs(t, err, &permanent, "an image that does not exist")
}
