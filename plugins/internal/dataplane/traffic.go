package dataplane

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/store"
)

// writeEvery is how often what was counted is written down.
const writeEvery = 10 * time.Second

// counts are those of one project, of each service, since they were last written down.
type counts [serviceCount]struct{ requests, egress atomic.Int64 }

// WriteDown writes down what was counted every few seconds, until ctx ends, and then once more.
func (t *Table) WriteDown(ctx context.Context, now func() time.Time) {
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.Flush(ctx, now())
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			t.Flush(last, now())
			return
		}
	}
}

// Flush writes down what was counted. What cannot be written is kept for the next time.
func (t *Table) Flush(ctx context.Context, at time.Time) {
	traffic, taken := t.takeTraffic()
	if err := t.source.AddTraffic(ctx, at, traffic); err != nil {
		t.log.Warn("traffic could not be written down", "error", err.Error())
		for i, one := range taken {
			one.project.counts[one.service].requests.Add(traffic[i].Requests)
			one.project.counts[one.service].egress.Add(traffic[i].Egress)
		}
	}
	used, legacy := t.takeUses()
	if err := errors.Join(t.source.NoteAPIKeysUsed(ctx, used), t.source.NoteLegacyKeysUsed(ctx, legacy)); err != nil {
		t.log.Warn("the use of API keys could not be written down", "error", err.Error())
	}
	requests := t.requests.take()
	if err := t.source.AddEdgeLog(ctx, requests); err != nil {
		t.log.Warn("the log of requests could not be written down", "error", err.Error())
		t.requests.add(requests...) // for the next time
	}
}

// all returns the projects. Whoever goes through them holds up nobody.
func (t *Table) all() []*project {
	t.mutex.RLock()
	defer t.mutex.RUnlock()
	all := make([]*project, 0, len(t.index.projects))
	for _, p := range t.index.projects {
		all = append(all, p)
	}
	return all
}

// takeTraffic returns what was counted, and of what, and begins anew.
func (t *Table) takeTraffic() (traffic []store.Traffic, taken []target) {
	for _, p := range t.all() {
		for s := range serviceCount {
			requests, egress := p.counts[s].requests.Swap(0), p.counts[s].egress.Swap(0)
			if requests == 0 && egress == 0 {
				continue
			}
			traffic = append(traffic, store.Traffic{ProjectID: p.ID, Service: services[s], Requests: requests, Egress: egress})
			taken = append(taken, target{p, s})
		}
	}
	return traffic, taken
}

func (t *Table) takeUses() (used map[uuid.UUID]time.Time, legacy []store.LegacyKeyUse) {
	used = map[uuid.UUID]time.Time{}
	for _, p := range t.all() {
		for i, key := range p.keys {
			if at := key.used.Swap(0); at != 0 {
				used[p.Keys[i].ID] = time.Unix(at, 0)
			}
		}
		legacy = append(legacy, p.tokens.takeUses(p.ID)...)
	}
	return used, legacy
}
