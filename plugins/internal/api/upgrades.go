package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// UpgradeBody asks for the versions that the deployment target offers.
type UpgradeBody struct {
	TargetVersion string `json:"target_version" doc:"The major version of Postgres, which stays what it is."`
}

type upgradeInput struct {
	Ref  string `path:"ref"`
	Body UpgradeBody
}

// UpgradeResponse is what an upgrade is followed by.
type UpgradeResponse struct {
	TrackingID string `json:"tracking_id"`
}

// UpgradeEligibilityResponse says whether a project can be upgraded, and to what.
type UpgradeEligibilityResponse struct {
	Eligible              bool            `json:"eligible"`
	CurrentAppVersion     string          `json:"current_app_version"`
	CurrentReleaseChannel string          `json:"current_app_version_release_channel"`
	LatestAppVersion      string          `json:"latest_app_version"`
	DurationEstimateHours float64         `json:"duration_estimate_hours" doc:"What the last upgrades of the deployment target took. 0: none was made yet."`
	TargetVersions        []UpgradeTarget `json:"target_upgrade_versions"`
	// What a change of Postgres' major version would have to look for. There is none.
	LegacyAuthCustomRoles    []never        `json:"legacy_auth_custom_roles"`
	ObjectsToBeDropped       []never        `json:"objects_to_be_dropped"`
	UnsupportedExtensions    []never        `json:"unsupported_extensions"`
	ObjectsInInternalSchemas []never        `json:"user_defined_objects_in_internal_schemas"`
	ValidationErrors         []never        `json:"validation_errors"`
	WhyNot                   string         `json:"reason,omitempty" doc:"In words, where the project is not eligible."`
	Services                 []ImageUpgrade `json:"services" doc:"Every service that an upgrade would change, not Postgres alone."`
}

// UpgradeTarget is what Postgres would be upgraded to.
type UpgradeTarget struct {
	AppVersion      string `json:"app_version"`
	PostgresVersion string `json:"postgres_version"`
	ReleaseChannel  string `json:"release_channel"`
}

// ImageUpgrade is a service with its images before and after an upgrade.
type ImageUpgrade struct {
	Service string `json:"service"`
	From    string `json:"from"`
	To      string `json:"to"`
}

// UpgradeStatusResponse says what has become of a project's last upgrade; null where there was none.
type UpgradeStatusResponse struct {
	Status *UpgradeStatus `json:"databaseUpgradeStatus"`
}

// UpgradeStatus is in upstream's words and numbers (npm `@supabase/shared-types`, events.d.ts). Most of upstream's steps are
// about volumes of Amazon's, which are not moved here.
type UpgradeStatus struct {
	InitiatedAt    time.Time `json:"initiated_at"`
	LatestStatusAt time.Time `json:"latest_status_at"`
	TargetVersion  int       `json:"target_version" doc:"The major version of Postgres."`
	Status         int       `json:"status" enum:"0,1,2" doc:"0 upgrading, 1 upgraded, 2 failed, and the versions before are back."`
	Progress       string    `json:"progress,omitempty" enum:"0_requested,1_started,9_completed_upgrade"`
	Error          string    `json:"error,omitempty" enum:"1_upgraded_instance_launch_failed"`
}

type upgradeStatusInput struct {
	Ref        string `path:"ref"`
	TrackingID string `query:"tracking_id" maxLength:"20"`
}

func (a *API) registerUpgrades() {
	read := access.InProject(access.Read, "projects")
	handle(a, route{
		method: http.MethodPost, path: "/v1/projects/{ref}/upgrade", permission: access.InProject(access.Update, "projects"),
		status: http.StatusCreated, kind: Real, summary: "Bring a project's services to the versions that its deployment target offers",
	}, a.upgradeProject)
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/upgrade/eligibility", permission: read,
		kind: Real, summary: "What an upgrade would change",
	}, a.getUpgradeEligibility)
	handle(a, route{
		method: http.MethodGet, path: "/v1/projects/{ref}/upgrade/status", permission: read,
		kind: Real, summary: "What has become of the last upgrade",
	}, a.getUpgradeStatus)
}

func (a *API) upgradeProject(ctx context.Context, c *call, in *upgradeInput) (UpgradeResponse, error) {
	offer, err := a.upgradeOffer(ctx, c)
	if err != nil {
		return UpgradeResponse{}, err
	}
	if wanted := in.Body.TargetVersion; wanted != store.MajorVersion(offer.current) && wanted != store.MajorVersion(offer.latest) {
		return UpgradeResponse{}, problem.BadRequest(fmt.Sprintf(
			"target_version: the deployment target offers Postgres %s.", store.MajorVersion(offer.latest)))
	}
	project, err := a.store.UpgradeProject(ctx, c.actor, c.project.Ref)
	if err != nil {
		return UpgradeResponse{}, err
	}
	operation, err := a.store.LastOperation(ctx, project.ID, store.OperationUpgrade)
	return UpgradeResponse{strconv.FormatInt(operation.ID, 10)}, err
}

// upgradeOffer is what a project has and what its deployment target offers.
type upgradeOffer struct {
	upgrades        []store.Upgrade
	current, latest string // images of Postgres; empty where the project has none yet
}

func (a *API) upgradeOffer(ctx context.Context, c *call) (upgradeOffer, error) {
	var offer upgradeOffer
	var err error
	if offer.upgrades, err = a.store.ProjectUpgrades(ctx, c.project.ID); err != nil {
		return offer, err
	}
	if offer.current, err = a.store.ProjectImage(ctx, c.project.ID, store.ServiceDatabase); err != nil {
		return offer, err
	}
	offer.latest = offer.current
	for _, upgrade := range offer.upgrades {
		if upgrade.Service == store.ServiceDatabase {
			offer.latest = upgrade.To
		}
	}
	return offer, nil
}

// appVersion names an image of Postgres as upstream does; Studio cuts the prefix off.
func appVersion(image string) string { return "supabase-postgres-" + imageTag(image) }

func (a *API) getUpgradeEligibility(ctx context.Context, c *call, _ *refPath) (UpgradeEligibilityResponse, error) {
	offer, err := a.upgradeOffer(ctx, c)
	if err != nil {
		return UpgradeEligibilityResponse{}, err
	}
	took, err := a.store.UpgradeDuration(ctx, c.project.Target)
	if err != nil {
		return UpgradeEligibilityResponse{}, err
	}
	answer := UpgradeEligibilityResponse{
		CurrentAppVersion: appVersion(offer.current), CurrentReleaseChannel: releaseChannel, LatestAppVersion: appVersion(offer.latest),
		DurationEstimateHours: took.Hours(), TargetVersions: []UpgradeTarget{}, LegacyAuthCustomRoles: []never{}, ObjectsToBeDropped: []never{},
		UnsupportedExtensions: []never{}, ObjectsInInternalSchemas: []never{}, ValidationErrors: []never{},
		Services: []ImageUpgrade{}, WhyNot: offer.whyNot(c.project.Project),
	}
	for _, upgrade := range offer.upgrades {
		answer.Services = append(answer.Services, ImageUpgrade(upgrade))
	}
	if answer.Eligible = answer.WhyNot == ""; answer.Eligible {
		answer.TargetVersions = append(answer.TargetVersions, UpgradeTarget{
			AppVersion: answer.LatestAppVersion, PostgresVersion: store.MajorVersion(offer.latest), ReleaseChannel: releaseChannel,
		})
	}
	return answer, nil
}

// whyNot says why a project cannot be upgraded, and nothing where it can.
func (o upgradeOffer) whyNot(project store.Project) string {
	if len(o.upgrades) == 0 {
		return "The project already has the versions that its deployment target offers."
	}
	for _, upgrade := range o.upgrades {
		if err := upgrade.Check(); err != nil {
			return err.Error()
		}
	}
	if project.Status != store.StatusActiveHealthy {
		return "Only a project that is healthy can be upgraded: there would be nothing to go back to."
	}
	return ""
}

func (a *API) getUpgradeStatus(ctx context.Context, c *call, in *upgradeStatusInput) (UpgradeStatusResponse, error) {
	operation, err := a.trackedUpgrade(ctx, c, in.TrackingID)
	if errors.Is(err, store.ErrNotFound) {
		return UpgradeStatusResponse{}, nil
	}
	if err != nil {
		return UpgradeStatusResponse{}, err
	}
	image, err := a.store.ProjectImage(ctx, c.project.ID, store.ServiceDatabase)
	if err != nil {
		return UpgradeStatusResponse{}, err
	}
	status := UpgradeStatus{InitiatedAt: operation.CreatedAt, LatestStatusAt: latest(operation)}
	status.TargetVersion, _ = strconv.Atoi(store.MajorVersion(image)) // 0 where the image's tag does not tell
	switch operation.State {
	case store.OperationPending:
		status.Progress = "0_requested"
	case store.OperationRunning:
		status.Progress = "1_started"
	case store.OperationSucceeded:
		status.Status, status.Progress = 1, "9_completed_upgrade"
	case store.OperationFailed, store.OperationSuperseded:
		status.Status, status.Error = 2, "1_upgraded_instance_launch_failed"
	}
	return UpgradeStatusResponse{&status}, nil
}

func (a *API) trackedUpgrade(ctx context.Context, c *call, trackingID string) (store.Operation, error) {
	if trackingID == "" {
		return a.store.LastOperation(ctx, c.project.ID, store.OperationUpgrade)
	}
	id, err := strconv.ParseInt(trackingID, 10, 64)
	if err != nil {
		return store.Operation{}, store.ErrNotFound
	}
	operation, err := a.store.Operation(ctx, c.project.ID, id)
	if err == nil && operation.Kind != store.OperationUpgrade {
		err = store.ErrNotFound
	}
	return operation, err
}

// latest is when something was last heard of an operation.
func latest(operation store.Operation) time.Time {
	times := []time.Time{operation.CreatedAt}
	for _, one := range []*time.Time{operation.StartedAt, operation.FinishedAt} {
		if one != nil {
			times = append(times, *one)
		}
	}
	return slices.MaxFunc(times, time.Time.Compare)
}
