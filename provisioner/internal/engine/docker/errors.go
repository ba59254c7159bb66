package docker

import (
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
)

// The daemon tells some failures apart in words alone. These stand in moby's libnetwork and have not changed since
// Engine 17.
var (
	portTaken   = []string{"port is already allocated", "address already in use"}
	subnetTaken = []string{"Pool overlaps with other one on this address space"}
	// twoNetworks is no fault of what was asked: there are two networks of one name, of which one has come late.
	twoNetworks = []string{"is ambiguous"}
	noSuchImage = []string{"manifest unknown", "not found", "pull access denied", "no matching manifest", "invalid reference format"}
)

// translate turns the daemon's errors into the engine's.
func translate(err error) error {
	if err == nil {
		return nil
	}
	count(err)
	switch {
	case client.IsErrConnectionFailed(err):
		return fmt.Errorf("docker does not answer: %w", err)
	case says(err, portTaken):
		return fmt.Errorf("%w: %w", engine.ErrPortTaken, err)
	case says(err, subnetTaken):
		return fmt.Errorf("%w: %w", engine.ErrSubnetTaken, err)
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%w: %w", engine.ErrNotFound, err)
	case errdefs.IsInvalidArgument(err) && !says(err, twoNetworks):
		return &engine.PermanentError{Err: err}
	}
	return err
}

// translatePull tells an image that does not exist, or is not for us, from a registry that does not answer.
func translatePull(err error) error {
	if errdefs.IsNotFound(err) || errdefs.IsInvalidArgument(err) || errdefs.IsUnauthorized(err) || errdefs.IsPermissionDenied(err) || says(err, noSuchImage) {
		count(err)
		return &engine.PermanentError{Err: err}
	}
	return translate(err)
}

func says(err error, phrases []string) bool {
	for _, phrase := range phrases {
		if strings.Contains(err.Error(), phrase) {
			return true
		}
	}
	return false
}
