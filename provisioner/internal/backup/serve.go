package backup

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/plurabase/plurabase/store"
)

// Handler serves `GET /backups/{id}?token=…`, a tar archive of a backup's files, and `GET /backups/{id}/storage?token=…`, one of the
// project's stored files alone, for whoever has the API's leave for this one, which lasts for minutes. Nothing of it goes through
// Postgres or a plugin.
func (k *Keeper) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /backups/{id}", k.download(store.DownloadWhole))
	mux.HandleFunc("GET /backups/{id}/storage", k.download(store.DownloadStorage))
	return mux
}

// errNoStorage says that the project had no Storage when it was backed up.
var errNoStorage = errors.New("the backup has no stored files")

func (k *Keeper) download(part store.DownloadPart) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil || !k.Store.DownloadAllowed(id, part, r.URL.Query().Get("token")) {
			http.Error(w, "This link is not valid, or no longer: ask for the download again.", http.StatusForbidden)
			return
		}
		backup, err := k.Store.TargetBackup(r.Context(), k.Settings.Target, id)
		if err == nil {
			err = k.send(w, backup, part)
		}
		switch {
		case errors.Is(err, store.ErrNotFound):
			http.Error(w, "This backup is not here.", http.StatusNotFound)
		case errors.Is(err, errNoStorage):
			http.Error(w, "The project had no Storage when this backup was made.", http.StatusNotFound)
		case err != nil:
			k.Log.Warn("could not send a backup", "backup", id, "error", err)
			http.Error(w, "The backup could not be read.", http.StatusInternalServerError) // too late where it has begun
		}
	}
}

func (k *Keeper) send(w http.ResponseWriter, backup store.Backup, part store.DownloadPart) error {
	source, err := open(k.Settings.Directory, deref(backup.Location))
	if err != nil {
		return err
	}
	if part == store.DownloadStorage && !source.manifest.HasStorage {
		return errNoStorage
	}
	name := string(backup.ProjectRef) + "-" + backup.CreatedAt.UTC().Format("20060102T150405Z")
	if part != store.DownloadWhole {
		name += "-" + string(part)
	}
	w.Header().Set("Content-Type", "application/x-tar")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.tar"`, name))
	w.Header().Set("Cache-Control", "no-store")
	if part == store.DownloadWhole {
		return sendWhole(w, source, backup)
	}
	// As the files lie in Storage's volume.
	return source.read(storageFile, func(in io.Reader) error {
		_, err := io.Copy(w, in)
		return err
	})
}

func sendWhole(w io.Writer, source kept, backup store.Backup) error {
	archive := tar.NewWriter(w)
	about, err := os.Stat(source.path(manifestFile))
	if err != nil {
		return err
	}
	for _, one := range append([]file{{Name: manifestFile, Bytes: about.Size()}}, source.manifest.Files...) {
		err := archive.WriteHeader(&tar.Header{
			Name: one.Name, Size: one.Bytes, Mode: fileMode, ModTime: backup.CreatedAt, Typeflag: tar.TypeReg,
		})
		if err != nil {
			return err
		}
		if err := source.copyPlain(one.Name, archive); err != nil {
			return err
		}
	}
	return archive.Close()
}
