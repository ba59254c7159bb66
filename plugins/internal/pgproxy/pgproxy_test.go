package pgproxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
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

func TestAProjectIsFoundByTheUser(t *testing.T) {
	t.Parallel()
	w := setup(t)
	conn := w.connect(w.config(asShop))
	require.Equal(t, "postgres", asked(t, conn, "select current_user::text"))
	require.Equal(t, strings.TrimPrefix(w.direct.Path, "/"), asked(t, conn, "select current_database()::text"))
}

func TestAProjectIsFoundByTheOptionsWhichKeepTheirRest(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, options := range []string{
		"reference=" + string(shop), "-c statement_timeout=7777 -c reference=" + string(shop), "--reference=" + string(shop) + " --statement_timeout=7777",
		"reference=" + string(shop) + " -cstatement_timeout=7777", "-creference=" + string(shop),
	} {
		config := w.config("postgres")
		config.RuntimeParams["options"] = options
		got := asked(t, w.connect(config), "select current_setting('statement_timeout')")
		require.Equal(t, strings.Contains(options, "7777"), got == "7777ms", options)
	}
}

func secured(config *pgx.ConnConfig, host string) *pgx.ConnConfig {
	config.TLSConfig = &tls.Config{InsecureSkipVerify: true, ServerName: host}
	return config
}

func TestAProjectIsFoundByTheHostOfTLS(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, negotiation := range []string{"postgres", "direct"} {
		config := secured(w.config("postgres"), "db."+string(shop)+".localhost")
		if negotiation == "direct" {
			config.SSLNegotiation = negotiation
			config.TLSConfig.NextProtos = []string{"postgresql"}
		}
		require.Equal(t, "postgres", asked(t, w.connect(config), "select current_user::text"), negotiation)
	}
}

func TestTLSIsOfToday(t *testing.T) {
	t.Parallel()
	w := bare(t)
	config := secured(w.config(asShop), "")
	config.TLSConfig.MinVersion, config.TLSConfig.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, err := pgx.ConnectConfig(t.Context(), config)
	require.ErrorContains(t, err, "protocol version")
}

// TestTLSAtOnceIsForPostgresAlone: a page that a browser was led to by another name must not be able to speak here.
func TestTLSAtOnceIsForPostgresAlone(t *testing.T) {
	t.Parallel()
	w := bare(t)
	conn, err := tls.Dial("tcp", w.address, &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		defer func() { _ = conn.Close() }()
		_, err = conn.Read(make([]byte, 1))
	}
	require.Error(t, err)
}

func TestPsqlGetsThrough(t *testing.T) {
	t.Parallel()
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	w := setup(t)
	host, port, err := net.SplitHostPort(w.address)
	require.NoError(t, err)
	password, _ := w.direct.User.Password()
	for name, how := range map[string]string{
		"by the user, and no database": "user=" + asShop + " sslmode=prefer",
		"by the host":                  "user=postgres dbname=postgres sslmode=require host=db." + string(shop) + ".localhost hostaddr=" + host,
		"in plain text":                "user=" + asShop + " dbname=postgres sslmode=disable",
		"by the options":               "user=postgres dbname=postgres options=reference=" + string(shop),
	} {
		if !strings.Contains(how, "host=") {
			how += " host=" + host
		}
		command := exec.CommandContext(t.Context(), psql, how+" port="+port, "-XAtc", "select 'as ' || current_user || ' in ' || current_database()")
		command.Env = []string{"PGPASSWORD=" + password}
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, output)
		require.Equal(t, "as postgres in postgres\n", string(output), name)
	}
}

func TestEveryRefusalSaysWhyInPostgresWords(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		refusal       dataplane.Refusal
		code, message string
		hint          bool
	}{
		"nobody":     {dataplane.Refusal{Code: "project_not_found"}, "XX000", "Tenant or user not found", true},
		"not named":  {dataplane.Refusal{Code: "project_not_named"}, "XX000", "Tenant or user not found", true},
		"two":        {dataplane.Refusal{Code: "project_ambiguous", Message: "Two."}, "28000", "Two.", true},
		"restricted": {dataplane.Refusal{Code: "network_restricted", Message: "No."}, "28000", "Address not in tenant allow_list: No.", false},
		"banned":     {dataplane.Refusal{Code: "network_banned", Message: "No."}, "28000", "Address not in tenant allow_list: No.", false},
		"paused":     {dataplane.Refusal{Code: "unavailable", Message: "The project is paused."}, "57P03", "The project is paused.", false},
		"adopted":    {dataplane.Refusal{Code: "database_not_found", Message: "Elsewhere."}, "57P03", "Elsewhere.", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := bare(t)
			w.decide(func(dataplane.Naming, netip.Addr) (dataplane.Database, *dataplane.Refusal) {
				return dataplane.Database{}, &one.refusal
			})
			for _, config := range []*pgx.ConnConfig{w.config(asShop), secured(w.config(asShop), "localhost")} {
				refusal := w.refused(config)
				require.Equal(t, one.code, refusal.Code)
				require.Equal(t, one.message, refusal.Message)
				require.Equal(t, one.hint, refusal.Hint != "", refusal.Hint)
			}
		})
	}
}

func TestWhatNamesAProjectIsPassedOnAsItWasSent(t *testing.T) {
	t.Parallel()
	w := bare(t)
	var named dataplane.Naming
	var address netip.Addr
	w.decide(func(n dataplane.Naming, client netip.Addr) (dataplane.Database, *dataplane.Refusal) {
		named, address = n, client
		return dataplane.Database{}, &dataplane.Refusal{Code: "project_ambiguous"}
	})
	config := secured(w.config(asShop), "db.x.localhost")
	config.RuntimeParams["options"] = "reference=" + string(blog)
	_ = w.refused(config)
	require.Equal(t, dataplane.Naming{Host: "db.x.localhost", Refs: []store.Ref{shop, blog}}, named)
	require.Equal(t, netip.MustParseAddr("127.0.0.1"), address)
}

func TestAWrongPasswordIsTheDatabasesToRefuse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	config := w.config(asShop)
	config.Password = "wrong"
	require.Equal(t, "28P01", w.refused(config).Code)
}

func TestAUserMayHaveADotInTheName(t *testing.T) {
	t.Parallel()
	w := setup(t)
	config := secured(w.config("ada.lovelace"), "db."+string(shop)+".localhost")
	require.Contains(t, w.refused(config).Message, `"ada.lovelace"`)
}

func TestADatabaseThatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	w := bare(t)
	refusal := w.refused(w.config(asShop))
	require.Equal(t, "57P03", refusal.Code)
	require.Equal(t, "The project's database cannot be reached.", refusal.Message)
	require.Contains(t, w.log.String(), string(shop))
}

func TestPlainTextIsRefusedWhereTLSIsRequired(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *pgproxy.Settings) { s.RequireTLS = true })
	refusal := w.refused(w.config(asShop))
	require.Equal(t, "28000", refusal.Code)
	require.Equal(t, "SSL connection is required", refusal.Message)
	w.connect(secured(w.config(asShop), ""))
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *pgproxy.Settings) { s.Connections, s.ProjectConnections = 3, 2 })
	first := w.connect(w.config(asShop))
	w.connect(w.config(asShop))
	refusal := w.refused(w.config(asShop))
	require.Equal(t, "53300", refusal.Code)
	require.Contains(t, refusal.Message, "this project")
	w.decide(func(dataplane.Naming, netip.Addr) (dataplane.Database, *dataplane.Refusal) {
		other := w.shop()
		other.Ref = blog
		return other, nil
	})
	w.connect(w.config(asShop))
	refusal = w.refused(w.config(asShop))
	require.Equal(t, "53300", refusal.Code)
	require.Contains(t, refusal.Message, "the gateway")
	require.NoError(t, first.Close(t.Context()))
	require.Eventually(t, func() bool { // the place is free once both sides have closed
		conn, err := pgx.ConnectConfig(t.Context(), w.config(asShop))
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err == nil
	}, 5*time.Second, 10*time.Millisecond)
}

func TestAQueryIsCancelledThroughTheProxy(t *testing.T) {
	t.Parallel()
	w := setup(t)
	conn := w.connect(w.config(asShop))
	answer := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "/* to be cancelled */ select pg_sleep(60)")
		answer <- err
	}()
	watcher, err := pgx.Connect(t.Context(), w.direct.String())
	require.NoError(t, err)
	defer func() { _ = watcher.Close(context.Background()) }()
	require.Eventually(t, func() bool {
		return asked(t, watcher, `select exists(select from pg_stat_activity where query like '/* to be%' and datname = current_database())::text`) == "true"
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, conn.PgConn().CancelRequest(t.Context()))
	var cancelled *pgconn.PgError
	require.ErrorAs(t, <-answer, &cancelled)
	require.Equal(t, "57014", cancelled.Code)
	require.Equal(t, "1", asked(t, conn, "select '1'"), "the connection goes on")
}

func TestACancellationOfNobodysIsAnsweredByNothing(t *testing.T) {
	t.Parallel()
	w := bare(t)
	request, err := (&pgproto3.CancelRequest{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}}).Encode(nil)
	require.NoError(t, err)
	require.Empty(t, w.say(request))
}

// say sends bytes, and returns what comes back until the end.
func (w *world) say(sent []byte) []byte {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.address)
	require.NoError(w.t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(w.t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write(sent)
	require.NoError(w.t, err)
	answer, err := io.ReadAll(conn)
	if err != nil { // bytes that nobody read reset a connection
		require.ErrorContains(w.t, err, "reset")
	}
	return answer
}

func packet(code uint32, rest string) []byte {
	sent := binary.BigEndian.AppendUint32(nil, uint32(8+len(rest)))
	return append(binary.BigEndian.AppendUint32(sent, code), rest...)
}

func TestWhatIsNoPostgresIsClosed(t *testing.T) {
	t.Parallel()
	w := bare(t)
	for name, sent := range map[string]string{
		"a page":             "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"too short":          "\x00\x00\x00\x04",
		"too much":           "\x00\x00\x27\x11" + strings.Repeat("x", 20_000),
		"an old version":     string(packet(2<<16, "postgres\x00")),
		"no end":             string(packet(3<<16, "user\x00postgres."+string(shop))),
		"a cancel of no key": string(packet(80877102, "")),
		"TLS that is none":   "\x16\x03\x01\x00\x05hello",
	} {
		answer := w.say([]byte(sent))
		if name == "TLS that is none" {
			require.NotEmpty(t, answer, "an alert")
			continue
		}
		require.Empty(t, answer, name)
	}
	require.Equal(t, "NN", string(w.say(bytes.Repeat(packet(80877104, ""), 3))[:2]), "asked for GSSAPI again and again")
}

// TestWhatFollowsTheRequestForTLSIsNoPartOfIt: what somebody between the two has put there must not be taken for the client's.
func TestWhatFollowsTheRequestForTLSIsNoPartOfIt(t *testing.T) {
	t.Parallel()
	w := bare(t)
	start, err := (&pgproto3.StartupMessage{ProtocolVersion: 3 << 16, Parameters: map[string]string{"user": asShop}}).Encode(nil)
	require.NoError(t, err)
	answer := w.say(append(packet(80877103, ""), start...))
	require.Equal(t, byte('S'), answer[0])
	require.NotContains(t, string(answer), "SCRAM")
}

func TestAClientThatSaysNothingIsCutOff(t *testing.T) {
	t.Parallel()
	w := bare(t, func(p *pgproxy.Proxy) { p.Hurry(100 * time.Millisecond) })
	for name, sent := range map[string][]byte{
		"half a length": {0, 0}, "half a packet": packet(3<<16, "user\x00")[:10], "half of TLS": append(packet(80877103, ""), 0x16, 3, 1),
	} {
		require.LessOrEqual(t, len(w.say(sent)), 1, name)
	}
}

func TestWhoSaysNothingKeepsNobodyOutThatIsOpen(t *testing.T) {
	t.Parallel()
	w := arrange(t)
	w.begin(func(p *pgproxy.Proxy) { p.Hurry(time.Minute) }) // on a busy machine all of them take longer than they may otherwise
	open := w.connect(w.config(asShop))
	for range pgproxy.MaxOpening + 20 { // in whichever order they are taken, all places are
		conn, err := net.Dial("tcp", w.address)
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
	}
	require.Eventually(t, func() bool {
		conn, err := pgx.ConnectConfig(t.Context(), w.config(asShop))
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err != nil
	}, 30*time.Second, time.Millisecond)
	require.Equal(t, "1", asked(t, open, "select '1'"))
}

func TestALotGoesThroughBothWays(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, config := range []*pgx.ConnConfig{w.config(asShop), secured(w.config(asShop), "")} {
		conn := w.connect(config)
		_, err := conn.Exec(t.Context(), "create table if not exists lines (line text)")
		require.NoError(t, err)
		text := strings.Repeat(strings.Repeat("x", 999)+"\n", 5_000)
		_, err = conn.PgConn().CopyFrom(t.Context(), strings.NewReader(text), "copy lines from stdin")
		require.NoError(t, err)
		var back bytes.Buffer
		_, err = conn.PgConn().CopyTo(t.Context(), &back, "copy lines to stdout")
		require.NoError(t, err)
		require.Equal(t, len(text), back.Len())
		_, err = conn.Exec(t.Context(), "drop table lines")
		require.NoError(t, err)
	}
}

// TestWhoHasSaidAllStillHears: libpq's clients do not, but others end their side before they have read everything.
func TestWhoHasSaidAllStillHears(t *testing.T) {
	t.Parallel()
	w := setup(t)
	conn := w.connect(w.config(asShop))
	hijacked, err := conn.PgConn().Hijack()
	require.NoError(t, err)
	query, err := (&pgproto3.Query{String: "select pg_sleep(0.2), repeat('y', 100000)"}).Encode(nil)
	require.NoError(t, err)
	_, err = hijacked.Conn.Write(query)
	require.NoError(t, err)
	require.NoError(t, hijacked.Conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(hijacked.Conn)
	require.NoError(t, err)
	require.Greater(t, bytes.Count(answer, []byte("y")), 99_999)
}

func TestAConnectionEndsWithItsDatabase(t *testing.T) {
	t.Parallel()
	w := setup(t)
	conn := w.connect(w.config(asShop))
	var pid uint32
	require.NoError(t, conn.QueryRow(t.Context(), "select pg_backend_pid()").Scan(&pid))
	watcher, err := pgx.Connect(t.Context(), w.direct.String())
	require.NoError(t, err)
	defer func() { _ = watcher.Close(context.Background()) }()
	require.Equal(t, "true", asked(t, watcher, fmt.Sprintf("select pg_terminate_backend(%d)::text", pid)))
	_, err = conn.Exec(t.Context(), "select 1")
	var ended *pgconn.PgError
	require.ErrorAs(t, err, &ended)
	require.Equal(t, "57P01", ended.Code)
}

func TestTheEndOfTheProcessLetsConnectionsFinish(t *testing.T) {
	t.Parallel()
	w := setup(t)
	conn := w.connect(w.config(asShop))
	w.end()
	require.Eventually(t, func() bool {
		refused, err := net.Dial("tcp", w.address)
		if err == nil {
			_ = refused.Close()
		}
		return err != nil
	}, 5*time.Second, 5*time.Millisecond, "nobody new is taken")
	require.Equal(t, "1", asked(t, conn, "select '1'"))
	require.NoError(t, conn.Close(t.Context()))
	<-w.ended
}

// TestTheNextProcessTakesThePortWhileThisOneStillHasIt, as it is when Kong reloads.
func TestTheNextProcessTakesThePortWhileThisOneStillHasIt(t *testing.T) {
	t.Parallel()
	before, after := setup(t), setup(t)
	held := before.connect(before.config(asShop))
	listener, err := pgproxy.Listen(t.Context(), before.address)
	require.NoError(t, err)
	after.address = before.address
	after.serve(listener)
	before.end()
	require.Eventually(t, func() bool { // once the first has stopped, everybody gets to the second
		conn, err := pgx.ConnectConfig(t.Context(), after.config(asShop))
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close(t.Context()) }()
		return asked(t, conn, "select current_database()::text") == strings.TrimPrefix(after.direct.Path, "/")
	}, 5*time.Second, 5*time.Millisecond)
	require.Equal(t, "1", asked(t, held, "select '1'"))
	require.NoError(t, held.Close(t.Context()))
}

func TestAPortThatIsTakenIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.proxy.Run(ctx, taken.Addr().String())
	}()
	defer func() { cancel(); <-ended }()
	require.Eventually(t, func() bool { return strings.Contains(w.log.String(), "is not open") }, 5*time.Second, time.Millisecond)
	require.NoError(t, taken.Close())
	w.address = taken.Addr().String()
	require.Eventually(t, func() bool { return strings.Contains(w.log.String(), "is open") }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, w.connect(w.config(asShop)).Close(t.Context()))
}

// BenchmarkBytes is what a large answer takes through the proxy and past it.
func BenchmarkBytes(b *testing.B) {
	w := setup(b)
	direct, err := pgx.ParseConfig(w.direct.String())
	require.NoError(b, err)
	for name, config := range map[string]*pgx.ConnConfig{
		"direct": direct, "through": w.config(asShop), "through TLS": secured(w.config(asShop), ""),
	} {
		b.Run(name, func(b *testing.B) {
			const rows, wide = 20_000, 1_000
			conn := w.connect(config)
			b.SetBytes(rows * wide)
			for b.Loop() {
				_, err := conn.PgConn().CopyTo(b.Context(), io.Discard, "copy (select repeat('x', "+strconv.Itoa(wide)+") from generate_series(1, "+strconv.Itoa(rows)+")) to stdout")
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkQuery is one small question.
func BenchmarkQuery(b *testing.B) {
	w := setup(b)
	direct, err := pgx.ParseConfig(w.direct.String())
	require.NoError(b, err)
	for name, config := range map[string]*pgx.ConnConfig{"direct": direct, "through": w.config(asShop), "through TLS": secured(w.config(asShop), "")} {
		b.Run(name, func(b *testing.B) {
			conn := w.connect(config)
			for b.Loop() {
				_, err := conn.Exec(b.Context(), "select 1")
				require.NoError(b, err)
			}
		})
	}
}
