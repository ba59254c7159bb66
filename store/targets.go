package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Target is a deployment target: one container engine, with the provisioner that works for it.
type Target struct {
	Name          string
	Owner         string // the provisioner's process, for people
	Version       string // of the provisioner
	EngineVersion string // empty where the engine did not answer
	CPUs          int
	MemoryBytes   int64
	Images        map[string]string // by service: what new projects get, and upgrades lead to
	Services      []string          // what new projects have where nobody decides; empty: DefaultServices
	Orphans       []Orphan          // by the provisioner's last look: NoteOrphans
	HeartbeatAt   time.Time         // set by Postgres
	Alive         bool              // by Postgres' clock: its provisioner was heard of within heartbeatPatience
}

// heartbeatPatience is how long a provisioner may be silent before it counts as gone. It beats every ten seconds or more
// often.
const heartbeatPatience = 45 * time.Second

// BeatTarget tells everybody that the target has a provisioner, and what it has and offers. What the engine did not
// tell this time stays as it was known.
func (s *Store) BeatTarget(ctx context.Context, target Target) error {
	_, err := s.pool.Exec(ctx, `
		insert into platform.targets as t (name, heartbeat_at, owner, version, engine_version, cpus, memory_bytes, images, services)
		values ($1, clock_timestamp(), $2, $3, nullif($4, ''), nullif($5, 0), nullif($6::bigint, 0), $7, $8)
		on conflict (name) do update set heartbeat_at = excluded.heartbeat_at, owner = excluded.owner, version = excluded.version,
			engine_version = coalesce(excluded.engine_version, t.engine_version), cpus = coalesce(excluded.cpus, t.cpus),
			memory_bytes = coalesce(excluded.memory_bytes, t.memory_bytes), images = excluded.images, services = excluded.services`,
		target.Name, target.Owner, target.Version, target.EngineVersion, target.CPUs, target.MemoryBytes, target.images(), target.Services)
	return wrap("note the target's heartbeat", err)
}

func (t Target) images() map[string]string {
	if t.Images == nil {
		return map[string]string{}
	}
	return t.Images
}

const targetColumns = `
	name, owner, version, coalesce(engine_version, ''), coalesce(cpus, 0), coalesce(memory_bytes, 0), images,
	coalesce(services, '{}'), orphans, heartbeat_at, heartbeat_at > clock_timestamp() - $1::interval
	from platform.targets`

// Targets lists the deployment targets that have ever had a provisioner, by name.
func (s *Store) Targets(ctx context.Context) ([]Target, error) {
	rows, _ := s.pool.Query(ctx, `select `+targetColumns+` order by name`, heartbeatPatience)
	targets, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Target])
	return targets, wrap("list the targets", err)
}

// TargetNamed looks a deployment target up. ErrNotFound: no provisioner has ever worked for it.
func (s *Store) TargetNamed(ctx context.Context, name string) (Target, error) {
	rows, _ := s.pool.Query(ctx, `select `+targetColumns+` where name = $2`, heartbeatPatience, name)
	target, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Target])
	return target, wrap("look the target up", err)
}

// TargetLoads counts the projects of each deployment target that are to run.
func (s *Store) TargetLoads(ctx context.Context) (map[string]int, error) {
	rows, _ := s.pool.Query(ctx, `select target, count(*) from platform.projects where desired = $1 group by target`, DesiredActive)
	type load struct {
		Target string
		Count  int
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[load])
	loads := make(map[string]int, len(found))
	for _, one := range found {
		loads[one.Target] = one.Count
	}
	return loads, wrap("count the targets' projects", err)
}

// requireRoom refuses, with a ConflictError, another project on a target where limit are to run already. Until tx ends, nobody
// else is let in.
func requireRoom(ctx context.Context, tx pgx.Tx, target string, limit int) error {
	if limit == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('plurabase target ' || $1, 0))`, target); err != nil {
		return err
	}
	var count int
	err := tx.QueryRow(ctx, `select count(*) from platform.projects where target = $1 and desired = $2`, target, DesiredActive).Scan(&count)
	if err == nil && count >= limit {
		err = &ConflictError{fmt.Sprintf("The deployment target %q is full: %d projects may run there. Pause one, or choose another region.", target, limit)}
	}
	return err
}
