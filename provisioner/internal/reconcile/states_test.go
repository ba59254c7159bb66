package reconcile_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// row is one line of the lifecycle's table for one source state. What stands in no row is refused.
type row struct {
	kind   store.OperationKind
	from   store.Status
	while  store.Status
	then   store.Status // empty: the project is gone
	failed store.Status // empty: nothing can fail from there
}

const (
	healthy   = store.StatusActiveHealthy
	unhealthy = store.StatusActiveUnhealthy
)

var rows = []row{
	{store.OperationPause, healthy, store.StatusPausing, store.StatusInactive, store.StatusPauseFailed},
	{store.OperationPause, unhealthy, store.StatusPausing, store.StatusInactive, store.StatusPauseFailed},

	{store.OperationRestore, store.StatusInactive, store.StatusRestoring, healthy, store.StatusRestoreFailed},
	{store.OperationRestore, store.StatusPauseFailed, store.StatusRestoring, healthy, store.StatusRestoreFailed},
	{store.OperationRestore, store.StatusRestoreFailed, store.StatusRestoring, healthy, store.StatusRestoreFailed},
	{store.OperationRestore, store.StatusInitFailed, store.StatusComingUp, healthy, store.StatusRestoreFailed},

	{store.OperationRestart, healthy, store.StatusRestarting, healthy, unhealthy},
	{store.OperationRestart, unhealthy, store.StatusRestarting, healthy, unhealthy},

	{store.OperationConfigure, healthy, healthy, healthy, unhealthy},
	{store.OperationConfigure, unhealthy, unhealthy, healthy, unhealthy},

	{store.OperationResize, healthy, store.StatusResizing, healthy, unhealthy},
	{store.OperationResize, unhealthy, store.StatusResizing, healthy, unhealthy},

	{store.OperationUpgrade, healthy, store.StatusUpgrading, healthy, healthy}, // the versions before are back

	// A delete comes from anywhere, and wins over whatever goes on.
	{store.OperationDelete, healthy, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, unhealthy, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, store.StatusInactive, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, store.StatusPauseFailed, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, store.StatusRestoreFailed, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, store.StatusPausing, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, store.StatusRestoring, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, store.StatusRestarting, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, store.StatusResizing, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, store.StatusUpgrading, store.StatusGoingDown, "", store.StatusGoingDown},
	{store.OperationDelete, store.StatusInitFailed, store.StatusGoingDown, "", ""},
	{store.OperationDelete, store.StatusComingUp, store.StatusGoingDown, "", ""},
	{store.OperationDelete, store.StatusGoingDown, store.StatusGoingDown, "", ""},
}

// failures makes an operation fail, where the database is sick besides.
var failures = map[store.OperationKind]string{
	store.OperationCreate:    "wait-healthy:db:permanent",
	store.OperationPause:     "stop-container:db:permanent",
	store.OperationRestore:   "wait-healthy:db:permanent",
	store.OperationRestart:   "wait-healthy:db:permanent",
	store.OperationConfigure: "wait-healthy:db:permanent",
	store.OperationResize:    "update-container:db:permanent",
	store.OperationUpgrade:   "pull-image:db:permanent",
	store.OperationDelete:    "remove-volume:db:permanent",
}

// sources lead a new project to each of the states.
var sources = map[store.Status]func(*bundle, store.Ref){
	store.StatusComingUp: func(*bundle, store.Ref) {},
	healthy:              func(b *bundle, ref store.Ref) { b.led(ref, "", healthy) },
	unhealthy: func(b *bundle, ref store.Ref) {
		b.led(ref, "", healthy)
		b.engine.SetSick(container(ref), true)
		b.led(ref, "", unhealthy)
	},
	store.StatusInitFailed: func(b *bundle, ref store.Ref) { b.led(ref, "pull-image:db:permanent", store.StatusInitFailed) },
	store.StatusPausing:    func(b *bundle, ref store.Ref) { b.asked(ref, healthy, store.OperationPause) },
	store.StatusInactive: func(b *bundle, ref store.Ref) {
		b.asked(ref, healthy, store.OperationPause)
		b.led(ref, "", store.StatusInactive)
	},
	store.StatusPauseFailed: func(b *bundle, ref store.Ref) {
		b.asked(ref, healthy, store.OperationPause)
		b.led(ref, "stop-container:db:permanent", store.StatusPauseFailed)
	},
	store.StatusRestoring: func(b *bundle, ref store.Ref) { b.asked(ref, store.StatusInactive, store.OperationRestore) },
	store.StatusRestoreFailed: func(b *bundle, ref store.Ref) {
		b.asked(ref, store.StatusInactive, store.OperationRestore)
		b.led(ref, "create-network:permanent", store.StatusRestoreFailed)
	},
	store.StatusRestarting: func(b *bundle, ref store.Ref) { b.asked(ref, healthy, store.OperationRestart) },
	store.StatusResizing:   func(b *bundle, ref store.Ref) { b.asked(ref, healthy, store.OperationResize) },
	store.StatusUpgrading:  func(b *bundle, ref store.Ref) { b.asked(ref, healthy, store.OperationUpgrade) },
	store.StatusGoingDown:  func(b *bundle, ref store.Ref) { b.asked(ref, healthy, store.OperationDelete) },
}

// asked leads a project to a state and asks for something, which nobody does yet.
func (b *bundle) asked(ref store.Ref, from store.Status, kind store.OperationKind) {
	b.Helper()
	if from == store.StatusInactive {
		b.led(ref, "", healthy)
		b.change(ref, store.OperationPause)
		b.led(ref, "", store.StatusInactive)
	} else {
		b.led(ref, "", from)
	}
	require.NoError(b, b.want(ref, kind))
}

// led lets a provisioner work until the project is in a state.
func (b *bundle) led(ref store.Ref, fail string, status store.Status) {
	b.Helper()
	working := b.launch(fail)
	b.become(ref, status)
	working.stop()
}

// TestStates walks the lifecycle's table: every operation from every state, on the way that goes well and on the one
// that fails.
func TestStates(t *testing.T) {
	t.Parallel()
	var walked, wrong atomic.Int64
	t.Cleanup(func() { fmt.Printf("states: %d rows, %d wrong\n", walked.Load(), wrong.Load()) })
	walk := func(name string, count int, do func(*bundle)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			walked.Add(int64(count))
			t.Cleanup(func() {
				if t.Failed() {
					wrong.Add(1)
				}
			})
			do(setup(t))
		})
	}
	walk("create", 1, func(b *bundle) { b.walk(row{store.OperationCreate, "", store.StatusComingUp, healthy, ""}) })
	walk("create, failing", 1, func(b *bundle) {
		b.walkFailing(row{store.OperationCreate, "", store.StatusComingUp, healthy, store.StatusInitFailed})
	})
	for _, one := range rows {
		name := fmt.Sprintf("%s from %s", one.kind, one.from)
		walk(name, 1, func(b *bundle) { b.walk(one) })
		if one.failed != "" {
			walk(name+", failing", 1, func(b *bundle) { b.walkFailing(one) })
		}
	}
	for from := range sources {
		var refused []store.OperationKind
		for kind := range failures {
			listed := slices.ContainsFunc(rows, func(r row) bool { return r.kind == kind && r.from == from })
			if !listed && kind != store.OperationCreate { // which has no source
				refused = append(refused, kind)
			}
		}
		walk("refused from "+string(from), len(refused), func(b *bundle) { b.walkRefused(refused, from) })
	}
}

// begin leads a project to a row's source and asks for its operation.
func (b *bundle) begin(r row) store.Ref {
	b.Helper()
	ref := b.create()
	if r.kind != store.OperationCreate {
		sources[r.from](b, ref)
		require.NoError(b, b.want(ref, r.kind))
	}
	project, err := b.project(ref)
	require.NoError(b, err)
	require.Equal(b, r.while, project.Status)
	return ref
}

// want asks for an operation.
func (b *bundle) want(ref store.Ref, kind store.OperationKind) error {
	var err error
	switch kind {
	case store.OperationConfigure:
		_, err = b.store.UpdateProjectConfig(b.Context(), b.actor(), ref, store.ConfigPostgres, store.SectionConfig{"max_connections": 50})
	case store.OperationResize:
		_, err = b.store.ResizeProject(b.Context(), b.actor(), ref, "large")
	case store.OperationUpgrade:
		offer := store.Target{Name: "local", Images: map[string]string{"db": newerImage}}
		require.NoError(b, b.store.BeatTarget(b.Context(), offer))
		_, err = b.store.UpgradeProject(b.Context(), b.actor(), ref)
	default:
		_, err = b.store.ChangeProject(b.Context(), b.actor(), ref, kind)
	}
	return err
}

func (b *bundle) walk(r row) {
	b.Helper()
	ref := b.begin(r)
	b.engine.SetSick(container(ref), false)
	b.launch("")
	b.follow(ref, r.while, r.then)
	operations := b.operations(ref)
	require.Equal(b, string(r.kind)+":succeeded", operations[len(operations)-1])
	if r.then == "" {
		require.Empty(b, b.engine.Objects())
		return
	}
	require.Zero(b, b.calls("RemoveVolume"), "nothing is lost")
}

func (b *bundle) walkFailing(r row) {
	b.Helper()
	ref := b.begin(r)
	b.engine.SetSick(container(ref), r.kind != store.OperationPause && r.kind != store.OperationUpgrade)
	failing := b.launch(failures[r.kind])
	if r.kind == store.OperationDelete { // tried for ever: it never settles
		require.Eventually(b, func() bool { return scalar[int](b, `select attempts from platform.projects`) >= 2 }, patience, poll)
	} else {
		b.follow(ref, r.while, r.failed)
		operations := b.operations(ref)
		require.Equal(b, string(r.kind)+":failed", operations[len(operations)-1])
	}
	project, err := b.project(ref)
	require.NoError(b, err)
	require.Equal(b, r.failed, project.Status)
	require.Contains(b, *project.Message, "failed on purpose")
	if r.kind == store.OperationDelete {
		require.Contains(b, b.engine.Objects(), volumes(ref)[0])
	} else {
		require.Subset(b, b.engine.Objects(), volumes(ref), "nothing is lost")
	}
	failing.stop()
}

// follow waits until a project has settled, and sees no other state on the way.
func (b *bundle) follow(ref store.Ref, while, then store.Status) {
	b.Helper()
	require.Eventually(b, func() bool {
		project, err := b.project(ref)
		if err != nil {
			require.ErrorIs(b, err, store.ErrNotFound)
			require.Empty(b, then)
			return true
		}
		require.Contains(b, []store.Status{while, then}, project.Status)
		return project.Status == then && project.ObservedGeneration == project.Generation
	}, patience, 20*time.Millisecond, "%s should become %s", ref, then)
}

// walkRefused asks for operations that the state does not allow. None of them changes anything.
func (b *bundle) walkRefused(kinds []store.OperationKind, from store.Status) {
	b.Helper()
	ref := b.create()
	sources[from](b, ref)
	before, err := b.project(ref)
	require.NoError(b, err)
	require.Equal(b, from, before.Status)
	for _, kind := range kinds {
		err = b.want(ref, kind)
		var conflict *store.ConflictError
		if (kind == store.OperationConfigure || kind == store.OperationResize) && takesUpLater(from) {
			require.NoError(b, err)
		} else {
			require.ErrorAs(b, err, &conflict, kind)
			require.Regexp(b, `^The project .+: it cannot be changed by a `+string(kind)+` now\.$`, conflict.Message)
		}
		after, err := b.project(ref)
		require.NoError(b, err)
		before.ComputeSize = after.ComputeSize // a resize is taken up by the next start
		require.Equal(b, before, after, "%s changes nothing", kind)
	}
}

// takesUpLater tells whether a project takes changed settings up with its next start: nothing runs that could.
func takesUpLater(status store.Status) bool {
	return slices.Contains([]store.Status{
		store.StatusInactive, store.StatusInitFailed, store.StatusPauseFailed, store.StatusRestoreFailed,
	}, status)
}
