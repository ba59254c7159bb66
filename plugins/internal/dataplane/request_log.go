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

// add holds requests as far as there is room.
func (l *requestLog) add(requests ...store.EdgeRequest) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, r := range requests {
		if len(l.held) < requestsAtMost && l.of[r.ProjectID] < l.most {
			l.held, l.of[r.ProjectID] = append(l.held, r), l.of[r.ProjectID]+1
		}
	}
}

// take returns what is held, and begins anew.
func (l *requestLog) take() []store.EdgeRequest {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	held := l.held
	l.held, l.of = nil, map[int64]int{}
	return held
}
