package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestTheLifecycleAllowsWhatItsTableSays(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "create"), newProject(organization))
	require.NoError(t, err)
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(t.Context()) })

	refused := store.Status("")
	rows := map[store.Status]map[store.OperationKind]store.Status{
		"COMING_UP":        {"pause": refused, "restore": refused, "restart": refused},
		"ACTIVE_HEALTHY":   {"pause": "PAUSING", "restore": refused, "restart": "RESTARTING"},
		"ACTIVE_UNHEALTHY": {"pause": "PAUSING", "restore": refused, "restart": "RESTARTING"},
		"INIT_FAILED":      {"pause": refused, "restore": "COMING_UP", "restart": refused},
		"PAUSING":          {"pause": refused, "restore": refused, "restart": refused},
		"INACTIVE":         {"pause": refused, "restore": "RESTORING", "restart": refused},
		"PAUSE_FAILED":     {"pause": refused, "restore": "RESTORING", "restart": refused},
		"RESTORING":        {"pause": refused, "restore": refused, "restart": refused},
		"RESTORE_FAILED":   {"pause": refused, "restore": "RESTORING", "restart": refused},
		"RESTARTING":       {"pause": refused, "restore": refused, "restart": refused},
		"GOING_DOWN":       {"pause": refused, "restore": refused, "restart": refused},
	}
	for from, columns := range rows {
		columns["delete"] = "GOING_DOWN"
		for kind, want := range columns {
			_, err := connection.Exec(t.Context(), `update platform.projects set desired = 'active', status = $1`, from)
			require.NoError(t, err)
			got, err := s.ChangeProject(t.Context(), actor(profile, string(from)+string(kind)), project.Ref, kind)
			if want == refused {
				var conflict *store.ConflictError
				require.ErrorAs(t, err, &conflict, "%s from %s", kind, from)
				continue
			}
			require.NoError(t, err, "%s from %s", kind, from)
			require.Equal(t, want, got.Status, "%s from %s", kind, from)
		}
	}
}

func TestAChangeRaisesTheGenerationAndNotesAnOperation(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	require.Equal(t, int64(1), project.Generation)
	deleted, err := s.ChangeProject(t.Context(), actor(profile, "2"), project.Ref, store.OperationDelete)
	require.NoError(t, err)
	require.Equal(t, int64(2), deleted.Generation)
	again, err := s.ChangeProject(t.Context(), actor(profile, "3"), project.Ref, store.OperationDelete)
	require.NoError(t, err)
	require.Equal(t, deleted, again, "a second delete is answered as the first")

	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(t.Context()) })
	rows, err := connection.Query(t.Context(), `select kind || ' ' || generation from platform.operations order by id`)
	require.NoError(t, err)
	operations, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{"create 1", "delete 2"}, operations)
}
