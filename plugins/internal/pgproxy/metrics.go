package pgproxy

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	connections = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "plurabase_postgres_connections", Help: "Connections to projects' databases that are open at the Postgres port.",
	})
	connectionsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "plurabase_postgres_connections_total",
		Help: "Connections to the Postgres port by what became of them: `passed` on to a database, `cancel`, or why they were refused.",
	}, []string{"result"})
	listening = promauto.NewGauge(prometheus.GaugeOpts{
		Name: "plurabase_postgres_listening", Help: "Whether the Postgres port is open: 0 while it cannot be, or its certificate cannot be read.",
	})
)

func count(result string) { connectionsTotal.WithLabelValues(result).Inc() }
