package dataplane

import (
	"maps"
	"slices"
	"sync"
)

// pending is what was announced and has not been read yet. However often a project is announced, it is read once.
type pending struct {
	wake chan struct{}

	mutex sync.Mutex
	ids   map[int64]struct{}
	all   bool
}

func newPending() *pending { return &pending{wake: make(chan struct{}, 1), ids: map[int64]struct{}{}} }

func (p *pending) add(id int64) { p.putBack([]int64{id}, false) }

// addAll says that any project may have changed.
func (p *pending) addAll() { p.putBack(nil, true) }

func (p *pending) putBack(ids []int64, all bool) {
	p.mutex.Lock()
	for _, id := range ids {
		p.ids[id] = struct{}{}
	}
	p.all = p.all || all
	p.mutex.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// take returns what is pending, and forgets it.
func (p *pending) take() (ids []int64, all bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	ids, all = slices.Collect(maps.Keys(p.ids)), p.all
	clear(p.ids)
	p.all = false
	return ids, all
}
