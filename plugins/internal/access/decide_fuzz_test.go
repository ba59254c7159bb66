package access

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plurabase/plurabase/store"
)

// FuzzDecide holds the decision against what it must always be: no grant, no right; a role of the project that says
// anything decides; and an Administrator never does more than an Owner.
func FuzzDecide(f *testing.F) {
	f.Add(Read, "organizations", int16(2), int16(0))
	f.Add(Update, "custom_config_gotrue", int16(3), int16(4))
	f.Add("write:Create\n", "projects%", int16(0), int16(3))
	f.Fuzz(func(t *testing.T, action, resource string, organizationRole, projectRole int16) {
		project := store.ProjectAccess{OrganizationRole: store.Role(organizationRole), ProjectRole: store.Role(projectRole)}
		allowed := AllowsInProject(project, action, resource)
		if !project.ProjectRole.Valid() && !project.OrganizationRole.Valid() {
			if allowed {
				t.Fatalf("nobody may %q %q", action, resource)
			}
			return
		}
		matched, byProject := decide(compiled[project.ProjectRole], request{action, resource, 0})
		if matched && allowed != byProject {
			t.Fatalf("the project's role says %t, the answer is %t", byProject, allowed)
		}
		if !matched && allowed != Allows(store.Roles{Role: project.OrganizationRole}, action, resource) {
			t.Fatal("the organization's role was not asked")
		}
		if Allows(store.Roles{Role: store.RoleAdministrator}, action, resource) && !Allows(store.Roles{Role: store.RoleOwner}, action, resource) {
			t.Fatal("an Administrator may do what an Owner may not")
		}
	})
}

// FuzzPatterns checks that a pattern of ours never stands for more than its text with one `%`.
func FuzzPatterns(f *testing.F) {
	f.Add("custom_config_%", "custom_config_gotrue")
	f.Add("integrations.%", "integrationsXgithub")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !regexp.MustCompile(`^[a-z_]*\.?[a-z_]*%?$`).MatchString(pattern) || strings.Contains(text, "\n") {
			t.Skip("not the form of a pattern in the Matrix")
		}
		prefix, _, open := strings.Cut(pattern, "%")
		want := text == pattern
		if open {
			want = strings.HasPrefix(text, prefix)
		}
		if got := matchesAny(patterns([]string{pattern}), text); got != want {
			t.Fatalf("%q and %q: %t", pattern, text, got)
		}
	})
}

// FuzzScopes checks that a token with scopes is never let in where it lacks the scope, whatever its scopes look like.
func FuzzScopes(f *testing.F) {
	f.Add(Read, "projects", "projects_read,database_read")
	f.Add(Create, "organizations", "")
	f.Fuzz(func(t *testing.T, action, resource, scopes string) {
		limits := &store.TokenLimits{Scopes: strings.Split(scopes, ",")}
		for _, permission := range []Permission{SignedIn(), SignedInTo(action, resource), InOrganization(action, resource), InProject(action, resource)} {
			name, ok := permission.Scope()
			if name != "" && !slices.Contains(ScopeNames, name) {
				t.Fatalf("%q is not a scope", name)
			}
			if permission.InScope(limits) && (!ok || name != "" && !slices.Contains(limits.Scopes, name)) {
				t.Fatalf("%v lets %q in", permission, scopes)
			}
		}
		if unknown, found := UnknownScope(limits.Scopes); found && slices.Contains(ScopeNames, unknown) {
			t.Fatalf("%q is both known and unknown", unknown)
		}
	})
}
