package store_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestConfigurationIsPatchedAndSealed(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	project, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	run(t, url, `update platform.projects set status = 'ACTIVE_HEALTHY'`)

	_, err = s.UpdateProjectConfig(t.Context(), actor(profile, "2"), project.Ref, store.ConfigAuth,
		store.SectionConfig{"SITE_URL": "https://example.com", "SMTP_PASS": "correct horse"})
	require.NoError(t, err)
	now, err := s.UpdateProjectConfig(t.Context(), actor(profile, "3"), project.Ref, store.ConfigAuth,
		store.SectionConfig{"SITE_URL": nil, "JWT_EXP": 60})
	require.NoError(t, err)
	require.Equal(t, store.SectionConfig{"SMTP_PASS": "correct horse", "JWT_EXP": 60}, now)

	config, err := s.ProjectConfig(t.Context(), project.ID, project.Ref)
	require.NoError(t, err)
	require.Equal(t, map[store.ConfigSection]store.SectionConfig{
		store.ConfigAuth: {"SMTP_PASS": "correct horse", "JWT_EXP": 60.0},
	}, config)
	require.NotContains(t, fmt.Sprintf("%v %#v", config, config), "correct horse")
	require.NotContains(t, run(t, url, `select sealed::text from platform.project_config`), "correct horse")
	now, err = s.ReplaceProjectConfig(t.Context(), actor(profile, "4"), project.Ref, store.ConfigAuth, store.SectionConfig{"JWT_EXP": 90})
	require.NoError(t, err)
	require.Equal(t, store.SectionConfig{"JWT_EXP": 90}, now, "what is not named is not set any more")
	require.Equal(t, `["JWT_EXP", "SMTP_PASS"]`, run(t, url, `select details -> 'settings' from platform.audit_log order by id desc limit 1`))
	require.Equal(t, "create configure configure configure", run(t, url, `select string_agg(kind, ' ' order by id) from platform.operations`))
}

func TestConfigurationIsTakenUpByWhatRunsAndKeptForWhatWillRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status     store.Status
		operations string
		refused    bool
	}{
		{status: store.StatusActiveHealthy, operations: "2"},
		{status: store.StatusActiveUnhealthy, operations: "2"},
		{status: store.StatusInactive, operations: "1"},
		{status: store.StatusRestoreFailed, operations: "1"},
		{status: store.StatusComingUp, operations: "1", refused: true},
		{status: store.StatusGoingDown, operations: "1", refused: true},
	}
	for _, test := range tests {
		t.Run(string(test.status), func(t *testing.T) {
			t.Parallel()
			s, url := storetest.NewWithURL(t)
			profile, organization := member(t, s, ada, "ada@example.com")
			project, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
			require.NoError(t, err)
			run(t, url, `update platform.projects set status = $1`, test.status)

			_, err = s.UpdateProjectConfig(t.Context(), actor(profile, "2"), project.Ref, store.ConfigPostgrest, store.SectionConfig{"max_rows": 5})
			var conflict *store.ConflictError
			if test.refused {
				require.ErrorAs(t, err, &conflict)
			} else {
				require.NoError(t, err)
			}
			config, err := s.ProjectConfig(t.Context(), project.ID, project.Ref, store.ConfigPostgrest)
			require.NoError(t, err)
			require.Equal(t, test.refused, config[store.ConfigPostgrest] == nil)
			require.Equal(t, test.operations, run(t, url, `select count(*)::text from platform.operations`))
			require.Equal(t, string(test.status), run(t, url, `select status from platform.projects`))
		})
	}
}

// run runs one statement and returns the first column of its first row, empty where there is none.
func run(t *testing.T, url, statement string, arguments ...any) string {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, connection.Close(t.Context())) }()
	var text string
	rows, err := connection.Query(t.Context(), statement, arguments...)
	require.NoError(t, err)
	if rows.Next() {
		require.NoError(t, rows.Scan(&text))
	}
	rows.Close()
	require.NoError(t, rows.Err())
	return text
}
