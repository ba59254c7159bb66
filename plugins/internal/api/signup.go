package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/gotrue"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// SignUps says who may sign up without an invitation. The zero value is everybody.
type SignUps struct {
	closed  bool
	domains []string // in small letters; empty where any will do
}

var domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// UnmarshalText reads `open`, `closed`, or the domains that an e-mail address may be at, separated by commas.
func (s *SignUps) UnmarshalText(text []byte) error {
	*s = SignUps{}
	switch setting := strings.ToLower(strings.TrimSpace(string(text))); setting {
	case "open":
	case "closed":
		s.closed = true
	default:
		for domain := range strings.SplitSeq(setting, ",") {
			domain = strings.TrimSpace(domain)
			if !domainPattern.MatchString(domain) {
				return errors.New("PLURABASE_SIGNUP must be open, closed, or domains such as example.com,example.org")
			}
			s.domains = append(s.domains, domain)
		}
	}
	return nil
}

// check returns the problem of an address that may not sign up.
func (s SignUps) check(address string) error {
	if !isAddress(address) {
		return problem.BadRequest("That is not a valid e-mail address.")
	}
	if s.closed {
		return &problem.Problem{Status: http.StatusForbidden, Code: "signup_disabled", Message: "Sign-ups are closed here. Ask an administrator for an account."}
	}
	domain := address[strings.LastIndexByte(address, '@')+1:]
	if len(s.domains) > 0 && !slices.Contains(s.domains, strings.ToLower(domain)) {
		return &problem.Problem{
			Status: http.StatusForbidden, Code: "email_address_not_authorized",
			Message: "Sign-ups are limited to e-mail addresses at " + strings.Join(s.domains, ", ") + ".",
		}
	}
	return nil
}

// isAddress tells whether a text is an e-mail address and nothing around it.
func isAddress(text string) bool {
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text
}

// visitorBody is what Studio sends before there is a token. Its own client sends null where there is no captcha.
type visitorBody struct {
	Email         string  `json:"email" format:"email" maxLength:"255"`
	HCaptchaToken *string `json:"hcaptchaToken,omitempty" maxLength:"16384"`
	RedirectTo    string  `json:"redirectTo,omitempty" format:"uri" maxLength:"4096" doc:"Where the link in the mail leads. GoTrue takes only what its own list allows."`
}

// visitorAddress finds out where a request comes from.
type visitorAddress struct{ text string }

// Resolve reads the client's address. huma calls it.
func (a *visitorAddress) Resolve(hc huma.Context) []error {
	if client, err := netip.ParseAddrPort(hc.RemoteAddr()); err == nil {
		a.text = client.Addr().String()
	}
	return nil
}

type signUpInput struct {
	visitorAddress
	Body struct {
		visitorBody
		Password string `json:"password" minLength:"1" maxLength:"1024"`
	}
}

type resetPasswordInput struct {
	visitorAddress
	Body visitorBody
}

// Neither route has a profile to remember a request by, and so neither is deduplicated when the gateway runs it again.
// Nor need it be: GoTrue makes a user and sends a mail once a minute at most, and what it says the second time is told as
// success, like the first. (Where captchas are on, a token is good once: the second time, the user is asked to solve another.)
func (a *API) registerSignUp() {
	act(a, route{
		method: http.MethodPost, path: "/platform/signup", permission: access.Anyone(), status: http.StatusCreated,
		kind: Real, summary: "Make an account at the platform's GoTrue",
	}, a.signUp)
	act(a, route{
		method: http.MethodPost, path: "/platform/reset-password", permission: access.Anyone(), status: http.StatusCreated,
		kind: Real, summary: "Have a mail sent by which you can set a new password",
	}, a.resetPassword)
}

// signUp answers the same whether the address has an account or not.
func (a *API) signUp(ctx context.Context, _ *call, in *signUpInput) error {
	if err := a.checkSignUp(ctx, in.Body.visitorBody); err != nil {
		return err
	}
	if a.gotrue == nil {
		return errNoGoTrue
	}
	err := a.gotrue.SignUp(ctx, visitor(in.Body.visitorBody, in.text), in.Body.Password)
	var refusal *gotrue.RefusalError
	if errors.As(err, &refusal) && refusal.TellsOfAccount() {
		return nil
	}
	return ofGoTrue(err)
}

// checkSignUp returns the problem of somebody who may not sign up. Whoever was invited may, whatever the operator says of
// others. An invitation that is not good, or not to this address, makes no difference to the answer.
func (a *API) checkSignUp(ctx context.Context, visitor visitorBody) error {
	refusal := a.settings.SignUps.check(visitor.Email)
	if refusal == nil || !isAddress(visitor.Email) {
		return refusal
	}
	slug, token, ok := invitationIn(visitor.RedirectTo)
	if !ok {
		return refusal
	}
	invitation, err := a.store.InvitationByToken(ctx, slug, token)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return refusal
	case err != nil:
		return err
	case !strings.EqualFold(invitation.Email, visitor.Email) || !a.now().Before(invitation.ExpiresAt):
		return refusal
	default:
		return nil
	}
}

// invitationIn finds the invitation that brought somebody to Studio: its form for sign-ups sends them back to the page for the
// invited (components/interfaces/SignIn/SignUpForm.tsx), by a link such as invitationLink makes.
func invitationIn(redirectTo string) (slug store.Slug, token string, ok bool) {
	target, err := url.Parse(redirectTo)
	if err != nil || !strings.HasSuffix(target.Path, joinPath) {
		return "", "", false
	}
	query := target.Query()
	return store.Slug(query.Get("slug")), query.Get("token"), query.Get("token") != ""
}

// resetPassword answers the same whether the address has an account or not. Of an address that has none, GoTrue says
// nothing once it has looked; whatever it finds wrong after that is for the log alone.
func (a *API) resetPassword(ctx context.Context, _ *call, in *resetPasswordInput) error {
	if a.gotrue == nil {
		return errNoGoTrue
	}
	err := a.gotrue.Recover(ctx, visitor(in.Body, in.text))
	if err != nil && gotrue.TellsOfRecovery(err) {
		a.log.ErrorContext(ctx, "a mail to reset a password was not sent", "request_id", requestID(ctx), "error", err.Error())
		return nil
	}
	return ofGoTrue(err)
}

var errNoGoTrue = problem.New(http.StatusServiceUnavailable, "Sign-ups and password resets are not set up here: PLURABASE_GOTRUE_URL is missing.")

func visitor(body visitorBody, address string) gotrue.Visitor {
	v := gotrue.Visitor{Email: body.Email, RedirectTo: body.RedirectTo, Address: address}
	if body.HCaptchaToken != nil {
		v.CaptchaToken = *body.HCaptchaToken
	}
	return v
}

// ofGoTrue passes on what GoTrue said to the user, in its words.
func ofGoTrue(err error) error {
	var refusal *gotrue.RefusalError
	if errors.As(err, &refusal) {
		return &problem.Problem{Status: refusal.Status, Message: refusal.Message, Code: refusal.Code}
	}
	if err != nil {
		return fmt.Errorf("ask GoTrue: %w", err)
	}
	return nil
}
