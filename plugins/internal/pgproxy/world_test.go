package pgproxy_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/plugins/internal/dataplane"
	"github.com/plurabase/plurabase/plugins/internal/pgproxy"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.WithServer(m)) }

const (
	shop = store.Ref("aaaaaaaaaaaaaaaaaaaa")
	blog = store.Ref("bbbbbbbbbbbbbbbbbbbb")
)

// world is a proxy before a real Postgres, in which the database of the project shop is, and what leads to it.
type world struct {
	t        testing.TB
	direct   *url.URL // to the database itself, past the proxy
	address  string   // of the proxy
	answer   atomic.Pointer[func(dataplane.Naming, netip.Addr) (dataplane.Database, *dataplane.Refusal)]
	proxy    *pgproxy.Proxy
	end      context.CancelFunc
	ended    chan struct{}
	log      lockedBuffer
	settings pgproxy.Settings
}

// lockedBuffer is a log that a test reads while others write.
type lockedBuffer struct {
	mutex sync.Mutex
	bytes bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.String()
}

// Database knows the project shop by its ref and its host, until a test says otherwise.
func (w *world) Database(named dataplane.Naming, client netip.Addr) (dataplane.Database, *dataplane.Refusal) {
	return (*w.answer.Load())(named, client)
}

func (w *world) decide(answer func(dataplane.Naming, netip.Addr) (dataplane.Database, *dataplane.Refusal)) {
	w.answer.Store(&answer)
}

func (w *world) shop() dataplane.Database {
	return dataplane.Database{Ref: shop, Address: netip.MustParseAddrPort(w.direct.Host)}
}

func (w *world) known(named dataplane.Naming, _ netip.Addr) (dataplane.Database, *dataplane.Refusal) {
	if named.Host != "db."+string(shop)+".localhost" && len(named.Refs) == 0 {
		return dataplane.Database{}, &dataplane.Refusal{Code: "project_not_named"}
	}
	for _, ref := range named.Refs {
		if ref != shop {
			return dataplane.Database{}, &dataplane.Refusal{Code: "project_not_found"}
		}
	}
	return w.shop(), nil
}

func setup(t testing.TB, change ...func(*pgproxy.Settings)) *world {
	t.Helper()
	w := arrange(t, change...)
	w.begin()
	return w
}

// arrange is setup before the proxy begins.
func arrange(t testing.TB, change ...func(*pgproxy.Settings)) *world {
	t.Helper()
	w := &world{t: t, settings: pgproxy.Settings{Connections: 20, ProjectConnections: 10}}
	for _, c := range change {
		c(&w.settings)
	}
	direct, err := url.Parse(pgtest.Empty(t))
	require.NoError(t, err)
	w.direct = direct
	return w
}

// bare is a proxy before nothing.
func bare(t testing.TB, change ...func(*pgproxy.Proxy)) *world {
	w := &world{t: t, settings: pgproxy.Settings{Connections: 20, ProjectConnections: 10}}
	w.direct = &url.URL{User: url.UserPassword("postgres", "none"), Host: "127.0.0.1:1", Path: "/postgres"} // tcpmux, which nobody runs
	w.begin(change...)
	return w
}

func (w *world) begin(change ...func(*pgproxy.Proxy)) {
	w.decide(w.known)
	w.proxy = pgproxy.New(w, w.settings, slog.New(slog.NewTextHandler(&w.log, nil)))
	for _, c := range change {
		c(w.proxy)
	}
	listener, err := pgproxy.Listen(w.t.Context(), "127.0.0.1:0")
	require.NoError(w.t, err)
	w.address = listener.Addr().String()
	w.serve(listener)
}

func (w *world) serve(listener net.Listener) {
	certificates, err := w.proxy.CertificatesForTest()
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	w.end, w.ended = cancel, ended
	go func() {
		defer close(ended)
		_ = w.proxy.Serve(ctx, listener, certificates)
	}()
	w.t.Cleanup(func() { cancel(); <-ended })
}

// config is how pgx connects to the proxy, as a user.
func (w *world) config(user string) *pgx.ConnConfig {
	w.t.Helper()
	password, _ := w.direct.User.Password()
	through := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: w.address, Path: w.direct.Path, RawQuery: "sslmode=disable"}
	config, err := pgx.ParseConfig(through.String())
	require.NoError(w.t, err)
	config.ConnectTimeout = 10 * time.Second
	return config
}

func (w *world) connect(config *pgx.ConnConfig) *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.ConnectConfig(w.t.Context(), config)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (w *world) refused(config *pgx.ConnConfig) *pgconn.PgError {
	w.t.Helper()
	conn, err := pgx.ConnectConfig(w.t.Context(), config)
	if err == nil {
		_ = conn.Close(context.Background())
	}
	var refusal *pgconn.PgError
	require.ErrorAs(w.t, err, &refusal)
	require.Equal(w.t, "FATAL", refusal.Severity)
	return refusal
}

const asShop = "postgres." + string(shop)

func asked(t testing.TB, conn *pgx.Conn, sql string) (answer string) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&answer))
	return answer
}
