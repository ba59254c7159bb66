package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/plan"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// houseEvery is how often the house is kept: nothing of it is urgent, and it lists all that the target has.
const houseEvery = 10 * time.Minute

// houseTimeout bounds it.
const houseTimeout = 2 * time.Minute

// Finding is something that should not be there any more.
type Finding struct {
	Kind   string // `orphan container`, `scratch`, `lease` …
	Name   string
	Cause  string
	Remove func(context.Context) error // nil: only a person may
}

// keepHouse removes what work that was interrupted has left, and tells what belongs to no project. That it leaves alone, unless
// the operator has said after which time it goes.
func (r *Reconciler) keepHouse(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, houseTimeout)
	defer cancel()
	if err := r.beat(ctx); err != nil { // what is found is noted with the target, which has to be known
		return err
	}
	orphans, err := r.orphans(ctx)
	if err == nil {
		err = r.Store.NoteOrphans(ctx, r.Settings.Target, orphans)
		orphansFound.Set(float64(len(orphans)))
	}
	err = errors.Join(err, r.removeOld(ctx, orphans), r.forgetLeases(ctx))
	if r.Backups != nil && !r.Backups.Makes() { // one that makes backups does so itself
		err = errors.Join(err, r.Backups.Clean(ctx))
	}
	return err
}

// Housekeeping lists all that should not be there any more, and changes nothing.
func (r *Reconciler) Housekeeping(ctx context.Context) (found []Finding, err error) {
	orphans, err := r.orphans(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range orphans {
		finding := Finding{"orphan " + one.Kind, one.Name, fmt.Sprintf("the project %s is not known", one.Project), nil}
		if one.Kind == engine.KindVolume {
			finding.Cause += "; volumes are removed by nobody but you, by `docker volume rm`"
		} else {
			finding.Remove = func(ctx context.Context) error { return r.removeOrphan(ctx, one.Project) }
		}
		found = append(found, finding)
	}
	lapsed, err := r.Store.LapsedLeases(ctx, r.Settings.Target)
	if err != nil {
		return nil, err
	}
	for _, ref := range lapsed {
		found = append(found, Finding{"lease", string(ref), "its holder is gone", func(ctx context.Context) error {
			return r.Store.ForgetLapsedLease(ctx, ref)
		}})
	}
	if r.Backups == nil {
		return found, nil
	}
	leftovers, err := r.Backups.Leftovers(ctx)
	for _, one := range leftovers {
		found = append(found, Finding(one))
	}
	return found, err
}

// orphans lists what carries the labels of projects that Postgres does not know. What was removed while it looked is none: the
// row of a project that is deleted goes after its objects.
func (r *Reconciler) orphans(ctx context.Context) ([]store.Orphan, error) {
	suspects, err := r.unknown(ctx)
	if err != nil || len(suspects) == 0 {
		return nil, err
	}
	still, err := r.Executor.Engine.Belongings(ctx, r.Settings.Target)
	if err != nil {
		return nil, err
	}
	before, err := r.Store.TargetNamed(ctx, r.Settings.Target)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	var orphans []store.Orphan
	for _, one := range suspects {
		if !slices.Contains(still, one) {
			continue
		}
		orphan := store.Orphan{Kind: one.Kind, Name: one.Name, Project: store.Ref(one.Ref), Since: time.Now().UTC().Truncate(time.Second)}
		for _, known := range before.Orphans {
			if known.Kind == orphan.Kind && known.Name == orphan.Name && known.Project == orphan.Project {
				orphan.Since = known.Since
			}
		}
		orphans = append(orphans, orphan)
	}
	return orphans, nil
}

// unknown lists the objects of projects that Postgres does not know. It asks Postgres last: a project's row comes before its
// objects.
func (r *Reconciler) unknown(ctx context.Context) ([]engine.Object, error) {
	objects, err := r.Executor.Engine.Belongings(ctx, r.Settings.Target)
	if err != nil || len(objects) == 0 {
		return nil, err
	}
	var refs []store.Ref
	for _, one := range objects {
		refs = append(refs, store.Ref(one.Ref))
	}
	slices.Sort(refs)
	unknown, err := r.Store.UnknownRefs(ctx, slices.Compact(refs))
	return slices.DeleteFunc(objects, func(one engine.Object) bool { return !slices.Contains(unknown, store.Ref(one.Ref)) }), err
}

// removeOld removes the orphans that have been ones for as long as the operator has decided.
func (r *Reconciler) removeOld(ctx context.Context, orphans []store.Orphan) (err error) {
	if r.Settings.RemoveOrphans <= 0 {
		return nil
	}
	var refs []store.Ref
	for _, one := range orphans {
		if one.Kind != engine.KindVolume && time.Since(one.Since) >= r.Settings.RemoveOrphans && !slices.Contains(refs, one.Project) {
			refs = append(refs, one.Project)
			err = errors.Join(err, r.removeOrphan(ctx, one.Project))
		}
	}
	return err
}

// removeOrphan removes the containers and networks of a project that is not known, as those of one that is paused, and so never
// its volumes.
func (r *Reconciler) removeOrphan(ctx context.Context, ref store.Ref) error {
	unknown, err := r.Store.UnknownRefs(ctx, []store.Ref{ref})
	if err != nil || len(unknown) == 0 {
		return err
	}
	seen, err := r.Executor.Engine.Observe(ctx, engine.Question{Target: r.Settings.Target, Ref: string(ref)})
	if err != nil {
		return err
	}
	rest := stack.Stack{Target: r.Settings.Target, Ref: string(ref)}
	todo, err := plan.Build(rest, seen)
	if err != nil || todo.Empty() {
		return err
	}
	log := r.Log.With("project", ref)
	log.Info("removing an orphan", "plan", todo.String())
	return r.Executor.Run(ctx, rest, todo, unrecorded{}, log)
}

// unrecorded records steps that belong to no operation.
type unrecorded struct{}

func (unrecorded) StartStep(context.Context, string, string) (int64, error) { return 0, nil }
func (unrecorded) FinishStep(context.Context, int64, error) error           { return nil }
func (unrecorded) NoteProgress(context.Context, int64, int, string) error   { return nil }

func (r *Reconciler) forgetLeases(ctx context.Context) error {
	lapsed, err := r.Store.LapsedLeases(ctx, r.Settings.Target)
	for _, ref := range lapsed {
		err = errors.Join(err, r.Store.ForgetLapsedLease(ctx, ref))
		r.Log.Warn("forgot a lease whose holder is gone", "project", ref)
	}
	return err
}
