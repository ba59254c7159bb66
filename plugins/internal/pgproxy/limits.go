package pgproxy

import (
	"sync"

	"github.com/plurabase/plurabase/store"
)

// maxOpening bounds the connections that have not said yet what they are for. They have places of their own, so that who says nothing keeps
// nobody's connection out for longer than startupTimeout, and takes none from those that are open.
const maxOpening = 250

// limits counts the connections that are open.
type limits struct {
	connections, ofProject int

	mutex     sync.Mutex
	opening   int
	open      int
	byProject map[store.Ref]int
}

func newLimits(s Settings) *limits {
	return &limits{connections: s.Connections, ofProject: s.ProjectConnections, byProject: map[store.Ref]int{}}
}

// begin lets one more begin, or says why it may not. begun says that it has; it may be called more than once.
func (l *limits) begin() (begun func(), refused *refusal) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.opening >= maxOpening {
		return nil, &tooMany
	}
	l.opening++
	return sync.OnceFunc(func() {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.opening--
	}), nil
}

// take takes a place for a connection to a project, or says why there is none. leave gives it back.
func (l *limits) take(ref store.Ref) (leave func(), refused *refusal) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch {
	case l.open >= l.connections:
		return nil, &tooMany
	case l.byProject[ref] >= l.ofProject:
		return nil, &tooManyOfProject
	}
	l.open++
	l.byProject[ref]++
	connections.Inc()
	return func() { l.leave(ref) }, nil
}

func (l *limits) leave(ref store.Ref) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	connections.Dec()
	l.open--
	if l.byProject[ref]--; l.byProject[ref] == 0 {
		delete(l.byProject, ref)
	}
}
