package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/reconcile"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// TestAKilledProvisionerIsTakenOverFrom kills it before and after each call of the engine that a life takes, and lets
// another one go on.
func TestAKilledProvisionerIsTakenOverFrom(t *testing.T) {
	t.Parallel()
	whole := setup(t)
	whole.launch("")
	live(whole, whole.create())
	calls := len(whole.engine.Calls())
	require.Greater(t, calls, 15)
	for number := range calls {
		for _, when := range []string{"before", "after"} {
			t.Run(fmt.Sprintf("%s call %d", when, number), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				var first *running
				started := make(chan struct{})
				var count atomic.Int64
				dies := func() bool {
					<-started
					return count.Add(1) == int64(number)+1
				}
				if when == "before" {
					b.engine.Before = func(string) error {
						if dies() {
							first.kill()
							return errors.New("killed")
						}
						return nil
					}
				} else {
					b.engine.After = func(string) {
						if dies() {
							first.kill()
						}
					}
				}
				ref := b.create()
				first = b.launch("")
				close(started)
				go func() {
					<-first.ended
					b.launch("")
				}()
				live(b, ref)
			})
		}
	}
}

// live leads a project through its life, whoever works for it.
func live(b *bundle, ref store.Ref) {
	b.Helper()
	b.become(ref, store.StatusActiveHealthy)
	require.Equal(b, everything(ref), b.engine.Objects())
	b.change(ref, store.OperationPause)
	b.become(ref, store.StatusInactive)
	require.Equal(b, volumes(ref), b.engine.Objects())
	b.change(ref, store.OperationRestore)
	b.become(ref, store.StatusActiveHealthy)
	b.change(ref, store.OperationRestart)
	b.become(ref, store.StatusActiveHealthy)
	require.Equal(b, everything(ref), b.engine.Objects())
	require.Zero(b, b.calls("RemoveVolume"), "the data was kept")
	b.change(ref, store.OperationDelete)
	b.gone(ref)
	require.Empty(b, b.engine.Objects())
	require.Equal(b, []string{
		"create:succeeded", "pause:succeeded", "restore:succeeded", "restart:succeeded", "delete:succeeded",
	}, b.operations(ref))
}

func TestALostPostgresIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.launch("")
	// Once: the pass that comes after this one may make the same call, when the connection was mended already.
	lost := make(chan struct{})
	cut := sync.OnceFunc(func() {
		r.connection.cut()
		close(lost)
	})
	b.engine.After = func(call string) {
		if call == "CreateVolume "+container(b.onlyRef()) {
			cut()
		}
	}
	ref := b.create()
	<-lost // on a busy machine a lease runs out before that, too
	require.Eventually(t, func() bool {
		return scalar[bool](b, `select coalesce(bool_and(lease_expires_at < clock_timestamp()), false) from platform.projects where fence > 0`)
	}, patience, poll, "the lease runs out")
	project, err := b.project(ref)
	require.NoError(t, err)
	require.Equal(t, store.StatusComingUp, project.Status)
	r.connection.mend()
	b.become(ref, store.StatusActiveHealthy)
	require.Equal(t, everything(ref), b.engine.Objects())
}

// onlyRef returns the ref of the one project that there is.
func (b *bundle) onlyRef() store.Ref {
	return scalar[store.Ref](b, `select ref from platform.projects`)
}

func TestATargetWithoutRoomSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("", func(s *reconcile.Settings) { s.Ports = store.PortRange{First: 25000, Last: 25000} })
	b.become(b.create(), store.StatusActiveHealthy)
	project := b.become(b.create(), store.StatusInitFailed)
	require.Equal(t, "allocate a port: no port is free between 25000 and 25000: widen PLURABASE_PORT_RANGE.", *project.Message)
}

func TestAnImageThatDoesNotExistFailsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("", func(s *reconcile.Settings) { s.Stack.Images = map[string]string{"db": "postgres:0"} })
	project := b.become(b.create(), store.StatusInitFailed)
	require.Equal(t, "pull-image:db: the image postgres:0 cannot be pulled: manifest for postgres:0 not found", *project.Message)
}

func TestTheTargetHasAHeartbeat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("")
	beats := func() int64 {
		return scalar[int64](b, `select coalesce(max(extract(epoch from heartbeat_at) * 1000000), 0)::bigint from platform.targets where name = 'local'`)
	}
	require.Eventually(t, func() bool { return beats() > 0 }, patience, poll)
	first := beats()
	require.Eventually(t, func() bool { return beats() > first }, patience, poll)
}

func TestAnEventOfTheEngineIsEnough(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("", func(s *reconcile.Settings) { s.Resync = time.Hour })
	ref := b.create()
	b.become(ref, store.StatusActiveHealthy)
	b.engine.Kill(container(ref))
	require.Eventually(t, func() bool { return b.calls("StartContainer") == 2 }, patience, poll)
	b.become(ref, store.StatusActiveHealthy)
	require.Zero(t, b.calls("RemoveVolume"), "the data was kept")
}

func TestABusyProjectIsLookedAtAgainSoon(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("", func(s *reconcile.Settings) { s.Resync = time.Hour })
	ref := b.create()
	b.become(ref, store.StatusActiveHealthy)
	connection, err := pgx.Connect(t.Context(), b.url)
	require.NoError(t, err)
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }()
	tx, err := connection.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `select from platform.projects where ref = $1 for update`, ref)
	require.NoError(t, err)
	looks := func() int {
		return scalar[int](b, `select xact_rollback from pg_stat_database where datname = current_database()`)
	}
	b.engine.Kill(container(ref))
	before := looks()
	require.Eventually(t, func() bool { return looks() > before+3 }, patience, poll, "it looks again and again")
	require.Equal(t, 1, b.calls("StartContainer"), "somebody else's transaction goes first")
	require.NoError(t, tx.Rollback(t.Context()))
	require.Eventually(t, func() bool { return b.calls("StartContainer") == 2 }, patience, poll)
}

func TestTheStatusFollowsTheHealth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("")
	ref := b.create()
	b.become(ref, store.StatusActiveHealthy)
	b.engine.SetSick(container(ref), true)
	project := b.become(ref, store.StatusActiveUnhealthy)
	require.Equal(t, "the service db is not healthy", *project.Message)
	b.engine.SetSick(container(ref), false)
	require.Nil(t, b.become(ref, store.StatusActiveHealthy).Message)
	require.Equal(t, 1, b.calls("StartContainer"), "nobody restarted it")
}

func TestARepairThatCannotBeDoneIsExplained(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("")
	ref := b.create()
	b.become(ref, store.StatusActiveHealthy)
	b.engine.Put(container(ref), nil) // somebody else's, in the place of ours
	project := b.become(ref, store.StatusActiveUnhealthy)
	require.Contains(t, *project.Message, "that Plurabase did not make")
	b.engine.Lose(container(ref))
	require.Nil(t, b.become(ref, store.StatusActiveHealthy).Message)
}

func TestAPausedProjectStaysPaused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("")
	ref := b.create()
	b.become(ref, store.StatusActiveHealthy)
	labels := b.engine.Labels(container(ref))
	b.change(ref, store.OperationPause)
	b.become(ref, store.StatusInactive)
	b.engine.Put(container(ref), labels) // somebody starts it by hand
	require.Eventually(t, func() bool { return slices.Equal(volumes(ref), b.engine.Objects()) }, patience, poll)
	b.become(ref, store.StatusInactive)
}

func TestSharedContainersJoinEveryProject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.launch("", func(s *reconcile.Settings) {
		s.Stack.Address, s.Stack.Shared = stack.AddressNetwork, []string{"kong", "postgres-meta"}
	})
	ref := b.create()
	project := b.become(ref, store.StatusActiveHealthy)
	require.Equal(t, "10.213.0.2", *project.DBHost, "no name has to be looked up")
	require.Equal(t, int32(5432), *project.DBPort)

	b.engine.Put("kong", nil) // it starts later than the project
	network := []string{stack.Prefix(string(ref))}
	joined := func() bool { return slices.Equal(network, b.engine.Networks("kong")) }
	require.Eventually(t, joined, patience, poll)
	b.engine.Put("kong", nil) // it is made anew
	require.Eventually(t, joined, patience, poll)

	b.change(ref, store.OperationDelete)
	b.gone(ref)
	require.Equal(t, []string{"container kong"}, b.engine.Objects())
	require.Empty(t, b.engine.Networks("kong"))
}
