package docker

import (
	"context"
	"errors"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var errorsTotal = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "plurabase_docker_errors_total",
	Help: "What Docker failed with: `unreachable`, `taken` (a port or a subnet), `not_found` (often what was asked to be known), `refused` (for good), or `other`.",
}, []string{"reason"})

// count notes a failure of the daemon. One that the provisioner's own end or deadline caused is none.
func count(err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	errorsTotal.WithLabelValues(reasonOf(err)).Inc()
}

func reasonOf(err error) string {
	switch {
	case client.IsErrConnectionFailed(err):
		return "unreachable"
	case says(err, portTaken), says(err, subnetTaken):
		return "taken"
	case errdefs.IsNotFound(err):
		return "not_found"
	case errdefs.IsInvalidArgument(err), errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err):
		return "refused"
	default:
		return "other"
	}
}
