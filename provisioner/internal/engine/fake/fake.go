// Package fake is an engine in memory for tests. It keeps Docker's rules: a name is taken once, a network with members
// and a volume that is mounted cannot be removed, a port is bound once.
package fake

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// Engine is an engine in memory. Make one with New; the exported fields are set before it is used.
type Engine struct {
	// Images can be pulled.
	Images []string
	// Before is called before each call that changes something, with the call's name and what it is about, as
	// `StartContainer plurabase-…-db`; After is called when it is done. An error of Before fails the call.
	Before func(call string) error
	After  func(call string)

	mutex      sync.Mutex
	pulled     map[string]bool
	containers map[string]*container
	networks   map[string]*network
	volumes    map[string]*volume
	sick       map[string]bool         // containers whose health check fails
	broken     map[string]bool         // images of which no container is ever healthy
	ports      map[netip.AddrPort]bool // bound by something else on the host
	subnets    []netip.Prefix          // used by something else on the host, which the engine knows nothing of
	calls      []string
	watchers   []func()
}

var _ engine.Engine = (*Engine)(nil)

type container struct {
	engine.Container
	service stack.Service
}

type network struct {
	engine.Network
	subnet netip.Prefix
}

type volume struct {
	engine.Volume
	mark      string            // what the database's setup left
	databases map[string]string // what is in each, where the volume is a database's
	folders   map[string]string // where it is not: what was written into each folder, by its path within the volume
}

func newVolume(name string, labels map[string]string) *volume {
	return &volume{Volume: engine.Volume{Name: name, Labels: labels}, databases: map[string]string{working: ""}, folders: map[string]string{}}
}

// New returns an engine that can pull the images, and has nothing else.
func New(images ...string) *Engine {
	return &Engine{
		Images: images, pulled: map[string]bool{}, containers: map[string]*container{}, networks: map[string]*network{},
		volumes: map[string]*volume{}, sick: map[string]bool{}, broken: map[string]bool{}, ports: map[netip.AddrPort]bool{},
	}
}

// change runs do as one call, between Before and After, and then tells the watchers.
func (e *Engine) change(ctx context.Context, name, subject string, do func() error) error {
	call := name + " " + subject
	if e.Before != nil {
		if err := e.Before(call); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mutex.Lock()
	e.calls = append(e.calls, call)
	err := do()
	watchers := slices.Clone(e.watchers)
	e.mutex.Unlock()
	if e.After != nil {
		e.After(call)
	}
	for _, changed := range watchers {
		changed()
	}
	return err
}

// Watch implements engine.Engine.
func (e *Engine) Watch(ctx context.Context, changed func()) error {
	e.mutex.Lock()
	e.watchers = append(e.watchers, changed)
	e.mutex.Unlock()
	<-ctx.Done()
	return ctx.Err()
}
