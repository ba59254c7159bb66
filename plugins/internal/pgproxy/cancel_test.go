package pgproxy_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

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
	}, time.Minute, 10*time.Millisecond)
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
