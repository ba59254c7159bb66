package backup

import (
	"archive/tar"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"

	"github.com/plurabase/plurabase/store"
)

// Handler serves `GET /backups/{id}?token=…`: a tar archive of a backup's files, for whoever has the API's leave for this one,
// which lasts for minutes. Nothing of it goes through Postgres or a plugin.
func (k *Keeper) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /backups/{id}", k.download)
	return mux
}

func (k *Keeper) download(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || !k.Store.DownloadAllowed(id, r.URL.Query().Get("token")) {
		http.Error(w, "This link is not valid, or no longer: ask for the download again.", http.StatusForbidden)
		return
	}
	backup, err := k.Store.TargetBackup(r.Context(), k.Settings.Target, id)
	if errors.Is(err, store.ErrNotFound) {
		http.Error(w, "This backup is not here.", http.StatusNotFound)
		return
	}
	if err == nil {
		err = k.send(w, backup)
	}
	if err != nil {
		k.Log.Warn("could not send a backup", "backup", id, "error", err)
		http.Error(w, "The backup could not be read.", http.StatusInternalServerError) // too late where it has begun
	}
}

func (k *Keeper) send(w http.ResponseWriter, backup store.Backup) error {
	source, err := open(k.Settings.Directory, deref(backup.Location))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-tar")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.tar"`,
		backup.ProjectRef, backup.CreatedAt.UTC().Format("20060102T150405Z")))
	w.Header().Set("Cache-Control", "no-store")
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
