package dataplane

import (
	"sync"

	"github.com/plurabase/plurabase/store"
)

// requestsAtMost is how many requests are held between two times that they are written down, whoever's they are: what a busy instance
// would write beyond that is of no use to people, and its disk is not for it.
const requestsAtMost = 1000

// requestLog holds requests until they are written down. Beyond what there is room for they are not kept: one project's flood leaves room
// for the others'.
type requestLog struct {
	most int // of one project; 0: no log is kept

	mutex sync.Mutex
	held  []store.EdgeRequest
	of    map[int64]int
}

func newRequestLog(most int) *requestLog { return &requestLog{most: most, of: map[int64]int{}} }

func (l *requestLog) hasRoomFor(projectID int64) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return len(l.held) < requestsAtMost && l.of[projectID] < l.most
}

func (l *requestLog) add(r store.EdgeRequest) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.held = append(l.held, r)
	l.of[r.ProjectID]++
}

// take returns what is held, and begins anew.
func (l *requestLog) take() []store.EdgeRequest {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	held := l.held
	l.held, l.of = nil, map[int64]int{}
	return held
}

// putBack keeps what could not be written down for the next time, as far as there is room.
func (l *requestLog) putBack(requests []store.EdgeRequest) {
	for _, r := range requests {
		if l.hasRoomFor(r.ProjectID) {
			l.add(r)
		}
	}
}
