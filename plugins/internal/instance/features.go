package instance

// features are what Studio asks the signed-in person's profile for before it shows a part of itself: upstream's own names, from
// the enum of disabled_features in the platform's contract, and from packages/common/enabled-features. What those have besides
// is of upstream's documentation (docs:…, sdk:…), or is decided where nobody has signed in yet (dashboard_auth:…).
var features = []string{
	"organizations:create", "organizations:delete", "organization_members:create", "organization_members:delete",
	"projects:create", "projects:transfer", "project_auth:all", "project_storage:all", "project_edge_function:all",
	"profile:update", "billing:account_data", "billing:credits", "billing:invoices", "billing:payment_methods", "realtime:all",

	"account:show_security_settings",
	"ai:opt_in_level_disabled", "ai:opt_in_level_schema", "ai:opt_in_level_schema_and_log", "ai:opt_in_level_schema_and_log_and_data",
	"authentication:sign_in_providers", "authentication:third_party_auth", "authentication:rate_limits", "authentication:emails",
	"authentication:multi_factor", "authentication:attack_protection", "authentication:performance",
	"authentication:show_email_phone_columns", "authentication:show_manual_linking", "authentication:show_provider_filter",
	"authentication:show_providers", "authentication:show_custom_providers", "authentication:show_send_invitation",
	"authentication:show_sort_by_email", "authentication:show_sort_by_phone", "authentication:show_user_type_filter",
	"billing:all",
	"database:replication", "database:roles", "database:restore_to_new_project", "database:network_restrictions",
	"edge_functions:show_stripe_example", "edge_functions:show_all_edge_function_invocation_examples",
	"integrations:partners", "integrations:wrappers", "integrations:vercel", "integrations:aws_private_link",
	"infrastructure:read_replicas",
	"logs:all", "logs:templates", "logs:collections", "logs:metadata", "logs:show_metadata_ip_template",
	"organization:show_sso_settings", "organization:show_security_settings", "organization:show_legal_documents",
	"profile:show_email", "profile:show_information", "profile:show_analytics_and_marketing", "profile:show_account_deletion",
	"project_connection:show_app_frameworks", "project_connection:show_mobile_frameworks", "project_connection:show_orms",
	"project_connection:show_warehouse",
	"project_creation:show_advanced_config",
	"project_homepage:show_instance_size", "project_homepage:show_examples",
	"project_addons:dedicated_ipv4_address", "project_addons:show_compute_price",
	"project_settings:custom_domains", "project_settings:show_disable_legacy_api_keys", "project_settings:legacy_jwt_keys",
	"project_settings:log_drains", "project_settings:database_upgrades", "project_settings:restart_project",
	"reports:all",
	"storage:analytics", "storage:vectors",
	"support:show_client_libraries",
}
