// Package stack says what a project should look like on its target: a pure function from the project's row, its
// secrets, what it was allotted and the provisioner's settings to networks, volumes and services. It knows no engine.
package stack

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Labels that everything of a project carries. Nothing without the first two is ever changed or removed.
const (
	LabelTarget     = "io.plurabase.target"
	LabelProject    = "io.plurabase.project"
	LabelService    = "io.plurabase.service"
	LabelConfigHash = "io.plurabase.config-hash"
	LabelGeneration = "io.plurabase.generation"
)

// Labels of scratch containers, which belong to no project, and of their volumes.
const (
	LabelScratch = "io.plurabase.scratch" // the target
	LabelBackup  = "io.plurabase.backup"  // the number of the backup that it is for
)

// Stack is everything that a project should have, and nothing else.
type Stack struct {
	Target   string
	Ref      string
	Removed  bool      // the project is deleted: its volumes go, too
	Network  *Network  // nil: none
	Volumes  []Volume  // those that services mount; others of the project are kept, unless Removed
	Services []Service // dependencies first
	Shared   []string  // names of containers that join the network of every project, where they exist
	Database *Database // nil: no database runs
}

// Network is a project's own bridge.
type Network struct {
	Name    string
	Subnet  netip.Prefix
	Gateway netip.Addr   // the host's own address on it; the zero value: the engine decides
	Dynamic netip.Prefix // where the engine takes the addresses of those from that have none of their own; zero: anywhere
	Labels  map[string]string
}

// Volume outlives every container that mounts it.
type Volume struct {
	Name   string
	Labels map[string]string
}

// Service is one container.
type Service struct {
	Name        string // `db`
	Container   string // `plurabase-<ref>-db`
	Image       string
	Entrypoint  []string // nil: the image's own
	Command     []string // nil: the image's own
	Env         Env
	Labels      map[string]string
	Mounts      []Mount
	Address     netip.Addr // on the project's network, for as long as the project has its subnet; zero: any
	Port        uint16     // where it is asked, at Address
	Ports       []Port     // on the host
	Health      Health     // the zero value: it is well as long as it runs
	Limits      Limits
	StopSignal  string // empty: the image's own
	StopTimeout time.Duration
	DependsOn   []string // services that have to be ready first
	MinimumAge  int64    // a container made for an earlier generation is replaced: a restart was asked for
}

// Mount puts a volume into a container.
type Mount struct{ Volume, Path string }

// Port publishes a container's TCP port on the host.
type Port struct {
	Container uint16
	Host      netip.AddrPort
}

// Health is how the engine asks whether a service is well.
type Health struct {
	Command       []string
	Interval      time.Duration
	Timeout       time.Duration
	Retries       int
	StartPeriod   time.Duration // failures do not count so long
	StartInterval time.Duration // in place of Interval during StartPeriod, where the engine can do that
}

// Env is a container's environment. It holds secrets and prints as a placeholder.
type Env map[string]string

// String hides the values from logs and error messages.
func (Env) String() string { return "[environment]" }

// GoString hides the values from %#v.
func (e Env) GoString() string { return e.String() }

// List returns the environment as the engine wants it, `NAME=value`, sorted by name.
func (e Env) List() []string {
	list := make([]string, 0, len(e))
	for _, name := range slices.Sorted(maps.Keys(e)) {
		list = append(list, name+"="+e[name])
	}
	return list
}

// Service returns the service of that name, and the zero value when the stack has none.
func (s Stack) Service(name string) Service {
	for _, service := range s.Services {
		if service.Name == name {
			return service
		}
	}
	return Service{}
}

// Volume returns the volume of that name, and the zero value when the stack has none.
func (s Stack) Volume(name string) Volume {
	for _, volume := range s.Volumes {
		if volume.Name == name {
			return volume
		}
	}
	return Volume{}
}

// Owns tells by its labels whether something belongs to the project. What does not is never touched.
func (s Stack) Owns(labels map[string]string) bool {
	return labels[LabelTarget] == s.Target && labels[LabelProject] == s.Ref
}

// Labels returns the two labels by which everything of a project is found.
func Labels(target, ref string) map[string]string {
	return map[string]string{LabelTarget: target, LabelProject: ref}
}

// Prefix is what the names of all of a project's objects start with.
func Prefix(ref string) string { return "plurabase-" + ref }

// Name returns the name of a project's object: `plurabase-<ref>-<part>`.
func Name(ref string, parts ...string) string {
	return strings.Join(append([]string{Prefix(ref)}, parts...), "-")
}
