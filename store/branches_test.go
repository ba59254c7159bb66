package store_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
	"github.com/plurabase/plurabase/store/projectdb"
)

func (l *leases) branch(parent store.Ref, wanted store.NewBranch) store.Branch {
	l.Helper()
	made, err := l.store.CreateBranch(l.Context(), actor(l.profile, "branch "+wanted.Name), parent, wanted)
	require.NoError(l, err)
	return made
}

func TestABranchTakesOverWhatItsProjectHas(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	_, err := l.store.DeployFunction(t.Context(), actor(l.profile, "deploy"), project.Ref, newFunction(t, "hello", "one"))
	require.NoError(t, err)
	for section, settings := range map[store.ConfigSection]store.SectionConfig{
		store.ConfigPostgrest: {"max_rows": 7.}, store.ConfigFunctionSecrets: {"STRIPE": "live"}, store.ConfigAuth: {"SMTP_PASS": "live"},
	} {
		_, err = l.store.UpdateProjectConfig(t.Context(), actor(l.profile, string(section)), project.Ref, section, settings)
		require.NoError(t, err)
	}
	require.NoError(t, l.store.EnforceSSL(t.Context(), actor(l.profile, "enforce"), project.Ref, true))
	restricted, err := l.store.RestrictNetwork(t.Context(), actor(l.profile, "restrict"), project.Ref, func([]netip.Prefix) []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	require.NoError(t, err)
	name, secret := "notes", "insert into vault values ('hush')"
	made := l.branch(project.Ref, store.NewBranch{
		Name: "feature", Secrets: store.SectionConfig{"STRIPE": "test"}, Migrations: []projectdb.Migration{{Version: "1", Name: &name, Statements: []string{secret}}},
	})
	require.Equal(t, store.BranchCreatingProject, made.Status)
	require.NotContains(t, l.scalar(`select convert_from(sealed, 'latin1') from platform.migration_runs`), "hush")

	claim := l.claim()
	for claim.Project.Ref != made.Ref {
		claim = l.claim()
	}
	require.True(t, claim.Project.SSLEnforced)
	restrictions, err := l.store.NetworkRestrictions(t.Context(), claim.Project.ID)
	require.NoError(t, err)
	require.Equal(t, restricted.Allowed, restrictions.Allowed)
	config, err := claim.Config(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[store.ConfigSection]store.SectionConfig{
		store.ConfigPostgrest: {"max_rows": 7.}, store.ConfigFunctionSecrets: {"STRIPE": "test"},
	}, config, "no secret of production")
	what, err := claim.TakeOver(t.Context())
	require.NoError(t, err)
	require.Equal(t, secret, what.Migrations[0].Statements[0])
	require.NoError(t, claim.TakenOver(t.Context()))
	functions, err := claim.Functions(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hello", functions.Functions[0].Slug)
	require.NoError(t, claim.FunctionsSynced(t.Context(), functions.Generation))
	none, err := claim.TakeOver(t.Context())
	require.NoError(t, err)
	require.Nil(t, none)
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))
	found, err := l.store.BranchOf(t.Context(), claim.Project.ID)
	require.NoError(t, err)
	require.Equal(t, store.BranchFunctionsDeployed, found.Status)

	_, err = l.store.TakeOver(t.Context(), actor(l.profile, "push"), made.Ref, project.Ref, projectdb.TakeOver{})
	require.NoError(t, err)
	_, err = l.store.TakeOver(t.Context(), actor(l.profile, "push again"), made.Ref, project.Ref, projectdb.TakeOver{})
	requireConflict(t, err, "taking migrations over already")
	claim = l.claim()
	require.Equal(t, store.OperationMigrate, claim.Kind)
	require.NoError(t, claim.GiveTakeOverUp(t.Context()))
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy, Failure: errors.New("refused")}))
	found, err = l.store.BranchOf(t.Context(), claim.Project.ID)
	require.NoError(t, err)
	require.Equal(t, store.BranchMigrationsFailed, found.Status)
	again, err := claim.Functions(t.Context())
	require.NoError(t, err)
	require.Equal(t, functions.Generation, again.Generation, "what is the same is not deployed again")
}

func TestABranchIsDeletedAtOnceOrInAnHour(t *testing.T) {
	t.Parallel()
	l, project := backedUp(t)
	l.backup(project.Ref, store.BackupVerified)
	made := l.branch(project.Ref, store.NewBranch{Name: "feature", WithData: true})
	claim := l.claim()
	restore, err := claim.Restore(t.Context())
	require.NoError(t, err)
	require.NotNil(t, restore, "it is made of the backup")
	require.NoError(t, claim.ForgetRestore(t.Context()))
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))

	limits := &store.TokenLimits{ProjectIDs: []int64{project.ID}}
	require.True(t, limits.ReachesProject(claim.Project), "a token for the project is for its branches")
	require.False(t, (&store.TokenLimits{ProjectIDs: []int64{claim.Project.ID}}).ReachesProject(project), "and not the other way")

	requireConflict(t, l.store.TransferProject(t.Context(), actor(l.profile, "t1"), project.Ref, project.OrganizationID+1), "has branches")
	requireConflict(t, l.store.TransferProject(t.Context(), actor(l.profile, "t2"), made.Ref, project.OrganizationID+1), "stays in the organization")
	requireConflict(t, l.store.RestoreBranch(t.Context(), actor(l.profile, "r1"), made.Ref), "not among those")

	require.NoError(t, l.store.DeleteBranch(t.Context(), actor(l.profile, "d1"), made.Ref, true))
	require.NoError(t, l.store.DeleteDueBranches(t.Context(), "local"))
	claim = l.claim()
	require.Equal(t, store.OperationPause, claim.Kind)
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusInactive}))
	require.NoError(t, l.store.RestoreBranch(t.Context(), actor(l.profile, "r2"), made.Ref))
	claim = l.claim()
	require.Equal(t, store.OperationRestore, claim.Kind)
	require.NoError(t, claim.Settle(t.Context(), store.Outcome{Status: store.StatusActiveHealthy}))

	require.NoError(t, l.store.DeleteBranch(t.Context(), actor(l.profile, "d2"), made.Ref, true))
	_, err = l.database.Exec(t.Context(), `update platform.branches set deletion_scheduled_at = deletion_scheduled_at - interval '1 hour'`)
	require.NoError(t, err)
	require.NoError(t, l.store.DeleteDueBranches(t.Context(), "elsewhere"))
	require.NoError(t, l.store.DeleteDueBranches(t.Context(), "local"))
	claim = l.claim()
	require.Equal(t, store.OperationDelete, claim.Kind)
	require.NoError(t, claim.Remove(t.Context()))
	branches, err := l.store.Branches(t.Context(), project.ID)
	require.NoError(t, err)
	require.Len(t, branches, 1)
	l.change(project.Ref, store.OperationDelete)
}

func (l *leases) scalar(sql string) (text string) {
	l.Helper()
	require.NoError(l, l.database.QueryRow(l.Context(), sql).Scan(&text))
	return text
}
