// Package plan decides what has to be done to make a project what it should be: a pure function of the stack that is
// wanted and of what the engine shows. A plan is a graph of steps; each is one call of the engine and says its cause.
package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is what a step does.
type Kind string

// The kinds of steps.
const (
	CreateNetwork     Kind = "create-network"
	RemoveNetwork     Kind = "remove-network"
	Connect           Kind = "connect"
	Disconnect        Kind = "disconnect"
	CreateVolume      Kind = "create-volume"
	RemoveVolume      Kind = "remove-volume"
	PullImage         Kind = "pull-image"
	CreateContainer   Kind = "create-container"
	StartContainer    Kind = "start-container"
	WaitHealthy       Kind = "wait-healthy"
	UpdateContainer   Kind = "update-container" // other limits, while it runs
	StopContainer     Kind = "stop-container"
	RemoveContainer   Kind = "remove-container"
	ConfigureDatabase Kind = "configure-database"
)

// Step is one call of the engine.
type Step struct {
	Kind    Kind
	Subject string // what the name of the step says it is about: a service, or what follows the project in a name
	Object  string // the engine's name of what is acted upon
	Cause   string
	After   []string // names of the steps that have to be done first
}

// Name names the step in a plan: `create-container:db`.
func (s Step) Name() string {
	if s.Subject == "" {
		return string(s.Kind)
	}
	return string(s.Kind) + ":" + s.Subject
}

// Plan is steps in an order in which each comes after those that it needs.
type Plan struct{ Steps []Step }

// Empty tells that nothing is left to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// WithoutWaiting leaves out the steps that wait for a service, and those that come after them.
func (p Plan) WithoutWaiting() Plan {
	var kept Plan
	left := map[string]bool{}
	for _, step := range p.Steps {
		if step.Kind == WaitHealthy || slices.ContainsFunc(step.After, func(name string) bool { return left[name] }) {
			left[step.Name()] = true
			continue
		}
		kept.Steps = append(kept.Steps, step)
	}
	return kept
}

// String prints one step a line: its name, what it comes after, its cause.
func (p Plan) String() string {
	var out strings.Builder
	for _, step := range p.Steps {
		out.WriteString(step.Name())
		if len(step.After) > 0 {
			fmt.Fprintf(&out, " after %s", strings.Join(step.After, ", "))
		}
		fmt.Fprintf(&out, ": %s\n", step.Cause)
	}
	return out.String()
}
