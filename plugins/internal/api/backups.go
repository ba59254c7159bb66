package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// BackupsResponse lists a project's backups.
type BackupsResponse struct {
	Backups            []BackupSummary    `json:"backups"`
	PhysicalBackupData PhysicalBackupData `json:"physicalBackupData"`
	PITREnabled        bool               `json:"pitr_enabled"`
	Region             string             `json:"region"`
	WALGEnabled        bool               `json:"walg_enabled"`
}

// PhysicalBackupData says from when on physical backups reach: there are none here.
type PhysicalBackupData struct{}

// BackupSummary is a backup in a list.
type BackupSummary struct {
	ID               int64     `json:"id"`
	InsertedAt       time.Time `json:"inserted_at"`
	IsPhysicalBackup bool      `json:"isPhysicalBackup" doc:"False: every backup here is logical."`
	ProjectID        int64     `json:"project_id"`
	Status           string    `json:"status"`
}

// DownloadableBackupsResponse lists what of a project can be downloaded.
type DownloadableBackupsResponse struct {
	Backups []BackupSummary `json:"backups"`
	Status  string          `json:"status"`
}

// BackupIDBody names a backup.
type BackupIDBody struct {
	ID int64 `json:"id"`
}

type backupInput struct {
	Ref  string `path:"ref"`
	Body BackupIDBody
}

// DownloadBackupResponse is where a backup can be fetched, for a few minutes.
type DownloadBackupResponse struct {
	FileURL string `json:"fileUrl"`
}

// V1BackupsResponse lists a project's backups as the management API has them.
type V1BackupsResponse struct {
	Backups            []V1Backup         `json:"backups"`
	PhysicalBackupData PhysicalBackupData `json:"physical_backup_data"`
	PITREnabled        bool               `json:"pitr_enabled"`
	Region             string             `json:"region"`
	WALGEnabled        bool               `json:"walg_enabled"`
}

// V1Backup is a backup as the management API has it. Kind, Verified and what follows are ours.
type V1Backup struct {
	ID               int64      `json:"id"`
	InsertedAt       time.Time  `json:"inserted_at"`
	IsPhysicalBackup bool       `json:"is_physical_backup"`
	Status           string     `json:"status"`
	Kind             string     `json:"kind" enum:"scheduled,manual,safety,final"`
	VerifiedAt       *time.Time `json:"verified_at" doc:"When it was restored into a scratch database and found to be whole."`
	Bytes            *int64     `json:"bytes"`
	Error            *string    `json:"error"`
}

// V1RestorePITRBody names a backup by its time.
type V1RestorePITRBody struct {
	RecoveryTimeTargetUnix int64 `json:"recovery_time_target_unix" doc:"When one of the project's backups was made, in seconds."`
}

type restorePITRInput struct {
	Ref  string `path:"ref"`
	Body V1RestorePITRBody
}

// CloneBackupsResponse says what a project can be cloned from, and what its clone would be.
type CloneBackupsResponse struct {
	BackupsResponse
	TargetComputeSize  string `json:"target_compute_size"`
	TargetVolumeSizeGB int    `json:"target_volume_size_gb" doc:"Zero: volumes here have no size of their own."`
}

// CloneProjectBody is what a clone is to be.
type CloneProjectBody struct {
	CloneBackupID  int64  `json:"cloneBackupId,omitempty" doc:"The newest backup where it is left out."`
	NewProjectName string `json:"newProjectName" minLength:"1" maxLength:"256"`
	NewDBPass      string `json:"newDbPass" minLength:"4" maxLength:"256" pattern:"^[^\\x00-\\x1f]*$" patternDescription:"no control characters"`
	RecoveryTime   *int64 `json:"recoveryTimeTarget,omitempty"`
}

type cloneProjectInput struct {
	Ref  string `path:"ref"`
	Body CloneProjectBody
}

// ProjectClonedResponse is a clone that is being made.
type ProjectClonedResponse struct {
	SourceProjectRef   string `json:"source_project_ref"`
	TargetProjectRef   string `json:"target_project_ref"`
	TargetInstanceSize string `json:"target_instance_size"`
	TargetDiskSizeGB   int    `json:"target_disk_size_gb" doc:"Zero: volumes here have no size of their own."`
}

// CloneStatusResponse says what a project was cloned from, and what was cloned from it.
type CloneStatusResponse struct {
	ID         int64       `json:"id"`
	Ref        string      `json:"ref"`
	ClonedFrom *ClonedFrom `json:"cloned_from,omitempty"`
	Clones     []CloneOf   `json:"clones"`
}

// ClonedFrom is what a project was cloned from.
type ClonedFrom struct {
	ProjectID     int64       `json:"project_id"`
	SourceProject CloneParent `json:"source_project"`
}

// CloneParent names a project.
type CloneParent struct {
	Name string `json:"name"`
	Ref  string `json:"ref"`
}

// CloneOf is a project that was cloned from this one.
type CloneOf struct {
	ProjectID       int64       `json:"project_id"`
	TargetProjectID int64       `json:"target_project_id"`
	TargetProject   CloneParent `json:"target_project"`
	Status          string      `json:"status"`
	InsertedAt      *time.Time  `json:"inserted_at"`
	UpdatedAt       *time.Time  `json:"updated_at"`
}

const (
	backupOf = "/platform/database/{ref}/backups"
	cloneOf  = "/platform/database/{ref}/clone"
	v1Backup = "/v1/projects/{ref}/database/backups"
)

const (
	noPhysicalBackups = "Backups here are logical: there are no physical ones, and no recovery to a point in time. Restore one of the project's backups."
	noRestorePoints   = "Restore points belong to physical backups, which this platform does not make. Every backup can be restored."
)

// registerBackups registers backups and clones. What is asked here is done by the provisioner.
func (a *API) registerBackups() {
	read := access.InProject(access.Read, "back_ups")
	restore := access.InProject(access.InfraExecute, "queue_job.restore.prepare")
	replay := access.InProject(access.InfraExecute, "queue_job.walg.prepare_restore")
	handle(a, route{method: http.MethodGet, path: backupOf, permission: read, kind: Real, summary: "A project's backups"}, a.listBackups)
	handle(a, route{
		method: http.MethodGet, path: backupOf + "/downloadable-backups", permission: read, kind: Real, summary: "A project's backups that can be downloaded",
	}, a.listDownloadableBackups)
	handle(a, route{
		method: http.MethodPost, path: backupOf + "/download", permission: restore, status: http.StatusCreated, kind: Real,
		summary: "Where a backup can be fetched, for a few minutes",
	}, a.downloadBackup)
	act(a, route{
		method: http.MethodPost, path: backupOf + "/restore", permission: restore, status: http.StatusCreated, kind: Real,
		summary: "Give a project the data of one of its backups",
	}, a.restoreBackup)
	handle(a, route{method: http.MethodGet, path: v1Backup, permission: read, kind: Real, summary: "A project's backups"}, a.listV1Backups)
	handle(a, route{
		method: http.MethodPost, path: v1Backup, permission: restore, status: http.StatusCreated, kind: Real, summary: "Back a project up now",
	}, a.requestBackup)
	act(a, route{
		method: http.MethodPost, path: v1Backup + "/restore-pitr", permission: replay, status: http.StatusCreated, kind: Real,
		summary: "Give a project the data of the backup that was made at a time",
	}, a.restoreByTime)
	handle(a, route{
		method: http.MethodGet, path: cloneOf, permission: access.InProject(access.Read, "physical_backups"), kind: Real,
		summary: "What a project can be cloned from",
	}, a.listCloneBackups)
	handle(a, route{
		method: http.MethodPost, path: cloneOf, permission: access.InProject(access.Create, "projects"), status: http.StatusCreated, kind: Real,
		summary: "Make a project with the data of one of another's backups",
	}, a.cloneProject)
	handle(a, route{
		method: http.MethodGet, path: cloneOf + "/status", permission: access.InProject(access.Read, "projects"), kind: Real,
		summary: "What a project was cloned from, and what was cloned from it",
	}, a.getCloneStatus)
	a.registerBackupsMissing(replay)
}

func (a *API) registerBackupsMissing(replay access.Permission) {
	for _, path := range []string{"/enable-physical-backups", "/pitr", "/restore-physical"} {
		refuse(a, route{method: http.MethodPost, path: backupOf + path, permission: replay, summary: "Refused: backups are logical"}, noPhysicalBackups)
	}
	missing(a, route{
		method: http.MethodGet, path: v1Backup + "/restore-point", permission: access.InProject(access.Read, "physical_backups"), summary: "None: no restore points",
	}, noRestorePoints)
	for _, path := range []string{"/restore-point", "/undo"} {
		refuse(a, route{method: http.MethodPost, path: v1Backup + path, permission: replay, summary: "Refused: no restore points"}, noRestorePoints)
	}
}

// backupStatus is the contract's word.
func backupStatus(backup store.Backup) string {
	switch {
	case backup.Restorable():
		return "COMPLETED"
	case backup.Status == store.BackupFailed:
		return "FAILED"
	default:
		return "PENDING"
	}
}

func (a *API) listBackups(ctx context.Context, c *call, _ *refPath) (BackupsResponse, error) {
	backups, err := a.store.Backups(ctx, c.project.ID)
	return BackupsResponse{Backups: summariesOf(backups), Region: a.regionOf(c.project.ProjectSummary)}, err
}

// summariesOf leaves out what failed: Studio shows everything that is not completed as in progress.
func summariesOf(backups []store.Backup) []BackupSummary {
	list := []BackupSummary{}
	for _, one := range backups {
		if one.Status != store.BackupFailed {
			list = append(list, BackupSummary{ID: one.ID, InsertedAt: one.CreatedAt, ProjectID: one.ProjectID, Status: backupStatus(one)})
		}
	}
	return list
}

func (a *API) listDownloadableBackups(ctx context.Context, c *call, _ *refPath) (DownloadableBackupsResponse, error) {
	backups, err := a.store.Backups(ctx, c.project.ID)
	list := []BackupSummary{}
	for _, one := range summariesOf(backups) {
		if one.Status == "COMPLETED" {
			list = append(list, one)
		}
	}
	return DownloadableBackupsResponse{list, "ok"}, err
}

func (a *API) downloadBackup(ctx context.Context, c *call, in *backupInput) (DownloadBackupResponse, error) {
	backup, err := a.store.Backup(ctx, c.project.ID, in.Body.ID)
	if err != nil {
		return DownloadBackupResponse{}, problem.OrNotFound(err, "Backup not found")
	}
	from, err := a.downloadsOf(ctx, backup)
	if err != nil {
		return DownloadBackupResponse{}, err
	}
	token, err := a.store.AllowDownload(ctx, c.actor, c.project.Project, backup.ID)
	return DownloadBackupResponse{from + "?token=" + token}, problem.OrNotFound(err, "Backup not found")
}

// downloadsOf is where a backup can be fetched, by whoever has leave.
func (a *API) downloadsOf(ctx context.Context, backup store.Backup) (string, error) {
	kept, err := a.store.BackupTarget(ctx, backup.Target)
	switch {
	case err != nil:
		return "", err
	case kept == nil:
		return "", problem.New(http.StatusConflict, "The deployment target that has this backup no longer keeps any.")
	case kept.PublicURL == nil:
		return "", problem.New(http.StatusConflict, fmt.Sprintf(
			"Downloads are not set up here. The operator finds this backup on the host %s, in the folder %s of its backup directory.", kept.Host, location(backup)))
	}
	return fmt.Sprintf("%s/%d", *kept.PublicURL, backup.ID), nil
}

func location(backup store.Backup) string {
	if backup.Location == nil {
		return "-"
	}
	return *backup.Location
}

func (a *API) restoreBackup(ctx context.Context, c *call, in *backupInput) error {
	_, err := a.store.RestoreBackup(ctx, c.actor, c.project.Ref, in.Body.ID)
	return problem.OrNotFound(err, "Backup not found")
}

func (a *API) listV1Backups(ctx context.Context, c *call, _ *refPath) (V1BackupsResponse, error) {
	backups, err := a.store.Backups(ctx, c.project.ID)
	list := make([]V1Backup, len(backups))
	for i, one := range backups {
		list[i] = v1BackupOf(one)
	}
	return V1BackupsResponse{Backups: list, Region: a.regionOf(c.project.ProjectSummary)}, err
}

func v1BackupOf(one store.Backup) V1Backup {
	return V1Backup{
		ID: one.ID, InsertedAt: one.CreatedAt, Status: backupStatus(one), Kind: string(one.Kind), VerifiedAt: one.VerifiedAt,
		Bytes: one.Bytes, Error: one.Error,
	}
}

func (a *API) requestBackup(ctx context.Context, c *call, _ *refPath) (V1Backup, error) {
	backup, err := a.store.RequestBackup(ctx, c.actor, c.project.Ref)
	return v1BackupOf(backup), err
}

// restoreByTime restores the backup that was made in the second that is named: what the CLI lists is what it can restore. Any
// other time is refused, for the nearest backup is not what was asked for.
func (a *API) restoreByTime(ctx context.Context, c *call, in *restorePITRInput) error {
	backups, err := a.store.Backups(ctx, c.project.ID)
	if err != nil {
		return err
	}
	var before *store.Backup
	for i, one := range backups { // the newest first
		if !one.Restorable() || one.CreatedAt.Unix() > in.Body.RecoveryTimeTargetUnix {
			continue
		}
		before = &backups[i]
		break
	}
	switch {
	case before == nil:
		return problem.BadRequest("There is no recovery to a point in time here, and no backup that was made before this one.")
	case before.CreatedAt.Unix() != in.Body.RecoveryTimeTargetUnix:
		return problem.BadRequest(fmt.Sprintf("There is no recovery to a point in time here: name the time of a backup. The last one before is of %s (%d).",
			before.CreatedAt.UTC().Format(time.RFC3339), before.CreatedAt.Unix()))
	}
	_, err = a.store.RestoreBackup(ctx, c.actor, c.project.Ref, before.ID)
	return problem.OrNotFound(err, "Backup not found")
}

func (a *API) listCloneBackups(ctx context.Context, c *call, path *refPath) (CloneBackupsResponse, error) {
	listed, err := a.listBackups(ctx, c, path)
	return CloneBackupsResponse{BackupsResponse: listed, TargetComputeSize: c.project.ComputeSize}, err
}

func (a *API) cloneProject(ctx context.Context, c *call, in *cloneProjectInput) (ProjectClonedResponse, error) {
	if in.Body.RecoveryTime != nil && in.Body.CloneBackupID == 0 {
		return ProjectClonedResponse{}, problem.BadRequest(noPhysicalBackups)
	}
	made, err := a.store.CloneProject(ctx, c.actor, c.project.Ref, in.Body.CloneBackupID, store.NewProject{
		Name: in.Body.NewProjectName, DatabasePassword: in.Body.NewDBPass,
	})
	return ProjectClonedResponse{
		SourceProjectRef: string(c.project.Ref), TargetProjectRef: string(made.Ref), TargetInstanceSize: made.ComputeSize,
	}, problem.OrNotFound(err, "Backup not found")
}

func (a *API) getCloneStatus(ctx context.Context, c *call, _ *refPath) (CloneStatusResponse, error) {
	answer := CloneStatusResponse{ID: c.project.ID, Ref: string(c.project.Ref), Clones: []CloneOf{}}
	origin, err := a.store.CloneOrigin(ctx, c.project.ID)
	if err != nil {
		return CloneStatusResponse{}, err
	}
	if origin != nil {
		answer.ClonedFrom = &ClonedFrom{ProjectID: origin.ProjectID, SourceProject: CloneParent{origin.Name, string(origin.Ref)}}
	}
	clones, err := a.store.Clones(ctx, c.project.ID)
	for _, one := range clones {
		answer.Clones = append(answer.Clones, CloneOf{
			ProjectID: c.project.ID, TargetProjectID: one.ProjectID, TargetProject: CloneParent{one.Name, string(one.Ref)},
			Status: string(one.Status), InsertedAt: &one.CreatedAt, UpdatedAt: one.UpdatedAt,
		})
	}
	return answer, err
}
