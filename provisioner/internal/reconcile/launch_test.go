package reconcile_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/backup"
	"github.com/plurabase/plurabase/provisioner/internal/execute"
	"github.com/plurabase/plurabase/provisioner/internal/reconcile"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

// running is one reconciler, with a connection to Postgres that can break.
type running struct {
	reconciler *reconcile.Reconciler
	connection *severable
	end        context.CancelFunc
	ended      chan struct{}
}

// launch starts a reconciler whose connection can be cut, which makes the steps fail that PLURABASE_FAIL would name, with
// changed settings.
func (b *bundle) launch(fail string, change ...func(*reconcile.Settings)) *running {
	b.Helper()
	settings := reconcile.Settings{
		Target: "local", Owner: rand.Text(), Version: "test",
		Lease: 2 * time.Second, Heartbeat: 400 * time.Millisecond, Resync: 50 * time.Millisecond,
		Deadline: time.Minute, Workers: 8, RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond,
		Stack:   stack.Settings{Images: map[string]string{"db": image}, Address: stack.AddressHost, Bind: netip.MustParseAddr("127.0.0.1")},
		Subnets: store.SubnetPool{Pool: netip.MustParsePrefix("10.213.0.0/20"), Bits: 27},
		Ports:   store.PortRange{First: 25000, Last: 25099},
	}
	for _, apply := range change {
		apply(&settings)
	}
	failures := &execute.Failures{}
	require.NoError(b, failures.UnmarshalText([]byte(fail)))
	r := &running{connection: sever(b.T, b.url), ended: make(chan struct{})}
	opened, err := store.Open(b.Context(), store.Settings{DatabaseURL: r.connection.url, MasterKey: storetest.MasterKey(b)})
	require.NoError(b, err)
	reconciler := &reconcile.Reconciler{
		Store: opened, Settings: settings, Log: slog.New(slog.NewTextHandler(b.Output(), nil)),
		Executor: execute.Executor{Engine: b.engine, Pulls: &execute.Pulls{}, Failures: failures, Poll: 5 * time.Millisecond},
	}
	if b.backups != nil {
		reconciler.Backups = &backup.Keeper{Store: opened, Engine: b.engine, Settings: *b.backups, Log: reconciler.Log}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.reconciler, r.end = reconciler, cancel
	go func() {
		defer close(r.ended)
		defer opened.Close()
		reconciler.Run(ctx)
	}()
	b.Cleanup(r.stop)
	return r
}

// stop ends the reconciler as SIGTERM does.
func (r *running) stop() {
	r.end()
	<-r.ended
	r.connection.cut()
}

// kill ends the reconciler as SIGKILL does: nothing that it wants to write arrives. It may be called from within.
func (r *running) kill() {
	r.connection.cut()
	r.end()
}

func scalar[T any](b *bundle, query string, arguments ...any) T {
	b.Helper()
	connection, err := pgx.Connect(b.Context(), b.url)
	require.NoError(b, err)
	defer func() { _ = connection.Close(context.Background()) }()
	var value T
	require.NoError(b, connection.QueryRow(b.Context(), query, arguments...).Scan(&value))
	return value
}

// operations returns what was asked of a project, and what has become of it.
func (b *bundle) operations(ref store.Ref) []string {
	b.Helper()
	return scalar[[]string](b, `select array_agg(kind || ':' || state order by id) from platform.operations where project_ref = $1`, ref)
}

// container is the name of the project's database.
func container(ref store.Ref) string { return stack.Name(string(ref), stack.DatabaseService) }

// everything is what an active project has.
func everything(ref store.Ref) []string {
	name := stack.Prefix(string(ref))
	return []string{"container " + name + "-db", "network " + name, "volume " + name + "-db", "volume " + name + "-db-config"}
}

// volumes is what a paused project has.
func volumes(ref store.Ref) []string { return everything(ref)[2:] }

// calls counts the engine's calls of one kind.
func (b *bundle) calls(kind string) int {
	return len(slices.DeleteFunc(b.engine.Calls(), func(call string) bool { return !strings.HasPrefix(call, kind+" ") }))
}

// severable passes connections to Postgres on until it is cut.
type severable struct {
	url   string
	mutex sync.Mutex
	down  bool
	conns []net.Conn
	done  sync.WaitGroup
}

func sever(t *testing.T, databaseURL string) *severable {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	require.NoError(t, err)
	backend := parsed.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	parsed.Host = listener.Addr().String()
	s := &severable{url: parsed.String()}
	s.done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.pass(conn, backend)
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.cut()
		s.done.Wait()
	})
	return s
}

func (s *severable) pass(client net.Conn, backend string) {
	server, err := net.Dial("tcp", backend)
	if err != nil {
		_ = client.Close()
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.down {
		_, _ = client.Close(), server.Close()
		return
	}
	s.conns = append(s.conns, client, server)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		s.done.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = pair[0].Close(), pair[1].Close()
		})
	}
}

// cut breaks every connection, and each new one, until mend.
func (s *severable) cut() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.down = true
	for _, conn := range s.conns {
		_ = conn.Close()
	}
	s.conns = nil
}

func (s *severable) mend() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.down = false
}
