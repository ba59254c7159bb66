package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// DatabasePasswordBody is the new password of a project's database. The rules are those of a new project's.
type DatabasePasswordBody struct {
	Password string `json:"password" minLength:"4" maxLength:"256" pattern:"^[^\\x00-\\x1f]*$" patternDescription:"no control characters"`
}

type databasePasswordInput struct {
	Ref  string `path:"ref"`
	Body DatabasePasswordBody
}

// MessageResponse says in words what was done.
type MessageResponse struct {
	Message string `json:"message"`
}

// JWTSecretBody is the new JWT secret of a project.
type JWTSecretBody struct {
	JWTSecret  string `json:"jwt_secret" doc:"32 characters or more without @ and $, or ROLL for a new random one."`
	TrackingID string `json:"change_tracking_id" minLength:"1" maxLength:"128" doc:"Comes back with the update's status."`
}

type jwtSecretInput struct {
	Ref  string `path:"ref"`
	Body JWTSecretBody
}

// rollSecret is what Studio sends for a random secret.
const rollSecret = "ROLL"

// minJWTSecret is what RFC 7518, section 3.2, demands of keys for HS256, and what GoTrue and PostgREST refuse to go below.
const minJWTSecret = 32

// secret returns the secret that is wanted, empty for a random one.
func (b JWTSecretBody) secret() (string, error) {
	switch {
	case b.JWTSecret == rollSecret:
		return "", nil
	case len(b.JWTSecret) < minJWTSecret:
		return "", problem.BadRequest("jwt_secret: expected 32 characters or more.")
	case len(b.JWTSecret) > 512:
		return "", problem.BadRequest("jwt_secret: expected 512 characters or less.")
	case strings.ContainsAny(b.JWTSecret, "@$") || strings.ContainsFunc(b.JWTSecret, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", problem.BadRequest("jwt_secret: expected printable ASCII characters without @ and $.")
	}
	return b.JWTSecret, nil
}

// JWTSecretStatusResponse says what has become of the last change of a project's JWT secret.
type JWTSecretStatusResponse struct {
	Status JWTSecretStatus `json:"update_status"`
}

// JWTSecretStatus is in upstream's numbers (npm `@supabase/shared-types`, events.d.ts).
type JWTSecretStatus struct {
	TrackingID string `json:"change_tracking_id" doc:"Empty where nothing had to be updated."`
	Status     int    `json:"status" enum:"0,1,2" doc:"0 updating, 1 updated, 2 failed."`
	Progress   int    `json:"progress" enum:"0,1,2,3,4,5" doc:"0 begun, 5 done."`
	Error      *int   `json:"error,omitempty" doc:"0: the database failed; 2: another service did."`
}

// The numbers that are used here.
const (
	secretUpdating       = 0
	secretUpdated        = 1
	secretUpdateFailed   = 2
	secretProgressDone   = 5
	secretFailedDatabase = 0
	secretFailedServices = 2
)

func (a *API) registerProjectSecrets() {
	update := access.InProject(access.Update, "projects")
	act(a, route{
		method: http.MethodPatch, path: "/platform/projects/{ref}/db-password", permission: update,
		kind: Real, summary: "Change the database's password",
	}, a.changeDatabasePassword)
	handle(a, route{
		method: http.MethodPatch, path: "/v1/projects/{ref}/database/password", permission: update,
		kind: Real, summary: "Change the database's password",
	}, a.v1ChangeDatabasePassword)
	handle(a, route{
		method: http.MethodPatch, path: "/platform/projects/{ref}/config/secrets",
		permission: access.InProject(access.InfraExecute, "queue_job.projects.update_jwt"),
		kind:       Real, summary: "Change the JWT secret: every session and legacy API key ends",
	}, a.rotateJWTSecret)
	handle(a, route{
		method: http.MethodGet, path: "/platform/projects/{ref}/config/secrets/update-status",
		permission: access.InProject(access.Read, "projects"),
		kind:       Real, summary: "What has become of the last change of the JWT secret",
	}, a.getJWTSecretStatus)
}

func (a *API) changeDatabasePassword(ctx context.Context, c *call, in *databasePasswordInput) error {
	_, err := a.store.ChangeDatabasePassword(ctx, c.actor, c.project.Ref, in.Body.Password)
	return err
}

func (a *API) v1ChangeDatabasePassword(ctx context.Context, c *call, in *databasePasswordInput) (MessageResponse, error) {
	return MessageResponse{"The database's password is changed."}, a.changeDatabasePassword(ctx, c, in)
}

func (a *API) rotateJWTSecret(ctx context.Context, c *call, in *jwtSecretInput) (MessageResponse, error) {
	secret, err := in.Body.secret()
	if err != nil {
		return MessageResponse{}, err
	}
	_, err = a.store.RotateJWTSecret(ctx, c.actor, c.project.Ref, secret, in.Body.TrackingID)
	return MessageResponse{"The JWT secret is changed."}, err
}

func (a *API) getJWTSecretStatus(ctx context.Context, c *call, _ *refPath) (JWTSecretStatusResponse, error) {
	rotation, err := a.store.LastRotation(ctx, c.project.ID)
	if errors.Is(err, store.ErrNotFound) { // the secret that is kept is the one in use
		return JWTSecretStatusResponse{JWTSecretStatus{Status: secretUpdated, Progress: secretProgressDone}}, nil
	}
	if err != nil {
		return JWTSecretStatusResponse{}, err
	}
	status := JWTSecretStatus{TrackingID: *rotation.TrackingID}
	switch {
	case rotation.Open():
		status.Status = secretUpdating
	case rotation.State == store.OperationFailed:
		status.Status = secretUpdateFailed
		status.Error, err = a.secretFailure(ctx, c, rotation)
	default: // what superseded it took the secret up with everything else
		status.Status, status.Progress = secretUpdated, secretProgressDone
	}
	return JWTSecretStatusResponse{status}, err
}

// secretFailure tells which part of the project did not take the secret up.
func (a *API) secretFailure(ctx context.Context, c *call, rotation store.Operation) (*int, error) {
	steps, err := a.store.OperationSteps(ctx, c.project.ID, rotation.ID)
	failed := secretFailedServices
	for _, step := range steps {
		if step.Error != nil && strings.HasSuffix(step.Step, ":"+store.ServiceDatabase) {
			failed = secretFailedDatabase
		}
	}
	return &failed, err
}
