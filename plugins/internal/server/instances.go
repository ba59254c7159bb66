package server

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Kong/go-pdk"
)

// instanceTimeout is for how long go-pdk, too, keeps an instance that nothing was asked of once another was closed.
const instanceTimeout = time.Minute

// instance is one configuration of the plugin.
type instance struct {
	id      int32
	started time.Time
	phases  map[string]func(*pdk.PDK)
}

// instances are those that Kong has started.
type instances struct {
	newConfig func() any
	mutex     sync.RWMutex
	running   map[int32]*instance
}

func newInstances(newConfig func() any) *instances {
	return &instances{newConfig: newConfig, running: map[int32]*instance{}}
}

// start makes an instance of a configuration in JSON, under the number that Kong gave it.
func (s *instances) start(config []byte) (*instance, error) {
	var given struct {
		Seq int32 `json:"__seq__"`
	}
	if err := json.Unmarshal(config, &given); err != nil {
		return nil, fmt.Errorf("decode the configuration's number: %w", err)
	}
	decoded := s.newConfig()
	if err := json.Unmarshal(config, decoded); err != nil {
		return nil, fmt.Errorf("decode the configuration: %w", err)
	}
	made := &instance{id: given.Seq, started: time.Now(), phases: phasesOf(decoded)}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for made.id == 0 || given.Seq == 0 && s.running[made.id] != nil {
		made.id = rand.Int32() //nolint:gosec // a number to tell instances apart, no secret
	}
	s.running[made.id] = made
	return made, nil
}

func (s *instances) find(id int32) (*instance, error) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	if found := s.running[id]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("no plugin instance %d", id)
}

// close forgets an instance, and with it those that are as old as go-pdk lets them become. Kong starts an instance
// again that it misses.
func (s *instances) close(id int32) (*instance, error) {
	gone, err := s.find(id)
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.running, id)
	for other, one := range s.running {
		if time.Since(one.started) > instanceTimeout {
			delete(s.running, other)
		}
	}
	return gone, nil
}

// phasesOf finds out what a configuration does, by its methods.
func phasesOf(config any) map[string]func(*pdk.PDK) {
	phases := map[string]func(*pdk.PDK){}
	if c, ok := config.(interface{ Certificate(*pdk.PDK) }); ok {
		phases["certificate"] = c.Certificate
	}
	if c, ok := config.(interface{ Rewrite(*pdk.PDK) }); ok {
		phases["rewrite"] = c.Rewrite
	}
	if c, ok := config.(interface{ Access(*pdk.PDK) }); ok {
		phases["access"] = c.Access
	}
	if c, ok := config.(interface{ Response(*pdk.PDK) }); ok {
		phases["response"] = c.Response
	}
	if c, ok := config.(interface{ Preread(*pdk.PDK) }); ok {
		phases["preread"] = c.Preread
	}
	if c, ok := config.(interface{ Log(*pdk.PDK) }); ok {
		phases["log"] = c.Log
	}
	return phases
}
