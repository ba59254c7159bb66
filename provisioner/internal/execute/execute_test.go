package execute_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/engine/fake"
	"github.com/plurabase/plurabase/provisioner/internal/execute"
	"github.com/plurabase/plurabase/provisioner/internal/plan"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder keeps what it is told, in order.
type recorder struct {
	mutex  sync.Mutex
	refuse error
	steps  []string
	notes  []string
	// progress is what was told of steps under way.
	progress []string
}

func (r *recorder) StartStep(_ context.Context, step, _ string) (int64, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.refuse != nil {
		return 0, r.refuse
	}
	r.steps = append(r.steps, step)
	r.notes = append(r.notes, "start "+step)
	return int64(len(r.steps)), nil
}

func (r *recorder) FinishStep(ctx context.Context, id int64, failure error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	note := "finish " + r.steps[id-1]
	if failure != nil {
		note += ": " + failure.Error()
	}
	r.notes = append(r.notes, note)
	return nil
}

func (r *recorder) NoteProgress(_ context.Context, id int64, percent int, detail string) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.progress = append(r.progress, fmt.Sprintf("%s: %d%% %s", r.steps[id-1], percent, detail))
	return nil
}

var (
	volumeStep  = plan.Step{Kind: plan.CreateVolume, Subject: "db", Object: "v"}
	pullStep    = plan.Step{Kind: plan.PullImage, Subject: "db", Object: "postgres:17"}
	networkStep = plan.Step{Kind: plan.CreateNetwork, Object: "n"}
)

func after(step plan.Step, names ...string) plan.Step {
	step.After = names
	return step
}

func run(ctx context.Context, runtime engine.Engine, failures *execute.Failures, notes *recorder, steps ...plan.Step) error {
	want := stack.Stack{Ref: "ref", Network: &stack.Network{Name: "n"}, Volumes: []stack.Volume{{Name: "v"}}}
	executor := execute.Executor{Engine: runtime, Pulls: &execute.Pulls{}, Failures: failures, Poll: time.Millisecond}
	return executor.Run(ctx, want, plan.Plan{Steps: steps}, notes, slog.New(slog.DiscardHandler))
}

func TestStepsWaitForThoseThatTheyComeAfter(t *testing.T) {
	t.Parallel()
	notes := &recorder{}
	require.NoError(t, run(t.Context(), fake.New("postgres:17"), nil, notes,
		networkStep, after(volumeStep, "create-network"), after(pullStep, "create-volume:db")))
	require.Equal(t, []string{
		"start create-network", "finish create-network", "start create-volume:db", "finish create-volume:db",
		"start pull-image:db", "finish pull-image:db",
	}, notes.notes)
}

func TestStepsThatDoNotWaitRunAtTheSameTime(t *testing.T) {
	t.Parallel()
	runtime := fake.New("postgres:17")
	var both sync.WaitGroup
	both.Add(2)
	runtime.Before = func(string) error { // each returns only when the other has begun
		both.Done()
		both.Wait()
		return nil
	}
	require.NoError(t, run(t.Context(), runtime, nil, &recorder{}, networkStep, volumeStep))
}

func TestNothingComesAfterAFailure(t *testing.T) {
	t.Parallel()
	runtime, notes := fake.New(), &recorder{}
	err := run(t.Context(), runtime, nil, notes, pullStep, after(volumeStep, "pull-image:db"))
	require.EqualError(t, err, "pull-image:db: the image postgres:17 cannot be pulled: manifest for postgres:17 not found")
	var permanent *engine.PermanentError
	require.ErrorAs(t, err, &permanent)
	require.Equal(t, []string{"start pull-image:db", "finish pull-image:db: " + err.Error()}, notes.notes)
	require.Empty(t, runtime.Objects())
}

func TestProjectsThatNeedTheSameImageShareItsPull(t *testing.T) {
	t.Parallel()
	runtime, pulls := fake.New("postgres:17"), &execute.Pulls{}
	begun, goOn := make(chan struct{}), make(chan struct{})
	runtime.Before = func(string) error {
		close(begun) // a second one would panic
		<-goOn
		return nil
	}
	var group errgroup.Group
	var told [3]engine.Progress
	get := func(i int) func() error {
		return func() error {
			return pulls.Get(t.Context(), runtime, "postgres:17", func(progress engine.Progress) error {
				told[i] = progress
				return nil
			})
		}
	}
	group.Go(get(0))
	<-begun
	group.Go(get(1))
	group.Go(get(2))
	require.Eventually(t, func() bool { return pulls.Waiting("postgres:17") == 3 }, time.Minute, time.Millisecond)
	close(goOn)
	require.NoError(t, group.Wait())
	for _, progress := range told {
		require.Equal(t, engine.Progress{Percent: 100, Detail: "1 of 2 layers"}, progress)
	}
	require.Equal(t, []string{"PullImage postgres:17"}, runtime.Calls())
}

func TestAPullGoesOnForThoseWhoStillWait(t *testing.T) {
	t.Parallel()
	runtime, pulls := fake.New("postgres:17"), &execute.Pulls{}
	begun, goOn := make(chan struct{}), make(chan struct{})
	runtime.Before = func(string) error {
		close(begun)
		<-goOn
		return nil
	}
	ignore := func(engine.Progress) error { return nil }
	first, leave := context.WithCancel(t.Context())
	var group errgroup.Group
	group.Go(func() error {
		if err := pulls.Get(first, runtime, "postgres:17", ignore); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("it should have left: %w", err)
		}
		return nil
	})
	<-begun
	group.Go(func() error { return pulls.Get(t.Context(), runtime, "postgres:17", ignore) })
	require.Eventually(t, func() bool { return pulls.Waiting("postgres:17") == 2 }, time.Minute, time.Millisecond)
	leave()
	require.Eventually(t, func() bool { return pulls.Waiting("postgres:17") == 1 }, time.Minute, time.Millisecond)
	close(goOn)
	require.NoError(t, group.Wait())
}

func TestAStepThatCannotBeRecordedIsNotRun(t *testing.T) {
	t.Parallel()
	runtime, refusal := fake.New(), errors.New("the lease is lost")
	require.ErrorIs(t, run(t.Context(), runtime, nil, &recorder{refuse: refusal}, networkStep), refusal)
	require.Empty(t, runtime.Calls())
}

func TestACutOffStepIsRecorded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	runtime, notes := fake.New(), &recorder{}
	runtime.Before = func(string) error {
		cancel()
		return nil
	}
	require.ErrorIs(t, run(ctx, runtime, nil, notes, networkStep), context.Canceled)
	require.Equal(t, []string{"start create-network", "finish create-network: create-network: context canceled"}, notes.notes)
}

func TestFailuresOnPurpose(t *testing.T) {
	t.Parallel()
	failures := &execute.Failures{}
	require.NoError(t, failures.UnmarshalText([]byte("create-network:2,pull-image:db:permanent")))
	runtime := fake.New("postgres:17")
	for range 2 {
		require.ErrorContains(t, run(t.Context(), runtime, failures, &recorder{}, networkStep), "on purpose")
	}
	require.NoError(t, run(t.Context(), runtime, failures, &recorder{}, networkStep))
	var permanent *engine.PermanentError
	require.ErrorAs(t, run(t.Context(), runtime, failures, &recorder{}, pullStep), &permanent)
	require.NoError(t, run(t.Context(), runtime, failures, &recorder{}, volumeStep), "others go well")
}

func TestFailuresThatSayNothingAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"create-network", "create-network:", "create-network:0", "create-network:often", ":2"} {
		require.Error(t, new(execute.Failures).UnmarshalText([]byte(text)), text)
	}
	require.NoError(t, new(execute.Failures).UnmarshalText(nil))
}

// patient is an engine with one container, which a test leads through its states.
type patient struct {
	engine.Engine
	looks []engine.Container // the last one stays
}

func (p *patient) Container(context.Context, string) (engine.Container, error) {
	look := p.looks[0]
	if len(p.looks) > 1 {
		p.looks = p.looks[1:]
	}
	return look, nil
}

func TestWaitingForAService(t *testing.T) {
	t.Parallel()
	starting := engine.Container{State: engine.StateRunning}
	for name, test := range map[string]struct {
		looks []engine.Container
		err   string // empty: it becomes healthy
	}{
		"it becomes healthy":    {looks: []engine.Container{starting, starting, {State: engine.StateRunning, Healthy: true}}},
		"it died once":          {looks: []engine.Container{{State: engine.StateRestarting, Restarts: 1}, {State: engine.StateRunning, Healthy: true}}},
		"it stopped":            {looks: []engine.Container{starting, {State: engine.StateExited, ExitCode: 3}}, err: "the container is exited, exit code 3"},
		"it dies again":         {looks: []engine.Container{{State: engine.StateRestarting, Restarts: 7, ExitCode: 2}}, err: "the container died 7 times, exit code 2"},
		"it never says a thing": {looks: []engine.Container{starting}, err: "the container did not become healthy: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := run(ctx, &patient{looks: slices.Clone(test.looks)}, nil, &recorder{}, plan.Step{Kind: plan.WaitHealthy, Subject: "db", Object: "c"})
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.True(t, strings.HasPrefix(err.Error(), "wait-healthy:db: "+test.err), err.Error())
		})
	}
}
