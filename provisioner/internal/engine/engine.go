// Package engine is what the provisioner needs of a container engine. It speaks of names, never of the engine's own
// ids, and decides nothing: every method that changes something is one call of the engine.
package engine

import (
	"context"
	"errors"
	"net/netip"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
)

// Engine runs containers. Its errors are transient unless they are a PermanentError or one of the errors below.
type Engine interface {
	Data

	// Info says what the engine is and has.
	Info(ctx context.Context) (Info, error)
	// Observe returns everything that belongs to the project by its labels, and whatever else has one of its names.
	Observe(ctx context.Context, question Question) (Observed, error)
	// Survey returns every container of the target, and the named others that exist, in one look.
	Survey(ctx context.Context, target string, others []string) (Survey, error)
	// Belongings returns whatever carries the labels of a project of the target.
	Belongings(ctx context.Context, target string) ([]Object, error)
	// Container looks at one container. ErrNotFound: there is none of that name.
	Container(ctx context.Context, name string) (Container, error)
	// Subnets returns the subnets of all the engine's networks.
	Subnets(ctx context.Context) ([]netip.Prefix, error)
	// Watch calls changed when a container of any project, or one of the others, starts, stops, dies or changes its
	// health, until ctx ends or the connection breaks.
	Watch(ctx context.Context, changed func()) error

	// PullImage gets an image, and tells on the way how far it has come.
	PullImage(ctx context.Context, image string, progress func(Progress)) error
	CreateNetwork(ctx context.Context, network stack.Network) error // ErrSubnetTaken
	RemoveNetwork(ctx context.Context, name string) error
	Connect(ctx context.Context, network, container string) error
	Disconnect(ctx context.Context, network, container string) error
	CreateVolume(ctx context.Context, volume stack.Volume) error
	RemoveVolume(ctx context.Context, name string) error
	CreateContainer(ctx context.Context, network string, service stack.Service) error
	StartContainer(ctx context.Context, name string) error // ErrPortTaken
	// UpdateContainer gives a container other limits while it runs.
	UpdateContainer(ctx context.Context, name string, limits stack.Limits) error
	StopContainer(ctx context.Context, name string) error
	RemoveContainer(ctx context.Context, name string) error
	// Run runs a command inside a container and returns what it printed. Its failure is the last line of the
	// command's errors.
	Run(ctx context.Context, container string, command stack.Command) (string, error)
}

// What a caller has to tell apart.
var (
	ErrNotFound    = errors.New("not found")
	ErrPortTaken   = errors.New("the host port is taken by something else")
	ErrSubnetTaken = errors.New("the subnet is taken by something else")
)

// PermanentError is a failure that no repetition mends: an image that does not exist, a setting that the engine
// refuses, a name that belongs to somebody else.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }

func (e *PermanentError) Unwrap() error { return e.Err }

// Info is what an engine is and has.
type Info struct {
	Version     string
	CPUs        int
	MemoryBytes int64
}

// Question is what Observe looks for.
type Question struct {
	Target, Ref string
	Images      []string // tell which of these the engine has
	Others      []string // tell which of these containers exist: they join the project's network
}

// Observed is a project as the engine has it.
type Observed struct {
	Containers []Container
	Networks   []Network
	Volumes    []Volume
	Images     map[string]bool
	Others     map[string]bool // the containers of Question.Others that run
	Database   *Database       // nil: it does not run, is not healthy, or was not asked
}

// Database is what a project's Postgres says of itself.
type Database struct {
	Version string // `17.6`
	Mark    string // of the last setup that went well; empty without one
}

// State is what a container is doing.
type State string

// The states of a container, as Docker names them.
const (
	StateCreated    State = "created"
	StateRunning    State = "running"
	StateRestarting State = "restarting" // it died, and the engine starts it again
	StatePaused     State = "paused"
	StateRemoving   State = "removing"
	StateExited     State = "exited"
	StateDead       State = "dead"
)

// Container is one container.
type Container struct {
	Name     string
	Labels   map[string]string
	State    State
	Healthy  bool         // its health check says so; without one: it runs
	Networks []string     // names
	Limits   stack.Limits // set by Engine.Observe alone
	Restarts int          // how often the engine started it again by itself; set by Engine.Container alone
	ExitCode int          // set by Engine.Container alone
}

// Runs tells whether the container has a process, or will have one again without being started.
func (c Container) Runs() bool { return c.State == StateRunning || c.State == StateRestarting }

// Network is one network.
type Network struct {
	Name    string
	Labels  map[string]string
	Members []string // names of the running containers on it
	Twice   bool     // two were made at once under this name, which Docker lets happen: neither can be used by its name
}

// Volume is one volume.
type Volume struct {
	Name   string
	Labels map[string]string
}

// Survey is a look at all of a target.
type Survey struct {
	Containers []Container
	Others     []Container
}

// Object is a container, a network or a volume.
type Object struct{ Kind, Name, Ref string }

// The kinds of objects.
const (
	KindContainer = "container"
	KindNetwork   = "network"
	KindVolume    = "volume"
)

// Progress is how far a pull has come.
type Progress struct {
	Percent int
	Detail  string // `3 of 7 layers, 12.5 of 80.0 MB`
}
