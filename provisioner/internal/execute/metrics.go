package execute

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var stepSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
	Name: "plurabase_step_seconds", Help: "How long the steps of plans took, by their kind and by what became of them.",
	Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
}, []string{"step", "result"})

// observe counts a step that has ended, `create-container:db`, under its kind.
func observe(step string, took time.Duration, failure error) {
	kind, _, _ := strings.Cut(step, ":")
	result := "done"
	switch {
	case errors.Is(failure, context.Canceled):
		result = "cut_off"
	case failure != nil:
		result = "failed"
	}
	stepSeconds.WithLabelValues(kind, result).Observe(took.Seconds())
}
