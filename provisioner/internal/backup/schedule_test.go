package backup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

func TestASchedulesTextIsUnderstoodOrRefused(t *testing.T) {
	t.Parallel()
	for text, runs := range map[string]bool{"": false, "off": false, "@daily": true, "0 3 * * *": true, "12h": true} {
		var schedule Schedule
		require.NoError(t, schedule.UnmarshalText([]byte(text)), text)
		require.Equal(t, runs, schedule.next != nil, text)
	}
	for _, text := range []string{"30s", "0s", "-5m", "daily", "0 3 * *", "61 3 * * *"} {
		require.Error(t, new(Schedule).UnmarshalText([]byte(text)), text)
	}
}

func TestABackupIsDue(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before := func(ago time.Duration) *time.Time {
		at := noon.Add(-ago)
		return &at
	}
	const jitter = 30 * time.Minute
	late := share(ref, jitter)
	require.Less(t, late, jitter)
	for name, one := range map[string]struct {
		schedule string
		jitter   time.Duration
		at       store.BackupCandidate
		due      bool
	}{
		"never where there is no schedule":         {"off", 0, store.BackupCandidate{CreatedAt: *before(time.Hour * 1000)}, false},
		"a new project's not at once":              {"24h", 0, store.BackupCandidate{CreatedAt: *before(time.Hour)}, false},
		"a day after the project was made":         {"24h", 0, store.BackupCandidate{CreatedAt: *before(25 * time.Hour)}, true},
		"not again the same day":                   {"@daily", 0, store.BackupCandidate{LastGood: before(time.Hour), LastTry: before(time.Hour)}, false},
		"on the next day":                          {"@daily", 0, store.BackupCandidate{LastGood: before(13 * time.Hour), LastTry: before(13 * time.Hour)}, true},
		"not soon after a failure":                 {"@daily", 0, store.BackupCandidate{LastGood: before(40 * time.Hour), LastTry: before(59 * time.Minute)}, false},
		"an hour after a failure":                  {"@daily", 0, store.BackupCandidate{LastGood: before(40 * time.Hour), LastTry: before(time.Hour)}, true},
		"before the project's share of the jitter": {"1h", jitter, store.BackupCandidate{LastGood: before(time.Hour + late - time.Second)}, false},
		"after the project's share of the jitter":  {"1h", jitter, store.BackupCandidate{LastGood: before(time.Hour + late)}, true},
	} {
		var schedule Schedule
		require.NoError(t, schedule.UnmarshalText([]byte(one.schedule)))
		one.at.Ref = ref
		require.Equal(t, one.due, schedule.due(one.at, one.jitter, noon), name)
	}
}
