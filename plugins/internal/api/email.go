package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/gotrue"
	"github.com/plurabase/plurabase/plugins/internal/problem"
)

// ownAuthorization is the header by which the caller came in, for what is done at GoTrue in their own name.
type ownAuthorization struct{ header string }

// Resolve reads the header. huma calls it.
func (o *ownAuthorization) Resolve(hc huma.Context) []error {
	o.header = hc.Header("Authorization")
	return nil
}

type updateEmailInput struct {
	ownAuthorization
	Body struct {
		NewEmail string `json:"newEmail" format:"email" maxLength:"255"`
	}
}

func (a *API) registerEmail() {
	act(a, route{
		method: http.MethodPut, path: "/platform/update-email", permission: access.SignedIn(),
		kind: Real, summary: "Ask GoTrue for another address to sign in with",
	}, a.updateEmail)
}

// updateEmail has GoTrue ask the owner of the new address. The profile follows when a token has the new address. The answer
// is the same whether another account has it or not.
func (a *API) updateEmail(ctx context.Context, c *call, in *updateEmailInput) error {
	if c.AccessToken {
		return problem.BadRequest("An access token does not change the address that somebody signs in with: do it in Studio.")
	}
	if a.gotrue == nil {
		return problem.New(http.StatusServiceUnavailable, "Addresses cannot be changed here: PLURABASE_GOTRUE_URL is missing.")
	}
	err := a.gotrue.ChangeEmail(ctx, in.header, in.Body.NewEmail)
	var refusal *gotrue.RefusalError
	if errors.As(err, &refusal) && refusal.IsEmailExists() {
		return nil
	}
	return ofGoTrue(err)
}
