package access_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

const owner, administrator, developer, readOnly = store.RoleOwner, store.RoleAdministrator, store.RoleDeveloper, store.RoleReadOnly

func TestEachRoleMayDoWhatUpstreamsMay(t *testing.T) {
	t.Parallel()
	managers := []store.Role{owner, administrator}
	makers := []store.Role{owner, administrator, developer}
	everybody := []store.Role{owner, administrator, developer, readOnly}
	tests := []struct {
		action, resource string
		allowed          []store.Role
	}{
		{access.Delete, "organizations", []store.Role{owner}},
		{access.Update, "organizations", []store.Role{owner}},
		{access.Create, "auth.subject_roles", managers},
		{access.Delete, "user_invites", managers},
		{access.Create, "projects", managers},
		{access.Delete, "projects", managers},
		{access.Update, "projects", managers},
		{access.InfraExecute, "queue_jobs.projects.pause", managers},
		{access.InfraExecute, "queue_jobs.projects.initialize_or_resume", managers},
		{access.InfraExecute, "queue_job.projects.update_jwt", managers},
		{access.InfraExecute, "reboot", makers},
		{access.InfraExecute, "queue_job.restore.prepare", makers},
		{access.InfraExecute, "queue_job.walg.prepare_restore", makers},
		{access.BillingWrite, "stripe.subscriptions", managers},
		{access.BillingRead, "stripe.subscriptions", everybody},
		{access.SecretsWrite, "*", managers},
		{"functions:Secret:Write", "*", managers},
		{"functions:Secret:Read", "*", everybody},
		{"functions:Write", "*", makers},
		{"auth:Execute", "create_user", makers},
		{"storage:Write", "*", makers},
		{access.Update, "custom_config_postgrest", managers},
		{access.Update, "integrations.github_connections", managers},
		{access.Create, "preview_branches", makers},
		{access.TenantSQLAdminWrite, "tables", makers},
		{access.SecretsRead, "*", makers},
		{access.Read, "field.jwt_secret", makers},
		{access.Read, "service_api_keys", makers},
		{access.TenantSQLQuery, "*", everybody},
		{access.Read, "projects", everybody},
		{access.Read, "organizations", everybody},
		{access.Create, "user_content", everybody},
	}
	for _, test := range tests {
		var allowed []store.Role
		for role := owner; role <= readOnly; role++ {
			if access.Allows(store.Roles{Role: role}, test.action, test.resource) {
				allowed = append(allowed, role)
			}
		}
		require.Equal(t, test.allowed, allowed, "%s %s", test.action, test.resource)
	}
}

func TestOnlyOwnersMakeAndUnmakeOwners(t *testing.T) {
	t.Parallel()
	for _, action := range []string{access.Create, access.Delete} {
		for _, resource := range []string{"auth.subject_roles", "user_invites"} {
			require.True(t, access.AllowsRole(store.Roles{Role: owner}, action, resource, owner))
			require.False(t, access.AllowsRole(store.Roles{Role: administrator}, action, resource, owner))
			require.True(t, access.AllowsRole(store.Roles{Role: administrator}, action, resource, administrator))
			require.False(t, access.AllowsRole(store.Roles{Role: developer}, action, resource, readOnly))
		}
	}
}

func TestARoleInAProjectDecidesThereAlone(t *testing.T) {
	t.Parallel()
	in := func(organization, project store.Role) store.ProjectAccess {
		return store.ProjectAccess{OrganizationRole: organization, ProjectRole: project}
	}
	require.True(t, access.AllowsInProject(in(0, owner), access.Delete, "projects"))
	require.True(t, access.AllowsInProject(in(readOnly, administrator), access.Delete, "projects"))
	require.False(t, access.AllowsInProject(in(owner, developer), access.Delete, "projects"), "a restrictive grant matches")
	require.False(t, access.AllowsInProject(in(0, readOnly), access.Delete, "projects"))
	require.False(t, access.AllowsInProject(in(0, 0), access.Read, "projects"))
}

func TestAMemberOfSomeProjectsKnowsTheOrganizationAndNoMore(t *testing.T) {
	t.Parallel()
	roles := store.Roles{ProjectRoles: []store.ProjectRole{{ProjectID: 1, Role: owner}}}
	require.True(t, access.Allows(roles, access.Read, "organizations"))
	for _, resource := range []string{"projects", "user_invites", "auth.subject_roles"} {
		require.False(t, access.Allows(roles, access.Create, resource), resource)
	}
	require.False(t, access.Allows(roles, access.Update, "organizations"))
	require.False(t, access.Allows(roles, access.BillingRead, "stripe.subscriptions"))
}

func TestAnUnknownRoleMayDoNothing(t *testing.T) {
	t.Parallel()
	for _, role := range []store.Role{-1, 5, 9} {
		require.False(t, access.Allows(store.Roles{Role: role}, access.Read, "projects"))
		require.False(t, access.AllowsInProject(store.ProjectAccess{ProjectRole: role}, access.Read, "projects"))
	}
}
