package kong_test

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/store"
)

// postgresPort is the gateway's one Postgres port for every project.
type postgresPort struct {
	*projectWorld
	address string
}

func setupPostgresPort(t *testing.T) postgresPort {
	t.Helper()
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	return postgresPort{address: address, projectWorld: setupProjects(t, func(o *kongtest.Options) {
		before := o.Lookup
		o.Lookup = func(name string) (string, bool) {
			switch name {
			case "PLURABASE_POSTGRES_LISTEN":
				return address, true
			case "PLURABASE_POSTGRES_ADDRESS":
				return "db.example.com", true
			}
			return before(name)
		}
	})}
}

// withDatabase makes a project whose database is the platform's own, which is as real as any.
func (w postgresPort) withDatabase() project {
	w.t.Helper()
	p := w.project()
	platform, err := url.Parse(w.databaseURL)
	require.NoError(w.t, err)
	w.run(`insert into platform.project_ports (target, port, project_id, service) values ('local', $2, $1, 'db')`, p.ID, platform.Port())
	w.run(`update platform.projects set db_host = '127.0.0.1', db_port = $2 where id = $1`, p.ID, platform.Port())
	return p
}

func (w postgresPort) connect(p project) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(w.databaseURL)
	require.NoError(w.t, err)
	to, err := netip.ParseAddrPort(w.address)
	require.NoError(w.t, err)
	config.Host, config.Port, config.User = to.Addr().String(), to.Port(), config.User+"."+string(p.Ref)
	conn, err := pgx.ConnectConfig(w.t.Context(), config)
	if err == nil {
		w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

// connects waits for the plugin to have heard of the project.
func (w postgresPort) connects(p project) *pgx.Conn {
	w.t.Helper()
	var conn *pgx.Conn
	var err error
	require.Eventually(w.t, func() bool {
		conn, err = w.connect(p)
		return err == nil
	}, time.Minute, 20*time.Millisecond)
	return conn
}

func (w postgresPort) isRefused(p project, code, message string) {
	w.t.Helper()
	var err error
	require.Eventually(w.t, func() bool {
		_, err = w.connect(p)
		return err != nil
	}, time.Minute, 20*time.Millisecond)
	var refusal *pgconn.PgError
	require.ErrorAs(w.t, err, &refusal)
	require.Equal(w.t, code, refusal.Code)
	require.Contains(w.t, refusal.Message, message)
}

func answers(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	var one int
	require.NoError(t, conn.QueryRow(t.Context(), "select 1").Scan(&one))
}

func TestEveryProjectIsReachedOnOnePostgresPort(t *testing.T) {
	t.Parallel()
	w := setupPostgresPort(t)
	p := w.withDatabase()
	open := w.connects(p)
	answers(t, open)

	_, err := w.connect(project{Project: store.Project{ProjectSummary: store.ProjectSummary{Ref: "zzzzzzzzzzzzzzzzzzzz"}}})
	require.ErrorContains(t, err, "Tenant or user not found")

	_, err = w.store.RestrictNetwork(t.Context(), w.actor(), p.Ref, func([]netip.Prefix) []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	require.NoError(t, err)
	w.isRefused(p, "28000", "Address not in tenant allow_list")
	answers(t, open)
	_, err = w.store.RestrictNetwork(t.Context(), w.actor(), p.Ref, func([]netip.Prefix) []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	})
	require.NoError(t, err)
	w.connects(p)

	require.NoError(t, w.store.EnforceSSL(t.Context(), w.actor(), p.Ref, true))
	w.isRefused(p, "28000", "SSL connection is required")
	require.NoError(t, w.store.EnforceSSL(t.Context(), w.actor(), p.Ref, false))
	w.connects(p)

	w.status(p, store.StatusInactive)
	w.isRefused(p, "57P03", "The project is paused.")
}

// TestTheNextPluginProcessTakesThePostgresPortOver, as it is when Kong reloads: nobody is refused, and what the one before it counted is
// written down when its connections have ended.
func TestTheNextPluginProcessTakesThePostgresPortOver(t *testing.T) {
	t.Parallel()
	w := setupPostgresPort(t)
	p := w.withDatabase()
	open := w.connects(p)
	answers(t, open)
	replaced := make(chan error, 1)
	go func() { replaced <- w.gateway.(*kongtest.Host).ReplacePlugin(t.Context(), "project-gateway") }()
	for range 5 { // of the one or of the other
		answers(t, w.connects(p))
	}
	answers(t, open)
	require.NoError(t, open.Close(t.Context()))
	require.NoError(t, <-replaced)
	for range 20 {
		conn, err := w.connect(p)
		require.NoError(t, err)
		answers(t, conn)
	}
	require.Eventually(t, func() bool {
		traffic, err := w.store.ProjectTraffic(t.Context(), p.ID, time.Now().Add(-time.Hour), time.Now())
		require.NoError(t, err)
		return len(traffic) == 1 && traffic[0].Service == store.ServiceDatabase && traffic[0].Egress > 0 && traffic[0].Requests == 0
	}, time.Minute, 50*time.Millisecond)
}
