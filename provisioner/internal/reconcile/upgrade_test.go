package reconcile_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/reconcile"
	"github.com/plurabase/plurabase/store"
)

// offering launches a provisioner whose target offers the newer image.
func (b *bundle) offering(change ...func(*reconcile.Settings)) *running {
	b.Helper()
	offer := func(s *reconcile.Settings) { s.Stack.Images = map[string]string{"db": newerImage} }
	return b.launch("", append(change, offer)...)
}

// runs says which image the project's database is noted to run.
func (b *bundle) runs() string {
	b.Helper()
	return scalar[string](b, `select image from platform.project_images where service = 'db'`)
}

func TestAnUpgradeLeadsToWhatIsOffered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.create()
	b.led(ref, "", healthy)
	b.offering()
	b.become(ref, healthy)
	require.Equal(t, image, b.runs(), "nothing changes by itself")
	require.NoError(t, b.want(ref, store.OperationUpgrade))
	b.follow(ref, store.StatusUpgrading, healthy)
	require.Equal(t, newerImage, b.runs())
	require.Equal(t, newerImage, scalar[string](b, `select image from platform.project_services where service = 'db'`))
	require.Equal(t, []string{"create:succeeded", "upgrade:succeeded"}, b.operations(ref))
	require.Equal(t, everything(ref), b.engine.Objects())
	require.Zero(t, b.calls("RemoveVolume"))
}

func TestAnUpgradeThatDoesNotBecomeHealthyIsTakenBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ref := b.create()
	b.led(ref, "", healthy)
	b.engine.Break(newerImage)
	b.offering()
	require.NoError(t, b.want(ref, store.OperationUpgrade))
	b.follow(ref, store.StatusUpgrading, healthy)
	require.Equal(t, image, b.runs())
	require.Equal(t, []string{"create:succeeded", "upgrade:failed"}, b.operations(ref))
	project, err := b.project(ref)
	require.NoError(t, err)
	require.Contains(t, *project.Message, "the versions before are back: wait-healthy:db: the container died 100 times")
	require.Equal(t, 3, b.calls("CreateContainer"), "the first, the newer one, and the one before again")
	require.Zero(t, b.calls("RemoveVolume"), "nothing is lost")
}

// TestAKilledRollbackIsGoneOnWith kills the provisioner before each call by which an upgrade is taken back.
func TestAKilledRollbackIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for number := range 4 { // stop, remove, create, start
		b := setup(t)
		ref := b.create()
		b.led(ref, "", healthy)
		b.engine.Break(newerImage)
		var first *running
		var undone atomic.Int64
		require.NoError(t, b.want(ref, store.OperationUpgrade))
		begun := make(chan struct{})
		b.engine.Before = func(string) error {
			<-begun
			if b.runs() == image && undone.Add(1) == int64(number)+1 {
				first.kill()
				return errors.New("killed")
			}
			return nil
		}
		first = b.offering()
		close(begun)
		<-first.ended
		b.offering()
		b.follow(ref, store.StatusUpgrading, healthy)
		require.Equal(t, image, b.runs())
		require.Equal(t, []string{"create:succeeded", "upgrade:failed"}, b.operations(ref))
		require.Equal(t, everything(ref), b.engine.Objects())
	}
}
