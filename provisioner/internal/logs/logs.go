// Package logs answers the API when it asks for what a project's containers printed. Nothing is collected: the engine keeps
// the last of each log, and is read when somebody looks.
package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// State is what is needed of the store.
type State interface {
	ListenForLogRequests(ctx context.Context, target string, wake func()) error
	TakeLogRequest(ctx context.Context, target string) (store.LogRequest, error)
	AnswerLogRequest(ctx context.Context, id int64, lines []store.LogLine, failure string) error
}

// Engine is what is needed of the container engine.
type Engine interface {
	Container(ctx context.Context, name string) (engine.Container, error)
	Logs(ctx context.Context, name string, since, until time.Time, lines, size int) ([]store.LogLine, error)
}

// Reader answers the requests for a target.
type Reader struct {
	State  State
	Engine Engine
	Target string
	Log    *slog.Logger
}

const (
	// maxLines and maxSize bound an answer, which passes through Postgres.
	maxLines = 5000
	maxSize  = 1 << 20
	// atOnce is how many logs are read at the same time.
	atOnce      = 2
	readTimeout = 10 * time.Second
	retry       = time.Second
	// lookAgain is how often it looks by itself: a message that was lost costs no more.
	lookAgain = 5 * time.Second
)

// Run answers until ctx ends.
func (r *Reader) Run(ctx context.Context) {
	woken := make(chan struct{}, 1)
	wake := func() {
		select {
		case woken <- struct{}{}:
		default: // it is awake
		}
	}
	var all sync.WaitGroup
	all.Go(func() { r.listen(ctx, wake) })
	for range atOnce {
		all.Go(func() {
			for ctx.Err() == nil {
				for r.answerNext(ctx, wake) {
				}
				select {
				case <-woken:
				case <-time.After(lookAgain):
				case <-ctx.Done():
				}
			}
		})
	}
	all.Wait()
}

func (r *Reader) listen(ctx context.Context, wake func()) {
	for ctx.Err() == nil {
		if err := r.State.ListenForLogRequests(ctx, r.Target, wake); err != nil && ctx.Err() == nil {
			r.Log.Warn("could not listen for requests for logs", "error", err)
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
		}
	}
}

// answerNext answers one request, and tells whether there may be another one.
func (r *Reader) answerNext(ctx context.Context, wake func()) bool {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	request, err := r.State.TakeLogRequest(ctx, r.Target)
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
			r.Log.Warn("could not look for requests for logs", "error", err)
		}
		return false
	}
	wake() // somebody else may take the next one meanwhile
	failure := ""
	lines, err := r.read(ctx, request)
	if err != nil {
		failure = "The log could not be read."
		if errors.Is(err, engine.ErrNotFound) {
			failure = "There is no such container."
		}
		r.Log.Warn("could not read a log", "project", request.Ref, "service", request.Service, "error", err)
	}
	if err := r.State.AnswerLogRequest(ctx, request.ID, lines, failure); err != nil {
		r.Log.Warn("could not answer a request for logs", "project", request.Ref, "error", err)
	}
	return ctx.Err() == nil
}

// read reads the project's own container alone.
func (r *Reader) read(ctx context.Context, request store.LogRequest) ([]store.LogLine, error) {
	if !slices.Contains(store.AllServices, request.Service) {
		return nil, engine.ErrNotFound
	}
	name := stack.Name(string(request.Ref), request.Service)
	container, err := r.Engine.Container(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", name, err)
	}
	if container.Labels[stack.LabelTarget] != r.Target || container.Labels[stack.LabelProject] != string(request.Ref) {
		return nil, fmt.Errorf("%s is not the project's: %w", name, engine.ErrNotFound)
	}
	return r.Engine.Logs(ctx, name, request.Since, request.Until, maxLines, maxSize)
}
