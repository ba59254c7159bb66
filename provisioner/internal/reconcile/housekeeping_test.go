package reconcile_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/reconcile"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

const lost = "abcdefghijklmnopqrst"

// strand leaves what a project has that Postgres has forgotten, beside what only looks like it. It returns what is whose.
func (b *bundle) strand() (orphans, lookalikes []string) {
	b.Helper()
	labels := stack.Labels("local", lost)
	put := func(name string, subnet string, labels map[string]string) {
		b.engine.Put(name+"-db", labels)
		require.NoError(b, b.engine.CreateNetwork(b.Context(), stack.Network{Name: name, Subnet: netip.MustParsePrefix(subnet), Labels: labels}))
		require.NoError(b, b.engine.CreateVolume(b.Context(), stack.Volume{Name: name + "-db", Labels: labels}))
	}
	put(stack.Prefix(lost), "10.1.0.0/24", labels)
	orphans = b.engine.Objects()
	put(stack.Prefix(lost)+"-lookalike", "10.2.0.0/24", nil)
	put(stack.Prefix("tsrqponmlkjihgfedcba"), "10.3.0.0/24", stack.Labels("other", "tsrqponmlkjihgfedcba"))
	put("half", "10.4.0.0/24", map[string]string{stack.LabelProject: lost, stack.LabelService: "db"})
	put("other-half", "10.5.0.0/24", map[string]string{stack.LabelTarget: "local"})
	lookalikes = slices.DeleteFunc(b.engine.Objects(), func(name string) bool { return slices.Contains(orphans, name) })
	return orphans, lookalikes
}

// listed says what housekeeping finds: its kinds and names, in order.
func listed(found []reconcile.Finding) (list []string) {
	for _, one := range found {
		list = append(list, strings.TrimPrefix(one.Kind, "orphan ")+" "+one.Name)
	}
	slices.Sort(list)
	return list
}

// reported says what orphans everybody is told of.
func (b *bundle) reported() (list []string) {
	b.Helper()
	target, err := b.store.TargetNamed(b.Context(), "local")
	if err != nil {
		return nil
	}
	for _, one := range target.Orphans {
		list = append(list, one.Kind+" "+one.Name)
	}
	slices.Sort(list)
	return list
}

func TestOrphansAreReportedAndLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	orphans, lookalikes := b.strand()
	everything := b.engine.Objects()
	r := b.launch("")
	require.Eventually(t, func() bool { return slices.Equal(orphans, b.reported()) }, patience, poll)
	found, err := r.reconciler.Housekeeping(t.Context())
	require.NoError(t, err)
	require.Equal(t, orphans, listed(found))
	ref := b.create()
	b.become(ref, healthy)
	b.change(ref, store.OperationDelete)
	b.gone(ref)
	require.Equal(t, everything, b.engine.Objects(), "nothing of it was touched")

	for _, one := range found {
		if one.Remove != nil {
			require.NoError(t, one.Remove(t.Context()))
		}
	}
	left := append(slices.Clone(lookalikes), "volume "+stack.Prefix(lost)+"-db")
	slices.Sort(left)
	require.Equal(t, left, b.engine.Objects(), "volumes, and what has not our labels, stay")
}

func TestOrphansAreRemovedAfterTheTimeThatTheOperatorSays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, lookalikes := b.strand()
	left := append(slices.Clone(lookalikes), "volume "+stack.Prefix(lost)+"-db")
	slices.Sort(left)
	b.launch("", func(s *reconcile.Settings) { s.RemoveOrphans = time.Nanosecond })
	require.Eventually(t, func() bool { return slices.Equal(left, b.engine.Objects()) }, patience, poll)
}

func TestALeaseThatNobodyHoldsIsForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.launch("")
	ref := b.create()
	b.become(ref, healthy)
	r.stop()
	scalar[int](b, `
		with lapsed as (
			update platform.projects set lease_owner = 'gone', lease_expires_at = clock_timestamp() - interval '1 hour' returning 1
		) select count(*) from lapsed`)
	r = b.launch("", func(s *reconcile.Settings) { s.Resync = time.Hour })
	require.Eventually(t, func() bool {
		return scalar[int](b, `select count(*) from platform.projects where lease_owner is not null`) == 0
	}, patience, poll)
	found, err := r.reconciler.Housekeeping(t.Context())
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestAScratchThatNobodyUsesGoesAlsoWhereNoBackupsAreMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keepBackups()
	b.backups.Directory = ""
	for _, target := range []string{"local", "other"} {
		require.NoError(t, b.engine.CreateScratch(t.Context(), stack.Service{
			Container: "plurabase-scratch-" + target, Labels: map[string]string{stack.LabelScratch: target, stack.LabelBackup: "7"},
		}))
	}
	b.launch("")
	require.Eventually(t, func() bool {
		return slices.Equal([]string{"container plurabase-scratch-other"}, b.engine.Objects())
	}, patience, poll)
}
