package fake

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
)

// What follows is what happens to an engine from outside, and what a test looks at.

// Calls returns every call that changed something, in order.
func (e *Engine) Calls() []string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return slices.Clone(e.calls)
}

// Objects returns the names of everything there is, with its kind: `volume plurabase-…-db`.
func (e *Engine) Objects() []string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	var names []string
	for name := range e.containers {
		names = append(names, "container "+name)
	}
	for name := range e.networks {
		names = append(names, "network "+name)
	}
	for name := range e.volumes {
		names = append(names, "volume "+name)
	}
	slices.Sort(names)
	return names
}

// Put makes a running container that somebody else made.
func (e *Engine) Put(name string, labels map[string]string) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.containers[name] = &container{Container: engine.Container{Name: name, Labels: labels, State: engine.StateRunning}}
}

// Lose takes a container away, as `docker rm -f` does.
func (e *Engine) Lose(name string) {
	e.outside(func() { delete(e.containers, name) })
}

// Kill ends a container.
func (e *Engine) Kill(name string) {
	e.outside(func() { e.containers[name].State = engine.StateExited })
}

// SetSick makes a container's health check fail, or be well again.
func (e *Engine) SetSick(name string, sick bool) {
	e.outside(func() { e.sick[name] = sick })
}

// Break makes every container of an image one that dies again and again.
func (e *Engine) Break(image string) {
	e.outside(func() { e.broken[image] = true })
}

// Occupy gives a host port, or a subnet, to something that the engine knows nothing of.
func (e *Engine) Occupy(ports []netip.AddrPort, subnets []netip.Prefix) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	for _, port := range ports {
		e.ports[port] = true
	}
	e.subnets = append(e.subnets, subnets...)
}

// Networks returns the names of the networks that a container is on.
func (e *Engine) Networks(container string) []string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return slices.Clone(e.containers[container].Networks)
}

// Labels returns a container's labels.
func (e *Engine) Labels(container string) map[string]string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return maps.Clone(e.containers[container].Labels)
}

func (e *Engine) outside(do func()) {
	e.mutex.Lock()
	do()
	watchers := slices.Clone(e.watchers)
	e.mutex.Unlock()
	for _, changed := range watchers {
		changed()
	}
}
