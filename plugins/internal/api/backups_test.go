package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

var backupExamples = map[string]example{
	"POST /platform/database/{ref}/hook-enable":             {status: 409}, // the tests' Postgres has no pg_net
	"POST /v1/projects/{ref}/database/webhooks/enable":      {status: 409},
	"POST /platform/database/{ref}/backups/restore":         {prepare: aBackup, body: `{"id":{backup}}`},
	"POST /platform/database/{ref}/backups/download":        {prepare: aBackup, body: `{"id":{backup}}`},
	"GET /platform/storage/{ref}/archive":                   {prepare: aBackup},
	"POST /platform/storage/{ref}/archive":                  {prepare: aBackup},
	"POST /platform/database/{ref}/clone":                   {prepare: aBackup, body: `{"newProjectName":"copy","newDbPass":"correct horse"}`},
	"POST /v1/projects/{ref}/database/backups":              {prepare: aBackup},
	"POST /v1/projects/{ref}/database/backups/restore-pitr": {prepare: aBackup, body: fmt.Sprintf(`{"recovery_time_target_unix":%d}`, storetest.Now.Unix())},
}

// aBackup gives a place's project a backup that can be restored and downloaded.
func aBackup(w *world, p place) map[string]string {
	w.t.Helper()
	url := "https://api.example.com/backups"
	require.NoError(w.t, w.store.NoteBackupTarget(w.t.Context(), store.BackupTarget{Target: "local", Host: "one", Directory: "/b", PublicURL: &url}))
	return map[string]string{"backup": fmt.Sprint(w.backup(p.ref, "verified"))}
}

func (w *world) backup(ref, status string) (id int64) {
	w.t.Helper()
	err := w.connection.QueryRow(w.t.Context(), `
		insert into platform.backups (project_id, project_ref, organization_id, target, kind, status, location, bytes, created_at)
		select id, ref, organization_id, target, 'manual', $2, ref || '/1', 12, $3 from platform.projects where ref = $1 returning id`,
		ref, status, storetest.Now).Scan(&id)
	require.NoError(w.t, err)
	return id
}

func TestBackupsAreListedRestoredAndDownloaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	owner := w.as(store.RoleOwner)
	list := "/platform/database/" + p.ref + "/backups"
	require.Equal(t, http.StatusConflict, w.raw(owner, http.MethodPost, "/v1/projects/"+p.ref+"/database/backups", "").Code, "not set up")
	var none BackupsResponse
	w.list(owner, list, &none)
	require.Empty(t, none.Backups)
	require.Contains(t, w.succeed(owner, http.MethodGet, list, "").Body.String(), `"backups":[]`)

	id := aBackup(w, p)["backup"]
	w.backup(p.ref, "failed")
	var listed BackupsResponse
	w.list(owner, list, &listed)
	require.Len(t, listed.Backups, 1, "what failed would be shown as in progress")
	require.Equal(t, "COMPLETED", listed.Backups[0].Status)
	var v1 V1BackupsResponse
	w.list(owner, "/v1/projects/"+p.ref+"/database/backups", &v1)
	require.Equal(t, "FAILED", v1.Backups[0].Status)

	body := `{"id":` + id + `}`
	fetched := w.succeed(owner, http.MethodPost, list+"/download", body).Body.String()
	require.Contains(t, fetched, `{"fileUrl":"https://api.example.com/backups/`+id+`?token=`)
	require.Equal(t, http.StatusNotFound, w.raw(owner, http.MethodPost, list+"/restore", `{"id":999999}`).Code)
	w.succeed(owner, http.MethodPost, list+"/restore", body)
	require.Contains(t, w.succeed(owner, http.MethodGet, "/platform/projects/"+p.ref+"/status", "").Body.String(), "RESTORING")
}

func TestABackupOfAnotherProjectIsNotToBeHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine, other := w.place(), w.place()
	body := `{"id":` + aBackup(w, other)["backup"] + `}`
	for _, path := range []string{"/restore", "/download"} {
		require.Equal(t, http.StatusNotFound, w.raw(w.as(store.RoleOwner), http.MethodPost, "/platform/database/"+mine.ref+"/backups"+path, body).Code)
	}
}

func TestWithoutDownloadsTheAPISaysWhereABackupIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	id := aBackup(w, p)["backup"]
	require.NoError(t, w.store.NoteBackupTarget(t.Context(), store.BackupTarget{Target: "local", Host: "one", Directory: "/b"}))
	refused := w.raw(w.as(store.RoleOwner), http.MethodPost, "/platform/database/"+p.ref+"/backups/download", `{"id":`+id+`}`)
	require.Equal(t, http.StatusConflict, refused.Code)
	require.Contains(t, messageOf(refused), "on the host one, in the folder "+p.ref+"/1")
}

func TestTheArchiveOfStoredFilesIsThatOfTheNewestBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	archive := "/platform/storage/" + p.ref + "/archive"
	w.exec(`update platform.projects set services = '{db}' where ref = $1`, p.ref)
	owner := w.as(store.RoleOwner)
	require.JSONEq(t, `{"archive_empty":true,"file_url":"","fileUrl":""}`, w.succeed(owner, http.MethodGet, archive, "").Body.String())

	w.exec(`update platform.projects set services = '{db,storage}' where ref = $1`, p.ref)
	none := w.raw(owner, http.MethodGet, archive, "")
	require.Equal(t, http.StatusNotFound, none.Code)
	require.Contains(t, messageOf(none), "Storage archive not found", "what Studio looks for, to ask for one and wait")
	require.Equal(t, http.StatusConflict, w.raw(owner, http.MethodPost, archive, "").Code, "not set up")

	aBackup(w, p)
	newest := aBackup(w, p)["backup"]
	w.backup(p.ref, "failed")
	var got StorageArchiveResponse
	w.list(owner, archive, &got)
	require.Contains(t, got.FileURL, "https://api.example.com/backups/"+newest+"/storage?token=")
	require.Equal(t, got.FileURL, got.FileURLCamel)
	require.False(t, got.Empty)
	w.succeed(owner, http.MethodPost, archive, "")
	var listed V1BackupsResponse
	w.list(owner, "/v1/projects/"+p.ref+"/database/backups", &listed)
	require.Equal(t, "PENDING", listed.Backups[0].Status)
}

func TestOnlyTheTimeOfABackupIsRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	aBackup(w, p)
	restore := func(unix int64) (int, string) {
		answer := w.raw(w.as(store.RoleOwner), http.MethodPost, "/v1/projects/"+p.ref+"/database/backups/restore-pitr",
			fmt.Sprintf(`{"recovery_time_target_unix":%d}`, unix))
		return answer.Code, messageOf(answer)
	}
	code, message := restore(storetest.Now.Unix() + 60)
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, message, fmt.Sprint(storetest.Now.Unix()))
	code, _ = restore(storetest.Now.Unix() - 60)
	require.Equal(t, http.StatusBadRequest, code)
	code, _ = restore(storetest.Now.Unix())
	require.Equal(t, http.StatusCreated, code)
}

func TestACloneIsListedWithItsOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	aBackup(w, p)
	owner, clone := w.as(store.RoleOwner), "/platform/database/"+p.ref+"/clone"
	_, made := w.send(owner, http.MethodPost, clone, `{"newProjectName":"copy","newDbPass":"correct horse"}`)
	ref := made["target_project_ref"].(string)
	var status CloneStatusResponse
	w.list(owner, clone+"/status", &status)
	require.Equal(t, "IN_PROGRESS", status.Clones[0].Status)
	require.Equal(t, CloneParent{"copy", ref}, status.Clones[0].TargetProject)
	w.list(owner, strings.Replace(clone, p.ref, ref, 1)+"/status", &status)
	require.Equal(t, p.ref, status.ClonedFrom.SourceProject.Ref)
}
