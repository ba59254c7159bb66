package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// StorageArchiveResponse says where a project's stored files can be fetched, in one archive.
type StorageArchiveResponse struct {
	Empty bool `json:"archive_empty" doc:"The project has no Storage."`
	// The same twice: the contract has both names.
	FileURL      string `json:"file_url" doc:"Of a tar archive, for five minutes. Empty where there is none."`
	FileURLCamel string `json:"fileUrl"`
}

// noArchive begins as Studio expects it: only so it asks for an archive to be made, and waits.
const noArchive = "Storage archive not found: the project was not backed up yet."

// registerStorageArchive registers the archive of a project's stored files, which is that of its newest backup, and for whom backups are.
func (a *API) registerStorageArchive() {
	const archive = "/platform/storage/{ref}/archive"
	backup := access.InProject(access.InfraExecute, "queue_job.restore.prepare")
	handle(a, route{
		method: http.MethodGet, path: archive, permission: backup, kind: Real,
		summary: "Where a project's stored files can be fetched, as its newest backup has them",
	}, a.getStorageArchive)
	act(a, route{
		method: http.MethodPost, path: archive, permission: backup, status: http.StatusCreated, kind: Real,
		summary: "Back a project up now, its stored files with it",
	}, func(ctx context.Context, c *call, _ *refPath) error {
		_, err := a.store.RequestBackup(ctx, c.actor, c.project.Ref)
		return err
	})
}

func (a *API) getStorageArchive(ctx context.Context, c *call, _ *refPath) (StorageArchiveResponse, error) {
	archive := StorageArchiveResponse{Empty: !slices.Contains(c.project.Services, store.ServiceStorage)}
	if archive.Empty {
		return archive, nil
	}
	backups, err := a.store.Backups(ctx, c.project.ID)
	if err != nil {
		return StorageArchiveResponse{}, err
	}
	newest := slices.IndexFunc(backups, store.Backup.Restorable)
	if newest < 0 {
		return StorageArchiveResponse{}, problem.NotFound(noArchive)
	}
	from, err := a.downloadsOf(ctx, backups[newest])
	if err != nil {
		return StorageArchiveResponse{}, err
	}
	archive.FileURL = from + "/" + string(store.DownloadStorage) + "?token=" + a.store.AllowStorageDownload(backups[newest])
	archive.FileURLCamel = archive.FileURL
	return archive, nil
}
