package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// leases is a store with one member, and a second look at its database.
type leases struct {
	*testing.T
	store        *store.Store
	database     *pgx.Conn
	profile      store.Profile
	organization store.Membership
}

func setupLeases(t *testing.T) *leases {
	t.Helper()
	s, url := storetest.NewWithURL(t)
	l := &leases{T: t, store: s}
	l.profile, l.organization = member(t, s, ada, "ada@example.com")
	var err error
	l.database, err = pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.database.Close(context.Background()) })
	return l
}

func (l *leases) create() store.Ref {
	l.Helper()
	project, err := l.store.CreateProject(l.Context(), actor(l.profile, l.next()), newProject(l.organization))
	require.NoError(l, err)
	return project.Ref
}

func (l *leases) change(ref store.Ref, kind store.OperationKind) {
	l.Helper()
	_, err := l.store.ChangeProject(l.Context(), actor(l.profile, l.next()), ref, kind)
	require.NoError(l, err)
}

// next returns an id that no request of the test has had.
func (l *leases) next() string {
	return fmt.Sprint(scalar[int64](l, `select count(*) from platform.requests`))
}

// claim takes a project that has to be there.
func (l *leases) claim(drifted ...store.Ref) *store.Claim {
	l.Helper()
	claim := l.tryClaim(drifted...)
	require.NotNil(l, claim)
	return claim
}

func (l *leases) tryClaim(drifted ...store.Ref) *store.Claim {
	l.Helper()
	claim, err := l.store.ClaimProject(l.Context(), "local", "test", time.Hour, drifted)
	require.NoError(l, err)
	return claim
}

// expire lets every lease run out.
func (l *leases) expire() {
	l.execute(`update platform.projects set lease_expires_at = clock_timestamp()`)
}

func (l *leases) execute(statement string, arguments ...any) {
	l.Helper()
	_, err := l.database.Exec(l.Context(), statement, arguments...)
	require.NoError(l, err)
}

func scalar[T any](l *leases, query string, arguments ...any) T {
	l.Helper()
	var value T
	require.NoError(l, l.database.QueryRow(l.Context(), query, arguments...).Scan(&value))
	return value
}

// operations returns what was asked of all projects, and what has become of it.
func (l *leases) operations() []string {
	return scalar[[]string](l, `select array_agg(concat_ws(':', kind, state, error) order by id) from platform.operations`)
}

func TestEachProjectIsClaimedOnce(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	const projects = 20
	for range projects {
		l.create()
	}
	var mutex sync.Mutex
	claimed := map[store.Ref]int{}
	var claimers sync.WaitGroup
	for range 8 {
		claimers.Go(func() {
			for {
				claim, err := l.store.ClaimProject(t.Context(), "local", "test", time.Hour, nil)
				if errors.Is(err, store.ErrProjectBusy) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				if claim == nil {
					return
				}
				mutex.Lock()
				claimed[claim.Project.Ref]++
				mutex.Unlock()
			}
		})
	}
	claimers.Wait()
	require.Len(t, claimed, projects)
	for ref, times := range claimed {
		require.Equal(t, 1, times, ref)
	}
}

func TestAProjectThatSomebodyWritesIsBusy(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	tx, err := l.database.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `select from platform.projects where ref = $1 for update`, ref)
	require.NoError(t, err)
	_, err = l.store.ClaimProject(t.Context(), "local", "test", time.Hour, nil)
	require.ErrorIs(t, err, store.ErrProjectBusy)
	other, err := l.store.ClaimProject(t.Context(), "elsewhere", "test", time.Hour, nil)
	require.NoError(t, err)
	require.Nil(t, other, "the target elsewhere has no project")
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, ref, l.claim().Project.Ref)
	require.Nil(t, l.tryClaim(), "a lease is no transaction: there is nothing to wait for")
}

func TestAClaimIsForOneTargetAlone(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	claim, err := l.store.ClaimProject(t.Context(), "elsewhere", "test", time.Hour, nil)
	require.NoError(t, err)
	require.Nil(t, claim)
}

func TestALeaseThatRanOutIsTakenOver(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	l.claim()
	require.Nil(t, l.tryClaim(), "the lease lasts")
	l.expire()
	require.Equal(t, ref, l.claim().Project.Ref)
}

func TestDeletesAreClaimedFirst(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	deleted := l.create()
	l.change(deleted, store.OperationDelete)
	require.Equal(t, deleted, l.claim().Project.Ref)
}

func TestWhoLostTheLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	failure := errors.New("late")
	pool, ports := store.SubnetPool{Pool: prefix("10.1.0.0/24"), Bits: 28}, store.PortRange{First: 25000, Last: 25001}
	writes := map[string]func(ctx context.Context, c *store.Claim) error{
		"Heartbeat":  func(ctx context.Context, c *store.Claim) error { return c.Heartbeat(ctx) },
		"StartStep":  func(ctx context.Context, c *store.Claim) error { _, err := c.StartStep(ctx, "late", ""); return err },
		"FinishStep": func(ctx context.Context, c *store.Claim) error { return c.FinishStep(ctx, 1, failure) },
		"SetStatus":  func(ctx context.Context, c *store.Claim) error { return c.SetStatus(ctx, store.StatusInactive) },
		"Settle": func(ctx context.Context, c *store.Claim) error {
			return c.Settle(ctx, store.Outcome{Status: store.StatusInitFailed, Failure: failure})
		},
		"Retry": func(ctx context.Context, c *store.Claim) error {
			return c.Retry(ctx, store.StatusInitFailed, failure, time.Hour)
		},
		"Remove":      func(ctx context.Context, c *store.Claim) error { return c.Remove(ctx) },
		"Subnet":      func(ctx context.Context, c *store.Claim) error { _, err := c.Subnet(ctx, pool, nil); return err },
		"Port":        func(ctx context.Context, c *store.Claim) error { _, err := c.Port(ctx, "db", ports); return err },
		"LeavePorts":  func(ctx context.Context, c *store.Claim) error { return c.LeavePorts(ctx) },
		"LeaveSubnet": func(ctx context.Context, c *store.Claim) error { return c.LeaveSubnet(ctx) },
	}
	lose := map[string]func(l *leases){
		"run out":    func(l *leases) { l.expire() },
		"taken over": func(l *leases) { l.expire(); l.claim() },
	}
	const everything = `select jsonb_build_array(
		(select jsonb_agg(p) from platform.projects p), (select jsonb_agg(o) from platform.operations o),
		(select jsonb_agg(s) from platform.operation_steps s), (select jsonb_agg(s) from platform.project_subnets s),
		(select jsonb_agg(p) from platform.project_ports p), (select jsonb_agg(t) from platform.target_taken t))::text`
	for how, lost := range lose {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			l := setupLeases(t)
			l.create()
			claim := l.claim()
			_, err := claim.StartStep(t.Context(), "create-network", "test")
			require.NoError(t, err)
			_, err = claim.Subnet(t.Context(), pool, nil)
			require.NoError(t, err)
			_, err = claim.Port(t.Context(), "db", ports)
			require.NoError(t, err)
			lost(l)
			before := scalar[string](l, everything)
			for name, write := range writes {
				require.ErrorIs(t, write(t.Context(), claim), store.ErrLeaseLost, name)
			}
			require.NoError(t, claim.Release(t.Context()))
			if how == "taken over" {
				require.Equal(t, before, scalar[string](l, everything))
			}
		})
	}
}

func TestAHeartbeatRenewsTheLease(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	claim := l.claim()
	l.execute(`update platform.projects set lease_expires_at = clock_timestamp() + interval '1 minute'`)
	require.NoError(t, claim.Heartbeat(t.Context()))
	require.True(t, scalar[bool](l, `select lease_expires_at > clock_timestamp() + interval '50 minutes' from platform.projects`))
}

func TestSomethingNewerCutsAClaimOff(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	claim := l.claim()
	l.change(ref, store.OperationDelete)
	require.ErrorIs(t, claim.Heartbeat(t.Context()), store.ErrSuperseded)
	require.ErrorIs(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}), store.ErrSuperseded)
	require.ErrorIs(t, claim.SetStatus(t.Context(), store.StatusActiveHealthy), store.ErrSuperseded)
	require.Equal(t, "GOING_DOWN", scalar[string](l, `select status from platform.projects`))

	require.NoError(t, claim.Release(t.Context()))
	newer := l.claim()
	require.Equal(t, store.OperationDelete, newer.Kind)
	require.Equal(t, []string{"create:superseded", "delete:running"}, l.operations())
}

func TestASettledProjectIsClaimedOnlyWhenItHasDrifted(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{
		Status: store.StatusActiveHealthy, DBVersion: "17.6", DBHost: "127.0.0.1", DBPort: 25000,
	}))
	require.Equal(t, []string{"create:succeeded"}, l.operations())
	require.Nil(t, l.tryClaim())

	repair := l.claim(ref)
	require.Zero(t, repair.OperationID)
	require.Equal(t, repair.Project.Generation, repair.Project.ObservedGeneration)
	id, err := repair.StartStep(t.Context(), "start-container:db", "it died")
	require.NoError(t, err)
	require.NoError(t, repair.FinishStep(t.Context(), id, nil))
	require.Zero(t, scalar[int](l, `select count(*) from platform.operation_steps`), "a repair is no operation")

	require.NoError(t, repair.Retry(t.Context(), store.StatusActiveUnhealthy, errors.New("no luck"), time.Hour))
	require.Nil(t, l.tryClaim(ref), "not before its time")
	settled, err := l.store.SettledProjects(t.Context(), "local")
	require.NoError(t, err)
	require.Empty(t, settled, "nobody looks at it before its time")

	l.change(ref, store.OperationPause)
	require.Equal(t, store.OperationPause, l.claim().Kind, "what somebody asks for does not wait")
}

func TestSettledProjectsAreThoseThatNobodyWorksOn(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	list := func() []store.Settled {
		settled, err := l.store.SettledProjects(t.Context(), "local")
		require.NoError(t, err)
		return settled
	}
	require.Empty(t, list(), "wanted and not there yet")
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	require.Equal(t, []store.Settled{{Ref: ref, Status: store.StatusActiveHealthy, Services: []string{"db"}, Sick: []string{}}}, list())
	l.claim(ref)
	require.Empty(t, list(), "somebody holds it")
}

func TestStepsTellTheirStory(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	first := l.claim()
	id, err := first.StartStep(t.Context(), "pull-image:db", "missing")
	require.NoError(t, err)
	require.NoError(t, first.FinishStep(t.Context(), id, errors.New("no route to host")))
	_, err = first.StartStep(t.Context(), "pull-image:db", "missing")
	require.NoError(t, err)
	l.expire()

	second := l.claim()
	id, err = second.StartStep(t.Context(), "pull-image:db", "missing")
	require.NoError(t, err)
	require.NoError(t, second.FinishStep(t.Context(), id, nil))
	require.Equal(t, []string{"1 no route to host", "2 interrupted", "3"}, scalar[[]string](l,
		`select array_agg(concat_ws(' ', attempt, error) order by id) from platform.operation_steps where finished_at is not null`))
}

func TestAFailedOperationKeepsItsError(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusInitFailed, Failure: errors.New("no such image")}))
	require.Equal(t, []string{"create:failed:no such image"}, l.operations())
	require.Equal(t, "INIT_FAILED: no such image", scalar[string](l, `select status || ': ' || message from platform.projects`))
	require.Nil(t, l.tryClaim(), "nobody asked for another try")
}

func TestARetryKeepsTheOperationRunning(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	l.change(ref, store.OperationDelete)
	require.NoError(t, l.claim().Retry(t.Context(), store.StatusGoingDown, errors.New("volume in use"), time.Hour))
	require.Equal(t, []string{"create:superseded", "delete:running:volume in use"}, l.operations())
	require.Nil(t, l.tryClaim(), "not before its time")
	l.execute(`update platform.projects set retry_at = clock_timestamp()`)
	require.Equal(t, 1, l.claim().Attempts)
}

func TestARemovedProjectLeavesItsOperationsAlone(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	claim := l.claim()
	_, err := claim.Port(t.Context(), "db", store.PortRange{First: 25000, Last: 25000})
	require.NoError(t, err)
	require.NoError(t, claim.Release(t.Context()))
	l.change(ref, store.OperationDelete)
	require.NoError(t, l.claim().Remove(t.Context()))
	for _, table := range []string{"projects", "project_keys", "project_secrets", "project_ports", "project_subnets"} {
		require.Zero(t, scalar[int](l, `select count(*) from platform.`+table), table)
	}
	require.Equal(t, []string{"create:superseded", "delete:succeeded"}, l.operations())
}

func TestARestartIsRemembered(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ref := l.create()
	require.NoError(t, l.claim().Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	l.change(ref, store.OperationRestart)
	restart := l.claim()
	require.Equal(t, map[string]int64{"": restart.Project.Generation}, restart.RestartedAt)
	require.NoError(t, restart.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	_, err := l.store.RestartServices(t.Context(), actor(l.profile, "db"), ref, "db")
	require.NoError(t, err)
	database := l.claim()
	require.Equal(t, map[string]int64{"": restart.Project.Generation, "db": database.Project.Generation}, database.RestartedAt)
	require.NoError(t, database.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	l.change(ref, store.OperationPause)
	require.Equal(t, database.RestartedAt, l.claim().RestartedAt)
}

func TestATargetsLastHeartbeatCounts(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	require.NoError(t, l.store.BeatTarget(t.Context(), store.Target{Name: "local", Owner: "one", Version: "v1"}))
	l.execute(`update platform.targets set heartbeat_at = '2000-01-01'`)
	require.NoError(t, l.store.BeatTarget(t.Context(), store.Target{Name: "local", Owner: "two", Version: "v2"}))
	require.Equal(t, "two v2", scalar[string](l, `select owner || ' ' || version from platform.targets`))
	require.True(t, scalar[bool](l, `select heartbeat_at > clock_timestamp() - interval '1 minute' from platform.targets`))
}

func TestListenersHearOfTheirOwnTarget(t *testing.T) {
	t.Parallel()
	l := setupLeases(t)
	ctx, stop := context.WithCancel(t.Context())
	woken, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- l.store.ListenForWork(ctx, "local", func() { woken <- struct{}{} }) }()
	<-woken // it listens
	for range 20 {
		l.execute(`select pg_notify('plurabase_provisioner', 'elsewhere')`)
	}
	l.create()
	<-woken
	stop()
	select {
	case <-woken: // notifications come in order: the listener would be at one of the twenty
		t.Fatal("it was woken for another target")
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
	}
}
