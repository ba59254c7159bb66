package store

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics returns what a Store measures of itself: its connections to Postgres, and how often its memory had the answer.
func (s *Store) Metrics() prometheus.Collector { return storeMetrics{s} }

type storeMetrics struct{ *Store }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("plurabase_"+name, help, labels, nil)
}

var (
	poolConnections = describe("pool_connections", "Connections to Postgres: those in use, and those that wait for use.", "state")
	poolLimit       = describe("pool_connections_limit", "How many connections to Postgres the process may have.")
	poolAcquired    = describe("pool_acquired_total", "Connections that were taken from the pool.")
	poolWaited      = describe("pool_waited_total", "Connections that had to be waited for, because all were in use or none was open.")
	poolWaitSeconds = describe("pool_wait_seconds_total", "How long connections were waited for, all together.")
	memoryAsked     = describe("memory_asked_total", "Questions that the memory was asked, by what it keeps and whether it had the answer.", "kind", "answered")
)

// Describe implements prometheus.Collector.
func (s storeMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{poolConnections, poolLimit, poolAcquired, poolWaited, poolWaitSeconds, memoryAsked} {
		out <- one
	}
}

// Collect implements prometheus.Collector.
func (s storeMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	counter := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, value, labels...)
	}
	pool := s.pool.Stat()
	gauge(poolConnections, float64(pool.AcquiredConns()), "used")
	gauge(poolConnections, float64(pool.IdleConns()), "idle")
	gauge(poolLimit, float64(pool.MaxConns()))
	counter(poolAcquired, float64(pool.AcquireCount()))
	counter(poolWaited, float64(pool.EmptyAcquireCount()))
	counter(poolWaitSeconds, pool.EmptyAcquireWaitTime().Seconds())
	m := s.memory
	if m == nil {
		return
	}
	for kind, counts := range map[string]func() (hits, misses uint64){
		"profile": m.profiles.asked, "token": m.owners.asked, "membership": m.memberships.asked, "project": m.projects.asked,
		"secrets": m.secrets.asked,
	} {
		hits, misses := counts()
		counter(memoryAsked, float64(hits), kind, "yes")
		counter(memoryAsked, float64(misses), kind, "no")
	}
}

func (c *cache[K, V]) asked() (hits, misses uint64) { return c.hits.Load(), c.misses.Load() }

// Queue is how many of a target's projects wait for its provisioner.
type Queue struct {
	Waiting int64         // for a worker
	Retried int64         // for another try after a failure
	Oldest  time.Duration // how long the one that has waited longest has
}

// Queue counts the projects of a target whose wanted and seen states differ, and which nobody works on.
func (s *Store) Queue(ctx context.Context, target string) (Queue, error) {
	var queue Queue
	var oldest float64
	err := s.pool.QueryRow(ctx, `
		select count(*) filter (where attempts = 0), count(*) filter (where attempts > 0),
			coalesce(extract(epoch from clock_timestamp() - min(updated_at) filter (where attempts = 0)), 0)::float8
		from platform.projects
		where target = $1 and observed_generation < generation and (lease_expires_at is null or lease_expires_at <= clock_timestamp())`,
		target).Scan(&queue.Waiting, &queue.Retried, &oldest)
	queue.Oldest = time.Duration(oldest * float64(time.Second))
	return queue, wrap("count the projects that wait", err)
}
