package main_test

import (
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// BenchmarkCreate says how long it takes on real Docker, with the small image of the tests, from projects' rows in Postgres until all of
// them are well: one project alone, and ten asked for at once. The provisioner is as in production. ratio is how many times as long as
// one project ten of them take.
func BenchmarkCreate(b *testing.B) {
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	require.NoError(b, err)
	defer func() { _ = docker.Close() }()
	if version, err := docker.ServerVersion(b.Context()); err == nil {
		fmt.Printf("docker: %s\ngo: %s\n", version.Version, runtime.Version()) // as benchstat reads what a benchmark ran with
	}
	var alone, times time.Duration
	b.Run("1", func(b *testing.B) {
		createAtOnce(b, 1)
		alone, times = alone+b.Elapsed(), times+time.Duration(b.N)
	})
	b.Run("10", func(b *testing.B) {
		createAtOnce(b, 10)
		if times > 0 { // not where it runs by itself
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(alone/times), "ratio")
		}
	})
}

// createAtOnce measures the creation of a number of projects, and removes them.
func createAtOnce(b *testing.B, count int) {
	platform := setup(b)
	pool := fmt.Sprintf("PLURABASE_SUBNET_POOL=10.254.%d.0/20", 16*mathrand.N(16)) // the tests' own are too small
	platform.start(pool, "PLURABASE_LEASE=10s", "PLURABASE_RESYNC=5s")
	require.Eventually(b, func() bool {
		return scalar[bool](platform, "select exists (select from platform.targets)")
	}, patience, 50*time.Millisecond, "the provisioner should begin")
	for b.Loop() {
		refs := make([]store.Ref, count)
		for number := range refs {
			refs[number] = platform.create(fmt.Sprint("shop ", number))
		}
		for _, ref := range refs {
			platform.settle(ref, "create")
		}
		b.StopTimer()
		for _, ref := range refs {
			platform.change(ref, store.OperationDelete)
		}
		for _, ref := range refs {
			platform.awaitGone(ref)
		}
		require.Empty(b, platform.objects("io.plurabase.target="+platform.target))
		b.StartTimer()
	}
}
