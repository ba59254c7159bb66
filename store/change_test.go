package store_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

var errFailed = errors.New("the service db is not healthy")

// running makes a project that runs, with the images of a target.
func (l *leases) running(images map[string]string) store.Ref {
	l.Helper()
	ref := l.create()
	claim := l.claim()
	_, err := claim.Images(l.Context(), images)
	require.NoError(l, err)
	require.NoError(l, claim.Settle(l.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	return ref
}

func TestAResizeIsTakenUpAtOnceOrWithTheNextStart(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.running(nil)
	project, err := l.store.ResizeProject(t.Context(), actor(l.profile, "change 1"), ref, "ci_large")
	require.NoError(t, err)
	require.Equal(t, store.StatusResizing, project.Status)
	require.Equal(t, "large", project.ComputeSize)

	_, err = l.store.ResizeProject(t.Context(), actor(l.profile, "change 2"), ref, "small")
	require.EqualError(t, err, "The project is being resized: it cannot be changed by a resize now.")
	require.Equal(t, "large", scalar[string](l, `select compute_size from platform.projects`), "nothing has changed")
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	_, err = l.store.ResizeProject(t.Context(), actor(l.profile, "change 3"), ref, "gigantic")
	require.EqualError(t, err, `There is no compute size "gigantic".`)

	l.change(ref, store.OperationPause)
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusInactive}))
	project, err = l.store.ResizeProject(t.Context(), actor(l.profile, "change 4"), ref, "small")
	require.NoError(t, err)
	require.Equal(t, store.StatusInactive, project.Status)
	require.Equal(t, "small", scalar[string](l, `select compute_size from platform.projects`))
	require.Equal(t, []string{"create:succeeded", "resize:succeeded", "pause:succeeded"}, l.operations())
}

func TestServicesAreChosen(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.running(nil)
	for problem, services := range map[string][]string{
		`There is no service "mail".`:                        {"db", "mail"},
		`The service "db" is named twice.`:                   {"db", "db"},
		"A project cannot do without its database.":          {"auth"},
		"The service imgproxy is of no use without storage.": {"db", "imgproxy"},
	} {
		_, err := l.store.ChangeServices(t.Context(), actor(l.profile, problem), ref, services)
		require.EqualError(t, err, problem)
	}
	_, err := l.store.ChangeServices(t.Context(), actor(l.profile, "change 1"), ref, []string{"db", "auth"})
	require.NoError(t, err)
	claim := l.claim()
	require.Equal(t, store.OperationConfigure, claim.Kind)
	require.Equal(t, []string{"db", "auth"}, claim.Project.Services)
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))

	_, err = l.store.RestartServices(t.Context(), actor(l.profile, "change 2"), ref, "rest")
	require.EqualError(t, err, `The project has no service "rest".`)
}

func TestAPasswordAndAJWTSecretAreReplaced(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.running(nil)
	read := func() store.Secrets {
		secrets, err := l.store.ProjectSecrets(t.Context(), scalar[int64](l, `select id from platform.projects`), ref)
		require.NoError(t, err)
		return secrets
	}
	before := read()
	_, err := l.store.ChangeDatabasePassword(t.Context(), actor(l.profile, "change 1"), ref, "another")
	require.NoError(t, err)
	after := read()
	require.Equal(t, "another", after[store.SecretDatabasePassword])
	require.Equal(t, before[store.SecretJWT], after[store.SecretJWT])
	require.Equal(t, store.OperationConfigure, l.claim().Kind)

	keys, err := l.store.RotateJWTSecret(t.Context(), actor(l.profile, "change 2"), ref, "", "tracked")
	require.NoError(t, err)
	rotated := read()
	require.NotEqual(t, after[store.SecretJWT], rotated[store.SecretJWT])
	require.NotEqual(t, after[store.SecretAnonKey], keys.AnonKey)
	require.Equal(t, store.APIKeys{AnonKey: rotated[store.SecretAnonKey], ServiceKey: rotated[store.SecretServiceKey]}, keys)
	again, err := l.store.RotateJWTSecret(t.Context(), actor(l.profile, "change 2"), ref, "", "tracked")
	require.NoError(t, err)
	require.Equal(t, keys, again, "the same request")

	id := scalar[int64](l, `select id from platform.projects`)
	rotation, err := l.store.LastRotation(t.Context(), id)
	require.NoError(t, err)
	require.True(t, rotation.Open())
	require.Equal(t, "tracked", *rotation.TrackingID)
	l.expire()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	rotation, err = l.store.LastRotation(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, store.OperationSucceeded, rotation.State)
}

func TestAProjectWithSigningKeysRetiresItsJWTSecretAsOneOfThem(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.running(nil)
	_, err := l.store.CreateSigningKey(t.Context(), actor(l.profile, "change 1"), ref, store.WantedSigningKey{Algorithm: "ES256"})
	require.NoError(t, err)
	_, err = l.store.RotateJWTSecret(t.Context(), actor(l.profile, "change 2"), ref, "", "tracked")
	require.EqualError(t, err, "The project has JWT signing keys: rotate to a standby key, then revoke the legacy JWT secret.")
	_, err = l.store.LastRotation(t.Context(), scalar[int64](l, `select id from platform.projects`))
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestAnUpgradeLeadsToWhatTheTargetOffers(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.running(map[string]string{"db": "postgres:17.1", "auth": "gotrue:1"})
	id := scalar[int64](l, `select id from platform.projects`)
	upgrade := func(request string) error {
		_, err := l.store.UpgradeProject(t.Context(), actor(l.profile, request), ref)
		return err
	}
	require.EqualError(t, upgrade("upgrade 1"), "The project already has the versions that its deployment target offers.")

	offer := func(image string) {
		require.NoError(t, l.store.BeatTarget(t.Context(), store.Target{Name: "local", Images: map[string]string{"db": image, "auth": "gotrue:2"}}))
	}
	offer("postgres:18.0")
	require.EqualError(t, upgrade("upgrade 2"), "Postgres 17 cannot be upgraded to 18 in place: restore a backup into a new project.")
	offer("postgres:17.2")
	upgrades, err := l.store.ProjectUpgrades(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, []store.Upgrade{{Service: "db", From: "postgres:17.1", To: "postgres:17.2"}}, upgrades)
	require.NoError(t, upgrade("upgrade 3"))

	claim := l.claim()
	require.Equal(t, store.StatusUpgrading, claim.Project.Status)
	image := func() string {
		images, err := claim.Images(t.Context(), map[string]string{"db": "postgres:17.3"})
		require.NoError(t, err)
		return images["db"]
	}
	require.Equal(t, "postgres:17.2", image(), "what is offered since then changes nothing")
	require.NoError(t, claim.Undo(t.Context(), errFailed))
	require.Equal(t, "postgres:17.1", image())
	l.expire()
	claim = l.claim()
	require.Equal(t, errFailed.Error(), *claim.Undone, "whoever goes on knows of it")
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy, Failure: errFailed}))
	require.Equal(t, "postgres:17.1", scalar[string](l, `select image from platform.project_images where previous is null`))
}

func TestAnOperationTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	id := scalar[int64](l, `select id from platform.projects`)
	one := func() store.Operation {
		operations, err := l.store.Operations(t.Context(), id, store.OperationPage{Limit: 1})
		require.NoError(t, err)
		require.Len(t, operations, 1)
		return operations[0]
	}
	require.Equal(t, store.OperationPending, one().State)
	require.Zero(t, one().Percent)
	claim := l.claim()
	require.NoError(t, claim.NotePlan(t.Context(), 4))
	for range 2 {
		step, err := claim.StartStep(t.Context(), "pull-image:db", "missing")
		require.NoError(t, err)
		require.Equal(t, "pull-image:db", *one().CurrentStep)
		require.NoError(t, claim.NoteProgress(t.Context(), step, 12, "1.2 of 10.0 MB"))
		require.NoError(t, claim.FinishStep(t.Context(), step, nil))
	}
	require.Equal(t, 50, one().Percent)
	require.Nil(t, one().CurrentStep)
	require.NoError(t, claim.NotePlan(t.Context(), 6))
	require.Equal(t, 25, one().Percent, "more has to be done than was thought")
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	require.Equal(t, 100, one().Percent)
	require.Equal(t, store.OperationSucceeded, one().State)
	steps, err := l.store.OperationSteps(t.Context(), id, one().ID)
	require.NoError(t, err)
	require.Len(t, steps, 2)
	require.Equal(t, "missing", steps[1].Cause)
	require.Equal(t, 12, *steps[1].Percent)
	require.Equal(t, "1.2 of 10.0 MB", *steps[1].Detail)
	require.Equal(t, 2, steps[1].Attempt)
	count, err := l.store.CountOperations(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 1, count)
	_, err = l.store.Operation(t.Context(), id+1, one().ID)
	require.ErrorIs(t, err, store.ErrNotFound, "another project's are not to be seen")
	steps, err = l.store.OperationSteps(t.Context(), id+1, one().ID)
	require.NoError(t, err)
	require.Empty(t, steps, "another project's are not to be seen")
}

func TestServicesAreNotedAsTheyWereSeen(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	id := scalar[int64](l, `select id from platform.projects`)
	services := func() []store.ServiceState {
		found, err := l.store.ProjectServices(t.Context(), id)
		require.NoError(t, err)
		return found
	}
	sick := "its health check fails"
	two := []store.ServiceState{
		{Service: "auth", Host: "10.213.0.3", Port: 9999, Image: "gotrue:1", Message: &sick},
		{Service: "db", Host: "10.213.0.2", Port: 5432, Image: "postgres:17", Healthy: true},
	}
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveUnhealthy, Services: two}))
	seen := services()
	require.Len(t, seen, 2)
	require.Equal(t, sick, *seen[0].Message)
	require.True(t, seen[1].Healthy)

	require.NoError(t, l.claim(ref).Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy, Services: two[1:]}))
	require.Len(t, services(), 1)
	require.NoError(t, l.claim(ref).Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	require.Len(t, services(), 1, "nothing was said of them")
	require.NoError(t, l.claim(ref).Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy, Services: []store.ServiceState{}}))
	require.Empty(t, services())
}
