package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/plugins/internal/schemadiff"
	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

type diffBranchInput struct {
	Branch          string `path:"branch_id_or_ref"`
	IncludedSchemas string `query:"included_schemas" maxLength:"4096" doc:"By comma; all that are not Supabase's own where it is left out."`
	PGDelta         bool   `query:"pgdelta" doc:"Another of upstream's ways to compare: there is one here."`
}

// pair is a branch that the call entered, and the project that it follows, with what was done to the schema of each.
type pair struct {
	parent             store.ProjectAccess
	ofBranch, ofParent []projectdb.Migration
}

// pairOf reads both histories. Whoever changes the parent needs the permission there, too.
func (a *API) pairOf(ctx context.Context, c *call, inParent access.Permission) (pair, error) {
	branch, err := a.store.BranchOf(ctx, c.project.ID)
	if err != nil {
		return pair{}, problem.OrNotFound(err, noBranch)
	}
	if branch.IsDefault() {
		return pair{}, problem.BadRequest("This is the default branch: it follows no other.")
	}
	parent, err := a.store.ProjectByRef(ctx, c.Profile.ID, branch.ParentRef)
	if err != nil {
		return pair{}, problem.OrNotFound(err, "Project not found")
	}
	if !inParent.InScope(c.Limits) || !access.AllowsInProject(parent, inParent.Action(), inParent.Resource()) {
		return pair{}, problem.Forbidden(inParent)
	}
	both := pair{parent: parent}
	if both.ofBranch, err = a.migrationsOf(ctx, c.project.Project); err != nil {
		return pair{}, err
	}
	both.ofParent, err = a.migrationsOf(ctx, parent.Project)
	return both, err
}

func (a *API) migrationsOf(ctx context.Context, project store.Project) ([]projectdb.Migration, error) {
	database, err := a.projectDatabase(ctx, project, projectdb.RoleReadOnly)
	if err != nil {
		return nil, err
	}
	migrations, err := database.Migrations(ctx)
	return withoutRepetitions(migrations), databaseProblem(err)
}

// withoutRepetitions marks the migrations that are nothing but those before them. Studio, before it merges, notes what diffBranch has
// said as one more migration of the branch: run again, it would fail.
func withoutRepetitions(history []projectdb.Migration) []projectdb.Migration {
	for i, one := range history {
		text := strings.Join(one.Statements, "")
		for first := range i {
			if strings.HasPrefix(text, "-- "+history[first].Version) && text == sqlOf(history[first:i]) {
				history[i].Noted = true
			}
		}
	}
	return history
}

// lacking are those migrations of one history that another one lacks, up to a version; empty: all.
func lacking(of, in []projectdb.Migration, upTo string) []projectdb.Migration {
	missing := []projectdb.Migration{}
	for _, one := range of {
		known := slices.ContainsFunc(in, func(other projectdb.Migration) bool { return other.Version == one.Version })
		if !known && (upTo == "" || one.Version <= upTo) {
			missing = append(missing, one)
		}
	}
	return missing
}

// upTo is the version that an action ends at. It has to be one of the history's.
func upTo(in *branchActionInput, history []projectdb.Migration) (string, error) {
	if in.Body == nil || in.Body.MigrationVersion == "" {
		return "", nil
	}
	version := in.Body.MigrationVersion
	if !slices.ContainsFunc(history, func(one projectdb.Migration) bool { return one.Version == version }) {
		return "", problem.BadRequest("migration_version: there is no such migration.")
	}
	return version, nil
}

// sqlOf prints migrations as they are run.
func sqlOf(migrations []projectdb.Migration) string {
	var text strings.Builder
	for _, one := range migrations {
		if one.Noted {
			continue
		}
		text.WriteString("-- " + one.Version)
		if one.Name != nil {
			text.WriteString(" " + strings.Join(strings.Fields(*one.Name), " "))
		}
		text.WriteByte('\n')
		for _, statement := range one.Statements {
			text.WriteString(strings.TrimRight(statement, "; \n") + ";\n")
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// diffBranch says what a merge does. While the branch has migrations that its project lacks, that is these; what was changed without
// one is compared once there are none.
func (a *API) diffBranch(ctx context.Context, c *call, in *diffBranchInput) (*textOutput, error) {
	both, err := a.pairOf(ctx, c, access.InProject(access.Read, "preview_branches"))
	if err != nil {
		return nil, err
	}
	answer := func(text string) (*textOutput, error) {
		return &textOutput{"text/plain; charset=utf-8", []byte(text)}, nil
	}
	if missing := lacking(both.ofBranch, both.ofParent, ""); len(missing) > 0 {
		return answer(sqlOf(missing))
	}
	from, err := a.projectDatabase(ctx, both.parent.Project, projectdb.RoleReadOnly)
	if err != nil {
		return nil, err
	}
	to, err := a.projectDatabase(ctx, c.project.Project, projectdb.RoleReadOnly)
	if err != nil {
		return nil, err
	}
	schemas := strings.FieldsFunc(in.IncludedSchemas, func(r rune) bool { return r == ',' || r == ' ' })
	text, err := a.compare(ctx, schemadiff.Request{From: from, To: to, Schemas: schemas})
	if err != nil {
		return nil, databaseProblem(err)
	}
	return answer(text)
}

func (a *API) mergeBranch(ctx context.Context, c *call, in *branchActionInput) (BranchUpdateResponse, error) {
	both, err := a.pairOf(ctx, c, access.InProject(access.TenantSQLAdminWrite, "schema_migrations"))
	if err != nil {
		return BranchUpdateResponse{}, err
	}
	version, err := upTo(in, both.ofBranch)
	if err != nil {
		return BranchUpdateResponse{}, err
	}
	return runAnswer(a.store.TakeOver(ctx, c.actor, both.parent.Ref, c.project.Ref, projectdb.TakeOver{
		Migrations: lacking(both.ofBranch, both.ofParent, version),
	}))
}

func (a *API) pushBranch(ctx context.Context, c *call, in *branchActionInput) (BranchUpdateResponse, error) {
	both, err := a.pairOf(ctx, c, access.InProject(access.Read, "preview_branches"))
	if err != nil {
		return BranchUpdateResponse{}, err
	}
	version, err := upTo(in, both.ofParent)
	if err != nil {
		return BranchUpdateResponse{}, err
	}
	missing := lacking(both.ofParent, both.ofBranch, version)
	return runAnswer(a.store.TakeOver(ctx, c.actor, c.project.Ref, both.parent.Ref, projectdb.TakeOver{Migrations: missing}))
}

func (a *API) resetBranch(ctx context.Context, c *call, in *branchActionInput) (BranchUpdateResponse, error) {
	both, err := a.pairOf(ctx, c, access.InProject(access.Read, "preview_branches"))
	if err != nil {
		return BranchUpdateResponse{}, err
	}
	branch, err := a.store.BranchOf(ctx, c.project.ID)
	if err != nil {
		return BranchUpdateResponse{}, problem.OrNotFound(err, noBranch)
	}
	if branch.WithData {
		return BranchUpdateResponse{}, problem.New(http.StatusConflict,
			"This branch was made with data, which no migration brings back: delete it, and make another one.")
	}
	version, err := upTo(in, both.ofBranch)
	if err != nil {
		return BranchUpdateResponse{}, err
	}
	return runAnswer(a.store.TakeOver(ctx, c.actor, c.project.Ref, both.parent.Ref,
		projectdb.TakeOver{Reset: true, Migrations: lacking(both.ofBranch, nil, version)}))
}
