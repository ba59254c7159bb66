// Package reconcile brings every project of a target to what is wanted of it, and keeps it there. It is
// level-triggered: notifications only wake it, everything else it finds by looking. For each project that it holds a
// lease on, it repeats observe → plan → execute until nothing is left to do.
package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/backup"
	"github.com/plurabase/plurabase/provisioner/internal/execute"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// Settings are how the reconciler works.
type Settings struct {
	Target  string
	Owner   string // names this process in leases and in the target's heartbeat
	Version string

	Lease     time.Duration // how long a project is held without a heartbeat
	Heartbeat time.Duration // how often leases and the target's heartbeat are renewed; well below Lease
	Resync    time.Duration // how often it looks by itself
	Deadline  time.Duration // after which an operation fails
	Workers   int           // how many projects are worked on at once
	RetryMin  time.Duration // the wait after a first failure; it doubles up to RetryMax
	RetryMax  time.Duration

	Stack    stack.Settings
	Services []string // what new projects have where nobody decides
	// RemoveOrphans is after which time the containers and networks of projects that are not known are removed; 0: never.
	RemoveOrphans time.Duration
	Subnets       store.SubnetPool
	Ports         store.PortRange
}

// Reconciler works for one target. Any number of them may work for the same one.
type Reconciler struct {
	Store    *store.Store
	Executor execute.Executor
	Settings Settings
	Log      *slog.Logger
	Crash    execute.Crash
	Backups  *backup.Keeper // nil: none are made, and none restored

	work    signal // something may have to be done
	look    signal // something may have changed in the engine
	drifted driftedSet
}

// queryTimeout bounds a single question to Postgres, so that a connection that hangs is noticed.
const queryTimeout = 5 * time.Second

// Run works until ctx ends, then gives every lease back and returns.
func (r *Reconciler) Run(ctx context.Context) {
	var background sync.WaitGroup
	background.Go(func() { r.repeat(ctx, "note the target's heartbeat", r.Settings.beat(), nil, r.beat) })
	background.Go(func() { r.repeat(ctx, "compare the projects with the engine", r.Settings.Resync, &r.look, r.compare) })
	background.Go(func() { r.repeat(ctx, "forget old requests", forgetEvery, nil, r.forget) })
	background.Go(func() { r.repeat(ctx, "keep house", houseEvery, nil, r.keepHouse) })
	background.Go(func() { r.repeat(ctx, "listen for work", r.Settings.RetryMin, nil, r.listen) })
	background.Go(func() { r.repeat(ctx, "watch the engine", r.Settings.RetryMin, nil, r.watch) })
	background.Go(func() { r.repeat(ctx, "delete what waits for it", tickEvery, nil, r.deleteDue) })
	if r.Backups != nil {
		background.Go(func() { r.repeat(ctx, "keep the backups", tickEvery, nil, r.Backups.Tick) })
	}
	r.claimAll(ctx)
	background.Wait()
}

// repeat does something now, again after every interval, and when early is sent. Failures are logged: the next try
// comes by itself.
func (r *Reconciler) repeat(ctx context.Context, doing string, interval time.Duration, early *signal, do func(context.Context) error) {
	for {
		sent := early.wait()
		if err := do(ctx); err != nil && ctx.Err() == nil {
			r.Log.Warn("could not "+doing, "error", err)
		}
		select {
		case <-time.After(interval):
		case <-sent:
		case <-ctx.Done():
			return
		}
	}
}

// maxBeat is how long a target's provisioner is silent at most: after some of them it counts as gone (store/targets.go).
const maxBeat = 10 * time.Second

// beat is how often the target's heartbeat is noted: no more often than anything else is asked of Postgres.
func (s Settings) beat() time.Duration { return min(max(s.Heartbeat, s.Resync), maxBeat) }

func (r *Reconciler) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	target := store.Target{
		Name: r.Settings.Target, Owner: r.Settings.Owner, Version: r.Settings.Version, Services: r.Settings.Services,
		Images: r.Settings.Stack.Images,
	}
	info, failure := r.Executor.Engine.Info(ctx)
	if failure == nil {
		target.EngineVersion, target.CPUs, target.MemoryBytes = info.Version, info.CPUs, info.MemoryBytes
	}
	return errors.Join(r.Store.BeatTarget(ctx, target), failure)
}

// The gateway repeats a request within seconds. Its answer is kept for a day, which is ample. What people were told is kept
// for three months, and what was measured and counted for what Studio can ask for: a year and a month. The log of requests is kept
// for a day, by the hour.
const (
	forgetEvery     = time.Hour
	requestAge      = 24 * time.Hour
	notificationAge = 90 * 24 * time.Hour
	measureAge      = 400 * 24 * time.Hour
)

func (r *Reconciler) forget(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return errors.Join(r.Store.ForgetRequests(ctx, requestAge), r.Store.ForgetNotifications(ctx, notificationAge),
		r.Store.ForgetMeasures(ctx, measureAge), r.Store.ForgetEdgeLog(ctx))
}

func (r *Reconciler) deleteDue(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return r.Store.DeleteDueBranches(ctx, r.Settings.Target)
}

func (r *Reconciler) listen(ctx context.Context) error {
	return r.Store.ListenForWork(ctx, r.Settings.Target, r.work.send)
}

func (r *Reconciler) watch(ctx context.Context) error {
	return r.Executor.Engine.Watch(ctx, r.look.send)
}

// claimAll takes projects as long as there are any and workers are free, and looks again when it is woken, when a
// worker is done, after every Resync, and soon where a project was busy.
func (r *Reconciler) claimAll(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	free := make(chan struct{}, r.Settings.Workers)
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		woken := r.work.wait()
		claim, wait := r.claim(ctx)
		if claim != nil {
			workers.Go(func() {
				defer r.work.send()
				defer func() { <-free }()
				r.handle(ctx, claim)
			})
			continue
		}
		<-free
		select {
		case <-woken:
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// claim takes a project. Where it has none, wait is how long not to look again by itself.
func (r *Reconciler) claim(ctx context.Context) (claim *store.Claim, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	claim, err := r.Store.ClaimProject(ctx, r.Settings.Target, r.Settings.Owner, r.Settings.Lease, r.drifted.list())
	switch {
	case errors.Is(err, store.ErrProjectBusy):
		return nil, r.Settings.RetryMin
	case err != nil && !errors.Is(err, context.Canceled):
		r.Log.Warn("could not look for work", "error", err)
	case claim != nil:
		r.drifted.remove(claim.Project.Ref)
	}
	return claim, r.Settings.Resync
}

// retryDelay is how long to wait after a number of failures: doubling, within the settings, less up to a fifth at
// random, so that projects that failed together do not try together.
func (s Settings) retryDelay(failures int) time.Duration {
	delay := s.RetryMin << min(failures, 20)
	if delay > s.RetryMax || delay <= 0 {
		delay = s.RetryMax
	}
	return delay - rand.N(delay/5+1) //nolint:gosec // a jitter is no secret
}

// signal wakes everybody who waits for it. The nil signal is never sent.
type signal struct {
	mutex sync.Mutex
	sent  chan struct{}
}

// wait returns a channel that is closed by the next send.
func (s *signal) wait() <-chan struct{} {
	if s == nil {
		return nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.sent == nil {
		s.sent = make(chan struct{})
	}
	return s.sent
}

func (s *signal) send() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.sent != nil {
		close(s.sent)
		s.sent = nil
	}
}
