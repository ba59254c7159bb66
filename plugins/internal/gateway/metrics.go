package gateway

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	requestsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "plurabase_requests_total",
		Help: "Requests by the route that answered, and by status; `passed` went on to their upstream.",
	}, []string{"route", "status"})
	requestSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "plurabase_request_seconds",
		Help:    "How long the plugin took for a request, by route; without what Kong takes for itself.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"route"})
)

// passed stands for the status of a request that goes on to its upstream, whose answer the plugin never sees.
const passed = 0

// noRoute is what requests are counted under that no route wanted, so that a stranger's paths make no series of their own.
const noRoute = "none"

// series are the counters of one route and status, found once: looking them up by their labels costs more than counting.
type series struct {
	count   prometheus.Counter
	seconds prometheus.Observer
}

type seriesKey struct {
	route  string
	status int
}

var (
	seriesMutex sync.RWMutex
	seriesOf    = map[seriesKey]series{}
)

// count notes that the exchange has ended.
func (x *Exchange) count(status int) {
	key := seriesKey{x.route, status}
	if key.route == "" {
		key.route = noRoute
	}
	seriesMutex.RLock()
	found, ok := seriesOf[key]
	seriesMutex.RUnlock()
	if !ok {
		found = findSeries(key)
	}
	found.count.Inc()
	found.seconds.Observe(time.Since(x.begun).Seconds())
	x.endSpan(status)
}

func findSeries(key seriesKey) series {
	status := "passed"
	if key.status != passed {
		status = strconv.Itoa(key.status)
	}
	found := series{requestsTotal.WithLabelValues(key.route, status), requestSeconds.WithLabelValues(key.route)}
	seriesMutex.Lock()
	defer seriesMutex.Unlock()
	seriesOf[key] = found
	return found
}
