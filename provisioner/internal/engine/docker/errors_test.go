package docker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
)

// The texts are what real daemons and registries said.
func TestFailuresAreToldApart(t *testing.T) {
	t.Parallel()
	permanent, taken, transient := "permanent", "taken", "transient"
	for _, test := range []struct {
		err  error
		as   func(error) error
		want string
	}{
		{errors.New("driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:25000 failed: port is already allocated"), translate, taken},
		{errors.New("listen tcp4 127.0.0.1:25000: bind: address already in use"), translate, taken},
		{errors.New("Pool overlaps with other one on this address space"), translate, taken},
		{fmt.Errorf("%w: invalid memory limit", errdefs.ErrInvalidArgument), translate, permanent},
		{fmt.Errorf("%w: the name is in use", errdefs.ErrConflict), translate, transient},
		{errors.New("manifest for supabase/postgres:0 not found: manifest unknown: manifest unknown"), translatePull, permanent},
		{errors.New("pull access denied for nobody/nothing, repository does not exist or may require 'docker login'"), translatePull, permanent},
		{errors.New(`Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host`), translatePull, transient},
		{errors.New("toomanyrequests: You have reached your pull rate limit"), translatePull, transient},
	} {
		translated := test.as(test.err)
		require.ErrorContains(t, translated, test.err.Error())
		var refused *engine.PermanentError
		got := transient
		switch {
		case errors.As(translated, &refused):
			got = permanent
		case errors.Is(translated, engine.ErrPortTaken), errors.Is(translated, engine.ErrSubnetTaken):
			got = taken
		}
		require.Equal(t, test.want, got, test.err.Error())
	}
	require.NoError(t, translate(nil))
	require.NoError(t, gone(fmt.Errorf("%w: container", errdefs.ErrNotFound)))
}

func TestADaemonThatDoesNotAnswerMayDoSoLater(t *testing.T) {
	t.Parallel()
	away, err := client.NewClientWithOpts(client.WithHost("unix://" + t.TempDir() + "/docker.sock"))
	require.NoError(t, err)
	err = (&Engine{client: away}).Ping(t.Context())
	require.ErrorContains(t, err, "docker does not answer")
	var permanent *engine.PermanentError
	require.NotErrorAs(t, err, &permanent)
}
