// Package measure finds out, every now and then, what each running project of a target uses: the sizes of its databases and of
// what Storage keeps, the disk, and its database's memory and processor time. One command in the database's container tells
// all of it, one project is asked at a time, and nothing is changed.
package measure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// State is what is needed of the store.
type State interface {
	ProjectToMeasure(ctx context.Context, target string, every time.Duration) (store.DueProject, error)
	NoteMeasure(ctx context.Context, project store.Project, measured store.Measure) error
	NoteFindings(ctx context.Context, project store.Project, found []store.Finding) error
}

// Engine is what is needed of the container engine.
type Engine interface {
	Container(ctx context.Context, name string) (engine.Container, error)
	Run(ctx context.Context, container string, command stack.Command) (string, error)
}

// Watcher measures the projects of a target.
type Watcher struct {
	State  State
	Engine Engine
	Target string
	Every  time.Duration // between two measures of a project
	Log    *slog.Logger
	Now    func() time.Time

	spent map[store.Ref]spent // what each project's database had used when it was last looked at
}

// spent is processor time that was used until some time.
type spent struct {
	cpu time.Duration
	at  time.Time
}

const (
	measureTimeout = 30 * time.Second
	// pause is between two projects, so that many of them are no burden to the engine.
	pause = 200 * time.Millisecond
	// idle is how long nothing is looked for when nothing is due.
	idle = 10 * time.Second
)

// Run measures until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	for {
		delay := pause
		if err := w.measureNext(ctx); err != nil {
			delay = min(idle, w.Every)
			if !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
				w.Log.Warn("could not measure a project", "error", err)
			}
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
	}
}

// measureNext measures the project that is due; store.ErrNotFound says that none is. One that could not be measured is noted
// with nothing, so that the others have their turn.
func (w *Watcher) measureNext(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	due, err := w.State.ProjectToMeasure(ctx, w.Target, w.Every)
	if err != nil {
		return err
	}
	measured, found, failure := w.measure(ctx, due)
	noting, cancelNoting := context.WithTimeout(context.WithoutCancel(ctx), measureTimeout)
	defer cancelNoting()
	failure = errors.Join(failure, w.State.NoteMeasure(noting, due.Project, measured))
	if found != nil {
		failure = errors.Join(failure, w.State.NoteFindings(noting, due.Project, found))
	}
	return failure
}

// measure returns what it measured, and what is severely wrong with the database; nil where that is not known.
func (w *Watcher) measure(ctx context.Context, due store.DueProject) (store.Measure, []store.Finding, error) {
	name := stack.Name(string(due.Ref), stack.DatabaseService)
	container, err := w.Engine.Container(ctx, name)
	if err != nil {
		return store.Measure{}, nil, fmt.Errorf("look at %s: %w", name, err)
	}
	// Only the project's own container may be asked: the question carries a password.
	if !belongs(container, w.Target, due.Ref) || container.State != engine.StateRunning {
		return store.Measure{}, nil, fmt.Errorf("%s is not the project's, or does not run", name)
	}
	printed, err := w.Engine.Run(ctx, name, stack.Measure(due.ReadOnlyPassword, due.ExposedSchemas))
	if err != nil {
		return store.Measure{}, nil, fmt.Errorf("measure in %s: %w", name, err)
	}
	seen := read(printed)
	if size, known := store.ComputeSizeNamed(due.ComputeSize); known {
		seen.measure.MemoryLimitBytes = &size.MemoryBytes
		seen.measure.CPUPercent = w.cpuPercent(due.Ref, seen.cpu, size.Cores)
	}
	return seen.measure, seen.findings, nil
}

func belongs(container engine.Container, target string, ref store.Ref) bool {
	return container.Labels[stack.LabelTarget] == target && container.Labels[stack.LabelProject] == string(ref)
}

// maxSpan is how far the measure before may lie back for an average since then to say something.
const maxSpan = 2 * time.Hour

// cpuPercent is how much of its cores a database has used since it was looked at before; nil where that is not known, as for
// one whose container is new.
func (w *Watcher) cpuPercent(ref store.Ref, cpu *time.Duration, cores int64) *float64 {
	if cpu == nil {
		return nil
	}
	now := w.Now()
	before, known := w.spent[ref]
	if w.spent == nil {
		w.spent = map[store.Ref]spent{}
	}
	maps.DeleteFunc(w.spent, func(_ store.Ref, s spent) bool { return now.Sub(s.at) > maxSpan })
	w.spent[ref] = spent{*cpu, now}
	elapsed := now.Sub(before.at)
	if !known || *cpu < before.cpu || elapsed <= 0 || elapsed > maxSpan {
		return nil
	}
	percent := min(100, 100*float64(*cpu-before.cpu)/float64(elapsed)/float64(cores))
	return &percent
}
