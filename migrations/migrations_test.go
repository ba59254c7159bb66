package migrations_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/migrations"
	"github.com/plurabase/plurabase/store/pgserver/pgtest"
)

func TestMain(m *testing.M) {
	// golang-migrate leaves database/sql's opener to end a moment after Close.
	goleak.VerifyTestMain(pgtest.WithServer(m), goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

func TestProcessesThatStartAtOnceMigrateOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	var group errgroup.Group
	for range 8 {
		group.Go(func() error { return migrations.Up(t.Context(), url) })
	}
	require.NoError(t, group.Wait())
	require.Contains(t, tables(t, url), "projects")
}

func TestDownTakesEverythingBackAndUpBringsItAgain(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	require.NoError(t, migrations.Up(t.Context(), url))
	first := tables(t, url)
	require.NoError(t, migrations.Down(t.Context(), url))
	require.Equal(t, []string{"schema_migrations"}, tables(t, url))
	require.NoError(t, migrations.Up(t.Context(), url))
	require.Equal(t, first, tables(t, url))
}

func tables(t *testing.T, url string) []string {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, connection.Close(t.Context())) }()
	rows, err := connection.Query(t.Context(), `select table_name::text from information_schema.tables where table_schema = 'platform' order by 1`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return names
}
