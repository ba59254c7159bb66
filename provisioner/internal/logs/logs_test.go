package logs

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

const ref = "abcdefghijklmnopqrst"

// world has containers by name with their labels, and requests for their logs.
type world struct {
	containers map[string]map[string]string
	mutex      sync.Mutex
	requests   []store.LogRequest
	read       []string
	answers    chan answer
}

type answer struct {
	id      int64
	lines   []store.LogLine
	failure string
}

func (w *world) ListenForLogRequests(ctx context.Context, _ string, wake func()) error {
	wake()
	<-ctx.Done()
	return ctx.Err()
}

func (w *world) TakeLogRequest(context.Context, string) (store.LogRequest, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if len(w.requests) == 0 {
		return store.LogRequest{}, store.ErrNotFound
	}
	next := w.requests[0]
	w.requests = w.requests[1:]
	return next, nil
}

func (w *world) AnswerLogRequest(_ context.Context, id int64, lines []store.LogLine, failure string) error {
	w.answers <- answer{id, lines, failure}
	return nil
}

func (w *world) Container(_ context.Context, name string) (engine.Container, error) {
	labels, exists := w.containers[name]
	if !exists {
		return engine.Container{}, engine.ErrNotFound
	}
	return engine.Container{Labels: labels}, nil
}

func (w *world) Logs(_ context.Context, name string, _, _ time.Time, _, _ int) ([]store.LogLine, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.read = append(w.read, name)
	return []store.LogLine{{Text: name}}, nil
}

func TestTheProjectsOwnContainersAreReadAlone(t *testing.T) {
	t.Parallel()
	const other = "zzzzzzzzzzzzzzzzzzzz"
	w := &world{
		containers: map[string]map[string]string{
			stack.Name(ref, "db"):     stack.Labels("local", ref),
			stack.Name(other, "db"):   stack.Labels("local", ref), // somebody else made one under its name
			stack.Name(ref, "secret"): stack.Labels("local", ref),
		},
		requests: []store.LogRequest{{ID: 1, Ref: ref, Service: "db"}, {ID: 2, Ref: ref, Service: "auth"}, {ID: 3, Ref: other, Service: "db"}, {ID: 4, Ref: ref, Service: "secret"}},
		answers:  make(chan answer),
	}
	reader := Reader{State: w, Engine: w, Target: "local", Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); reader.Run(ctx) }()
	answers := map[int64]answer{}
	for range 4 {
		one := <-w.answers
		answers[one.id] = one
	}
	stop()
	<-done
	require.Equal(t, []string{stack.Name(ref, "db")}, w.read)
	require.Equal(t, stack.Name(ref, "db"), answers[1].lines[0].Text)
	for _, id := range []int64{2, 3, 4} {
		require.Equal(t, "There is no such container.", answers[id].failure)
	}
}
