package access_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/store"
)

func TestAnOAuthScopeStandsForScopesThatThereAre(t *testing.T) {
	t.Parallel()
	require.Len(t, access.OAuthScopeNames(), 24)
	for _, name := range access.OAuthScopeNames() {
		for _, scope := range access.TokenScopes([]string{name}) {
			require.Contains(t, access.ScopeNames, scope, name)
			if strings.HasSuffix(name, ":read") {
				require.True(t, strings.HasSuffix(scope, "_read"), "%s lets write by %s", name, scope)
			}
		}
	}
	unknown, found := access.UnknownOAuthScope([]string{"projects:read", "everything:write"})
	require.True(t, found)
	require.Equal(t, "everything:write", unknown)
}

func TestAnApplicationMayDoWhatItWasGrantedAlone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		granted    string
		permission access.Permission
		may        bool
	}{
		{"projects:read", access.SignedInTo(access.Read, "projects"), true},
		{"projects:read", access.InProject(access.Read, "projects"), true},
		{"projects:read", access.InProject(access.Delete, "projects"), false},
		{"projects:read", access.InProject(access.TenantSQLAdminRead, "tables"), false},
		{"projects:write", access.InProject(access.Delete, "projects"), true},
		{"projects:write", access.InProject(access.SecretsRead, "*"), false},
		{"database:read", access.InProject(access.TenantSQLQuery, "*"), false},
		{"database:write", access.InProject(access.TenantSQLQuery, "*"), true},
		{"secrets:read", access.InProject(access.SecretsRead, "*"), true},
		{"organizations:write", access.InOrganization(access.Create, "auth.subject_roles"), false},
		{"organizations:write", access.InOrganization(access.Create, "approved_oauth_apps"), false},
		{"organizations:write", access.SignedInTo(access.Create, "organizations"), false},
		{"organizations:write", access.SignedIn(), false},
	}
	for _, test := range tests {
		limits := &store.TokenLimits{Scopes: access.TokenScopes([]string{test.granted})}
		require.Equal(t, test.may, test.permission.InScope(limits), "%s: %s", test.granted, test.permission)
	}
}
