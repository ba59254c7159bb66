package access_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

func TestEachRoleMayDoWhatUpstreamsMay(t *testing.T) {
	t.Parallel()
	const owner, administrator, developer, readOnly = store.RoleOwner, store.RoleAdministrator, store.RoleDeveloper, store.RoleReadOnly
	tests := []struct {
		action, resource string
		allowed          []store.Role
	}{
		{access.Delete, "organizations", []store.Role{owner}},
		{access.Update, "organizations", []store.Role{owner}},
		{access.Create, "projects", []store.Role{owner, administrator}},
		{access.Delete, "projects", []store.Role{owner, administrator}},
		{access.InfraExecute, "queue_jobs.projects.pause", []store.Role{owner, administrator}},
		{access.InfraExecute, "reboot", []store.Role{owner, administrator}},
		{access.SecretsWrite, "*", []store.Role{owner, administrator}},
		{access.TenantSQLAdminWrite, "tables", []store.Role{owner, administrator, developer}},
		{access.SecretsRead, "*", []store.Role{owner, administrator, developer}},
		{access.Read, "field.jwt_secret", []store.Role{owner, administrator, developer}},
		{access.TenantSQLQuery, "*", []store.Role{owner, administrator, developer, readOnly}},
		{access.Read, "projects", []store.Role{owner, administrator, developer, readOnly}},
		{access.Read, "organizations", []store.Role{owner, administrator, developer, readOnly}},
		{access.Create, "user_content", []store.Role{owner, administrator, developer, readOnly}},
	}
	for _, test := range tests {
		var allowed []store.Role
		for role := owner; role <= readOnly; role++ {
			if access.Allows(role, test.action, test.resource) {
				allowed = append(allowed, role)
			}
		}
		require.Equal(t, test.allowed, allowed, "%s %s", test.action, test.resource)
	}
}

func TestAnUnknownRoleMayDoNothing(t *testing.T) {
	t.Parallel()
	require.False(t, access.Allows(0, access.Read, "projects"))
	require.False(t, access.Allows(5, access.Read, "projects"))
}
