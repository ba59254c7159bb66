package main_test

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func TestAProjectKeepsItsDataUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	provisioner := b.start()
	bystander := b.create("bystander")
	ref := b.create("shop")
	name := "plurabase-" + string(ref)
	project := b.awaitStatus(ref, store.StatusActiveHealthy)
	require.Regexp(t, `^\d+\.\d+$`, *project.DBVersion)
	require.Nil(t, project.Message)
	require.ElementsMatch(t, []string{
		"container " + name + "-db", "network " + name, "volume " + name + "-db", "volume " + name + "-db-config",
	}, b.objects("io.plurabase.project="+string(ref)))

	_, err := b.connect(project, "supabase_admin").Exec(t.Context(), `create table kept as select 42 as answer`)
	require.NoError(t, err)
	b.requireData(project)
	b.requireReadOnly(project)

	b.change(ref, store.OperationPause)
	b.awaitStatus(ref, store.StatusInactive)
	require.ElementsMatch(t, []string{"volume " + name + "-db", "volume " + name + "-db-config"},
		b.objects("io.plurabase.project="+string(ref)))

	b.change(ref, store.OperationRestore)
	b.requireData(b.awaitStatus(ref, store.StatusActiveHealthy))

	before := b.containerID(name + "-db")
	b.change(ref, store.OperationRestart)
	b.requireData(b.awaitStatus(ref, store.StatusActiveHealthy))
	require.NotEqual(t, before, b.containerID(name+"-db"))

	lookalike := b.lookalike(name + "-lookalike")
	b.change(ref, store.OperationDelete)
	b.awaitGone(ref)
	require.Empty(t, b.objects("io.plurabase.project="+string(ref)))
	require.Equal(t, lookalike, b.containerID(name+"-lookalike"))
	require.Zero(t, scalar[int](b, `select count(*) from platform.project_ports p join platform.projects using (target)
		where p.project_id not in (select id from platform.projects)`))
	require.Equal(t, []string{"create:succeeded", "pause:succeeded", "restore:succeeded", "restart:succeeded", "delete:succeeded"},
		scalar[[]string](b, `select array_agg(kind || ':' || state order by id) from platform.operations where project_ref = $1`, ref))

	b.awaitStatus(bystander, store.StatusActiveHealthy)
	require.Zero(t, provisioner.stop())
	require.Zero(t, scalar[int](b, `select count(*) from platform.projects where lease_owner is not null`))
}

func TestAContainerThatIsLostComesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start()
	ref := b.create("shop")
	name := "plurabase-" + string(ref) + "-db"
	project := b.awaitStatus(ref, store.StatusActiveHealthy)
	_, err := b.connect(project, "supabase_admin").Exec(t.Context(), `create table kept as select 42 as answer`)
	require.NoError(t, err)

	require.NoError(t, b.docker.ContainerRemove(t.Context(), name, container.RemoveOptions{Force: true}))
	b.awaitStatus(ref, store.StatusActiveUnhealthy)
	b.requireData(b.awaitStatus(ref, store.StatusActiveHealthy))

	require.NoError(t, b.docker.ContainerStop(t.Context(), name, container.StopOptions{}))
	b.awaitStatus(ref, store.StatusActiveUnhealthy)
	b.requireData(b.awaitStatus(ref, store.StatusActiveHealthy))
}

// requireData checks that what a test has put into the project's database is there.
func (b *bundle) requireData(project store.Project) {
	b.Helper()
	var answer int
	require.NoError(b, b.connect(project, "supabase_admin").QueryRow(b.Context(), `select answer from kept`).Scan(&answer))
	require.Equal(b, 42, answer)
}

// requireReadOnly checks that a Read-only member's role reads and does not write.
func (b *bundle) requireReadOnly(project store.Project) {
	b.Helper()
	connection := b.connect(project, "supabase_read_only_user")
	var one int
	require.NoError(b, connection.QueryRow(b.Context(), `select 1`).Scan(&one))
	_, err := connection.Exec(b.Context(), `create table denied ()`)
	var refused *pgconn.PgError
	require.ErrorAs(b, err, &refused)
	require.Equal(b, "25006", refused.Code, "read_only_sql_transaction")
}

func (b *bundle) containerID(name string) string {
	b.Helper()
	inspected, err := b.docker.ContainerInspect(b.Context(), name)
	require.NoError(b, err)
	return inspected.ID
}

// lookalike starts a container with a name like a project's, which is not the project's.
func (b *bundle) lookalike(name string) (id string) {
	b.Helper()
	created, err := b.docker.ContainerCreate(b.Context(), &container.Config{
		Image: b.image, Entrypoint: []string{"sleep", "600"}, Labels: map[string]string{"io.plurabase.service": "db"},
	}, &container.HostConfig{NetworkMode: "none"}, nil, nil, name)
	require.NoError(b, err)
	b.Cleanup(func() {
		_ = b.docker.ContainerRemove(context.Background(), created.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
	require.NoError(b, b.docker.ContainerStart(b.Context(), created.ID, container.StartOptions{}))
	return created.ID
}
