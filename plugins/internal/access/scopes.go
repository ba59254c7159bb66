package access

import (
	"slices"

	"github.com/plurabase/plurabase/store"
)

// tokenScope is a row of the table of scopes: what a permission needs of a scoped access token. Actions and resources are
// patterns as in a Grant.
type tokenScope struct {
	of        scope
	actions   []string
	resources []string
	name      string // as the platform's contract has it (CreateScopedAccessTokenBody, permissions); or anyScope, or noScope
}

// anyScope is what every token is good for: to know whose it is.
const anyScope = ""

// noScope is for what no token with scopes is good for: with one, nobody lets others do more.
const noScope = "-"

// tokenScopes is the table of scopes. The first row that matches a permission says which scope it needs; a permission that
// no row matches is for sessions and for tokens without scopes.
var tokenScopes = []tokenScope{
	{signedIn, []string{Read}, []string{"profile"}, anyScope},
	{signedIn, []string{Read}, []string{"organizations"}, "organizations_read"},
	{signedIn, []string{Create}, []string{"organizations"}, "organizations_create"},
	{signedIn, []string{Read}, []string{"projects"}, "projects_read"},
	{signedIn, []string{Read}, []string{"user_content"}, "snippets_read"},

	{organization, []string{Create, Update, Delete}, []string{"approved_oauth_apps", "oauth_apps"}, noScope},
	{organization, []string{Read}, []string{"auth.subject_roles", "user_invites"}, "members_read"},
	{organization, []string{everything}, []string{"auth.subject_roles", "user_invites"}, "members_write"},
	{organization, []string{Read}, []string{"projects"}, "organization_projects_read"},
	{organization, []string{Create}, []string{"projects"}, "organization_projects_create"},
	{organization, []string{Read, BillingRead}, []string{everything}, "organization_admin_read"},
	{organization, []string{everything}, []string{everything}, "organization_admin_write"},

	{project, []string{"analytics:Read"}, []string{everything}, "analytics_logs_read"},
	{project, []string{Read}, []string{"custom_config_gotrue"}, "auth_config_read"},
	{project, []string{everything}, []string{"custom_config_gotrue"}, "auth_config_write"},
	{project, []string{Read}, []string{"custom_config_postgrest"}, "data_api_config_read"},
	{project, []string{everything}, []string{"custom_config_postgrest"}, "data_api_config_write"},
	{project, []string{Read}, []string{"auth_signing_keys"}, "auth_signing_keys_read"},
	{project, []string{everything}, []string{"auth_signing_keys", "queue_job.projects.update_jwt"}, "auth_signing_keys_write"},
	{project, []string{Read}, []string{"service_api_keys", "field.jwt_secret"}, "api_gateway_keys_read"},
	{project, []string{SecretsRead}, []string{everything}, "api_gateway_keys_read"},
	{project, []string{SecretsWrite}, []string{everything}, "api_gateway_keys_write"},
	{project, []string{Read}, []string{"back_ups", "physical_backups"}, "backups_read"},
	{project, []string{InfraExecute}, []string{"queue_job.restore.prepare", "queue_job.walg.prepare_restore"}, "backups_write"},
	{project, []string{Read}, []string{"preview_branches"}, "branching_development_read"},
	{project, []string{Create}, []string{"preview_branches"}, "branching_development_create"},
	{project, []string{Delete}, []string{"preview_branches"}, "branching_development_delete"},
	{project, []string{everything}, []string{"preview_branches"}, "branching_development_write"},
	{project, []string{Read}, []string{"user_content"}, "project_snippets_read"},
	{project, []string{everything}, []string{"user_content"}, "project_snippets_write"},
	{project, []string{Read}, []string{"advisors"}, "advisors_read"},
	{project, []string{FunctionsRead}, []string{everything}, "edge_functions_read"},
	{project, []string{FunctionsWrite}, []string{everything}, "edge_functions_write"},
	{project, []string{FunctionSecretRead}, []string{everything}, "edge_functions_secrets_read"},
	{project, []string{FunctionSecretWrite}, []string{everything}, "edge_functions_secrets_write"},
	{project, []string{"realtime:Admin:Read"}, []string{everything}, "realtime_config_read"},
	{project, []string{"realtime:Admin:Write"}, []string{everything}, "realtime_config_write"},
	{project, []string{"storage:Read"}, []string{everything}, "storage_read"},
	{project, []string{"storage:Write"}, []string{everything}, "storage_write"},
	{project, []string{"storage:Admin:Read"}, []string{everything}, "storage_config_read"},
	{project, []string{"storage:Admin:Write"}, []string{everything}, "storage_config_write"},
	{project, []string{TenantSQLAdminRead}, []string{"schema_migrations"}, "database_migrations_read"},
	{project, []string{TenantSQLAdminWrite}, []string{"schema_migrations"}, "database_migrations_write"},
	{project, []string{TenantSQLAdminRead, TenantSQLSelect}, []string{everything}, "database_read"},
	// SQL of the caller's own: what it does is not looked at.
	{project, []string{"tenant:Sql:%"}, []string{everything}, "database_write"},
	{project, []string{Read, ReplicationRead}, []string{everything}, "project_admin_read"},
	{project, []string{everything}, []string{everything}, "project_admin_write"},
}

// ScopeNames are all scopes that a token can be given (schema CreateScopedAccessTokenBody). Those that no row of the table
// names are kept with the token, and open nothing.
var ScopeNames = []string{
	"organizations_read", "organizations_create", "projects_read", "snippets_read", "organization_admin_read",
	"organization_admin_write", "members_read", "members_write", "organization_projects_read", "organization_projects_create",
	"project_admin_read", "project_admin_write", "action_runs_read", "action_runs_write", "advisors_read",
	"analytics_logs_read", "analytics_usage_read", "api_gateway_keys_read", "api_gateway_keys_write", "auth_config_read",
	"auth_config_write", "auth_signing_keys_read", "auth_signing_keys_write", "backups_read", "backups_write",
	"branching_development_create", "branching_development_delete", "branching_development_read",
	"branching_development_write", "branching_production_create", "branching_production_delete",
	"branching_production_read", "branching_production_write", "custom_domain_read", "custom_domain_write",
	"data_api_config_read", "data_api_config_write", "database_read", "database_write", "database_config_read",
	"database_config_write", "database_jit_read", "database_jit_write", "database_network_bans_read",
	"database_network_bans_write", "database_network_restrictions_read", "database_network_restrictions_write",
	"database_migrations_read", "database_migrations_write", "database_pooling_config_read",
	"database_pooling_config_write", "database_readonly_config_read", "database_readonly_config_write",
	"database_ssl_config_read", "database_ssl_config_write", "database_webhooks_config_read",
	"database_webhooks_config_write", "edge_functions_read", "edge_functions_write", "edge_functions_secrets_read",
	"edge_functions_secrets_write", "infra_add_ons_read", "infra_add_ons_write", "infra_disk_config_read",
	"infra_disk_config_write", "infra_read_replicas_read", "infra_read_replicas_write", "project_snippets_read",
	"project_snippets_write", "realtime_config_read", "realtime_config_write", "storage_read", "storage_write",
	"storage_config_read", "storage_config_write", "vanity_subdomain_read", "vanity_subdomain_write",
}

// UnknownScope returns the first name that is not a scope, and false where all of them are.
func UnknownScope(names []string) (string, bool) {
	i := slices.IndexFunc(names, func(name string) bool { return !slices.Contains(ScopeNames, name) })
	if i < 0 {
		return "", false
	}
	return names[i], true
}

// Scope returns the name of the scope that a token with scopes needs for the permission, empty where any will do. Without
// ok, no scope is enough.
func (p Permission) Scope() (name string, ok bool) {
	if p.scope == anyone {
		return anyScope, true
	}
	for i, row := range tokenScopes {
		if row.of == p.scope && matchesAny(compiledScopes[i].actions, p.action) && matchesAny(compiledScopes[i].resources, p.resource) {
			if row.name == noScope {
				return "", false
			}
			return row.name, true
		}
	}
	return "", false
}

// InScope tells whether a token may be used where the permission is needed. nil limits are those of a session, or of a
// token without scopes: none.
func (p Permission) InScope(limits *store.TokenLimits) bool {
	if limits == nil {
		return true
	}
	name, ok := p.Scope()
	return ok && (name == anyScope || slices.Contains(limits.Scopes, name))
}

var compiledScopes = func() []compiledGrant {
	all := make([]compiledGrant, len(tokenScopes))
	for i, row := range tokenScopes {
		all[i] = compiledGrant{actions: patterns(row.actions), resources: patterns(row.resources)}
	}
	return all
}()
