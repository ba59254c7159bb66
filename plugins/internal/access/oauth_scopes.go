package access

import (
	"maps"
	"slices"
)

// oauthScopes is the table of what an application can be granted (schema CreateOAuthAppBody, scopes): for each of upstream's OAuth
// scopes, the scopes of access tokens that it stands for, as upstream describes it ("Build a Supabase Integration", scopes). Those
// without any open nothing here.
var oauthScopes = map[string][]string{
	"analytics:read":         {"analytics_logs_read", "analytics_usage_read"},
	"analytics:write":        {},
	"analytics_config:read":  {},
	"analytics_config:write": {},
	"auth:read":              {"auth_config_read", "auth_signing_keys_read"},
	"auth:write":             {"auth_config_write", "auth_signing_keys_write"},
	"database:read": {
		"database_read", "database_config_read", "database_migrations_read", "database_pooling_config_read", "database_readonly_config_read",
		"database_ssl_config_read", "database_webhooks_config_read", "backups_read", "project_snippets_read", "snippets_read",
	},
	"database:write": {
		"database_write", "database_config_write", "database_migrations_write", "database_pooling_config_write", "database_readonly_config_write",
		"database_ssl_config_write", "database_webhooks_config_write", "backups_write", "project_snippets_write",
	},
	"domains:read":         {"custom_domain_read", "vanity_subdomain_read"},
	"domains:write":        {"custom_domain_write", "vanity_subdomain_write"},
	"edge_functions:read":  {"edge_functions_read"},
	"edge_functions:write": {"edge_functions_write"},
	"environment:read":     {"branching_development_read", "branching_production_read"},
	"environment:write": {
		"branching_development_create", "branching_development_delete", "branching_development_write",
		"branching_production_create", "branching_production_delete", "branching_production_write",
	},
	"organizations:read":  {"organizations_read", "organization_admin_read", "members_read"},
	"organizations:write": {"organization_admin_write"},
	"projects:read": {
		"projects_read", "organization_projects_read", "project_admin_read", "advisors_read", "database_network_bans_read",
		"database_network_restrictions_read", "infra_add_ons_read", "infra_disk_config_read",
	},
	"projects:write": {
		"organization_projects_create", "project_admin_write", "database_network_bans_write", "database_network_restrictions_write",
		"infra_add_ons_write", "infra_disk_config_write",
	},
	"rest:read":     {"data_api_config_read"},
	"rest:write":    {"data_api_config_write"},
	"secrets:read":  {"api_gateway_keys_read", "edge_functions_secrets_read"},
	"secrets:write": {"api_gateway_keys_write", "edge_functions_secrets_write"},
	"storage:read":  {"storage_read", "storage_config_read"},
	"storage:write": {"storage_write", "storage_config_write"},
}

// OAuthScopeNames are all scopes that an application can be granted, in order.
func OAuthScopeNames() []string { return slices.Sorted(maps.Keys(oauthScopes)) }

// UnknownOAuthScope returns the first name that is not one of OAuthScopeNames, and false where all of them are.
func UnknownOAuthScope(names []string) (string, bool) {
	for _, name := range names {
		if _, known := oauthScopes[name]; !known {
			return name, true
		}
	}
	return "", false
}

// TokenScopes are the scopes of an access token that an application gets for what it was granted.
func TokenScopes(granted []string) []string {
	scopes := []string{}
	for _, name := range granted {
		scopes = append(scopes, oauthScopes[name]...)
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}
