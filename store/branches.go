package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plurabase/plurabase/store/projectdb"
)

// BranchStatus is how far a branch has come with what it takes over, as the contract names it.
type BranchStatus string

// The statuses of a branch that there are here.
const (
	BranchCreatingProject   BranchStatus = "CREATING_PROJECT"
	BranchRunningMigrations BranchStatus = "RUNNING_MIGRATIONS"
	BranchMigrationsPassed  BranchStatus = "MIGRATIONS_PASSED"
	BranchMigrationsFailed  BranchStatus = "MIGRATIONS_FAILED"
	BranchFunctionsDeployed BranchStatus = "FUNCTIONS_DEPLOYED"
)

// Branch is a project that follows another one, or the default branch: the project that others follow.
type Branch struct {
	ID                  string // a UUID
	Ref                 Ref    // of its own project
	ParentRef           Ref    // Ref itself for the default branch
	Name                string
	GitBranch           *string
	Persistent          bool
	WithData            bool
	Status              BranchStatus
	ProjectStatus       Status
	ReviewRequestedAt   *time.Time
	DeletionScheduledAt *time.Time
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// IsDefault tells whether it is the project that the others follow.
func (b Branch) IsDefault() bool { return b.Ref == b.ParentRef }

// NewBranch is what a user decides of a branch.
type NewBranch struct {
	Name        string
	GitBranch   *string
	Persistent  bool
	WithData    bool
	ComputeSize string                // the parent's where empty
	Secrets     SectionConfig         // the environment of its edge functions
	Migrations  []projectdb.Migration // the parent's
	TargetLimit int                   // as in NewProject
}

// BranchPatch changes what nil does not leave as it is.
type BranchPatch struct {
	Name          *string
	GitBranch     *string
	Persistent    *bool
	RequestReview *bool
}

// DefaultBranch is what the default branch is called where nobody names it.
const DefaultBranch = "main"

// softDeletion is how long a branch rests that is deleted softly.
const softDeletion = time.Hour

// branchColumns are a branch's. Its status is what the tables say, kept nowhere.
const branchColumns = `
	b.id::text, p.ref, q.ref, b.name, b.git_branch, b.persistent, b.with_data,
	case
		when exists (select from platform.migration_runs r where r.project_id = p.id) then
			case when p.status in ('COMING_UP', 'INIT_FAILED') then 'CREATING_PROJECT' else 'RUNNING_MIGRATIONS' end
		when exists (select from platform.project_restores r where r.project_id = p.id and r.state = 'wanted') then 'CREATING_PROJECT'
		when b.failed then 'MIGRATIONS_FAILED'
		when p.functions_generation > 0 and p.functions_synced = p.functions_generation then 'FUNCTIONS_DEPLOYED'
		else 'MIGRATIONS_PASSED'
	end, p.status, b.review_requested_at, b.deletion_scheduled_at, b.created_at, b.updated_at
	from platform.branches b join platform.projects p on p.id = b.project_id join platform.projects q on q.id = b.parent_id`

// Branches lists a project's branches with the default one first; those of its parent where it is a branch.
func (s *Store) Branches(ctx context.Context, projectID int64) ([]Branch, error) {
	rows, _ := s.pool.Query(ctx, `
		select `+branchColumns+`
		where b.parent_id = (select coalesce(parent_id, id) from platform.projects where id = $1)
		order by b.project_id <> b.parent_id, b.created_at, b.name`, projectID)
	branches, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Branch])
	return branches, wrap("list the branches", err)
}

// BranchOf returns the branch that a project is. ErrNotFound: it is none.
func (s *Store) BranchOf(ctx context.Context, projectID int64) (Branch, error) {
	branch, err := oneBranch(ctx, s.pool, projectID)
	return branch, wrap("look the branch up", err)
}

func oneBranch(ctx context.Context, q querier, projectID int64) (Branch, error) {
	rows, _ := q.Query(ctx, `select `+branchColumns+` where b.project_id = $1`, projectID)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Branch])
}

// BranchRef returns the ref of a branch's project by the branch's id. ErrNotFound: there is no such branch.
func (s *Store) BranchRef(ctx context.Context, id string) (ref Ref, err error) {
	err = s.pool.QueryRow(ctx, `
		select p.ref from platform.branches b join platform.projects p on p.id = b.project_id where b.id = $1`, id).Scan(&ref)
	return ref, wrap("look the branch up", err)
}

// EnableBranching makes a project the default branch of those that it may have.
func (s *Store) EnableBranching(ctx context.Context, actor Actor, ref Ref, name string) (Branch, error) {
	return s.changeBranch(ctx, actor, ref, "branches.enable", func(tx pgx.Tx, project Project) error {
		if err := requireParent(project); err != nil {
			return err
		}
		made, err := s.insertDefaultBranch(ctx, tx, project, name)
		if err == nil && !made {
			err = &ConflictError{"The project has its default branch already."}
		}
		return err
	})
}

// requireParent refuses a project that cannot have branches.
func requireParent(project Project) error {
	switch {
	case project.ParentRef != nil:
		return &ConflictError{"A branch has no branches of its own: make one of its project."}
	case project.Adopted():
		return errAdopted
	case project.Desired == DesiredRemoved:
		return &ConflictError{"The project is being deleted."}
	}
	return nil
}

func (s *Store) insertDefaultBranch(ctx context.Context, tx pgx.Tx, project Project, name string) (made bool, err error) {
	tag, err := tx.Exec(ctx, `
		insert into platform.branches (project_id, parent_id, name, persistent, with_data, created_at, updated_at)
		values ($1, $1, $2, true, true, $3, $3) on conflict (project_id) do nothing`, project.ID, name, s.now())
	if err != nil || tag.RowsAffected() == 0 {
		return false, branchTaken(err)
	}
	_, err = tx.Exec(ctx, `update platform.projects set branching = true where id = $1`, project.ID)
	return true, err
}

// branchTaken words a name that is not free.
func branchTaken(err error) error {
	if violates(err, "branches_parent_id_name_key") {
		return &ConflictError{"A branch with this name already exists."}
	}
	return err
}

// CreateBranch makes a project that follows another one: with its migrations, settings (but Auth's, and no secrets) and functions,
// and where it is wanted with the data of the newest backup.
func (s *Store) CreateBranch(ctx context.Context, actor Actor, ref Ref, wanted NewBranch) (Branch, error) {
	return write(ctx, s, actor, "create the branch", func(ctx context.Context, tx pgx.Tx) (Branch, AuditEntry, error) {
		parent, err := lockProject(ctx, tx, ref)
		if err != nil {
			return Branch{}, AuditEntry{}, err
		}
		if err := requireParent(parent); err != nil {
			return Branch{}, AuditEntry{}, err
		}
		if _, err := s.insertDefaultBranch(ctx, tx, parent, DefaultBranch); err != nil {
			return Branch{}, AuditEntry{}, err
		}
		made, entry, err := s.branchProject(ctx, tx, actor, parent, wanted)
		if err != nil {
			return Branch{}, AuditEntry{}, err
		}
		entry.Action, entry.Details["branch_of"] = "branches.create", ref
		if wanted.WithData {
			err = s.copyData(ctx, tx, parent, made)
		} else {
			err = s.insertRun(ctx, tx, made, parent.ID, projectdb.TakeOver{Migrations: wanted.Migrations})
		}
		if err != nil {
			return Branch{}, AuditEntry{}, err
		}
		branch, err := oneBranch(ctx, tx, made.ID)
		return branch, entry, err
	})
}

// branchProject makes the project of a branch.
func (s *Store) branchProject(ctx context.Context, tx pgx.Tx, actor Actor, parent Project, wanted NewBranch) (Project, AuditEntry, error) {
	password, err := newLetters(s.random, branchPasswordLength)
	if err != nil {
		return Project{}, AuditEntry{}, err
	}
	size := parent.ComputeSize
	if wanted.ComputeSize != "" {
		size = wanted.ComputeSize
	}
	made, entry, err := s.createProject(ctx, tx, actor, NewProject{
		OrganizationID: parent.OrganizationID, Name: parent.Name + " " + wanted.Name, CloudProvider: parent.CloudProvider,
		Region: parent.Region, Target: parent.Target, ComputeSize: size, Services: parent.Services,
		TargetLimit: wanted.TargetLimit, DatabasePassword: password,
	})
	if err != nil {
		return Project{}, AuditEntry{}, err
	}
	for _, statement := range []string{
		`update platform.projects b set parent_id = p.id, ssl_enforced = p.ssl_enforced from platform.projects p where b.id = $1 and p.id = $2`,
		`insert into platform.network_restrictions (project_id, allowed, updated_at)
			select $1, allowed, updated_at from platform.network_restrictions where project_id = $2`,
		`insert into platform.project_members (project_id, profile_id, organization_id, role)
			select $1, profile_id, organization_id, role from platform.project_members where project_id = $2`,
	} {
		if _, err := tx.Exec(ctx, statement, made.ID, parent.ID); err != nil {
			return Project{}, AuditEntry{}, err
		}
	}
	_, err = tx.Exec(ctx, `
		insert into platform.branches (project_id, parent_id, name, git_branch, persistent, with_data, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $7)`,
		made.ID, parent.ID, wanted.Name, wanted.GitBranch, wanted.Persistent, wanted.WithData, s.now())
	if err != nil {
		return Project{}, AuditEntry{}, branchTaken(err)
	}
	return made.Project, entry, s.copySettings(ctx, tx, parent, made.Project, wanted.Secrets)
}

// branchPasswordLength is how many random letters the database's password has: 188 bits.
const branchPasswordLength = 40

// branchSettings are the sections that a branch has from its parent. Auth's holds the secrets of providers and of a mail server, and
// function secrets those of production: a preview is made to be looked at by others.
var branchSettings = []ConfigSection{ConfigPostgrest, ConfigRealtime, ConfigStorage, ConfigPooler, ConfigPostgres}

func (s *Store) copySettings(ctx context.Context, tx pgx.Tx, parent, made Project, secrets SectionConfig) error {
	config, err := s.projectConfig(ctx, tx, parent.ID, parent.Ref, branchSettings...)
	if err != nil {
		return err
	}
	if len(secrets) > 0 {
		if config == nil {
			config = map[ConfigSection]SectionConfig{}
		}
		config[ConfigFunctionSecrets] = secrets
	}
	for section, settings := range config {
		if err := s.writeSection(ctx, tx, made, section, settings); err != nil {
			return err
		}
	}
	return nil
}

// copyData has a new branch made of the newest backup of its parent, with its functions.
func (s *Store) copyData(ctx context.Context, tx pgx.Tx, parent, made Project) error {
	id, err := newestRestorable(ctx, tx, parent)
	if err != nil {
		return err
	}
	if err := requireRestorable(ctx, tx, parent, id); err != nil {
		return err
	}
	if err := s.noteClone(ctx, tx, parent, made, id); err != nil {
		return err
	}
	return s.copyFunctions(ctx, tx, parent.ID, made)
}

// UpdateBranch changes what is said of a branch. ErrNotFound: the project is none.
func (s *Store) UpdateBranch(ctx context.Context, actor Actor, ref Ref, patch BranchPatch) (Branch, error) {
	return s.changeBranch(ctx, actor, ref, "branches.update", func(tx pgx.Tx, project Project) error {
		_, err := tx.Exec(ctx, `
			update platform.branches set name = coalesce($2, name), git_branch = nullif(coalesce($3, git_branch), ''),
				persistent = coalesce($4, persistent), updated_at = $6,
				review_requested_at = case when $5::boolean is null then review_requested_at when $5 then coalesce(review_requested_at, $6) end
			where project_id = $1`, project.ID, patch.Name, patch.GitBranch, patch.Persistent, patch.RequestReview, s.now())
		return branchTaken(err)
	})
}

// DeleteBranch deletes a branch with all its data: at once, or softly, which stops it and leaves an hour to change one's mind.
func (s *Store) DeleteBranch(ctx context.Context, actor Actor, ref Ref, softly bool) error {
	_, err := s.changeBranch(ctx, actor, ref, "branches.delete", func(tx pgx.Tx, project Project) error {
		if project.ParentRef == nil {
			return &ConflictError{"This is the default branch: it is the project itself."}
		}
		if !softly {
			return s.advanceUnless(ctx, tx, actor, project, OperationDelete, project.Desired == DesiredRemoved)
		}
		_, err := tx.Exec(ctx, `update platform.branches set deletion_scheduled_at = $2 where project_id = $1`,
			project.ID, s.now().Add(softDeletion))
		if err != nil {
			return err
		}
		return s.advanceUnless(ctx, tx, actor, project, OperationPause, !project.Running())
	})
	return err
}

func (s *Store) advanceUnless(ctx context.Context, tx pgx.Tx, actor Actor, project Project, kind OperationKind, done bool) error {
	if done {
		return nil
	}
	_, err := s.advance(ctx, tx, actor, project, kind, nil)
	return err
}

// RestoreBranch takes a soft deletion back, and starts the branch again.
func (s *Store) RestoreBranch(ctx context.Context, actor Actor, ref Ref) error {
	_, err := s.changeBranch(ctx, actor, ref, "branches.restore", func(tx pgx.Tx, project Project) error {
		tag, err := tx.Exec(ctx, `
			update platform.branches set deletion_scheduled_at = null where project_id = $1 and deletion_scheduled_at is not null`, project.ID)
		switch {
		case err != nil:
			return err
		case tag.RowsAffected() == 0 || project.Desired == DesiredRemoved:
			return &ConflictError{"The branch is not among those that wait for their deletion."}
		}
		return s.advanceUnless(ctx, tx, actor, project, OperationRestore, project.Running())
	})
	return err
}

// DeleteDueBranches deletes the target's branches whose time has come.
func (s *Store) DeleteDueBranches(ctx context.Context, target string) error {
	return wrap("delete the branches whose time has come", pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select p.ref from platform.branches b join platform.projects p on p.id = b.project_id
			where b.deletion_scheduled_at <= $2 and p.target = $1 and p.desired <> 'removed' order by p.id for update of p`, target, s.now())
		due, err := pgx.CollectRows(rows, pgx.RowTo[Ref])
		for _, ref := range due {
			project, err := lockProject(ctx, tx, ref)
			if err != nil {
				return err
			}
			if _, err := s.advance(ctx, tx, Actor{RequestID: "soft-deletion"}, project, OperationDelete, nil); err != nil {
				return err
			}
		}
		return err
	}))
}

// DisableBranching lets a project be no branch any more. A ConflictError says that others still follow it.
func (s *Store) DisableBranching(ctx context.Context, actor Actor, ref Ref) error {
	_, err := s.changeLocked(ctx, actor, ref, "disable-branching", nil, func(tx pgx.Tx, project Project) (Project, error) {
		if err := requireNoBranches(ctx, tx, project); err != nil {
			return Project{}, err
		}
		for _, statement := range []string{
			`delete from platform.branches where project_id = $1 and parent_id = $1`,
			`update platform.projects set branching = false where id = $1`,
		} {
			if _, err := tx.Exec(ctx, statement, project.ID); err != nil {
				return Project{}, err
			}
		}
		return project, nil
	})
	return err
}

// requireNoBranches refuses what would leave a project's branches without it.
func requireNoBranches(ctx context.Context, tx pgx.Tx, project Project) error {
	var count int
	err := tx.QueryRow(ctx, `select count(*) from platform.projects where parent_id = $1`, project.ID).Scan(&count)
	if err == nil && count > 0 {
		err = &ConflictError{fmt.Sprintf("The project has branches (%d): delete them first.", count)}
	}
	return err
}

// changeBranch changes a project that has to be a branch, and returns what it then is.
func (s *Store) changeBranch(ctx context.Context, actor Actor, ref Ref, action string, do func(pgx.Tx, Project) error) (Branch, error) {
	return write(ctx, s, actor, action, func(ctx context.Context, tx pgx.Tx) (Branch, AuditEntry, error) {
		project, err := lockProject(ctx, tx, ref)
		if err != nil {
			return Branch{}, AuditEntry{}, err
		}
		if err := do(tx, project); err != nil {
			return Branch{}, AuditEntry{}, err
		}
		branch, err := oneBranch(ctx, tx, project.ID)
		if errors.Is(err, pgx.ErrNoRows) {
			err = ErrNotFound
		}
		return branch, AuditEntry{
			Action: action, OrganizationID: project.OrganizationID, ProjectRef: ref, Details: map[string]any{"name": branch.Name},
		}, err
	})
}
