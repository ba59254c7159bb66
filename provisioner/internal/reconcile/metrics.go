package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/plurabase/plurabase/store"
)

var (
	operationsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "plurabase_operations_total",
		Help: "Claims of a project that have ended, by what was asked (`repair` where nobody asked, and the stack had drifted) and by what became of it.",
	}, []string{"kind", "result"})
	operationSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name: "plurabase_operation_seconds", Help: "How long a claim of a project took, by what was asked.",
		Buckets: []float64{.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800},
	}, []string{"kind"})
	leasesHeld = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "plurabase_leases_held", Help: "Projects that are being worked on.",
	})
	orphansFound = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "plurabase_orphans", Help: "Containers, networks and volumes of projects that are not known: see `provisioner -housekeeping`.",
	})
	leasesLost = promauto.NewCounter(prometheus.CounterOpts{
		Name: "plurabase_leases_lost_total", Help: "Leases that ran out or were taken while their project was worked on.",
	})
)

// The results that a claim is counted under.
const (
	resultSucceeded = "succeeded"
	resultFailed    = "failed"
	resultRetried   = "retried" // it failed, and is tried again
	resultCutOff    = "cut_off" // something newer was wanted, or the process ends
	resultLeaseLost = "lost"    // somebody else goes on
)

// count notes what has become of a claim.
func (p *pass) count(err error, took time.Duration) {
	kind, result := p.kind(), p.result(err)
	if result == resultLeaseLost {
		leasesLost.Inc()
	}
	operationsTotal.WithLabelValues(kind, result).Inc()
	operationSeconds.WithLabelValues(kind).Observe(took.Seconds())
}

// kind is what was asked.
func (p *pass) kind() string {
	if p.claim.OperationID == 0 {
		return "repair"
	}
	return string(p.claim.Kind)
}

func (p *pass) result(err error) string {
	switch {
	case err == nil:
		return resultSucceeded
	case errors.Is(err, store.ErrLeaseLost):
		return resultLeaseLost
	case errors.Is(err, store.ErrSuperseded), errors.Is(err, context.Canceled):
		return resultCutOff
	case p.triedForEver():
		return resultRetried
	default:
		return resultFailed
	}
}

// Queue is the metrics of what waits for a target's provisioner, asked of Postgres whenever somebody looks.
func Queue(state *store.Store, target string) prometheus.Collector { return queue{state, target} }

type queue struct {
	store  *store.Store
	target string
}

var (
	queueLength = prometheus.NewDesc("plurabase_queue_projects", "Projects that nobody works on and that something is wanted of.", []string{"waits_for"}, nil)
	queueOldest = prometheus.NewDesc("plurabase_queue_oldest_seconds", "How long the project that has waited longest for a worker has.", nil, nil)
)

// Describe implements prometheus.Collector.
func (q queue) Describe(out chan<- *prometheus.Desc) { out <- queueLength; out <- queueOldest }

// Collect implements prometheus.Collector. Where Postgres does not answer, it says nothing of the queue.
func (q queue) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	found, err := q.store.Queue(ctx, q.target)
	if err != nil {
		return
	}
	out <- prometheus.MustNewConstMetric(queueLength, prometheus.GaugeValue, float64(found.Waiting), "worker")
	out <- prometheus.MustNewConstMetric(queueLength, prometheus.GaugeValue, float64(found.Retried), "retry")
	out <- prometheus.MustNewConstMetric(queueOldest, prometheus.GaugeValue, found.Oldest.Seconds())
}
