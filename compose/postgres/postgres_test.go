package postgres_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/compose/postgres"
)

// password has what a shell, SQL and a URL each take for something else.
const password = `it's a "p%61ss\word" $(id) :x`

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheImageIsMadeOnce(t *testing.T) {
	docker, name := setup(t)
	before, err := docker.ImageInspect(t.Context(), name)
	require.NoError(t, err)
	again, err := postgres.EnsureImage(t.Context(), docker, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, name, again)
	after, err := docker.ImageInspect(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, before.ID, after.ID)
}

func TestANewDatabaseIsWhatSupabaseExpects(t *testing.T) {
	t.Parallel()
	docker, image := setup(t)
	c := start(t, docker, image, newVolume(t, docker), "POSTGRES_PASSWORD="+password)
	admin := c.connect("supabase_admin", password)

	for name, test := range map[string]struct{ query, want string }{
		"the superusers": {
			"select string_agg(rolname, ',' order by rolname) from pg_roles where rolsuper",
			"supabase_admin",
		},
		"who bypasses row-level security": {
			"select string_agg(rolname, ',' order by rolname) from pg_roles where rolbypassrls",
			"postgres,service_role,supabase_admin,supabase_read_only_user",
		},
		"who may sign in": {
			"select string_agg(rolname, ',' order by rolname) from pg_roles where rolcanlogin",
			"authenticator,pgbouncer,postgres,supabase_admin,supabase_auth_admin,supabase_read_only_user," +
				"supabase_replication_admin,supabase_storage_admin",
		},
		"what authenticator may become": {
			"select string_agg(rolname, ',' order by rolname) from pg_roles" +
				" where pg_has_role('authenticator', oid, 'member') and rolname <> 'authenticator'",
			"anon,authenticated,service_role",
		},
		"the schemas": {
			`select string_agg(nspname, ',' order by nspname) from pg_namespace where nspname not like 'pg\_%'`,
			"_realtime,auth,extensions,graphql_public,information_schema,pgbouncer,public,realtime,storage",
		},
		"the extensions": {
			"select string_agg(extname, ',' order by extname) from pg_extension" +
				" where extnamespace = 'extensions'::regnamespace",
			"pg_stat_statements,pgcrypto,uuid-ossp",
		},
		"the passwords are hashed": {
			"select bool_and(rolpassword like 'SCRAM-SHA-256$%')::text from pg_authid where rolpassword is not null", "true",
		},
		"logical decoding":        {"show wal_level", "logical"},
		"no durability is traded": {"show fsync", "on"},
		"the locale":              {"select datcollate from pg_database where datname = current_database()", "C.UTF-8"},
		"statements are counted":  {"select (count(*) > 0)::text from extensions.pg_stat_statements", "true"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			require.NoError(t, admin.QueryRow(t.Context(), test.query).Scan(&got))
			require.Equal(t, test.want, got)
		})
	}
}

func TestTheRolesMayDoWhatTheyAreForAndNoMore(t *testing.T) {
	t.Parallel()
	docker, image := setup(t)
	c := start(t, docker, image, newVolume(t, docker), "POSTGRES_PASSWORD="+password)
	admin, user := c.connect("supabase_admin", password), c.connect("postgres", password)
	execute(t, user, "create table item (owner uuid default auth.uid()); alter table item enable row level security;"+
		" create policy own on item using (owner = auth.uid()); create role extra")
	execute(t, user, "create database more")
	execute(t, admin, "alter role supabase_read_only_user password 'reader'; alter role pgbouncer password 'pooler'")

	_, err := user.Exec(t.Context(), "copy item to program 'cat'")
	require.ErrorContains(t, err, "must be superuser", "or the user's SQL could run programs")

	execute(t, user, "set role authenticated; select set_config('request.jwt.claims', "+
		`'{"sub":"11111111-1111-1111-1111-111111111111","role":"authenticated"}', false); insert into item default values`)
	require.Equal(t, 1, count(t, user, "item"), "one's own row")
	execute(t, user, `select set_config('request.jwt.claims', '{"role":"anon"}', false); set role anon`)
	require.Zero(t, count(t, user, "item"), "everybody else's rows")
	execute(t, user, "set role service_role")
	require.Equal(t, 1, count(t, user, "item"), "past row-level security")

	reader := c.connect("supabase_read_only_user", "reader")
	require.Equal(t, 1, count(t, reader, "item"))
	_, err = reader.Exec(t.Context(), "create table no ()")
	require.ErrorContains(t, err, "read-only transaction")

	var hash string
	pooler := c.connect("pgbouncer", "pooler")
	require.NoError(t, pooler.QueryRow(t.Context(), "select password from pgbouncer.get_auth('postgres')").Scan(&hash))
	require.Contains(t, hash, "SCRAM-SHA-256$")
	execute(t, user, "reset role")
	_, err = user.Exec(t.Context(), "select pgbouncer.get_auth('postgres')")
	require.ErrorContains(t, err, "permission denied")
}

func TestNobodyGetsInFromOutsideWithoutThePassword(t *testing.T) {
	t.Parallel()
	docker, image := setup(t)
	c := start(t, docker, image, newVolume(t, docker), "POSTGRES_PASSWORD="+password)
	c.connect("postgres", password)
	for _, role := range []string{"postgres", "supabase_admin", "authenticator"} {
		require.ErrorContains(t, c.tryConnect(role, "wrong"), "password authentication failed", role)
	}
	require.NotEmpty(t, c.output("cat", "/proc/1/environ"))
	require.NotContains(t, c.output("cat", "/proc/1/environ"), password)
	require.NotContains(t, c.logs(), password)
}

func TestDataSurvivesANewContainerThatKnowsNoPassword(t *testing.T) {
	t.Parallel()
	docker, image := setup(t)
	data := newVolume(t, docker)
	first := start(t, docker, image, data, "POSTGRES_PASSWORD="+password)
	execute(t, first.connect("postgres", password), "create table kept ()")
	first.remove()
	second := start(t, docker, image, data)
	execute(t, second.connect("postgres", password), "select from kept")
}

func TestAnInterruptedInitIsDoneAgain(t *testing.T) {
	t.Parallel()
	docker, image := setup(t)
	data := newVolume(t, docker)
	const interrupt = `mkdir "$PGDATA/$PG_MAJOR.unfinished" && cp /usr/local/share/plurabase-postgres/cluster/PG_VERSION "$PGDATA/$PG_MAJOR.unfinished"`
	half := startCommand(t, docker, image, data, []string{"sh", "-c", interrupt})
	require.Zero(t, half.wait())

	whole := start(t, docker, image, data, "POSTGRES_PASSWORD="+password)
	execute(t, whole.connect("postgres", password), "select")
	require.Equal(t, "15\n", whole.output("sh", "-c", `ls "$PGDATA"`), "nothing is left of the first try")
}

func TestItSaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	docker, image := setup(t)
	for name, test := range map[string]struct {
		prepare     string
		environment []string
		want        string
	}{
		"no password": {prepare: "true", want: "POSTGRES_PASSWORD is needed"},
		"another version's cluster": {
			prepare:     `mkdir "$PGDATA/9" && echo 9 >"$PGDATA/9/PG_VERSION"`,
			environment: []string{"POSTGRES_PASSWORD=" + password},
			want:        "holds a cluster that this image",
		},
		"a cluster of upstream's image": {
			prepare:     `echo 15 >"$PGDATA/PG_VERSION"`,
			environment: []string{"POSTGRES_PASSWORD=" + password},
			want:        "holds a cluster that this image",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := newVolume(t, docker)
			require.Zero(t, startCommand(t, docker, image, data, []string{"sh", "-c", test.prepare}).wait())
			c := start(t, docker, image, data, test.environment...)
			require.EqualValues(t, 1, c.wait())
			require.Contains(t, c.logs(), test.want)
		})
	}
}

// setup returns Docker and the image, or skips the test where they can't be had. CI has to have both.
func setup(t *testing.T) (docker *client.Client, image string) {
	t.Helper()
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	t.Cleanup(func() { _ = docker.Close() })
	_, err = docker.Ping(context.Background())
	if err == nil {
		_, err = exec.LookPath("mmdebstrap")
	}
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	ensuring <- struct{}{}
	defer func() { <-ensuring }()
	image, err = postgres.EnsureImage(t.Context(), docker, slog.New(slog.NewTextHandler(t.Output(), nil)))
	require.NoError(t, err)
	return docker, image
}

// ensuring lets the first test make the image while the others wait for it.
var ensuring = make(chan struct{}, 1)
