package access

import (
	"regexp"
	"strings"

	"github.com/plurabase/plurabase/store"
)

// Allows tells whether somebody may do an action on a resource of an organization.
func Allows(roles store.Roles, action, resource string) bool {
	_, allowed := decide(compiledFor(roles.Role), request{action, resource, 0})
	return allowed
}

// AllowsRole tells whether somebody may do an action on a role, or on an invitation with it.
func AllowsRole(roles store.Roles, action, resource string, role store.Role) bool {
	_, allowed := decide(compiledFor(roles.Role), request{action, resource, role})
	return allowed
}

// AllowsInProject tells whether somebody may do an action on a resource of a project. A role in the project decides
// alone wherever it has any grant that matches, else the role in the whole organization does.
func AllowsInProject(project store.ProjectAccess, action, resource string) bool {
	if !project.ProjectRole.Valid() && !project.OrganizationRole.Valid() {
		return false
	}
	asked := request{action, resource, 0}
	if matched, allowed := decide(compiled[project.ProjectRole], asked); matched {
		return allowed
	}
	_, allowed := decide(compiledFor(project.OrganizationRole), asked)
	return allowed
}

// request is what somebody wants to do, and the role that it is about where it is about one.
type request struct {
	action, resource string
	about            store.Role
}

// decide is Studio's own evaluation (hooks/misc/useCheckPermissions.ts, doPermissionsCheck): a restrictive grant that
// matches denies, else any grant that matches allows. A grant whose condition does not hold still counts as a match.
func decide(grants []compiledGrant, asked request) (matched, allowed bool) {
	for _, grant := range grants {
		if !matchesAny(grant.actions, asked.action) || !matchesAny(grant.resources, asked.resource) {
			continue
		}
		matched = true
		if grant.ofOwners && asked.about != store.RoleOwner {
			continue
		}
		if grant.restrictive {
			return true, false
		}
		allowed = true
	}
	return matched, allowed
}

type compiledGrant struct {
	actions, resources    []*regexp.Regexp
	restrictive, ofOwners bool
}

var (
	compiled             = compileAll(Matrix)
	compiledScopedMember = compile(ScopedMember)
)

func compiledFor(role store.Role) []compiledGrant {
	if role == 0 {
		return compiledScopedMember
	}
	return compiled[role]
}

func compileAll(matrix map[store.Role][]Grant) map[store.Role][]compiledGrant {
	all := make(map[store.Role][]compiledGrant, len(matrix))
	for role, grants := range matrix {
		all[role] = compile(grants)
	}
	return all
}

func compile(grants []Grant) []compiledGrant {
	all := make([]compiledGrant, len(grants))
	for i, grant := range grants {
		all[i] = compiledGrant{patterns(grant.Actions), patterns(grant.Resources), grant.Restrictive, grant.OfOwners}
	}
	return all
}

// patterns turns patterns into regular expressions as Studio does: only the first `.` is taken literally, and only the
// first `%` stands for anything.
func patterns(texts []string) []*regexp.Regexp {
	compiled := make([]*regexp.Regexp, len(texts))
	for i, text := range texts {
		compiled[i] = expression(text)
	}
	return compiled
}

// expressions are those that were made: most patterns stand with several roles. Only the start of the process writes here.
var expressions = map[string]*regexp.Regexp{}

func expression(text string) *regexp.Regexp {
	if made, found := expressions[text]; found {
		return made
	}
	pattern := strings.Replace(strings.Replace(text, ".", `\.`, 1), "%", ".*", 1)
	expressions[text] = regexp.MustCompile("^" + pattern + "$")
	return expressions[text]
}

func matchesAny(expressions []*regexp.Regexp, text string) bool {
	for _, expression := range expressions {
		if expression.MatchString(text) {
			return true
		}
	}
	return false
}
