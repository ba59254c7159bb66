package reconcile_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/engine/fake"
	"github.com/plurabase/plurabase/provisioner/internal/execute"
	"github.com/plurabase/plurabase/provisioner/internal/reconcile"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// createdProjects are how many projects are asked for before it is measured how fast they are made.
const createdProjects = 100

// BenchmarkCreates says how many projects with seven services each a provisioner makes in a second, and in how many transactions, where
// the engine, which is in memory, takes no time: what is left is the provisioner's own work and Postgres'.
func BenchmarkCreates(b *testing.B) {
	var transactions float64
	for b.Loop() {
		b.StopTimer()
		transactions += createAll(b)
		b.StartTimer()
	}
	made := float64(b.N * createdProjects)
	b.ReportMetric(made/b.Elapsed().Seconds(), "projects/s")
	b.ReportMetric(transactions/made, "transactions/project")
}

// createAll makes projects on a database of its own, and runs the timer while the provisioner works. It returns how often the provisioner
// took a connection: for one transaction each.
func createAll(b *testing.B) (transactions float64) {
	state, url := storetest.NewWithURL(b)
	profile, err := state.EnsureProfile(b.Context(), "11111111-1111-4111-8111-111111111111", "ada@example.com")
	require.NoError(b, err)
	organization, err := state.CreateOrganization(b.Context(), store.Actor{ProfileID: profile.ID, RequestID: "1"}, "Acme")
	require.NoError(b, err)
	for number := range createdProjects {
		_, err := state.CreateProject(b.Context(), store.Actor{ProfileID: profile.ID, RequestID: fmt.Sprint("create ", number)}, store.NewProject{
			OrganizationID: organization.ID, Name: "shop", CloudProvider: "LOCAL", Region: "local", Target: "local",
			ComputeSize: "micro", Services: store.DefaultServices, DatabasePassword: "password",
		})
		require.NoError(b, err)
	}
	connection, err := pgx.Connect(b.Context(), url)
	require.NoError(b, err)
	defer func() { _ = connection.Close(context.WithoutCancel(b.Context())) }()
	working, err := store.Open(b.Context(), store.Settings{DatabaseURL: url, MasterKey: storetest.MasterKey(b)})
	require.NoError(b, err)
	defer working.Close()
	r := usual(working, fake.New(image))
	ctx, cancel := context.WithCancel(b.Context())
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	b.StartTimer()
	background.Go(func() { r.Run(ctx) })
	require.Eventually(b, func() bool {
		var well int
		err := connection.QueryRow(b.Context(), "select count(*) from platform.projects where status = 'ACTIVE_HEALTHY'").Scan(&well)
		return err == nil && well == createdProjects
	}, patience, 10*time.Millisecond)
	b.StopTimer()
	return acquired(b, working)
}

// acquired is how often a Store has taken a connection to Postgres.
func acquired(b *testing.B, state *store.Store) float64 {
	b.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(state.Metrics())
	families, err := registry.Gather()
	require.NoError(b, err)
	for _, family := range families {
		if family.GetName() == "plurabase_pool_acquired_total" {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	b.Fatal("a Store does not count how often it takes a connection")
	return 0
}

// idleProjects and idleFor are how many projects rest, and for how long is looked at what that costs.
const (
	idleProjects = 1000
	idleFor      = 30 * time.Second
)

// BenchmarkIdleProjects says what a thousand projects with seven services each cost a provisioner that has nothing to do: the
// share of a core, with the engine in memory included, and the transactions in Postgres for each resync.
func BenchmarkIdleProjects(b *testing.B) {
	state, url := storetest.NewWithURL(b)
	connection, err := pgx.Connect(b.Context(), url)
	require.NoError(b, err)
	defer func() { _ = connection.Close(context.WithoutCancel(b.Context())) }()
	runtime := fake.New(image)
	for _, ref := range rest(b, state, connection) {
		for _, service := range store.DefaultServices {
			runtime.Put(stack.Name(ref, service), stack.Labels("local", ref))
		}
	}
	r := usual(state, runtime)
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		var background sync.WaitGroup
		background.Go(func() { r.Run(ctx) })
		time.Sleep(r.Settings.Resync * 3 / 2) // what it does once, at its start, is not what idling costs
		cpu, transactions := spent(b), acquired(b, state)
		time.Sleep(idleFor)
		b.ReportMetric(100*(spent(b)-cpu).Seconds()/idleFor.Seconds(), "%core")
		b.ReportMetric((acquired(b, state)-transactions)/(idleFor.Seconds()/r.Settings.Resync.Seconds()), "transactions/resync")
		cancel()
		background.Wait()
	}
	b.StopTimer()
	require.Empty(b, runtime.Calls(), "nothing had to be done")
}

// usual is a provisioner as it is in production, but for its engine.
func usual(state *store.Store, runtime *fake.Engine) *reconcile.Reconciler {
	images := map[string]string{}
	for _, service := range store.DefaultServices {
		images[service] = image
	}
	return &reconcile.Reconciler{
		Store: state, Log: slog.New(slog.DiscardHandler),
		Executor: execute.Executor{Engine: runtime, Pulls: &execute.Pulls{}, Failures: &execute.Failures{}, Poll: 500 * time.Millisecond},
		Settings: reconcile.Settings{
			Target: "local", Owner: "bench", Version: "test", Lease: 10 * time.Second, Heartbeat: 3 * time.Second, Resync: 5 * time.Second,
			Deadline: 10 * time.Minute, Workers: 8, RetryMin: time.Second, RetryMax: time.Minute,
			Stack:   stack.Settings{Images: images, Address: stack.AddressHost, Bind: netip.MustParseAddr("127.0.0.1")},
			Subnets: store.SubnetPool{Pool: netip.MustParsePrefix("10.213.0.0/16"), Bits: 27}, Ports: store.PortRange{First: 25000, Last: 29999},
		},
	}
}

// rest makes the projects, which are all well, without a provisioner.
func rest(b *testing.B, state *store.Store, connection *pgx.Conn) (refs []string) {
	b.Helper()
	profile, err := state.EnsureProfile(b.Context(), "11111111-1111-4111-8111-111111111111", "ada@example.com")
	require.NoError(b, err)
	organization, err := state.CreateOrganization(b.Context(), store.Actor{ProfileID: profile.ID, RequestID: "1"}, "Acme")
	require.NoError(b, err)
	for number := range idleProjects {
		refs = append(refs, fmt.Sprintf("restingresting%c%c%c%c%c%c", 'a'+number%26, 'a'+number/26%26, 'a'+number/676%26, 'a', 'a', 'a'))
	}
	_, err = connection.Exec(b.Context(), `
		with p as (
			insert into platform.projects (ref, organization_id, name, cloud_provider, region, target, compute_size, services, desired,
				status, observed_generation, created_at, updated_at)
			select ref, $2, ref, 'LOCAL', 'local', 'local', 'micro', $3, 'active', 'ACTIVE_HEALTHY', 1, now(), now()
			from unnest($1::text[]) as ref returning id
		)
		insert into platform.project_services (project_id, service, host, port, image, healthy, seen_at)
		select p.id, service, '10.213.0.2', 80, 'image', true, now() from p, unnest($3::text[]) as service`,
		refs, organization.ID, store.DefaultServices)
	require.NoError(b, err)
	return refs
}

// spent is the processor time that this process has used.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
