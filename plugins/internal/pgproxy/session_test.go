package pgproxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/pgproxy"
)

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
	}, 30*time.Second, 5*time.Millisecond, "nobody new is taken")
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
	}, 30*time.Second, 5*time.Millisecond)
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
	require.Eventually(t, func() bool { return strings.Contains(w.log.String(), "is not open") }, 30*time.Second, time.Millisecond)
	require.NoError(t, taken.Close())
	w.address = taken.Addr().String()
	require.Eventually(t, func() bool { return strings.Contains(w.log.String(), "is open") }, time.Minute, 5*time.Millisecond)
	require.NoError(t, w.connect(w.config(asShop)).Close(t.Context()))
}
