package store_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/storetest"
)

func TestTheProjectThatWasNotMeasuredForTheLongestTimeIsDue(t *testing.T) {
	t.Parallel()
	s, url := storetest.NewWithURL(t)
	profile, organization := member(t, s, ada, "ada@example.com")
	first, err := s.CreateProject(t.Context(), actor(profile, "1"), newProject(organization))
	require.NoError(t, err)
	second, err := s.CreateProject(t.Context(), actor(profile, "2"), newProject(organization))
	require.NoError(t, err)
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close(t.Context()) })
	exec := func(sql string) {
		_, err := connection.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	_, err = s.ProjectToMeasure(t.Context(), first.Target, time.Minute)
	require.ErrorIs(t, err, store.ErrNotFound, "neither runs")
	exec(`update platform.projects set status = 'ACTIVE_HEALTHY'`)
	bytes := int64(7)
	for _, want := range []store.Ref{first.Ref, second.Ref} {
		due, err := s.ProjectToMeasure(t.Context(), first.Target, time.Minute)
		require.NoError(t, err)
		require.Equal(t, want, due.Ref)
		require.NotEmpty(t, due.ReadOnlyPassword)
		require.NoError(t, s.NoteMeasure(t.Context(), due.Project, store.Measure{DatabaseBytes: &bytes}))
	}
	_, err = s.ProjectToMeasure(t.Context(), first.Target, time.Minute)
	require.ErrorIs(t, err, store.ErrNotFound, "both were measured just now")
	_, err = s.ProjectToMeasure(t.Context(), "elsewhere", time.Minute)
	require.ErrorIs(t, err, store.ErrNotFound)

	require.NoError(t, s.NoteMeasure(t.Context(), first.Project, store.Measure{StorageBytes: &bytes}))
	last, err := s.LastMeasures(t.Context(), []int64{first.ID}, storetest.Now.Add(-time.Hour))
	require.NoError(t, err)
	require.Equal(t, &bytes, last[first.ID][0].DatabaseBytes, "what was measured earlier in the hour stays")
	require.Equal(t, &bytes, last[first.ID][0].StorageBytes)

	require.NoError(t, s.ForgetMeasures(t.Context(), time.Hour))
	exec(`update platform.project_measures set hour = hour - interval '2 hours'`)
	require.NoError(t, s.ForgetMeasures(t.Context(), time.Hour))
	all, err := s.ProjectsMeasures(t.Context(), []int64{first.ID, second.ID}, storetest.Now.Add(-24*time.Hour), storetest.Now.Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, all)
	require.NoError(t, s.NoteMeasure(t.Context(), store.Project{ProjectSummary: store.ProjectSummary{ID: 9999}}, store.Measure{}), "it was deleted in the meantime")
}
