package dataplane

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/store"
)

const (
	// againAfter is the pause after Postgres could not be reached.
	againAfter = 250 * time.Millisecond
	// resyncEvery is how often all projects are read anew, whatever was announced.
	resyncEvery = 5 * time.Minute
)

// Source is what a Table needs of the store.
type Source interface {
	GatewayProjects(ctx context.Context, ids ...int64) ([]store.GatewayProject, error)
	GatewaySecret(store.GatewayProject) ([]byte, error)
	GatewayDatabasePassword(store.GatewayProject) ([]byte, error)
	ListenForGateway(ctx context.Context, listening func(), changed func(projectID int64)) error
	AddTraffic(ctx context.Context, at time.Time, traffic []store.Traffic) error
	AddEdgeLog(ctx context.Context, requests []store.EdgeRequest) error
	NoteAPIKeysUsed(ctx context.Context, used map[uuid.UUID]time.Time) error
	NoteLegacyKeysUsed(ctx context.Context, used []store.LegacyKeyUse) error
	BanFromProject(ctx context.Context, projectID int64, address netip.Addr, until time.Time) (bool, error)
}

// Table holds every project.
type Table struct {
	source Source
	log    *slog.Logger
	ready  atomic.Bool   // the projects were read once
	filled chan struct{} // closed when they were

	requests *requestLog

	mutex sync.RWMutex
	index *index // changed by takeUp alone, with the mutex held
}

// NewTable returns an empty table, which Run fills. Of each project's requests it holds so many, each time before they are written down.
func NewTable(source Source, requests int, log *slog.Logger) *Table {
	return &Table{source: source, log: log, filled: make(chan struct{}), index: newIndex(0), requests: newRequestLog(requests)}
}

// Wait waits for the projects to be read once, for so long at most.
func (t *Table) Wait(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-t.filled:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (t *Table) byRef(ref store.Ref) (*project, bool) {
	t.mutex.RLock()
	defer t.mutex.RUnlock()
	p, found := t.index.refs[ref]
	return p, found
}

// byLabel finds the project that a name under the domain is of. No alias hides another project's ref.
func (t *Table) byLabel(label string) (*project, bool) {
	t.mutex.RLock()
	defer t.mutex.RUnlock()
	p, found := t.index.refs[store.Ref(label)]
	if !found {
		p, found = t.index.aliases[label]
	}
	return p, found
}

func (t *Table) byHostname(name string) (*project, bool) {
	t.mutex.RLock()
	defer t.mutex.RUnlock()
	p, found := t.index.hostnames[name]
	return p, found
}

func (t *Table) byTarget(address netip.AddrPort) (target, bool) {
	t.mutex.RLock()
	defer t.mutex.RUnlock()
	found, ok := t.index.targets[address]
	return found, ok
}

// Run keeps the table right until ctx ends.
func (t *Table) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := t.follow(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("changes of projects are not heard", "error", err.Error())
		}
		pause(ctx, againAfter)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// follow takes changes up for as long as they are heard.
func (t *Table) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	pending := newPending()
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	reader.Go(func() { t.takeUp(ctx, pending) })
	return t.source.ListenForGateway(ctx, pending.addAll, pending.add)
}

// takeUp reads what is pending, until ctx ends.
func (t *Table) takeUp(ctx context.Context, pending *pending) {
	resync := time.NewTicker(resyncEvery)
	defer resync.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-resync.C:
			pending.addAll()
		case <-pending.wake:
		}
		ids, all := pending.take()
		if err := t.read(ctx, ids, all); err != nil {
			if ctx.Err() == nil {
				t.log.Error("projects could not be read", "error", err.Error())
			}
			pending.putBack(ids, all)
			pause(ctx, againAfter)
		}
	}
}

// read reads projects anew: those with the numbers, or all.
func (t *Table) read(ctx context.Context, ids []int64, all bool) error {
	if !all && len(ids) == 0 {
		return nil
	}
	if all {
		ids = nil
	}
	found, err := t.source.GatewayProjects(ctx, ids...)
	if err != nil {
		return err
	}
	// Made before the lock is taken, so that no request waits for it.
	made := make([]*project, len(found))
	for i := range found {
		made[i] = newProject(found[i], t.index.projects[found[i].ID])
	}
	if all {
		fresh := newIndex(len(made))
		for _, p := range made {
			fresh.add(p)
		}
		t.mutex.Lock()
		t.index = fresh
		t.mutex.Unlock()
		if t.ready.CompareAndSwap(false, true) {
			close(t.filled)
		}
		return nil
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, id := range ids {
		t.index.remove(t.index.projects[id])
	}
	for _, p := range made {
		t.index.add(p)
	}
	return nil
}
