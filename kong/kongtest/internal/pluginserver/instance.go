package pluginserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// claimTimeout is how long an event waits for another one that is starting the same instance (WAIT_TIME in plugin.lua).
const claimTimeout = 10 * time.Second

// Instance is one configuration of a plugin, as the plugin is told of it.
type Instance struct {
	Key    string // Which use of the plugin it is; stays the same when its configuration changes.
	Seq    int    // A number that no other configuration has had; another one under the same Key is a change.
	Config []byte // The configuration as JSON.
}

// instances knows which instances the running process has been given.
type instances struct {
	server *Server

	mu      sync.Mutex
	running map[string]*slot
}

// slot is the place of one key. Whoever may take its token starts the instance.
type slot struct {
	token   chan struct{}
	started bool
	seq     int
	id      int32
}

func newInstances(server *Server) *instances {
	return &instances{server: server, running: map[string]*slot{}}
}

// id finds the process's number for an instance. It starts the instance when the process has none for that key, or has
// one of another configuration, which it then closes.
func (i *instances) id(ctx context.Context, instance Instance) (int32, error) {
	s := i.slot(instance.Key)
	select {
	case s.token <- struct{}{}:
		defer func() { <-s.token }()
	case <-time.After(claimTimeout):
		i.forget(instance.Key, s)
		return 0, fmt.Errorf("could not claim the instance %s", instance.Key)
	}

	if s.started && s.seq == instance.Seq {
		return s.id, nil
	}
	id, err := i.server.startInstance(ctx, instance)
	if err != nil {
		i.forget(instance.Key, s)
		return 0, fmt.Errorf("start an instance: %w", err)
	}
	hadOld, old := s.started, s.id
	s.started, s.seq, s.id = true, instance.Seq, id
	if hadOld {
		if err := i.server.closeInstance(ctx, old); err != nil {
			// Kong doesn't care either: another one may have closed it first.
			i.server.logger.Debug("instance not closed", "error", err)
		}
	}
	return id, nil
}

func (i *instances) slot(key string) *slot {
	i.mu.Lock()
	defer i.mu.Unlock()
	s, ok := i.running[key]
	if !ok {
		s = &slot{token: make(chan struct{}, 1)}
		i.running[key] = s
	}
	return s
}

func (i *instances) forget(key string, s *slot) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running[key] == s {
		delete(i.running, key)
	}
}

// reset forgets all instances: the process that had them is gone.
func (i *instances) reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.running = map[string]*slot{}
}

// errNoReturn says that the plugin answered a call with something else.
var errNoReturn = errors.New("the plugin's answer does not fit the call")
