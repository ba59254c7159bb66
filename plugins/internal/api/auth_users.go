package api

import (
	"context"
	"net/http"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/plugins/internal/services"
)

// AuthRecipient is who a message goes to. Studio sends the whole row of auth.users; the rest of it is not looked at.
type AuthRecipient struct {
	Email string `json:"email,omitempty" maxLength:"320"`
	Phone string `json:"phone,omitempty" maxLength:"32"`
}

type authRecipientInput struct {
	Ref  string `path:"ref"`
	Body AuthRecipient
}

// CreateAuthUserBody is a new user of a project.
type CreateAuthUserBody struct {
	Email        string         `json:"email,omitempty" maxLength:"320"`
	Phone        string         `json:"phone,omitempty" maxLength:"32"`
	Password     string         `json:"password,omitempty" maxLength:"256"`
	EmailConfirm *bool          `json:"email_confirm,omitempty"`
	PhoneConfirm *bool          `json:"phone_confirm,omitempty"`
	UserMetadata map[string]any `json:"user_metadata,omitempty"`
	AppMetadata  map[string]any `json:"app_metadata,omitempty"`
}

type createAuthUserInput struct {
	Ref  string `path:"ref"`
	Body CreateAuthUserBody
}

type authUserPath struct {
	Ref string `path:"ref"`
	ID  string `path:"id" format:"uuid"`
}

type deleteAuthUserInput struct {
	Ref        string `path:"ref"`
	ID         string `path:"id" format:"uuid"`
	SoftDelete bool   `query:"soft_delete"`
}

// UpdateAuthUserBody changes a user of a project.
type UpdateAuthUserBody struct {
	BanDuration *string `json:"ban_duration,omitempty" maxLength:"32" pattern:"^(none|([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+)$" patternDescription:"none, or a time such as 24h"`
}

type updateAuthUserInput struct {
	Ref  string `path:"ref"`
	ID   string `path:"id" format:"uuid"`
	Body UpdateAuthUserBody
}

const authService = "auth"

func (a *API) registerAuthUsers() {
	const auth = "/platform/auth/{ref}"
	for _, message := range []struct{ path, resource, summary string }{
		{"invite", "invite_user", "Invite somebody to a project's application by mail"},
		{"magiclink", "send_magic_link", "Mail a user a link to sign in with"},
		{"otp", "send_otp", "Send a user a code to sign in with"},
		{"recover", "send_recovery", "Mail a user a link to set another password with"},
	} {
		act(a, route{
			method: http.MethodPost, path: auth + "/" + message.path, permission: access.InProject(access.AuthExecute, message.resource),
			status: http.StatusCreated, kind: Proxied, summary: message.summary,
		}, a.sendAuthMessage(message.path))
	}
	handle(a, route{
		method: http.MethodPost, path: auth + "/users", permission: access.InProject(access.AuthExecute, "create_user"),
		status: http.StatusCreated, kind: Proxied, summary: "Make a user of a project's application",
	}, a.createAuthUser)
	handle(a, route{
		method: http.MethodPatch, path: auth + "/users/{id}", permission: access.InProject(access.AuthExecute, "*"),
		kind: Proxied, summary: "Ban a user, or lift the ban",
	}, a.updateAuthUser)
	act(a, route{
		method: http.MethodDelete, path: auth + "/users/{id}", permission: access.InProject(access.TenantSQLDelete, "auth.users"),
		kind: Proxied, summary: "Delete a user",
	}, a.deleteAuthUser)
	act(a, route{
		method: http.MethodDelete, path: auth + "/users/{id}/factors", permission: access.InProject(access.TenantSQLDelete, "auth.mfa_factors"),
		kind: Proxied, summary: "Take all second factors away from a user",
	}, a.deleteAuthFactors)
}

// sendAuthMessage makes the project's GoTrue send something. A code never makes a user: Studio sends codes to those who are.
func (a *API) sendAuthMessage(kind string) func(context.Context, *call, *authRecipientInput) error {
	return func(ctx context.Context, c *call, in *authRecipientInput) error {
		body := map[string]any{}
		switch {
		case in.Body.Email != "":
			body["email"] = in.Body.Email
		case in.Body.Phone != "" && kind == "otp":
			body["phone"] = in.Body.Phone
		default:
			return problem.BadRequest("There is no address to send it to.")
		}
		if kind == "otp" {
			body["create_user"] = false
		}
		_, err := a.ask(ctx, c, authService, services.Request{Method: http.MethodPost, Path: []string{kind}, Body: body})
		return err
	}
}

func (a *API) createAuthUser(ctx context.Context, c *call, in *createAuthUserInput) (map[string]any, error) {
	if in.Body.Email == "" && in.Body.Phone == "" {
		return nil, problem.BadRequest("A user needs an e-mail address or a phone number.")
	}
	return a.askAuthUser(ctx, c, services.Request{Method: http.MethodPost, Path: []string{"admin", "users"}, Body: in.Body})
}

func (a *API) updateAuthUser(ctx context.Context, c *call, in *updateAuthUserInput) (map[string]any, error) {
	return a.askAuthUser(ctx, c, services.Request{Method: http.MethodPut, Path: []string{"admin", "users", in.ID}, Body: in.Body})
}

// askAuthUser returns a user as the contract has one: a row of auth.users, whose metadata GoTrue's API calls otherwise.
// What GoTrue adds beside the row (`identities`, `factors`) is left out.
func (a *API) askAuthUser(ctx context.Context, c *call, r services.Request) (map[string]any, error) {
	var user map[string]any
	if err := a.askJSON(ctx, c, authService, r, &user); err != nil {
		return nil, err
	}
	for ours, theirs := range map[string]string{"raw_app_meta_data": "app_metadata", "raw_user_meta_data": "user_metadata"} {
		if metadata, ok := user[theirs]; ok {
			user[ours] = metadata
		}
		delete(user, theirs)
	}
	delete(user, "identities")
	delete(user, "factors")
	return user, nil
}

func (a *API) deleteAuthUser(ctx context.Context, c *call, in *deleteAuthUserInput) error {
	_, err := a.ask(ctx, c, authService, services.Request{
		Method: http.MethodDelete, Path: []string{"admin", "users", in.ID}, Body: map[string]any{"should_soft_delete": in.SoftDelete},
	})
	return err
}

func (a *API) deleteAuthFactors(ctx context.Context, c *call, in *authUserPath) error {
	factors := []string{"admin", "users", in.ID, "factors"}
	var listed []struct{ ID string }
	if err := a.askJSON(ctx, c, authService, services.Request{Method: http.MethodGet, Path: factors}, &listed); err != nil {
		return err
	}
	for _, factor := range listed {
		_, err := a.ask(ctx, c, authService, services.Request{Method: http.MethodDelete, Path: append(factors[:4:4], factor.ID)})
		if err != nil {
			return err
		}
	}
	return nil
}
