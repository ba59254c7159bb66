// Package access says who may do what. The four base roles' permissions are one table; `GET /profile/permissions` is
// printed from it, and the server decides by it, with the very rules by which Studio evaluates what it was given.
package access

import "github.com/plurabase/plurabase/store"

// The actions, as Studio names them (npm `@supabase/shared-types`, PermissionAction).
const (
	Create              = "write:Create"
	Read                = "read:Read"
	Update              = "write:Update"
	Delete              = "write:Delete"
	BillingRead         = "billing:Read"
	BillingWrite        = "billing:Write"
	InfraExecute        = "infra:Execute"
	SecretsRead         = "secrets:Read"
	SecretsWrite        = "secrets:Write"
	TenantSQLAdminRead  = "tenant:Sql:Admin:Read"
	TenantSQLAdminWrite = "tenant:Sql:Admin:Write"
	TenantSQLQuery      = "tenant:Sql:Query"
	TenantSQLDelete     = "tenant:Sql:Delete"
	AuthExecute         = "auth:Execute"
	StorageRead         = "storage:Read"
	StorageWrite        = "storage:Write"
	StorageAdminRead    = "storage:Admin:Read"
	StorageAdminWrite   = "storage:Admin:Write"
	RealtimeAdminRead   = "realtime:Admin:Read"
	RealtimeAdminWrite  = "realtime:Admin:Write"
	AnalyticsRead       = "analytics:Read"
	FunctionsRead       = "functions:Read"
	ReplicationRead     = "replication:Admin:Read"
	ReplicationWrite    = "replication:Admin:Write"
	AnalyticsAdminWrite = "analytics:Admin:Write"
	TenantSQLSelect     = "tenant:Sql:Read:Select"
	FunctionsWrite      = "functions:Write"
	FunctionSecretRead  = "functions:Secret:Read"
	FunctionSecretWrite = "functions:Secret:Write"
	everything          = "%"
)

// Grant is one rule of a role: these actions on these resources. Both are patterns in which `%` stands for anything.
type Grant struct {
	Actions   []string
	Resources []string
	// Restrictive takes away what other grants give.
	Restrictive bool
	// OfOwners narrows the grant to roles and invitations of owners, of the organization or of projects.
	OfOwners bool
}

// Matrix is the whole of access control: what each base role may do, in the organization or in the projects that it is
// scoped to. It follows the tables of upstream's guide "Access Control", resource by resource, where Studio's names for
// actions and resources tell apart what the guide does.
var Matrix = map[store.Role][]Grant{
	store.RoleOwner: {
		{Actions: []string{everything}, Resources: []string{everything}},
	},
	// All but the organization itself, and who owns it.
	store.RoleAdministrator: {
		{Actions: []string{everything}, Resources: []string{everything}},
		{Actions: []string{Update, Delete}, Resources: []string{"organizations"}, Restrictive: true},
		{Actions: []string{Create, Delete}, Resources: []string{"auth.subject_roles", "user_invites"}, Restrictive: true, OfOwners: true},
	},
	// A project's data and code, not its existence, its settings or its bills.
	store.RoleDeveloper: {
		{Actions: []string{everything}, Resources: []string{everything}},
		{
			Actions: []string{Create, Update, Delete},
			Resources: []string{
				"organizations", "projects", "user_invites", "auth.subject_roles", "approved_oauth_apps", "oauth_apps",
				"custom_config_%", "integrations.%",
			},
			Restrictive: true,
		},
		// Pausing, resuming and new keys; restarting and restoring a backup are a developer's.
		{Actions: []string{InfraExecute}, Resources: []string{"queue_jobs.projects.%", "queue_job.projects.%"}, Restrictive: true},
		{
			Actions:   []string{BillingWrite, SecretsWrite, FunctionSecretWrite, AnalyticsAdminWrite},
			Resources: []string{everything}, Restrictive: true,
		},
	},
	// Looking, and nothing secret but the functions' own. SQL runs in a read-only database role.
	store.RoleReadOnly: {
		{
			Actions: []string{
				Read, "analytics:Read", BillingRead, FunctionsRead, FunctionSecretRead, "realtime:Admin:Read",
				ReplicationRead, "storage:Read", TenantSQLAdminRead, TenantSQLQuery, TenantSQLSelect,
			},
			Resources: []string{everything},
		},
		{Actions: []string{Read}, Resources: []string{"field.jwt_secret", "service_api_keys", "auth_signing_keys"}, Restrictive: true},
		{Actions: []string{Create, Update, Delete}, Resources: []string{"user_content"}},
	},
}

// ScopedMember is what members of some projects alone may do in the organization: know that it is there, and of what is
// in it as far as it is theirs. What they may do in their projects is their roles' in the Matrix.
var ScopedMember = []Grant{
	{Actions: []string{Read}, Resources: []string{"organizations", "projects", "auth.subject_roles", "user_invites"}},
}

// RoleNames are the names that Studio knows the roles by.
var RoleNames = map[store.Role]string{
	store.RoleOwner:         "Owner",
	store.RoleAdministrator: "Administrator",
	store.RoleDeveloper:     "Developer",
	store.RoleReadOnly:      "Read-only",
}

// InOrganizationOf returns the grants that somebody has in an organization, apart from their projects' own.
func InOrganizationOf(roles store.Roles) []Grant {
	if roles.Role == 0 {
		return ScopedMember
	}
	return Matrix[roles.Role]
}
