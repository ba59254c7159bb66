// Package access says who may do what. The four base roles' permissions are one table; `GET /profile/permissions` is
// printed from it, and the server decides by it, with the very rules by which Studio evaluates what it was given.
package access

import (
	"regexp"
	"strings"

	"github.com/plurabase/plurabase/store"
)

// The actions, as Studio names them (npm `@supabase/shared-types`, PermissionAction).
const (
	Create              = "write:Create"
	Read                = "read:Read"
	Update              = "write:Update"
	Delete              = "write:Delete"
	InfraExecute        = "infra:Execute"
	SecretsRead         = "secrets:Read"
	SecretsWrite        = "secrets:Write"
	TenantSQLAdminRead  = "tenant:Sql:Admin:Read"
	TenantSQLAdminWrite = "tenant:Sql:Admin:Write"
	TenantSQLQuery      = "tenant:Sql:Query"
	billingWrite        = "billing:Write"
	everything          = "%"
)

// Grant is one rule of a role: these actions on these resources. Both are patterns in which `%` stands for anything.
// A restrictive grant takes away what others give.
type Grant struct {
	Actions     []string
	Resources   []string
	Restrictive bool
}

// Matrix is the whole of access control: what each base role may do. Upstream's roles have the same meaning; see
// "Access control" in the documentation of the hosted service.
var Matrix = map[store.Role][]Grant{
	store.RoleOwner: {
		{Actions: []string{everything}, Resources: []string{everything}},
	},
	// All but the organization itself, and who owns it.
	store.RoleAdministrator: {
		{Actions: []string{everything}, Resources: []string{everything}},
		{Actions: []string{Update, Delete}, Resources: []string{"organizations"}, Restrictive: true},
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
		{Actions: []string{InfraExecute}, Resources: []string{everything}, Restrictive: true},
		{Actions: []string{billingWrite}, Resources: []string{everything}, Restrictive: true},
		{Actions: []string{SecretsWrite}, Resources: []string{everything}, Restrictive: true},
	},
	// Looking, and nothing secret. SQL runs in a read-only database role.
	store.RoleReadOnly: {
		{Actions: []string{Read, "analytics:Read", "billing:Read", "functions:Read", "storage:Read", TenantSQLAdminRead, TenantSQLQuery, "tenant:Sql:Read:Select"}, Resources: []string{everything}},
		{Actions: []string{Read}, Resources: []string{"field.jwt_secret", "service_api_keys", "auth_signing_keys"}, Restrictive: true},
		{Actions: []string{Create, Update, Delete}, Resources: []string{"user_content"}},
	},
}

// RoleNames are the names that Studio knows the roles by.
var RoleNames = map[store.Role]string{
	store.RoleOwner:         "Owner",
	store.RoleAdministrator: "Administrator",
	store.RoleDeveloper:     "Developer",
	store.RoleReadOnly:      "Read-only",
}

// Allows tells whether a role may do an action on a resource, by Studio's own rules: a restrictive grant that matches
// denies, else any grant that matches allows.
func Allows(role store.Role, action, resource string) bool {
	allowed := false
	for _, grant := range compiled[role] {
		if !matchesAny(grant.actions, action) || !matchesAny(grant.resources, resource) {
			continue
		}
		if grant.restrictive {
			return false
		}
		allowed = true
	}
	return allowed
}

type compiledGrant struct {
	actions, resources []*regexp.Regexp
	restrictive        bool
}

var compiled = compile(Matrix)

func compile(matrix map[store.Role][]Grant) map[store.Role][]compiledGrant {
	all := make(map[store.Role][]compiledGrant, len(matrix))
	for role, grants := range matrix {
		for _, grant := range grants {
			all[role] = append(all[role], compiledGrant{patterns(grant.Actions), patterns(grant.Resources), grant.Restrictive})
		}
	}
	return all
}

// patterns turns patterns into regular expressions as Studio does (hooks/misc/useCheckPermissions.ts): only the first
// `.` is taken literally, and only the first `%` stands for anything.
func patterns(texts []string) []*regexp.Regexp {
	expressions := make([]*regexp.Regexp, len(texts))
	for i, text := range texts {
		text = strings.Replace(text, ".", `\.`, 1)
		text = strings.Replace(text, "%", ".*", 1)
		expressions[i] = regexp.MustCompile("^" + text + "$")
	}
	return expressions
}

func matchesAny(expressions []*regexp.Regexp, text string) bool {
	for _, expression := range expressions {
		if expression.MatchString(text) {
			return true
		}
	}
	return false
}
