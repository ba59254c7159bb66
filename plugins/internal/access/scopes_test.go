package access_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

func TestEachPermissionNeedsItsScope(t *testing.T) {
	t.Parallel()
	tests := []struct {
		permission access.Permission
		scope      string
	}{
		{access.SignedInTo(access.Read, "organizations"), "organizations_read"},
		{access.SignedInTo(access.Create, "organizations"), "organizations_create"},
		{access.SignedInTo(access.Read, "projects"), "projects_read"},
		{access.InOrganization(access.Read, "organizations"), "organization_admin_read"},
		{access.InOrganization(access.BillingRead, "stripe.subscriptions"), "organization_admin_read"},
		{access.InOrganization(access.Delete, "organizations"), "organization_admin_write"},
		{access.InOrganization(access.BillingWrite, "stripe.subscriptions"), "organization_admin_write"},
		{access.InOrganization(access.Read, "auth.subject_roles"), "members_read"},
		{access.InOrganization(access.Create, "user_invites"), "members_write"},
		{access.InOrganization(access.Read, "projects"), "organization_projects_read"},
		{access.InOrganization(access.Create, "projects"), "organization_projects_create"},
		{access.InProject(access.Read, "projects"), "project_admin_read"},
		{access.InProject(access.Delete, "projects"), "project_admin_write"},
		{access.InProject(access.InfraExecute, "reboot"), "project_admin_write"},
		{access.InProject(access.SecretsRead, "*"), "api_gateway_keys_read"},
		{access.InProject(access.Read, "field.jwt_secret"), "api_gateway_keys_read"},
		{access.InProject(access.TenantSQLAdminRead, "tables"), "database_read"},
		{access.InProject(access.TenantSQLQuery, "*"), "database_write"},
		{access.InProject(access.Update, "custom_config_gotrue"), "auth_config_write"},
		{access.InProject(access.InfraExecute, "queue_job.restore.prepare"), "backups_write"},
	}
	for _, test := range tests {
		name, ok := test.permission.Scope()
		require.True(t, ok, test.permission)
		require.Equal(t, test.scope, name, test.permission)
		require.True(t, test.permission.InScope(&store.TokenLimits{Scopes: []string{test.scope}}))
		require.False(t, test.permission.InScope(&store.TokenLimits{Scopes: []string{"snippets_read"}}))
		require.True(t, test.permission.InScope(nil), "a token without scopes")
	}
	_, ok := access.SignedIn().Scope()
	require.False(t, ok, "no scope is for making tokens")
}
