package api

import "github.com/plurabase/plurabase/plugins/internal/access"

// may tells whether the caller may see or do, in the project that the call entered, what only a part of an answer needs:
// by role, and by the scopes of an access token.
func (c *call) may(permission access.Permission) bool {
	return permission.InScope(c.Limits) && access.AllowsInProject(c.project, permission.Action(), permission.Resource())
}
