package reconcile

import (
	"context"
	"slices"
	"sync"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// compare finds the settled projects that are not what their status says, with one look at Postgres and one at the
// engine, and puts them up to be claimed.
func (r *Reconciler) compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	settled, err := r.Store.SettledProjects(ctx, r.Settings.Target)
	if err != nil {
		return err
	}
	survey, err := r.Executor.Engine.Survey(ctx, r.Settings.Target, r.Settings.Stack.Others())
	if err != nil {
		return err
	}
	found := drifted(settled, survey)
	r.drifted.set(found)
	if len(found) > 0 {
		r.work.send()
	}
	return nil
}

// drifted returns the projects that need a closer look.
func drifted(settled []store.Settled, survey engine.Survey) []store.Ref {
	containers := map[string][]engine.Container{}
	for _, container := range survey.Containers {
		ref := container.Labels[stack.LabelProject]
		containers[ref] = append(containers[ref], container)
	}
	var refs []store.Ref
	for _, project := range settled {
		if hasDrifted(project, containers[string(project.Ref)], survey.Others) {
			refs = append(refs, project.Ref)
		}
	}
	return refs
}

func hasDrifted(project store.Settled, containers, others []engine.Container) bool {
	if project.Status == store.StatusInactive {
		return len(containers) > 0
	}
	var sick []string
	for _, service := range slices.Sorted(slices.Values(project.Services)) {
		i := slices.IndexFunc(containers, func(c engine.Container) bool { return c.Name == stack.Name(string(project.Ref), service) })
		if i < 0 || !containers[i].Runs() {
			return true
		}
		if !containers[i].Healthy {
			sick = append(sick, service)
		}
	}
	for _, other := range others {
		if other.Runs() && !slices.Contains(other.Networks, stack.Prefix(string(project.Ref))) {
			return true
		}
	}
	healthy := project.Status == store.StatusActiveHealthy
	return healthy != (len(sick) == 0) || !slices.Equal(sick, project.Sick)
}

// driftedSet is what the comparison found and nobody has claimed yet.
type driftedSet struct {
	mutex sync.Mutex
	refs  []store.Ref
}

func (d *driftedSet) set(refs []store.Ref) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.refs = refs
}

func (d *driftedSet) list() []store.Ref {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Clone(d.refs)
}

func (d *driftedSet) remove(ref store.Ref) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.refs = slices.DeleteFunc(d.refs, func(other store.Ref) bool { return other == ref })
}
