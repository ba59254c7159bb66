package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/accounts"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.WithServer(m).Run()) }

func TestAFirstStartWithoutAnAddressLeavesTheFirstSignUpToStudio(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	require.NoError(t, firstStartSettings{}.firstStart(t.Context(), &told))
	require.Contains(t, told.String(), "whoever signs up")
}

func TestAFirstStartSaysWhatItMadeAndWhatItMisses(t *testing.T) {
	t.Parallel()
	known := ""
	goTrue := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // stands in for GoTrue's admin API
		answer := `{"id":"11111111-2222-4333-8444-555555555555"}`
		if r.Method == http.MethodGet {
			answer = `{"users":[` + known + `]}`
		} else {
			known = `{"id":"11111111-2222-4333-8444-555555555555","email":"ada@plurabase.test"}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(goTrue.Close)
	settings := firstStartSettings{
		Settings: store.Settings{DatabaseURL: pgtest.URL(t), MasterKey: storetest.MasterKey(t)},
		GoTrue:   accounts.GoTrue{URL: goTrue.URL, JWTSecret: "a secret of thirty-two characters"},
		Email:    "ada@plurabase.test", Organization: "Main",
	}
	var told bytes.Buffer
	require.ErrorContains(t, settings.firstStart(t.Context(), &told), "PLURABASE_ADMIN_PASSWORD is empty")
	settings.Password = "correct horse"
	for range 3 {
		require.NoError(t, settings.firstStart(t.Context(), &told))
	}
	require.Equal(t, "Made the organization \"Main\" of ada@plurabase.test.\n", told.String())
}

// The roles are the whole server's, so that nothing else may prepare a database of it at the same time.
func TestAnEmptyDatabaseIsPreparedAgainAndAgain(t *testing.T) {
	admin := pgtest.URL(t)
	conn, err := pgx.Connect(t.Context(), admin)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	_, err = conn.Exec(t.Context(), "drop schema platform cascade") // pgtest's databases have it
	require.NoError(t, err)

	for _, password := range []string{"it's", `a "new" \one%`} {
		settings := prepareSettings{AdminURL: admin, PlatformPassword: password, AuthPassword: password}
		settings.DatabaseURL = as(t, admin, platformRole, password)
		require.NoError(t, settings.prepare(t.Context()))
		asAuth, err := pgx.Connect(t.Context(), as(t, admin, authRole, password))
		require.NoError(t, err)
		_, err = asAuth.Exec(t.Context(), "create table if not exists users ()") // as GoTrue's migrations do
		require.NoError(t, err)
		_, err = asAuth.Exec(t.Context(), "select from platform.projects")
		require.ErrorContains(t, err, "permission denied", "GoTrue's role sees nothing of the platform")
		require.NoError(t, asAuth.Close(t.Context()))
	}
	var where string
	require.NoError(t, conn.QueryRow(t.Context(), "select schemaname from pg_tables where tablename = 'users'").Scan(&where))
	require.Equal(t, "auth", where)
}

// as is the URL of another role. Where the test's server asks for no password, a wrong one would do as well: that passwords are
// quoted is what counts here.
func as(t *testing.T, admin, role, password string) string {
	t.Helper()
	parsed, err := url.Parse(admin)
	require.NoError(t, err)
	parsed.User = url.UserPassword(role, password)
	return parsed.String()
}
