package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

// episode is one operation of a project's life, and what the project is afterwards.
type episode struct {
	kind    store.OperationKind
	becomes store.Status // empty: it is gone
}

// life is what every project of this proof goes through.
var life = []episode{
	{store.OperationCreate, store.StatusActiveHealthy},
	{store.OperationBackup, store.StatusActiveHealthy},
	{store.OperationResize, store.StatusActiveHealthy},
	{store.OperationMigrate, store.StatusActiveHealthy},
	{store.OperationRestoreBackup, store.StatusActiveHealthy},
	{store.OperationUpgrade, store.StatusActiveHealthy},
	{store.OperationRestart, store.StatusActiveHealthy},
	{store.OperationPause, store.StatusInactive},
	{store.OperationRestore, store.StatusActiveHealthy},
	{store.OperationDelete, ""},
}

// survey is what one life without a kill has shown.
type survey struct {
	steps   map[store.OperationKind][]string // in the order in which they were first begun
	objects map[store.OperationKind][]string // what is on Docker afterwards, with REF for the project's ref
}

// stuckAfter is when an operation counts as stuck. On two busy cores several databases that come up at once take more than
// a minute each, and what is slow is not stuck.
const stuckAfter = 4 * time.Minute

// tally is what the proof counts.
type tally struct{ points, lost, orphans, duplicates, stuck atomic.Int64 }

// TestCrash kills the provisioner after each step of each operation, starts it again, and looks whether anything is lost
// or left. The steps are those that one undisturbed life has noted. `make proof-crash` walks all of them; otherwise it
// is the first and the last of each operation, and one between them.
func TestCrash(t *testing.T) {
	t.Parallel()
	known := undisturbed(crashing(t))
	count := &tally{}
	longest := 0
	for _, one := range life {
		require.NotEmpty(t, known.steps[one.kind], one.kind)
		longest = max(longest, len(known.steps[one.kind]))
	}
	t.Cleanup(func() {
		fmt.Printf("crash: %d operations, %d kill points, %d lost, %d orphans, %d duplicates, %d stuck\n", len(life),
			count.points.Load(), count.lost.Load(), count.orphans.Load(), count.duplicates.Load(), count.stuck.Load())
	})
	for number := range longest {
		points := known.points(number)
		if os.Getenv("PLURABASE_PROOF") != "all" && number != 0 && number != longest/2 {
			continue
		}
		t.Run(fmt.Sprintf("life %d", number), func(t *testing.T) {
			t.Parallel()
			disturbed(crashing(t), known, points, count)
		})
	}
}

// mortal is a platform whose provisioner dies, and whose target keeps backups.
type mortal struct {
	*bundle
	directory   string // of the backups
	environment []string
	working     *process
}

func crashing(t *testing.T) *mortal {
	t.Helper()
	m := &mortal{bundle: setup(t)}
	m.directory, m.environment = m.keepsBackups()
	return m
}

// begin starts a provisioner in the place of the one that works.
func (m *mortal) begin(crash string) {
	m.Helper()
	if m.working != nil {
		m.working.kill()
	}
	m.working = m.start(append(m.environment, "PLURABASE_POSTGRES_IMAGE="+m.image, crash)...)
}

// newer lets the target offer another image, which is the same one under another name.
func (m *mortal) newer(crash string) {
	m.Helper()
	next := m.image + "-next"
	require.NoError(m, m.docker.ImageTag(m.Context(), m.image, next))
	m.image = next
	m.begin(crash)
}

// undisturbed leads a life without a kill.
func undisturbed(b *mortal) survey {
	b.Helper()
	b.begin(crashAt(nil, nil))
	known := survey{steps: map[store.OperationKind][]string{}, objects: map[store.OperationKind][]string{}}
	var project store.Project
	for _, one := range life {
		if one.kind == store.OperationUpgrade {
			b.newer(crashAt(nil, nil))
		}
		project = b.ask(project, one.kind)
		b.awaitEnd(project, one)
		known.steps[one.kind] = scalar[[]string](b.bundle, `
			select array_agg(step order by first) from (
				select s.step, min(s.id) as first from platform.operation_steps s join platform.operations o on o.id = s.operation_id
				where o.kind = $1 group by s.step
			) steps`, one.kind)
		known.objects[one.kind] = b.anonymous(project)
	}
	return known
}

// points returns for each operation its step of that number; operations with fewer steps have none.
func (s survey) points(number int) map[store.OperationKind]string {
	points := map[store.OperationKind]string{}
	for kind, steps := range s.steps {
		if number < len(steps) {
			points[kind] = steps[number]
		}
	}
	return points
}

// disturbed leads a life in which the provisioner is killed once in each operation that has a point. Each provisioner
// carries the next point in it, finishes what the one before it left, and dies in its turn.
func disturbed(b *mortal, known survey, points map[store.OperationKind]string, count *tally) {
	b.Helper()
	rest := slices.Clone(life)
	b.begin(crashAt(rest, points))
	var project store.Project
	for len(rest) > 0 {
		one := rest[0]
		if one.kind == store.OperationUpgrade {
			b.newer(crashAt(rest, points))
		}
		rest = rest[1:]
		project = b.ask(project, one.kind)
		if step := points[one.kind]; step != "" {
			count.points.Add(1)
			if !b.working.diesOfItself() {
				b.Errorf("%s/%s: the provisioner was not killed", one.kind, step)
				return
			}
			b.begin(crashAt(rest, points))
		}
		where := fmt.Sprintf("%s/%s", one.kind, points[one.kind])
		if !b.ends(project, one) {
			count.stuck.Add(1)
			b.Errorf("%s: the operation does not end: %s", where, b.state(project))
			return
		}
		if step := points[one.kind]; step != "" {
			require.Equal(b, "interrupted", scalar[string](b.bundle, `
				select coalesce(s.error, '') from platform.operation_steps s join platform.operations o on o.id = s.operation_id
				where o.kind = $1 and s.step = $2 order by s.id limit 1`, one.kind, step), where)
		}
		b.compare(where, known.objects[one.kind], b.anonymous(project), count)
		if one.becomes == store.StatusActiveHealthy && !b.hasData(b.project(project.Ref), one.kind == store.OperationCreate) {
			count.lost.Add(1)
			b.Errorf("%s: the data is gone", where)
		}
		if one.kind == store.OperationMigrate {
			require.Equal(b, "1 2", asked[string](b.bundle, project.Ref, `select string_agg(n::text, ' ' order by n) from counted`), "each once")
		}
	}
}

// crashAt is the setting that kills a provisioner at the next point.
func crashAt(rest []episode, points map[store.OperationKind]string) string {
	for _, one := range rest {
		if step := points[one.kind]; step != "" {
			return "PLURABASE_CRASH=" + string(one.kind) + "/" + step
		}
	}
	return "PLURABASE_CRASH="
}

// diesOfItself waits until the process was ended by SIGKILL.
func (p *process) diesOfItself() bool {
	select {
	case <-p.ended:
		status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus)
		return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	case <-time.After(stuckAfter):
		return false
	}
}

// ask begins an operation, and makes the project where that is it.
func (m *mortal) ask(project store.Project, kind store.OperationKind) store.Project {
	m.Helper()
	var err error
	switch kind {
	case store.OperationCreate:
		return m.project(m.create("shop"))
	case store.OperationBackup:
		m.backUp(project.Ref)
	case store.OperationResize:
		_, err = m.store.ResizeProject(m.Context(), m.actor(), project.Ref, "micro")
	case store.OperationRestoreBackup:
		m.run(project.Ref, `insert into kept values (1)`) // which the backup does not have
		_, err = m.store.RestoreBackup(m.Context(), m.actor(), project.Ref, scalar[int64](m.bundle, `select min(id) from platform.backups`))
	case store.OperationMigrate:
		_, err = m.store.TakeOver(m.Context(), m.actor(), project.Ref, project.Ref, projectdb.TakeOver{Migrations: []projectdb.Migration{
			migration("1", "counted", "create table counted as select 1 as n"), migration("2", "two", "insert into counted values (2)"),
		}})
	case store.OperationUpgrade:
		require.Eventually(m, func() bool { // as soon as the target offers it
			_, err := m.store.UpgradeProject(m.Context(), m.actor(), project.Ref)
			return err == nil
		}, patience, 50*time.Millisecond)
	default:
		m.change(project.Ref, kind)
	}
	require.NoError(m, err)
	return project
}

// awaitEnd fails the test where an operation does not end as it should.
func (m *mortal) awaitEnd(project store.Project, one episode) {
	m.Helper()
	require.True(m, m.ends(project, one), "%s does not end: %s", one.kind, m.state(project))
	if one.becomes == store.StatusActiveHealthy {
		require.True(m, m.hasData(m.project(project.Ref), one.kind == store.OperationCreate))
	}
}

// ends waits until an operation has succeeded, nobody holds the project, and it is what it should be.
func (b *bundle) ends(project store.Project, one episode) bool {
	b.Helper()
	for until := time.Now().Add(stuckAfter); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if b.state(project) == fmt.Sprintf("%s:succeeded %s 0", one.kind, one.becomes) {
			return true
		}
	}
	return false
}

// state says how the last operation stands, what the project is, and how many steps are open or leases held.
func (b *bundle) state(project store.Project) string {
	b.Helper()
	return scalar[string](b, `
		select concat_ws(' ',
			(select kind || ':' || state from platform.operations where project_id = $1 order by id desc limit 1),
			coalesce((select status from platform.projects where id = $1), ''),
			(select count(*) from platform.operation_steps s join platform.operations o on o.id = s.operation_id
				where o.project_id = $1 and s.finished_at is null)
			+ (select count(*) from platform.projects where id = $1 and (lease_owner is not null or observed_generation < generation)))`,
		project.ID)
}

// anonymous lists what is on Docker, and unfinished among the backups, for the test's target, in order, with REF for the project's ref.
func (m *mortal) anonymous(project store.Project) []string {
	m.Helper()
	names := append(m.objects("io.plurabase.target="+m.target), m.objects("io.plurabase.scratch="+m.target)...)
	unfinished, err := filepath.Glob(filepath.Join(m.directory, "*", "*.partial"))
	require.NoError(m, err)
	names = append(names, unfinished...)
	for i, name := range names {
		names[i] = strings.ReplaceAll(name, string(project.Ref), "REF")
	}
	slices.Sort(names)
	return names
}

// compare counts what is there and should not be, and what is lost.
func (m *mortal) compare(where string, expected, found []string, count *tally) {
	m.Helper()
	for _, name := range slices.Compact(slices.Clone(found)) {
		if !slices.Contains(expected, name) {
			count.orphans.Add(1)
			m.Errorf("%s: %s is left", where, name)
		}
	}
	if compact := slices.Compact(slices.Clone(found)); len(compact) < len(found) {
		count.duplicates.Add(int64(len(found) - len(compact)))
		m.Errorf("%s: something is there twice: %v", where, found)
	}
	for _, name := range expected {
		if !slices.Contains(found, name) {
			count.lost.Add(1)
			m.Errorf("%s: %s is lost", where, name)
		}
	}
}

// hasData puts a row into the project's database where it is new, and tells whether it is there.
func (b *bundle) hasData(project store.Project, isNew bool) bool {
	b.Helper()
	connection := b.connect(project, "supabase_admin")
	if isNew {
		_, err := connection.Exec(b.Context(), `create table kept as select 42 as answer`)
		require.NoError(b, err)
	}
	var answer int
	return connection.QueryRow(b.Context(), `select sum(answer)::integer from kept`).Scan(&answer) == nil && answer == 42
}
