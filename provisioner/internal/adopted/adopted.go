// Package adopted looks after installations that the platform took in: it tells whether their services answer, and does
// nothing else. Nothing of theirs is made, stopped or removed by anybody here.
package adopted

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/plurabase/plurabase/store"
)

// State is what is needed of the store.
type State interface {
	AdoptedProjects(ctx context.Context) ([]store.AdoptedProject, error)
	NoteAdopted(ctx context.Context, project store.Project, services []store.ServiceState) error
	BeatTarget(ctx context.Context, target store.Target) error
}

// Watcher looks at every adopted installation that its process reaches.
type Watcher struct {
	State          State
	Owner, Version string
	Interval       time.Duration // between two looks
	Log            *slog.Logger
}

const (
	lookTimeout   = 30 * time.Second
	answerTimeout = 3 * time.Second
)

// Run looks until ctx ends.
func (w Watcher) Run(ctx context.Context) {
	for {
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			w.Log.Warn("could not look after the adopted installations", "error", err)
		}
		select {
		case <-time.After(w.Interval):
		case <-ctx.Done():
			return
		}
	}
}

func (w Watcher) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	adopted, err := w.State.AdoptedProjects(ctx)
	if err != nil || len(adopted) == 0 {
		return err
	}
	failures := []error{w.State.BeatTarget(ctx, store.Target{Name: store.TargetAdopted, Owner: w.Owner, Version: w.Version})}
	for _, project := range adopted {
		for i := range project.Services {
			note(&project.Services[i], answer(ctx, project.Services[i]))
		}
		failures = append(failures, w.State.NoteAdopted(ctx, project.Project, project.Services))
	}
	return errors.Join(failures...)
}

func note(service *store.ServiceState, failure error) {
	service.Healthy, service.Message = failure == nil, nil
	if failure != nil {
		said := fmt.Sprintf("The service %s does not answer at %s.", service.Service, address(*service))
		service.Message = &said
	}
}

func address(service store.ServiceState) string {
	return net.JoinHostPort(service.Host, strconv.Itoa(int(service.Port)))
}

// answer tells whether a service accepts a connection.
func answer(ctx context.Context, service store.ServiceState) error {
	connection, err := (&net.Dialer{Timeout: answerTimeout}).DialContext(ctx, "tcp", address(service))
	if err != nil {
		return err
	}
	return connection.Close()
}
