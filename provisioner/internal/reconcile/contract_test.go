package reconcile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/engine/fake"
	"github.com/plurabase/plurabase/provisioner/internal/reconcile"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

func TestAProjectsLife(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("")
	ref := b.create()
	project := b.become(ref, store.StatusActiveHealthy)
	require.Equal(t, fake.Version, *project.DBVersion)
	require.Equal(t, "127.0.0.1", *project.DBHost)
	require.Equal(t, int32(25000), *project.DBPort)
	require.Equal(t, everything(ref), b.engine.Objects())

	b.change(ref, store.OperationPause)
	b.become(ref, store.StatusInactive)
	require.Equal(t, volumes(ref), b.engine.Objects())

	b.change(ref, store.OperationRestore)
	b.become(ref, store.StatusActiveHealthy)
	require.Equal(t, everything(ref), b.engine.Objects())

	b.change(ref, store.OperationRestart)
	b.become(ref, store.StatusActiveHealthy)
	require.Equal(t, 3, b.calls("StartContainer"))

	require.Equal(t, 2, b.calls("CreateVolume"))
	require.Zero(t, b.calls("RemoveVolume"), "the data was kept")
	b.change(ref, store.OperationDelete)
	b.gone(ref)
	require.Empty(t, b.engine.Objects())
	require.Equal(t, []string{
		"create:succeeded", "pause:succeeded", "restore:succeeded", "restart:succeeded", "delete:succeeded",
	}, b.operations(ref))
}

// TestAFailedOperationIsExplainedAndMended walks the last column of the contract's table, and back.
func TestAFailedOperationIsExplainedAndMended(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fail    string
		before  []store.OperationKind // what went well
		status  store.Status
		message string
	}{
		{fail: "pull-image:db:permanent", status: store.StatusInitFailed, message: "pull-image:db: failed on purpose, by PLURABASE_FAIL"},
		{
			fail: "stop-container:db:permanent", before: []store.OperationKind{store.OperationPause},
			status: store.StatusPauseFailed, message: "stop-container:db: failed on purpose, by PLURABASE_FAIL",
		},
		{
			fail: "create-network:permanent", before: []store.OperationKind{store.OperationPause, store.OperationRestore},
			status: store.StatusRestoreFailed, message: "create-network: failed on purpose, by PLURABASE_FAIL",
		},
		{
			fail: "remove-container:db:permanent", before: []store.OperationKind{store.OperationRestart},
			status: store.StatusActiveUnhealthy, message: "remove-container:db: failed on purpose, by PLURABASE_FAIL",
		},
	} {
		t.Run(string(test.status), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			ref := b.create()
			operation := store.OperationCreate
			if len(test.before) > 0 {
				well := b.launch("")
				b.become(ref, store.StatusActiveHealthy)
				for _, kind := range test.before[:len(test.before)-1] {
					b.change(ref, kind)
					b.become(ref, store.StatusInactive)
				}
				well.stop()
				operation = test.before[len(test.before)-1]
				b.change(ref, operation)
			}
			ill := b.launch(test.fail)
			project := b.become(ref, test.status)
			require.Equal(t, test.message, *project.Message)
			operations := b.operations(ref)
			require.Equal(t, string(operation)+":failed", operations[len(operations)-1])
			if len(test.before) > 0 {
				require.Subset(t, b.engine.Objects(), volumes(ref), "nothing is lost")
			}
			ill.stop()

			b.launch("")
			if test.status != store.StatusActiveUnhealthy { // that one is repaired by itself
				b.change(ref, store.OperationRestore)
			}
			require.Nil(t, b.become(ref, store.StatusActiveHealthy).Message)
			require.Equal(t, everything(ref), b.engine.Objects())
			require.Zero(t, b.calls("RemoveVolume"), "nothing is lost")
		})
	}
}

func TestTransientFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("create-container:db:2")
	ref := b.create()
	b.become(ref, store.StatusActiveHealthy)
	require.Equal(t, []string{
		"1 create-container:db: failed on purpose, by PLURABASE_FAIL", "2 create-container:db: failed on purpose, by PLURABASE_FAIL", "3",
	}, scalar[[]string](b, `select array_agg(concat_ws(' ', attempt, error) order by id)
		from platform.operation_steps where step = 'create-container:db' and cause = 'the service has no container'`))
}

func TestADeleteIsTriedForEver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("remove-network:permanent")
	ref := b.create()
	b.become(ref, store.StatusActiveHealthy)
	b.change(ref, store.OperationDelete)
	require.Eventually(t, func() bool {
		return scalar[int](b, `select attempts from platform.projects`) >= 3
	}, patience, poll)
	project, err := b.project(ref)
	require.NoError(t, err)
	require.Equal(t, store.StatusGoingDown, project.Status)
	require.Equal(t, "remove-network: failed on purpose, by PLURABASE_FAIL", *project.Message)

	b.launch("") // whichever of the two gets it
	b.gone(ref)
	require.Empty(t, b.engine.Objects())
}

func TestAnOperationEndsByItsDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.create()
	b.engine.SetSick(container(ref), true)
	b.launch("", func(s *reconcile.Settings) { s.Deadline = time.Second })
	project := b.become(ref, store.StatusInitFailed)
	require.Contains(t, *project.Message, "gave up after 1s: ")
}

func TestADeleteInterruptsWhateverGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.create()
	b.engine.SetSick(container(ref), true) // the create waits for it as long as it may
	b.launch("")
	require.Eventually(t, func() bool { return b.calls("StartContainer") == 1 }, patience, poll)
	b.change(ref, store.OperationDelete)
	b.gone(ref)
	require.Empty(t, b.engine.Objects())
	require.Equal(t, []string{"create:superseded", "delete:succeeded"}, b.operations(ref))
}

func TestAProjectThatNeverRanIsDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.create()
	b.change(ref, store.OperationDelete)
	b.launch("")
	b.gone(ref)
	require.Empty(t, b.engine.Calls())
}

func TestAStopGivesTheLeaseBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.create()
	b.engine.SetSick(container(ref), true)
	first := b.launch("", func(s *reconcile.Settings) { s.Lease = time.Hour })
	require.Eventually(t, func() bool { return b.calls("StartContainer") == 1 }, patience, poll)
	first.stop()
	project, err := b.project(ref)
	require.NoError(t, err)
	require.Equal(t, store.StatusComingUp, project.Status)

	b.engine.SetSick(container(ref), false)
	b.launch("")
	b.become(ref, store.StatusActiveHealthy)
	require.Equal(t, 1, b.calls("CreateContainer"), "what exists and fits is adopted")
}

func TestAForeignContainerIsNeverTouched(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.create()
	b.engine.Put(container(ref), map[string]string{stack.LabelProject: string(ref)})
	b.launch("")
	project := b.become(ref, store.StatusInitFailed)
	require.Equal(t, "there is a container "+container(ref)+" that Plurabase did not make: rename or remove it", *project.Message)
	b.change(ref, store.OperationDelete)
	b.gone(ref)
	require.Equal(t, []string{"container " + container(ref)}, b.engine.Objects())
	require.Empty(t, b.engine.Calls())
}
