package gotrue

import (
	"context"
	"net/http"
	"net/url"
)

// Visitor is somebody who has no token yet.
type Visitor struct {
	Email string
	// CaptchaToken is the solved captcha; GoTrue wants one where the operator turned captchas on.
	CaptchaToken string
	// RedirectTo is where the link in GoTrue's mail leads; GoTrue takes only what its own list allows.
	RedirectTo string
	// Address is the visitor's IP address; empty where it is not known.
	Address string
}

// body is what GoTrue's endpoints have in common.
type body struct {
	Email    string `json:"email"`
	Password string `json:"password,omitempty"`
	Security struct {
		CaptchaToken string `json:"captcha_token,omitempty"`
	} `json:"gotrue_meta_security"`
}

// SignUp makes a user. GoTrue sends a mail to confirm the address, unless it is set to confirm by itself.
func (c *Client) SignUp(ctx context.Context, visitor Visitor, password string) error {
	b := visitor.body()
	b.Password = password
	return c.call(ctx, http.MethodPost, call{path: "/signup", query: visitor.query(), clientAddress: visitor.Address, body: b})
}

// Recover sends a mail by which the user of the address can set a new password.
func (c *Client) Recover(ctx context.Context, visitor Visitor) error {
	return c.call(ctx, http.MethodPost, call{path: "/recover", query: visitor.query(), clientAddress: visitor.Address, body: visitor.body()})
}

func (v Visitor) body() body {
	b := body{Email: v.Email}
	b.Security.CaptchaToken = v.CaptchaToken
	return b
}

func (v Visitor) query() url.Values {
	if v.RedirectTo == "" {
		return nil
	}
	return url.Values{"redirect_to": {v.RedirectTo}}
}
