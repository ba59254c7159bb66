package apply_test

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/plurabase/plurabase/migrations"
	"github.com/plurabase/plurabase/migrations/apply"
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
		group.Go(func() error { return apply.Up(t.Context(), url) })
	}
	require.NoError(t, group.Wait())
	require.Contains(t, tables(t, url), "projects")
}

func TestDownTakesEverythingBackAndUpBringsItAgain(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	require.NoError(t, apply.Up(t.Context(), url))
	first := tables(t, url)
	require.NoError(t, apply.Down(t.Context(), url))
	require.Equal(t, []string{"schema_migrations"}, tables(t, url))
	require.NoError(t, apply.Up(t.Context(), url))
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

// takesAway finds what a process of the version before could miss, or trip over, while it still runs on the new schema. A
// constraint may go where another takes its place.
var takesAway = regexp.MustCompile(`(?i)\b(drop\s+(table|column|schema|type)|rename\s+(to|column)|set\s+not\s+null|alter\s+column\s+\w+\s+(set\s+data\s+)?type)\b`)

// newColumn finds the columns that are added to a table that is there already.
var newColumn = regexp.MustCompile(`(?is)add\s+column\s+[^,;]+`)

// TestMigrationsLetTheProcessesBeforeThemGoOn looks at every migration since the first release's: plugins and provisioners of the
// version before run on while the schema is brought up to date, and may run for long after it.
func TestMigrationsLetTheProcessesBeforeThemGoOn(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(migrations.Files, "*.up.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if file < "0014" {
			continue
		}
		content, err := migrations.Files.ReadFile(file)
		require.NoError(t, err)
		text := regexp.MustCompile(`--[^\n]*`).ReplaceAllString(string(content), "")
		require.Empty(t, takesAway.FindString(text), file)
		for _, column := range newColumn.FindAllString(text, -1) {
			lower := strings.ToLower(column)
			require.False(t, strings.Contains(lower, "not null") && !strings.Contains(lower, "default"),
				"%s: the version before inserts rows without it: %s", file, column)
		}
	}
}

func TestWhatTakesAwayIsFound(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"alter table a drop column b", "DROP TABLE a", "alter table a rename to b", "alter table a alter column b type text",
		"alter table a alter b set not null", "alter table a rename column b to c",
	} {
		require.NotEmpty(t, takesAway.FindString(text), text)
	}
	for _, text := range []string{"alter table a drop constraint b", "drop function f()", "drop index i"} {
		require.Empty(t, takesAway.FindString(text), text)
	}
}

func TestTheNewestMigrationIsWhatUpLeadsTo(t *testing.T) {
	t.Parallel()
	connection, err := pgx.Connect(t.Context(), pgtest.URL(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, connection.Close(t.Context())) }()
	var version uint
	require.NoError(t, connection.QueryRow(t.Context(), `select version from platform.schema_migrations`).Scan(&version))
	require.Equal(t, migrations.Newest(), version)
}
