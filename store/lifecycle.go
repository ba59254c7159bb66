package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// wakeChannel is where the provisioners listen; the payload is the target. A lost message costs nothing but time.
const wakeChannel = "plurabase_provisioner"

// transition is one row of the lifecycle's table: what an operation wants, and from which status it may start.
type transition struct {
	desired Desired
	// from maps each status that allows the operation to the status that is shown while it runs.
	from map[Status]Status
}

// transitions is the lifecycle. Delete is not in it: it starts from any status.
var transitions = map[OperationKind]transition{
	OperationPause: {DesiredInactive, map[Status]Status{
		StatusActiveHealthy:   StatusPausing,
		StatusActiveUnhealthy: StatusPausing,
	}},
	OperationRestore: {DesiredActive, map[Status]Status{
		StatusInactive:      StatusRestoring,
		StatusPauseFailed:   StatusRestoring,
		StatusRestoreFailed: StatusRestoring,
		StatusInitFailed:    StatusComingUp, // it never ran
	}},
	OperationRestart: {DesiredActive, map[Status]Status{
		StatusActiveHealthy:   StatusRestarting,
		StatusActiveUnhealthy: StatusRestarting,
	}},
	OperationConfigure: {DesiredActive, map[Status]Status{
		StatusActiveHealthy:   StatusActiveHealthy,
		StatusActiveUnhealthy: StatusActiveUnhealthy,
	}},
	OperationResize: {DesiredActive, map[Status]Status{
		StatusActiveHealthy:   StatusResizing,
		StatusActiveUnhealthy: StatusResizing,
	}},
	OperationUpgrade: {DesiredActive, map[Status]Status{
		StatusActiveHealthy: StatusUpgrading, // what is not well is mended first: there is nothing to go back to
	}},
	OperationBackup: {DesiredActive, map[Status]Status{
		StatusActiveHealthy:   StatusActiveHealthy,
		StatusActiveUnhealthy: StatusActiveUnhealthy,
	}},
	OperationRestoreBackup: {DesiredActive, map[Status]Status{
		StatusActiveHealthy:   StatusRestoring,
		StatusActiveUnhealthy: StatusRestoring,
	}},
	OperationMigrate: {DesiredActive, map[Status]Status{
		StatusActiveHealthy:   StatusActiveHealthy,
		StatusActiveUnhealthy: StatusActiveUnhealthy,
	}},
}

// words name what an operation is where its kind alone is no word.
var words = map[OperationKind]string{OperationRestoreBackup: "restore of a backup", OperationMigrate: "migration"}

func (k OperationKind) word() string {
	if word, named := words[k]; named {
		return word
	}
	return string(k)
}

// Failed is what a project is when an operation on it has failed.
func (k OperationKind) Failed() Status {
	switch k {
	case OperationCreate:
		return StatusInitFailed
	case OperationPause:
		return StatusPauseFailed
	case OperationRestore:
		return StatusRestoreFailed
	default:
		return StatusActiveUnhealthy
	}
}

// busy says what a project is doing, for the message of a refusal.
var busy = map[Status]string{
	StatusComingUp:        "is coming up",
	StatusActiveHealthy:   "is running",
	StatusActiveUnhealthy: "is running, but unhealthy",
	StatusInitFailed:      "failed to come up",
	StatusPausing:         "is being paused",
	StatusInactive:        "is paused",
	StatusPauseFailed:     "could not be paused",
	StatusRestoring:       "is being restored",
	StatusRestoreFailed:   "could not be restored",
	StatusRestarting:      "is being restarted",
	StatusResizing:        "is being resized",
	StatusUpgrading:       "is being upgraded",
	StatusGoingDown:       "is being deleted",
}

// next returns what a project becomes when somebody asks for an operation, or a ConflictError that says what it is
// doing instead.
func next(kind OperationKind, status Status) (Desired, Status, error) {
	if kind == OperationDelete {
		return DesiredRemoved, StatusGoingDown, nil
	}
	row := transitions[kind]
	shown, allowed := row.from[status]
	if !allowed {
		return "", "", &ConflictError{fmt.Sprintf("The project %s: it cannot be changed by a %s now.", busy[status], kind.word())}
	}
	return row.desired, shown, nil
}

// CanRestore tells whether the project is in a state that it can be started from.
func (p Project) CanRestore() bool {
	_, _, err := next(OperationRestore, p.Status)
	return err == nil && !p.Adopted()
}

// ChangeProject asks for an operation on a project: it changes what is wanted, notes the operation and wakes the
// provisioner, in one transaction. A ConflictError says that the project's state does not allow it; a delete of a
// project that is being deleted is answered as the first one was.
func (s *Store) ChangeProject(ctx context.Context, actor Actor, ref Ref, kind OperationKind) (Project, error) {
	return write(ctx, s, actor, string(kind)+" the project", func(ctx context.Context, tx pgx.Tx) (Project, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return Project{}, AuditEntry{}, err
		}
		entry := AuditEntry{Action: "projects." + string(kind), OrganizationID: project.OrganizationID, ProjectRef: ref}
		if kind == OperationDelete && project.Desired == DesiredRemoved {
			return project, entry, nil
		}
		if kind == OperationDelete {
			if err := requireNoBranches(ctx, tx, project); err != nil {
				return Project{}, entry, err
			}
		}
		if kind == OperationDelete && project.Adopted() {
			entry.Action = "projects.detach"
			project, err = s.detach(ctx, tx, actor, project)
			return project, entry, err
		}
		project, err = s.advance(ctx, tx, actor, project, kind, nil)
		return project, entry, err
	})
}

// advance changes what is wanted of a locked project, notes the operation and wakes the provisioner. services are those
// that a restart is for; nil: all.
func (s *Store) advance(ctx context.Context, tx pgx.Tx, actor Actor, project Project, kind OperationKind, services []string) (Project, error) {
	if project.Adopted() {
		return Project{}, errAdopted
	}
	desired, status, err := next(kind, project.Status)
	if err != nil {
		return Project{}, err
	}
	rows, _ := tx.Query(ctx, `
		with p as (
			update platform.projects set desired = $2, status = $3, generation = generation + 1, message = null,
				attempts = 0, retry_at = null, updated_at = $4
			where id = $1 returning *
		)
		select `+projectColumns+` from p join platform.organizations o on o.id = p.organization_id`,
		project.ID, desired, status, s.now())
	project, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Project])
	if err != nil {
		return Project{}, err
	}
	return project, s.beginOperation(ctx, tx, actor, project, kind, services)
}

// takeUp is advance for a change that a project takes up at once when it runs, and when it is started again where it is
// paused or failed.
func (s *Store) takeUp(ctx context.Context, tx pgx.Tx, actor Actor, project Project, kind OperationKind) (Project, error) {
	if takesUpLater[project.Status] {
		return project, nil
	}
	return s.advance(ctx, tx, actor, project, kind, nil)
}

// takesUpLater are the statuses in which nothing runs that a change could be taken up by: the next start does.
var takesUpLater = map[Status]bool{
	StatusInactive: true, StatusInitFailed: true, StatusPauseFailed: true, StatusRestoreFailed: true,
}

func lockProject(ctx context.Context, tx pgx.Tx, ref Ref) (Project, error) {
	rows, _ := tx.Query(ctx, `
		select `+projectColumns+` from platform.projects p join platform.organizations o on o.id = p.organization_id
		where p.ref = $1 for update of p`, ref)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Project])
}

// beginOperation notes what was asked and wakes the target's provisioner.
func (s *Store) beginOperation(ctx context.Context, tx pgx.Tx, actor Actor, project Project, kind OperationKind, services []string) error {
	_, err := tx.Exec(ctx, `
		insert into platform.operations (project_id, project_ref, kind, generation, requested_by, request_id, created_at, services)
		values ($1, $2, $3, $4, nullif($5, 0), $6, $7, $8)`, // nobody asks for a scheduled backup
		project.ID, project.Ref, kind, project.Generation, actor.ProfileID, actor.RequestID, s.now(), services)
	if err != nil {
		return fmt.Errorf("note the operation: %w", err)
	}
	return wake(ctx, tx, project)
}

// wake wakes the target's provisioner when the transaction commits.
func wake(ctx context.Context, tx pgx.Tx, project Project) error {
	if _, err := tx.Exec(ctx, `select pg_notify($1, $2)`, wakeChannel, project.Target); err != nil {
		return fmt.Errorf("wake the provisioner: %w", err)
	}
	return nil
}
