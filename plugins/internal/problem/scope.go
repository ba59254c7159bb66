package problem

import (
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
)

// OutOfScope says that an access token's scopes do not reach to what it was used for.
func OutOfScope(permission access.Permission) *Problem {
	message := "An access token with scopes cannot be used for this."
	if name, ok := permission.Scope(); ok {
		message = "This access token does not have the permission " + name + "."
	}
	return &Problem{Status: http.StatusForbidden, Message: message, Code: "out_of_scope"}
}
