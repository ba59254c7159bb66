package gotrue

import (
	"context"
	"net/http"
)

// codeEmailExists is GoTrue's for an address that another account has (its apierrors/errorcode.go).
const codeEmailExists = "email_exists"

// IsEmailExists tells whether a change of address was refused because another account has it.
func (e *RefusalError) IsEmailExists() bool { return e.Code == codeEmailExists }

// ChangeEmail asks for another address for the user of a session, in the user's own name. GoTrue changes it when the mails
// that it sends are confirmed, or at once where it is set to confirm by itself.
func (c *Client) ChangeEmail(ctx context.Context, authorization, address string) error {
	return c.call(ctx, http.MethodPut, call{path: "/user", authorization: authorization, body: map[string]string{"email": address}})
}
