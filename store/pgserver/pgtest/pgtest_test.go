package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/plurabase/plurabase/store/pgserver/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.WithServer(m)) }

func TestEveryTestHasADatabaseOfItsOwnWithTheNewestSchema(t *testing.T) {
	t.Parallel()
	for range 4 {
		t.Run("one of them", func(t *testing.T) {
			t.Parallel()
			conn := connect(t, pgtest.URL(t))
			_, err := conn.Exec(t.Context(), "create table platform.only_mine ()")
			require.NoError(t, err)
			var projects int
			require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from platform.projects").Scan(&projects))
			require.Zero(t, projects)
		})
	}
}

func TestAnEmptyDatabaseHasNoSchemaOfOurs(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.Empty(t))
	var exists bool
	require.NoError(t, conn.QueryRow(t.Context(), "select to_regnamespace('platform') is not null").Scan(&exists))
	require.False(t, exists)
}

func TestADatabaseGoesWithItsTestEvenWhenSomebodyIsStillConnected(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("leaves a connection open", func(t *testing.T) {
		url = pgtest.Empty(t)
		connect(t, url)
	})
	_, err := pgx.Connect(t.Context(), url)
	require.ErrorContains(t, err, "does not exist")
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	return conn
}
