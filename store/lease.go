package store

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Claim is a lease on one project: what was wanted when it was taken, and the fence that each of its writes names.
// Whoever takes the project after the lease ran out raises the fence, and the earlier holder can write nothing more.
type Claim struct {
	Project     Project // without OrganizationSlug
	OperationID int64   // the operation that asked for this generation; 0 when nobody did, and the stack has drifted
	Kind        OperationKind
	RequestID   string // of the request that asked for it; empty when nobody did
	// RestartedAt is the generation of each service's last restart, under "" that of all of them: containers made for an
	// earlier one are replaced.
	RestartedAt map[string]int64
	Undone      *string // why the operation, an upgrade, was taken back: what is wanted now is what was there before
	Attempts    int     // how often Retry was called since the project was last settled

	store *Store
	fence int64
	lease time.Duration
}

var (
	// ErrLeaseLost says that the lease ran out or that somebody else holds the project; nothing was written.
	ErrLeaseLost = errors.New("the lease on the project is lost")
	// ErrSuperseded says that something newer is wanted of the project; nothing was written.
	ErrSuperseded = errors.New("something newer is wanted of the project")
	// ErrProjectBusy says that somebody's transaction holds the only projects that could be claimed.
	ErrProjectBusy = errors.New("the project is busy")
)

// ClaimProject takes a project of the target whose wanted and seen states differ, or whose functions are not deployed, or one of
// drifted, and returns nil when there is none. ErrProjectBusy says that there are some, but none that is free at this moment. Deletes
// come first. The lease lasts for lease, by Postgres' clock, unless Heartbeat renews it.
func (s *Store) ClaimProject(ctx context.Context, target, owner string, lease time.Duration, drifted []Ref) (*Claim, error) {
	claim := &Claim{store: s, lease: lease}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		err := claim.take(ctx, tx, target, owner, drifted)
		if errors.Is(err, pgx.ErrNoRows) {
			return mindBusy(ctx, tx, target, drifted)
		}
		if err != nil {
			return err
		}
		return claim.beginOperation(ctx, tx)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("claim a project", err)
	}
	return claim, nil
}

// isDue holds of a project, p, of the target $1 that can be claimed, where those named by $2 have drifted.
const isDue = `p.target = $1 and (p.observed_generation < p.generation or p.ref = any ($2) or ` + functionsDue + `)
	and (p.lease_expires_at is null or p.lease_expires_at <= clock_timestamp())
	and (p.retry_at is null or p.retry_at <= clock_timestamp())`

// mindBusy tells whether nothing was claimed because nothing is due, or because what is due was locked: by a request that
// writes, or by the heartbeat of a lease that has just ended.
func mindBusy(ctx context.Context, tx pgx.Tx, target string, drifted []Ref) error {
	var busy bool
	err := tx.QueryRow(ctx, `select exists (select from platform.projects p where `+isDue+`)`, target, append([]Ref{}, drifted...)).Scan(&busy)
	if err == nil && busy {
		return ErrProjectBusy
	}
	return cmp.Or(err, pgx.ErrNoRows)
}

func (c *Claim) take(ctx context.Context, tx pgx.Tx, target, owner string, drifted []Ref) error {
	rows, _ := tx.Query(ctx, `
		with due as (
			select id from platform.projects p
			where `+isDue+`
			order by desired = 'removed' desc, retry_at nulls first, updated_at, id
			limit 1 for no key update skip locked
		)
		update platform.projects p
		set lease_owner = $3, lease_expires_at = clock_timestamp() + $4, fence = fence + 1
		from due where p.id = due.id
		returning `+claimColumns, target, append([]Ref{}, drifted...), owner, c.lease)
	return c.read(rows)
}

// claimColumns are what a claim holds of a project.
const claimColumns = projectSummaryColumns + `, '', ` + projectRestColumns + `, p.fence, p.attempts`

func (c *Claim) read(rows pgx.Rows) error {
	type row struct {
		Project
		Fence    int64
		Attempts int
	}
	taken, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[row])
	c.Project, c.fence, c.Attempts = taken.Project, taken.Fence, taken.Attempts
	return err
}

// beginOperation finds what asked for the claimed generation, marks what it replaces, and closes the steps that an
// earlier holder left open.
func (c *Claim) beginOperation(ctx context.Context, tx pgx.Tx) error {
	now := c.store.now()
	_, err := tx.Exec(ctx, `
		update platform.operations set state = 'superseded', finished_at = $3
		where project_id = $1 and generation < $2 and state in ('pending', 'running')`, c.Project.ID, c.Project.Generation, now)
	if err != nil {
		return err
	}
	err = tx.QueryRow(ctx, `
		update platform.operations set state = 'running', started_at = coalesce(started_at, $3)
		where project_id = $1 and generation = $2 and state in ('pending', 'running') returning id, kind, request_id, undone`,
		c.Project.ID, c.Project.Generation, now).Scan(&c.OperationID, &c.Kind, &c.RequestID, &c.Undone)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	_, err = tx.Exec(ctx, `
		update platform.operation_steps s set finished_at = $2, error = 'interrupted'
		from platform.operations o where o.id = s.operation_id and o.project_id = $1 and s.finished_at is null`,
		c.Project.ID, now)
	if err != nil {
		return err
	}
	if err := c.dropSupersededBackups(ctx, tx); err != nil {
		return err
	}
	return c.readRestarts(ctx, tx)
}

func (c *Claim) readRestarts(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select coalesce(service, ''), max(generation)
		from platform.operations left join lateral unnest(services) as service on true
		where project_id = $1 and kind = 'restart' group by 1`, c.Project.ID)
	if err != nil {
		return err
	}
	c.RestartedAt = map[string]int64{}
	var service string
	var generation int64
	_, err = pgx.ForEachRow(rows, []any{&service, &generation}, func() error {
		c.RestartedAt[service] = generation
		return nil
	})
	return err
}

// Secrets opens the project's secrets, with what its services sign and verify tokens with, and what secrets of their own are
// derived from.
func (c *Claim) Secrets(ctx context.Context) (Secrets, error) {
	secrets, err := c.store.ProjectSecrets(ctx, c.Project.ID, c.Project.Ref)
	if err != nil {
		return nil, err
	}
	if secrets[SecretSeed], err = c.store.seed(ctx, c.Project); err != nil {
		return nil, wrap("derive the project's seed", err)
	}
	return secrets, wrap("read the project's signing keys", c.store.addSigningKeys(ctx, c.Project.ID, c.Project.Ref, secrets))
}

// Config opens the project's whole configuration.
func (c *Claim) Config(ctx context.Context) (map[ConfigSection]SectionConfig, error) {
	return c.store.ProjectConfig(ctx, c.Project.ID, c.Project.Ref)
}

// Images returns what each of the project's services runs. A service that has none yet gets what the target offers, and
// keeps it until somebody asks for an upgrade.
func (c *Claim) Images(ctx context.Context, offered map[string]string) (images map[string]string, err error) {
	var names, values []string
	for _, service := range c.Project.Services {
		if image, known := offered[service]; known {
			names, values = append(names, service), append(values, image)
		}
	}
	images = map[string]string{}
	err = c.write(ctx, "read the images", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into platform.project_images (project_id, service, image)
			select $1, * from unnest($2::text[], $3::text[]) on conflict do nothing`, c.Project.ID, names, values)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select service, image from platform.project_images where project_id = $1`, c.Project.ID)
		if err != nil {
			return err
		}
		var service, image string
		_, err = pgx.ForEachRow(rows, []any{&service, &image}, func() error {
			images[service] = image
			return nil
		})
		return err
	})
	return images, err
}

// Undo puts the images back that an upgrade changed, and notes why. The operation goes on, and ends as failed.
func (c *Claim) Undo(ctx context.Context, why error) error {
	return c.writeCurrent(ctx, "take the upgrade back", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			update platform.project_images set image = previous, previous = null
			where project_id = $1 and previous is not null`, c.Project.ID)
		if err != nil {
			return err
		}
		c.Undone = errorText(why)
		_, err = tx.Exec(ctx, `update platform.operations set undone = $2 where id = $1`, c.OperationID, c.Undone)
		return err
	})
}

// NotePlan says how many steps are still to be taken, for the operation's percentage.
func (c *Claim) NotePlan(ctx context.Context, steps int) error {
	if c.OperationID == 0 {
		return nil
	}
	return c.write(ctx, "note the plan", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			update platform.operations set planned = $2 + (
				select count(*) from platform.operation_steps
				where operation_id = $1 and finished_at is not null and error is null)
			where id = $1`, c.OperationID, steps)
		return err
	})
}

// Heartbeat renews the lease. ErrLeaseLost and ErrSuperseded say that the holder has to stop.
func (c *Claim) Heartbeat(ctx context.Context) error {
	var generation int64
	err := c.store.pool.QueryRow(ctx, `
		update platform.projects set lease_expires_at = clock_timestamp() + $3
		where id = $1 and fence = $2 and lease_expires_at > clock_timestamp() returning generation`,
		c.Project.ID, c.fence, c.lease).Scan(&generation)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrLeaseLost
	case err != nil:
		return wrap("renew the lease", err)
	case generation != c.Project.Generation:
		return ErrSuperseded
	}
	return nil
}

// Release gives the lease back; the project stays as it is. To have none any more is no error.
func (c *Claim) Release(ctx context.Context) error {
	_, err := c.store.pool.Exec(ctx, `
		update platform.projects set lease_owner = null, lease_expires_at = null where id = $1 and fence = $2`,
		c.Project.ID, c.fence)
	return wrap("release the lease", err)
}

// StartStep notes that a step of the operation begins, and returns its id for FinishStep. Repairs of a drifted stack
// belong to no operation: they are not noted, and their id is 0.
func (c *Claim) StartStep(ctx context.Context, step, cause string) (id int64, err error) {
	if c.OperationID == 0 {
		return 0, nil
	}
	err = c.write(ctx, "note step "+step, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			insert into platform.operation_steps (operation_id, step, cause, attempt, started_at)
			select $1, $2, $3, count(*) + 1, $4 from platform.operation_steps where operation_id = $1 and step = $2
			returning id`, c.OperationID, step, cause, c.store.now()).Scan(&id)
	})
	return id, err
}

// FinishStep notes how a step ended; failure is nil when it went well.
func (c *Claim) FinishStep(ctx context.Context, id int64, failure error) error {
	if id == 0 {
		return nil
	}
	return c.write(ctx, "note the end of a step", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update platform.operation_steps set finished_at = $2, error = $3 where id = $1`,
			id, c.store.now(), errorText(failure))
		return err
	})
}

// NoteProgress says how far a step has come that is not over.
func (c *Claim) NoteProgress(ctx context.Context, id int64, percent int, detail string) error {
	if id == 0 {
		return nil
	}
	return c.write(ctx, "note the progress of a step", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update platform.operation_steps set percent = $2, detail = $3 where id = $1`, id, percent, detail)
		return err
	})
}

// SetStatus shows what the project is while work on it goes on.
func (c *Claim) SetStatus(ctx context.Context, status Status) error {
	return c.writeCurrent(ctx, "show the status", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update platform.projects set status = $2, updated_at = $3 where id = $1`,
			c.Project.ID, status, c.store.now())
		return err
	})
}

// Outcome is what a project has become.
type Outcome struct {
	Status    Status
	Failure   error // nil when the operation reached what was wanted
	DBVersion string
	DBHost    string // with DBPort: where postgres-meta reaches the database; empty leaves all three as they are
	DBPort    uint16
	// Services are what the project's services are: nil leaves what is known as it is, an empty list forgets it.
	Services []ServiceState
}

// Settle notes what the project has become, ends its operation and gives the lease back.
func (c *Claim) Settle(ctx context.Context, outcome Outcome) error {
	return c.writeCurrent(ctx, "settle the project", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			update platform.projects set status = $2, message = $3, observed_generation = generation, updated_at = $4,
				db_version = coalesce(nullif($5, ''), db_version), db_host = coalesce(nullif($6, ''), db_host),
				db_port = coalesce(nullif($7, 0), db_port),
				attempts = 0, retry_at = null, lease_owner = null, lease_expires_at = null
			where id = $1`,
			c.Project.ID, outcome.Status, errorText(outcome.Failure), c.store.now(),
			outcome.DBVersion, outcome.DBHost, int32(outcome.DBPort))
		if err != nil {
			return err
		}
		if err := c.noteServices(ctx, tx, outcome.Services); err != nil {
			return err
		}
		// Whatever has become of an upgrade, from here on there is nothing to go back to.
		_, err = tx.Exec(ctx, `
			update platform.project_images set previous = null where project_id = $1 and previous is not null`, c.Project.ID)
		if err != nil {
			return err
		}
		if c.OperationID == 0 {
			return c.store.notifyHealth(ctx, tx, c.Project, outcome.Status, outcome.Failure)
		}
		return c.endOperation(ctx, tx, c.failed(outcome), outcome.Failure)
	})
}

// failed says which operation it is that an outcome's failure tells of: a new branch that is there, and did not take its parent's
// migrations over, was created.
func (c *Claim) failed(outcome Outcome) OperationKind {
	if c.Kind == OperationCreate && outcome.Status != c.Kind.Failed() && outcome.Failure != nil {
		return OperationMigrate
	}
	return c.Kind
}

func (c *Claim) noteServices(ctx context.Context, tx pgx.Tx, services []ServiceState) error {
	if services == nil {
		return nil
	}
	names := []string{}
	for _, one := range services {
		names = append(names, one.Service)
		_, err := tx.Exec(ctx, `
			insert into platform.project_services (project_id, service, host, port, image, healthy, message, seen_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8)
			on conflict (project_id, service) do update set host = excluded.host, port = excluded.port,
				image = excluded.image, healthy = excluded.healthy, message = excluded.message, seen_at = excluded.seen_at`,
			c.Project.ID, one.Service, one.Host, one.Port, one.Image, one.Healthy, one.Message, c.store.now())
		if err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `delete from platform.project_services where project_id = $1 and service <> all ($2)`, c.Project.ID, names)
	return err
}

// Retry shows a failure, leaves the project unsettled, and gives the lease back for another try after delay.
func (c *Claim) Retry(ctx context.Context, status Status, failure error, delay time.Duration) error {
	return c.writeCurrent(ctx, "note the failure", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			update platform.projects set status = $2, message = $3, attempts = attempts + 1,
				retry_at = clock_timestamp() + $4, updated_at = $5, lease_owner = null, lease_expires_at = null
			where id = $1`, c.Project.ID, status, errorText(failure), delay, c.store.now())
		if err != nil {
			return err
		}
		return c.noteFailure(ctx, tx, status, failure)
	})
}

// noteFailure keeps a failure that is not the end, and tells of it the first time.
func (c *Claim) noteFailure(ctx context.Context, tx pgx.Tx, status Status, failure error) error {
	if c.OperationID == 0 {
		return c.store.notifyHealth(ctx, tx, c.Project, status, failure)
	}
	_, err := tx.Exec(ctx, `update platform.operations set error = $2 where id = $1`, c.OperationID, errorText(failure))
	if err != nil || c.Attempts > 0 {
		return err
	}
	return c.store.notifyOperation(ctx, tx, c.Project, c.Kind, failure)
}

// Remove forgets the project, and with it its keys, secrets, port and subnet. Its operations stay.
func (c *Claim) Remove(ctx context.Context) error {
	return c.writeCurrent(ctx, "remove the project", func(tx pgx.Tx) error {
		if err := c.endOperation(ctx, tx, c.Kind, nil); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from platform.projects where id = $1`, c.Project.ID)
		return err
	})
}

// endOperation notes how the operation ended, and tells of it as one of the kind told.
func (c *Claim) endOperation(ctx context.Context, tx pgx.Tx, told OperationKind, failure error) error {
	if c.OperationID == 0 {
		return nil
	}
	state := "succeeded"
	if failure != nil {
		state = "failed"
	}
	_, err := tx.Exec(ctx, `update platform.operations set state = $2, error = $3, finished_at = $4 where id = $1`,
		c.OperationID, state, errorText(failure), c.store.now())
	if err != nil {
		return err
	}
	if err := c.endBackups(ctx, tx, failure); err != nil {
		return err
	}
	return c.store.notifyOperation(ctx, tx, c.Project, told, failure)
}

// write runs do in a transaction that holds the project's row, and only while the lease lasts: nobody else can claim
// the project before the transaction ends.
func (c *Claim) write(ctx context.Context, doing string, do func(pgx.Tx) error) error {
	return c.fenced(ctx, doing, func(tx pgx.Tx, _ int64) error { return do(tx) })
}

// writeCurrent is write for what says something of the whole project: ErrSuperseded when it is no longer true.
func (c *Claim) writeCurrent(ctx context.Context, doing string, do func(pgx.Tx) error) error {
	return c.fenced(ctx, doing, func(tx pgx.Tx, generation int64) error {
		if generation != c.Project.Generation {
			return ErrSuperseded
		}
		return do(tx)
	})
}

func (c *Claim) fenced(ctx context.Context, doing string, do func(tx pgx.Tx, generation int64) error) error {
	return wrap(doing, pgx.BeginFunc(ctx, c.store.pool, func(tx pgx.Tx) error {
		var generation int64
		err := tx.QueryRow(ctx, `
			select generation from platform.projects
			where id = $1 and fence = $2 and lease_expires_at > clock_timestamp() for update`,
			c.Project.ID, c.fence).Scan(&generation)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrLeaseLost
		}
		if err != nil {
			return err
		}
		return do(tx, generation)
	}))
}

func errorText(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}

// Settled is a project that nobody asks anything of, as the provisioner compares it with what runs.
type Settled struct {
	Ref      Ref
	Status   Status
	Services []string
	Sick     []string // those services that were last seen unhealthy, by name
}

// SettledProjects lists the target's projects that should run or rest as they are: nothing newer is wanted of them,
// nobody holds them, and no failed repair is waiting for its next try.
func (s *Store) SettledProjects(ctx context.Context, target string) ([]Settled, error) {
	rows, _ := s.pool.Query(ctx, `
		select ref, status, services, array(
			select service from platform.project_services s where s.project_id = p.id and not healthy order by service)
		from platform.projects p
		where target = $1 and observed_generation = generation
			and status in ('ACTIVE_HEALTHY', 'ACTIVE_UNHEALTHY', 'INACTIVE')
			and (lease_expires_at is null or lease_expires_at <= clock_timestamp())
			and (retry_at is null or retry_at <= clock_timestamp())
		order by id`, target)
	settled, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Settled])
	return settled, wrap("list the settled projects", err)
}

// ListenForWork calls wake whenever somebody wants something of the target's projects, until ctx ends or the
// connection breaks. What was sent while nobody listened is lost: callers look by themselves, too.
func (s *Store) ListenForWork(ctx context.Context, target string, wake func()) error {
	return s.listen(ctx, wakeChannel, target, wake)
}

// listen calls wake once it hears, and whenever the channel names the target.
func (s *Store) listen(ctx context.Context, channel, target string, wake func()) error {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return wrap("connect to listen", err)
	}
	conn := pooled.Hijack() // it is listening from now on: it must not go back to the pool
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		return wrap("listen", err)
	}
	wake()
	for {
		var notification *pgconn.Notification
		if notification, err = conn.WaitForNotification(ctx); err != nil {
			return wrap("wait for a notification", err)
		}
		if notification.Payload == target {
			wake()
		}
	}
}
