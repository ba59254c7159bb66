package api

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store/pgserver"
)

// realDatabase gives every project that the world makes from now on a real Postgres: one for all of them, which lets the
// roles `postgres` and `supabase_read_only_user` in by any password.
func (w *world) realDatabase() {
	w.t.Helper()
	dir := w.t.TempDir()
	server, err := pgserver.Start(w.t.Context(), pgserver.Options{Dir: dir, Throwaway: true})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, server.Stop()) })
	connection, err := pgx.Connect(w.t.Context(), server.URL())
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, connection.Close(w.t.Context())) }()
	_, err = connection.Exec(w.t.Context(), `
		create role supabase_read_only_user login bypassrls;
		grant pg_read_all_data to supabase_read_only_user;
		alter role supabase_read_only_user set default_transaction_read_only = on;
		create role supabase_admin superuser login;
		create role anon nologin;
		create role authenticated nologin;
		create role service_role nologin bypassrls;`)
	require.NoError(w.t, err)
	require.NoError(w.t, os.WriteFile(filepath.Join(dir, "data", "pg_hba.conf"), []byte("host all all 127.0.0.1/32 trust\n"), 0o600))
	_, err = connection.Exec(w.t.Context(), `select pg_reload_conf()`)
	require.NoError(w.t, err)
	address, err := url.Parse(server.URL())
	require.NoError(w.t, err)
	w.databasePort, err = strconv.Atoi(address.Port())
	require.NoError(w.t, err)
	address.User = url.User("supabase_read_only_user")
	require.Eventually(w.t, func() bool { // the server reads its settings again in its own time
		trusted, err := pgx.Connect(w.t.Context(), address.String())
		return err == nil && trusted.Close(w.t.Context()) == nil
	}, time.Minute, 10*time.Millisecond)
}
