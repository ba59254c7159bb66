package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Measure is what was measured of a project. What is nil was not to be had.
type Measure struct {
	At               time.Time
	DatabaseBytes    *int64 // of all its databases
	WALBytes         *int64
	StorageBytes     *int64 // of all objects that Storage knows of
	DiskBytes        *int64 // of the disk that its data lies on, which projects share
	DiskUsedBytes    *int64
	DiskFreeBytes    *int64
	MemoryBytes      *int64 // of its database's container, without what the kernel can give back at once
	MemoryLimitBytes *int64
	CPUPercent       *float64 // of what its compute size has, on average since it was measured before
	Connections      *int64
	MaxConnections   *int64
	ReadOnly         *bool // the database takes no changes
}

const measureColumns = `measured_at, database_bytes, wal_bytes, storage_bytes, disk_bytes, disk_used_bytes, disk_free_bytes,
	memory_bytes, memory_limit_bytes, cpu_percent, connections, max_connections, read_only`

// DefaultExposedSchemas is what a project's data API shows where nobody decides, separated by commas.
const DefaultExposedSchemas = "public,graphql_public"

// DueProject is a project that is to be measured, with the password of its read-only role.
type DueProject struct {
	Project
	ReadOnlyPassword string `json:"-"`
	ExposedSchemas   string // what its data API shows, separated by commas
}

// String hides the password from logs and error messages.
func (p DueProject) String() string { return string(p.Ref) }

// GoString hides the password from %#v.
func (p DueProject) GoString() string { return p.String() }

// ProjectToMeasure returns the project of a target that was not measured for the longest time, if that is as long as every.
// ErrNotFound: there is none.
func (s *Store) ProjectToMeasure(ctx context.Context, target string, every time.Duration) (DueProject, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+projectColumns+`
		from platform.projects p
			join platform.organizations o on o.id = p.organization_id
			left join lateral (
				select measured_at from platform.project_measures where project_id = p.id order by hour desc limit 1
			) m on true
		where p.target = $1 and p.status = any ($2) and (m.measured_at is null or m.measured_at <= $3)
		order by m.measured_at nulls first, p.id limit 1`,
		target, []Status{StatusActiveHealthy, StatusActiveUnhealthy}, s.now().Add(-every))
	project, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Project])
	if err != nil {
		return DueProject{}, wrap("look for a project to measure", err)
	}
	secrets, err := s.ProjectSecrets(ctx, project.ID, project.Ref, SecretReadOnlyPassword)
	if err != nil {
		return DueProject{}, err
	}
	config, err := s.ProjectConfig(ctx, project.ID, project.Ref, ConfigPostgrest)
	schemas, set := config[ConfigPostgrest]["db_schema"].(string)
	if !set {
		schemas = DefaultExposedSchemas
	}
	return DueProject{project, secrets[SecretReadOnlyPassword], schemas}, err
}

// NoteMeasure keeps what was measured of a project, beside what else was measured in the hour, and tells its members what it runs short of.
func (s *Store) NoteMeasure(ctx context.Context, project Project, m Measure) error {
	m.At = s.now()
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into platform.project_measures as m (project_id, hour, `+measureColumns+`)
			values ($1, date_trunc('hour', $2::timestamptz, 'UTC'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
			on conflict (project_id, hour) do update set measured_at = excluded.measured_at,
				database_bytes = coalesce(excluded.database_bytes, m.database_bytes), wal_bytes = coalesce(excluded.wal_bytes, m.wal_bytes),
				storage_bytes = coalesce(excluded.storage_bytes, m.storage_bytes), disk_bytes = coalesce(excluded.disk_bytes, m.disk_bytes),
				disk_used_bytes = coalesce(excluded.disk_used_bytes, m.disk_used_bytes), disk_free_bytes = coalesce(excluded.disk_free_bytes, m.disk_free_bytes),
				memory_bytes = coalesce(excluded.memory_bytes, m.memory_bytes), memory_limit_bytes = coalesce(excluded.memory_limit_bytes, m.memory_limit_bytes),
				cpu_percent = coalesce(excluded.cpu_percent, m.cpu_percent), connections = coalesce(excluded.connections, m.connections),
				max_connections = coalesce(excluded.max_connections, m.max_connections), read_only = coalesce(excluded.read_only, m.read_only)`,
			project.ID, m.At, m.DatabaseBytes, m.WALBytes, m.StorageBytes, m.DiskBytes, m.DiskUsedBytes, m.DiskFreeBytes,
			m.MemoryBytes, m.MemoryLimitBytes, m.CPUPercent, m.Connections, m.MaxConnections, m.ReadOnly)
		if violates(err, "project_measures_project_id_fkey") {
			return ErrNotFound // deleted in the meantime
		}
		if err != nil {
			return err
		}
		return s.notifyShortage(ctx, tx, project, m)
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return wrap("note what was measured", err)
}

// Shortage is how short a project runs of something.
type Shortage string

// The shortages, in Studio's words; empty: it has enough.
const (
	ShortageWarning  Shortage = "warning"
	ShortageCritical Shortage = "critical"
)

// shortageOf compares a percentage with two limits.
func shortageOf(percent, warning, critical float64) Shortage {
	switch {
	case percent >= critical:
		return ShortageCritical
	case percent >= warning:
		return ShortageWarning
	}
	return ""
}

// Disk tells whether the disk is nearly full. Postgres stops when it is.
func (m Measure) Disk() Shortage { return shortageOf(m.DiskPercent(), 85, 95) }

// Memory tells whether the database is near the limit at which the kernel ends one of its processes.
func (m Measure) Memory() Shortage { return shortageOf(m.MemoryPercent(), 90, 97) }

// CPU tells whether the database has been using nearly all that its compute size has.
func (m Measure) CPU() Shortage {
	if m.CPUPercent == nil {
		return ""
	}
	return shortageOf(*m.CPUPercent, 80, 95)
}

// DiskPercent is how much of the disk is used; 0 where that is not known.
func (m Measure) DiskPercent() float64 { return percentOf(m.DiskUsedBytes, m.DiskBytes) }

// MemoryPercent is how much of its memory the database uses; 0 where that is not known.
func (m Measure) MemoryPercent() float64 { return percentOf(m.MemoryBytes, m.MemoryLimitBytes) }

func percentOf(part, whole *int64) float64 {
	if part == nil || whole == nil || *whole <= 0 {
		return 0
	}
	return 100 * float64(*part) / float64(*whole)
}

// shortageQuiet is how long nothing more is said of a shortage once it was said.
const shortageQuiet = 24 * time.Hour

// notifyShortage tells of what brings a database down: a full disk, and memory that is used up.
func (s *Store) notifyShortage(ctx context.Context, tx pgx.Tx, project Project, m Measure) error {
	for _, one := range []struct {
		name, title, message string
		short                Shortage
	}{
		{"disk", "%s is running out of disk space", fmt.Sprintf("%.0f %% of the disk that it lies on is used.", m.DiskPercent()), m.Disk()},
		{"memory", "%s is running out of memory", fmt.Sprintf("Its database uses %.0f %% of its memory: give it a larger compute size.", m.MemoryPercent()), m.Memory()},
	} {
		if one.short == "" {
			continue
		}
		priority := PriorityWarning
		if one.short == ShortageCritical {
			priority = PriorityCritical
		}
		if err := s.notify(ctx, tx, project, newNotification{
			name: "projects." + one.name + "." + string(one.short), priority: priority,
			title: fmt.Sprintf(one.title, project.Name), message: one.message, quiet: shortageQuiet,
		}); err != nil {
			return err
		}
	}
	return nil
}

// ProjectsMeasures returns what was measured of projects from one time to another, by their ids: once an hour, oldest first.
func (s *Store) ProjectsMeasures(ctx context.Context, projectIDs []int64, from, to time.Time) (map[int64][]Measure, error) {
	rows, _ := s.pool.Query(ctx, `
		select project_id, `+measureColumns+` from platform.project_measures
		where project_id = any ($1) and hour >= date_trunc('hour', $2::timestamptz, 'UTC') and hour < $3 order by hour`, projectIDs, from, to)
	return collectMeasures(rows)
}

// LastMeasures returns what was measured last of projects, by their ids: nothing of those that were not measured since a time.
func (s *Store) LastMeasures(ctx context.Context, projectIDs []int64, since time.Time) (map[int64][]Measure, error) {
	rows, _ := s.pool.Query(ctx, `
		select distinct on (project_id) project_id, `+measureColumns+` from platform.project_measures
		where project_id = any ($1) and hour >= date_trunc('hour', $2::timestamptz, 'UTC') and measured_at >= $2
		order by project_id, hour desc`, projectIDs, since)
	return collectMeasures(rows)
}

func collectMeasures(rows pgx.Rows) (map[int64][]Measure, error) {
	type row struct {
		ProjectID int64
		Measure
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	byProject := map[int64][]Measure{}
	for _, one := range found {
		byProject[one.ProjectID] = append(byProject[one.ProjectID], one.Measure)
	}
	return byProject, wrap("read what was measured", err)
}

// ForgetMeasures drops what was measured and counted before age.
func (s *Store) ForgetMeasures(ctx context.Context, age time.Duration) error {
	before := s.now().Add(-age)
	_, measures := s.pool.Exec(ctx, `delete from platform.project_measures where hour < $1`, before)
	_, traffic := s.pool.Exec(ctx, `delete from platform.project_traffic where hour < $1`, before)
	return wrap("forget old measures", errors.Join(measures, traffic))
}
