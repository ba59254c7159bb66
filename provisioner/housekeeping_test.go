package main_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/migrations/apply"
	"github.com/plurabase/plurabase/store/storetest"
)

// strand leaves a container, a network and a volume with labels.
func (b *bundle) strand(name string, labels map[string]string) (objects []string) {
	b.Helper()
	_, err := b.docker.VolumeCreate(b.Context(), volume.CreateOptions{Name: name, Labels: labels})
	require.NoError(b, err)
	subnet := network.IPAMConfig{Subnet: strings.Replace(b.pool, ".0/24", ".0/28", 1)}
	if labels["io.plurabase.project"] == "" {
		subnet.Subnet = strings.Replace(b.pool, ".0/24", ".16/28", 1)
	}
	_, err = b.docker.NetworkCreate(b.Context(), name, network.CreateOptions{IPAM: &network.IPAM{Config: []network.IPAMConfig{subnet}}, Labels: labels})
	require.NoError(b, err)
	_, err = b.docker.ContainerCreate(b.Context(), &container.Config{Image: b.image, Labels: labels},
		&container.HostConfig{NetworkMode: container.NetworkMode(name)}, nil, nil, name)
	require.NoError(b, err)
	b.Cleanup(func() {
		ctx := context.WithoutCancel(b.Context())
		_ = b.docker.ContainerRemove(ctx, name, container.RemoveOptions{Force: true, RemoveVolumes: true})
		_ = b.docker.NetworkRemove(ctx, name)
		_ = b.docker.VolumeRemove(ctx, name, true)
	})
	return []string{"container " + name, "network " + name, "volume " + name}
}

// thereOf returns those of the objects that are on Docker.
func (b *bundle) thereOf(objects []string) []string {
	b.Helper()
	return slices.DeleteFunc(slices.Clone(objects), func(object string) bool {
		kind, name, _ := strings.Cut(object, " ")
		var err error
		switch kind {
		case "container":
			_, err = b.docker.ContainerInspect(b.Context(), name)
		case "network":
			_, err = b.docker.NetworkInspect(b.Context(), name, network.InspectOptions{})
		case "volume":
			_, err = b.docker.VolumeInspect(b.Context(), name)
		}
		return err != nil
	})
}

func (b *bundle) housekeeping(arguments ...string) string {
	b.Helper()
	command := exec.CommandContext(b.Context(), binary, append([]string{"-housekeeping"}, arguments...)...)
	command.Env = append(os.Environ(), "DATABASE_URL="+b.url, "PLURABASE_MASTER_KEY="+storetest.MasterKeyText, "PLURABASE_TARGET="+b.target)
	printed, err := command.Output()
	require.NoError(b, err)
	return string(printed)
}

func TestHousekeepingListsOrphansAndTouchesNothingWithoutOurLabels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, apply.Up(t.Context(), b.url))
	require.Equal(t, "Nothing is left over.\n", b.housekeeping())
	const ref = "abcdefghijklmnopqrst"
	ours := b.strand("plurabase-"+b.target+"-db", map[string]string{"io.plurabase.target": b.target, "io.plurabase.project": ref})
	theirs := b.strand("plurabase-"+b.target+"-lookalike", map[string]string{"io.plurabase.target": b.target, "io.plurabase.service": "db"})
	list := b.housekeeping()
	for _, object := range ours {
		require.Contains(t, strings.Join(strings.Fields(list), " "), "orphan "+object+" the project "+ref+" is not known")
	}
	require.NotContains(t, list, "lookalike")
	require.Equal(t, append(ours, theirs...), b.thereOf(append(ours, theirs...)), "nothing was changed")

	require.Contains(t, b.housekeeping("-apply"), "removed")
	require.Equal(t, append(ours[2:], theirs...), b.thereOf(append(ours, theirs...)), "the volume stays, and what is not ours")
}
