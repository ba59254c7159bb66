package measure

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

const ref = "abcdefghijklmnopqrst"

// printed is what the command prints in a container of Debian's, where control groups are of the first version.
const printed = `-- database
15466346
-- connections
1
-- most connections
100
-- read-only
t
-- storage
42
-- findings
[{"Lint": "rls_disabled_in_public", "Schema": "public", "Object": "open", "Type": "table", "Key": "", "Detail": "It is open."}, {"Lint": "unheard_of"}]
-- disk
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/vda         264212084 48278324  47222940      51% /var/lib/postgresql/data
-- wal
16388	/var/lib/postgresql/data/15/pg_wal
-- memory
64000000
-- reclaimable
inactive_file 29892608
total_inactive_file 30000000
-- cpu
-- cpu in nanoseconds
3000000000
`

func TestWhatIsPrintedIsRead(t *testing.T) {
	t.Parallel()
	seen := read(printed)
	m := seen.measure
	require.Equal(t, []int64{15466346, 42, 1, 100, 16388 << 10, 264212084 << 10, 48278324 << 10, 47222940 << 10, 34000000}, []int64{
		*m.DatabaseBytes, *m.StorageBytes, *m.Connections, *m.MaxConnections, *m.WALBytes, *m.DiskBytes, *m.DiskUsedBytes, *m.DiskFreeBytes, *m.MemoryBytes,
	})
	require.True(t, *m.ReadOnly)
	require.False(t, *read("-- read-only\nf\n").measure.ReadOnly)
	require.Equal(t, 3*time.Second, *seen.cpu)
	require.Equal(t, 2*time.Second, *read("-- cpu\nusage_usec 2000000\n").cpu, "the second version")

	require.Equal(t, []store.Finding{{
		Key: "rls_disabled_in_public_public_open", Lint: "rls_disabled_in_public", Category: "SECURITY", Title: "Table without row level security",
		Detail: "It is open.", Metadata: projectdb.LintMetadata{Name: "open", Schema: "public", Type: "table"},
	}}, seen.findings)
	require.NotNil(t, read("-- findings\n[]\n").findings, "nothing was found")
	require.Nil(t, read("-- findings\n-- disk\n").findings, "it is not known")

	nothing := read("-- database\n-- disk\nFilesystem 1024-blocks\n-- memory\nmax\n-- storage\n-1\n")
	require.Equal(t, seenNothing(), nothing.measure)
	require.Nil(t, nothing.cpu)
}

func seenNothing() store.Measure { return store.Measure{} }

// world has one project, and notes what is measured of it.
type world struct {
	labels map[string]string
	prints string
	due    bool
	asked  []stack.Command
	noted  []store.Measure
	found  [][]store.Finding
}

func (w *world) ProjectToMeasure(context.Context, string, time.Duration) (store.DueProject, error) {
	if !w.due {
		return store.DueProject{}, store.ErrNotFound
	}
	return store.DueProject{Project: store.Project{ProjectSummary: store.ProjectSummary{Ref: ref, ComputeSize: "nano"}}, ReadOnlyPassword: "hush", ExposedSchemas: "public"}, nil
}

func (w *world) NoteFindings(_ context.Context, _ store.Project, found []store.Finding) error {
	w.found = append(w.found, found)
	return nil
}

func (w *world) NoteMeasure(_ context.Context, _ store.Project, measured store.Measure) error {
	w.noted = append(w.noted, measured)
	return nil
}

func (w *world) Container(context.Context, string) (engine.Container, error) {
	return engine.Container{Labels: w.labels, State: engine.StateRunning}, nil
}

func (w *world) Run(_ context.Context, _ string, command stack.Command) (string, error) {
	w.asked = append(w.asked, command)
	if w.prints == "" {
		return "", errors.New("no such container")
	}
	return w.prints, nil
}

func TestAProjectIsMeasuredInItsOwnContainerAlone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := &world{labels: stack.Labels("local", ref), prints: printed}
	watcher := Watcher{State: w, Engine: w, Target: "local", Every: time.Minute, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
	require.ErrorIs(t, watcher.measureNext(t.Context()), store.ErrNotFound, "none is due")

	w.due = true
	require.NoError(t, watcher.measureNext(t.Context()))
	require.Equal(t, int64(512<<20), *w.noted[0].MemoryLimitBytes)
	require.Nil(t, w.noted[0].CPUPercent, "there is nothing to compare with")
	require.Equal(t, "hush", w.asked[0].Env["PGPASSWORD"])
	require.Equal(t, "public", w.asked[0].Env["EXPOSED_SCHEMAS"])
	require.NotContains(t, w.asked[0].String(), "hush")
	require.Len(t, w.found, 1)

	now = now.Add(10 * time.Second)
	w.prints = "-- cpu\nusage_usec 8000000\n"
	require.NoError(t, watcher.measureNext(t.Context()))
	require.InDelta(t, 25, *w.noted[1].CPUPercent, 1e-9, "5 of the 20 seconds that two cores have")

	now = now.Add(10 * time.Second)
	w.prints = "-- cpu\nusage_usec 1000000\n"
	require.NoError(t, watcher.measureNext(t.Context()))
	require.Nil(t, w.noted[2].CPUPercent, "its container is a new one")

	w.prints = ""
	require.Error(t, watcher.measureNext(t.Context()))
	require.Equal(t, seenNothing(), w.noted[3], "the others have their turn")

	require.Len(t, w.found, 1, "what is not known is not noted: it would be as if all was mended")

	w.labels = stack.Labels("local", "zzzzzzzzzzzzzzzzzzzz")
	require.ErrorContains(t, watcher.measureNext(t.Context()), "is not the project's")
	require.Len(t, w.asked, 4, "somebody else's container is not told the password")
}
