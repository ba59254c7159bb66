package reconcile_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/backup"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

func TestABackupIsSentToWhoHasItsLink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keepBackups()
	b.launch("", withServices)
	ref, bare := b.createWith("db", "storage"), b.createWith("db")
	b.become(ref, healthy)
	b.become(bare, healthy)
	require.NoError(t, b.engine.WriteFolder(t.Context(), stack.Name(string(ref), "storage"), "/var/lib/storage", strings.NewReader("pictures")))
	kept, without := b.backUp(ref), b.backUp(bare)
	handler := (&backup.Keeper{Store: b.store, Settings: *b.backups, Log: slog.New(slog.DiscardHandler)}).Handler()
	get := func(path string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return answer
	}
	project, err := b.project(ref)
	require.NoError(t, err)
	token, err := b.store.AllowDownload(t.Context(), b.actor(), project, kept.ID)
	require.NoError(t, err)
	forWhole, forStorage := "?token="+token, "?token="+b.store.AllowStorageDownload(kept)
	forOther := "?token=" + b.store.AllowStorageDownload(without)
	whole, stored := fmt.Sprintf("/backups/%d", kept.ID), fmt.Sprintf("/backups/%d/storage", kept.ID)

	sent := get(whole + forWhole)
	require.Equal(t, http.StatusOK, sent.Code, sent.Body.String())
	require.Equal(t, []string{"manifest.json", "database.dump.zst", "inventory.txt.zst", "roles.sql.zst", "storage.tar.zst"}, namesIn(t, sent.Body))

	sent = get(stored + forStorage)
	require.Equal(t, http.StatusOK, sent.Code, sent.Body.String())
	require.Regexp(t, `^attachment; filename="`+string(ref)+`-[0-9TZ]+-storage\.tar"$`, sent.Header().Get("Content-Disposition"))
	require.Equal(t, "pictures", sent.Body.String(), "what lies in Storage's volume: the fake engine has a text for a folder")

	for name, path := range map[string]string{
		"leave for the files is none for the database": whole + forStorage,
		"nor the other way round":                      stored + forWhole,
		"nor for another backup":                       stored + forOther,
		"nor is none":                                  stored,
	} {
		require.Equal(t, http.StatusForbidden, get(path).Code, name)
	}
	nothing := get(fmt.Sprintf("/backups/%d/storage", without.ID) + forOther)
	require.Equal(t, http.StatusNotFound, nothing.Code)
	require.Contains(t, nothing.Body.String(), "had no Storage")
}

func namesIn(t *testing.T, archive io.Reader) (names []string) {
	t.Helper()
	reader := tar.NewReader(archive)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		require.NoError(t, err)
		names = append(names, header.Name)
	}
}
