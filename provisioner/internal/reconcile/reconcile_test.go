package reconcile_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/provisioner/internal/backup"
	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/engine/fake"
	"github.com/plurabase/plurabase/provisioner/internal/execute"
	"github.com/plurabase/plurabase/provisioner/internal/reconcile"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.WithServer(m)) }

const (
	image = "postgres:17"
	// newerImage is what an upgrade leads to.
	newerImage = "postgres:17.1"
	patience   = 3 * time.Minute
	// poll is how often a test looks whether something has become so. Many tests look at once.
	poll = 20 * time.Millisecond
)

// bundle is a store, an engine in memory, and somebody who owns an organization.
type bundle struct {
	*testing.T
	url          string // of the platform's database
	store        *store.Store
	engine       *fake.Engine
	backups      *backup.Settings // of those that launch starts; nil: none
	profile      store.Profile
	organization store.Membership
}

func setup(t *testing.T) *bundle {
	t.Helper()
	opened, url := storetest.NewWithURL(t)
	b := &bundle{T: t, url: url, store: opened, engine: fake.New(image, newerImage)}
	var err error
	b.profile, err = b.store.EnsureProfile(t.Context(), "11111111-1111-4111-8111-111111111111", "ada@example.com")
	require.NoError(t, err)
	b.organization, err = b.store.CreateOrganization(t.Context(), b.actor(), "Acme")
	require.NoError(t, err)
	return b
}

func (b *bundle) actor() store.Actor {
	return store.Actor{ProfileID: b.profile.ID, RequestID: rand.Text()}
}

func (b *bundle) create() store.Ref {
	b.Helper()
	made, err := b.store.CreateProject(b.Context(), b.actor(), store.NewProject{
		OrganizationID: b.organization.ID, Name: "shop", CloudProvider: "LOCAL", Region: "local", Target: "local",
		ComputeSize: "micro", Services: []string{"db"}, DatabasePassword: "password",
	})
	require.NoError(b, err)
	return made.Ref
}

func (b *bundle) change(ref store.Ref, kind store.OperationKind) {
	b.Helper()
	_, err := b.store.ChangeProject(b.Context(), b.actor(), ref, kind)
	require.NoError(b, err)
}

// start runs a provisioner until the test ends, or until the function that it returns is called.
func (b *bundle) start(owner string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reconcile.Reconciler{
		Store: b.store, Log: slog.New(slog.DiscardHandler),
		Executor: execute.Executor{Engine: b.engine, Pulls: &execute.Pulls{}, Failures: &execute.Failures{}, Poll: 5 * time.Millisecond},
		Settings: reconcile.Settings{
			Target: "local", Owner: owner, Version: "test", Lease: 2 * time.Second, Heartbeat: 500 * time.Millisecond,
			Resync: 50 * time.Millisecond, Deadline: time.Minute, Workers: 4,
			RetryMin: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond,
			Stack:   stack.Settings{Images: map[string]string{"db": image}, Address: stack.AddressHost, Bind: netip.MustParseAddr("127.0.0.1")},
			Subnets: store.SubnetPool{Pool: netip.MustParsePrefix("10.213.0.0/16"), Bits: 27},
			Ports:   store.PortRange{First: 25000, Last: 25999},
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	b.Cleanup(stop)
	return stop
}

func (b *bundle) project(ref store.Ref) (store.Project, error) {
	found, err := b.store.ProjectByRef(b.Context(), b.profile.ID, ref)
	return found.Project, err
}

func (b *bundle) become(ref store.Ref, status store.Status) store.Project {
	b.Helper()
	var last store.Project
	require.Eventually(b, func() bool {
		var err error
		last, err = b.project(ref)
		return err == nil && last.Status == status && last.ObservedGeneration == last.Generation
	}, patience, poll, "%s does not become %s", ref, status)
	return last
}

func (b *bundle) gone(ref store.Ref) {
	b.Helper()
	require.Eventually(b, func() bool {
		_, err := b.project(ref)
		return errors.Is(err, store.ErrNotFound)
	}, patience, poll)
}

func TestEveryOperationEndsInAStateOfItsTable(t *testing.T) {
	t.Parallel()
	permanent := func(call string) func(*bundle) {
		return func(b *bundle) {
			b.engine.Before = func(made string) error {
				if strings.HasPrefix(made, call+" ") {
					return &engine.PermanentError{Err: errors.New("cannot be done")}
				}
				return nil
			}
		}
	}
	none := func(*bundle) {}
	tests := []struct {
		name    string
		kinds   []store.OperationKind // after create
		failing func(*bundle)         // before the last one
		status  store.Status
	}{
		{"create", nil, none, store.StatusActiveHealthy},
		{"create fails", nil, permanent("CreateContainer"), store.StatusInitFailed},
		{"pause", []store.OperationKind{"pause"}, none, store.StatusInactive},
		{"pause fails", []store.OperationKind{"pause"}, permanent("StopContainer"), store.StatusPauseFailed},
		{"restore", []store.OperationKind{"pause", "restore"}, none, store.StatusActiveHealthy},
		{"restore fails", []store.OperationKind{"pause", "restore"}, permanent("StartContainer"), store.StatusRestoreFailed},
		{"restart", []store.OperationKind{"restart"}, none, store.StatusActiveHealthy},
		{"restart fails", []store.OperationKind{"restart"}, permanent("CreateContainer"), store.StatusActiveUnhealthy},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			settled := map[store.OperationKind]store.Status{"pause": store.StatusInactive, "restore": store.StatusActiveHealthy}
			if len(test.kinds) == 0 {
				test.failing(b)
			}
			stop := b.start("one")
			ref := b.create()
			for i, kind := range test.kinds {
				if i == 0 {
					b.become(ref, store.StatusActiveHealthy)
				} else {
					b.become(ref, settled[test.kinds[i-1]])
				}
				if i == len(test.kinds)-1 {
					stop()
					test.failing(b)
					b.start("two")
				}
				b.change(ref, kind)
			}
			ended := b.become(ref, test.status)
			if failed := strings.HasSuffix(test.name, "fails"); failed {
				require.Contains(t, *ended.Message, "cannot be done")
			} else {
				require.Nil(t, ended.Message)
			}
		})
	}
}

func TestADeleteIsRetriedUntilItSucceeds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var mutex sync.Mutex
	failures := 5
	b.engine.Before = func(call string) error {
		mutex.Lock()
		defer mutex.Unlock()
		if strings.HasPrefix(call, "RemoveVolume ") && failures > 0 {
			failures--
			return errors.New("the disk is busy")
		}
		return nil
	}
	b.start("one")
	ref := b.create()
	b.become(ref, store.StatusActiveHealthy)
	b.change(ref, store.OperationDelete)
	b.gone(ref)
	require.Empty(t, b.engine.Objects())
}

func TestADeleteWinsOverWhatIsInProgress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start("one")
	ref := b.create()
	b.engine.SetSick("plurabase-"+string(ref)+"-db", true) // it never becomes healthy by itself
	b.change(ref, store.OperationDelete)
	b.gone(ref)
	require.Empty(t, b.engine.Objects())
}

func TestTwoProvisionersMakeEachProjectOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start("one")
	b.start("two")
	refs := make([]store.Ref, 50)
	for i := range refs {
		refs[i] = b.create()
	}
	for _, ref := range refs {
		b.become(ref, store.StatusActiveHealthy)
	}
	made := map[string]int{}
	for _, call := range b.engine.Calls() {
		made[call]++
	}
	for _, ref := range refs {
		require.Equal(t, 1, made[fmt.Sprintf("CreateContainer plurabase-%s-db", ref)])
	}
}

// TestAProvisionerThatIsCutOffAnywhereIsTakenOverFrom finds the calls of a life from creation to deletion by itself, and cuts the
// provisioner off after each of them in turn.
func TestAProvisionerThatIsCutOffAnywhereIsTakenOverFrom(t *testing.T) {
	t.Parallel()
	life := func(b *bundle, ref store.Ref) {
		b.become(ref, store.StatusActiveHealthy)
		b.change(ref, store.OperationPause)
		b.become(ref, store.StatusInactive)
		require.Contains(b, b.engine.Objects(), "volume plurabase-"+string(ref)+"-db")
		b.change(ref, store.OperationRestore)
		b.become(ref, store.StatusActiveHealthy)
		b.change(ref, store.OperationDelete)
		b.gone(ref)
		require.Empty(b, b.engine.Objects())
	}
	whole := setup(t)
	whole.start("whole")
	life(whole, whole.create())
	calls := len(whole.engine.Calls())
	require.Greater(t, calls, 10)
	for cut := 1; cut <= calls; cut++ {
		t.Run(fmt.Sprintf("after call %d", cut), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var count int
			var mutex sync.Mutex
			reached := make(chan struct{})
			b.engine.After = func(string) {
				mutex.Lock()
				defer mutex.Unlock()
				if count++; count == cut {
					close(reached)
				}
			}
			stop := b.start("first")
			go func() {
				<-reached
				stop()
				b.start("second")
			}()
			life(b, b.create())
		})
	}
}

func TestAContainerThatIsLostComesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start("one")
	ref := b.create()
	b.become(ref, store.StatusActiveHealthy)
	container := "plurabase-" + string(ref) + "-db"
	b.engine.Lose(container)
	require.Eventually(t, func() bool {
		found, err := b.project(ref)
		return err == nil && found.Status == store.StatusActiveHealthy && len(b.engine.Objects()) == 4
	}, patience, poll)
}

func TestWhatIsTakenOnTheHostIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.Occupy([]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:25000")}, []netip.Prefix{netip.MustParsePrefix("10.213.0.0/26")})
	b.start("one")
	project := b.become(b.create(), store.StatusActiveHealthy)
	require.Equal(t, int32(25001), *project.DBPort)
}
