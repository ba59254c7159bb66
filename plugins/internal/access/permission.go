package access

import "strings"

// scope is where a permission is looked up.
type scope int

const (
	undeclared scope = iota
	anyone
	signedIn
	organization
	project
)

// Permission is what a route needs of its caller. The zero value is undeclared, and no route can be registered with it.
type Permission struct {
	scope    scope
	action   string
	resource string
	oneself  string
}

// Anyone needs nothing: the route answers before a token exists.
func Anyone() Permission { return Permission{scope: anyone} }

// SignedIn needs a valid token, and gives access to nothing but the caller's own. Access tokens with scopes are refused:
// with them, nobody makes tokens that can do more, or becomes a member of something.
func SignedIn() Permission { return Permission{scope: signedIn} }

// SignedInTo is SignedIn for what access tokens with a scope may do too.
func SignedInTo(action, resource string) Permission {
	return Permission{scope: signedIn, action: action, resource: resource}
}

// InOrganization needs a role that allows the action on the resource in the organization that the request names.
func InOrganization(action, resource string) Permission {
	return Permission{scope: organization, action: action, resource: resource}
}

// InProject needs a role that allows the action on the resource in the project that the request names.
func InProject(action, resource string) Permission {
	return Permission{scope: project, action: action, resource: resource}
}

// OrOneself lets a member do to themselves what needs the permission when it is done to others. The wildcard of the
// route's path that is named holds the GoTrue id of whom it is done to.
func (p Permission) OrOneself(wildcard string) Permission {
	p.oneself = wildcard
	return p
}

// Declared tells whether the permission was made by one of the functions above.
func (p Permission) Declared() bool { return p.scope != undeclared }

// NeedsNothing tells whether the route is open to anyone.
func (p Permission) NeedsNothing() bool { return p.scope == anyone }

// OfOrganization tells whether the permission is looked up in an organization.
func (p Permission) OfOrganization() bool { return p.scope == organization }

// OfProject tells whether the permission is looked up in a project.
func (p Permission) OfProject() bool { return p.scope == project }

// Action is what the caller wants to do; empty where no role is asked.
func (p Permission) Action() string { return p.action }

// Resource is what the caller wants to do it to; empty where no role is asked.
func (p Permission) Resource() string { return p.resource }

// Oneself is the wildcard of OrOneself; empty where there is none.
func (p Permission) Oneself() string { return p.oneself }

// String prints a permission as `platform-api -routes` shows it: `project write:Update projects`.
func (p Permission) String() string {
	switch p.scope {
	case anyone:
		return "anyone"
	case signedIn:
		return strings.TrimSpace("signed-in " + p.action + " " + p.resource)
	case organization:
		if p.oneself != "" {
			return "organization " + p.action + " " + p.resource + ", or oneself"
		}
		return "organization " + p.action + " " + p.resource
	case project:
		return "project " + p.action + " " + p.resource
	default:
		return "undeclared"
	}
}
