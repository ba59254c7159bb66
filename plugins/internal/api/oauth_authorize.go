package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// GetOAuthAuthorizationResponse is what Studio's page shows to whoever is asked to let an application act for them.
type GetOAuthAuthorizationResponse struct {
	Name                     string      `json:"name"`
	Website                  string      `json:"website"`
	Icon                     *string     `json:"icon,omitempty"`
	Domain                   string      `json:"domain" doc:"Where people are sent back to."`
	Scopes                   []string    `json:"scopes"`
	ExpiresAt                time.Time   `json:"expires_at"`
	RegistrationType         string      `json:"registration_type" enum:"manual,dynamic"`
	ApprovedAt               *time.Time  `json:"approved_at,omitempty"`
	ApprovedOrganizationSlug *store.Slug `json:"approved_organization_slug,omitempty"`
}

// ApproveAuthorizationResponse is where the browser goes next: back to the application, with a code.
type ApproveAuthorizationResponse struct {
	URL string `json:"url"`
}

// DeclineAuthorizationResponse is the request that was declined.
type DeclineAuthorizationResponse struct {
	ID string `json:"id"`
}

type authorizeInput struct {
	ClientID            string `query:"client_id" required:"true" maxLength:"64"`
	RedirectURI         string `query:"redirect_uri" required:"true" maxLength:"1024"`
	ResponseType        string `query:"response_type" maxLength:"64" doc:"Only code."`
	ResponseMode        string `query:"response_mode" maxLength:"64" doc:"Only query."`
	Scope               string `query:"scope" maxLength:"2048" doc:"Separated by spaces; absent: all that the app may ask for."`
	State               string `query:"state" maxLength:"2048"`
	CodeChallenge       string `query:"code_challenge" maxLength:"128"`
	CodeChallengeMethod string `query:"code_challenge_method" maxLength:"16" doc:"Only S256."`
	OrganizationSlug    string `query:"organization_slug" maxLength:"64" doc:"The organization that Studio's page offers first."`
}

// redirection sends a browser on.
type redirection struct {
	Location     string `header:"Location"`
	CacheControl string `header:"Cache-Control"`
}

type authorizationPath struct {
	ID string `path:"id" maxLength:"8192"`
}

type decideAuthorizationPath struct {
	Slug string `path:"slug"`
	ID   string `path:"id" maxLength:"8192"`
}

const noAuthorization = "This request is not known, or it has expired. Begin anew in the application."

func (a *API) registerOAuthAuthorize() {
	register(a, route{
		method: http.MethodGet, path: "/v1/oauth/authorize", permission: access.Anyone(), status: http.StatusFound,
		kind: Real, summary: "Lead a browser to Studio's page on which somebody lets an OAuth app act for them",
	}, a.authorize)
	handle(a, route{
		method: http.MethodGet, path: "/platform/oauth/authorizations/{id}", permission: access.SignedIn(),
		kind: Real, summary: "What an OAuth app asks for",
	}, a.getAuthorization)
	const authorizations = "/platform/organizations/{slug}/oauth/authorizations/{id}"
	handle(a, route{
		method: http.MethodPost, path: authorizations, permission: access.InOrganization(access.Create, "approved_oauth_apps"),
		status: http.StatusCreated, kind: Real, summary: "Let an OAuth app act for you in the organization",
	}, a.approveAuthorization)
	handle(a, route{
		method: http.MethodDelete, path: authorizations, permission: access.InOrganization(access.Create, "approved_oauth_apps"),
		kind: Real, summary: "Decline what an OAuth app asks for",
	}, a.declineAuthorization)
}

// challengePattern is a SHA-256 digest in Base64 for URLs, as PKCE's S256 has it (RFC 7636, section 4.2).
var challengePattern = pattern(`^[A-Za-z0-9_-]{43}$`)

// authorize keeps nothing: anybody may ask. Where the application or the address is not known, nobody is sent anywhere; all else that
// is wrong is told to the application (RFC 6749, section 4.1.2.1).
func (a *API) authorize(ctx context.Context, _ *call, in *authorizeInput) (*redirection, error) {
	app, err := a.oauthApp(ctx, in.ClientID)
	if err != nil {
		return nil, problem.OrNotFound(err, "There is no OAuth app with this client_id.")
	}
	if !allowsRedirect(app, in.RedirectURI) {
		return nil, problem.BadRequest("redirect_uri is not one that this OAuth app has registered.")
	}
	scopes, code, message := in.check(app)
	if code != "" {
		return leadTo(backTo(in.RedirectURI, url.Values{"error": {code}, "error_description": {message}}, in.State)), nil
	}
	id, err := a.store.SealOAuthRequest(store.OAuthRequest{
		AppID: app.ID, RedirectURI: in.RedirectURI, State: in.State, Scopes: scopes, CodeChallenge: in.CodeChallenge,
	})
	if err != nil {
		return nil, err
	}
	query := url.Values{"auth_id": {id}}
	if in.OrganizationSlug != "" {
		query.Set("organization_slug", in.OrganizationSlug)
	}
	return leadTo(strings.TrimSuffix(a.settings.PublicURL, "/") + "/authorize?" + query.Encode()), nil
}

// oauthApp finds an application by its client_id. The error is the store's ErrNotFound where there is none.
func (a *API) oauthApp(ctx context.Context, clientID string) (store.OAuthApp, error) {
	id, err := uuid.Parse(clientID)
	if err != nil {
		return store.OAuthApp{}, store.ErrNotFound
	}
	return a.store.OAuthAppByClientID(ctx, id)
}

// check returns the scopes that are asked for, or what is wrong with the request.
func (in *authorizeInput) check(app store.OAuthApp) (scopes []string, code, message string) {
	switch {
	case in.ResponseType != "code":
		return nil, "unsupported_response_type", "response_type has to be code"
	case in.ResponseMode != "" && in.ResponseMode != "query":
		return nil, "invalid_request", "response_mode has to be query"
	case in.CodeChallenge == "" && app.Public:
		return nil, "invalid_request", "a public client needs PKCE: code_challenge is missing"
	case in.CodeChallenge != "" && in.CodeChallengeMethod != "S256":
		return nil, "invalid_request", "code_challenge_method has to be S256"
	case in.CodeChallenge != "" && !challengePattern().MatchString(in.CodeChallenge):
		return nil, "invalid_request", "code_challenge is not one of S256"
	}
	scopes = unique(strings.Fields(in.Scope))
	if len(scopes) == 0 {
		return app.Scopes, "", ""
	}
	for _, scope := range scopes {
		if !slices.Contains(app.Scopes, scope) {
			return nil, "invalid_scope", "the OAuth app may not ask for a scope that is among these"
		}
	}
	return scopes, "", ""
}

func leadTo(address string) *redirection {
	return &redirection{Location: address, CacheControl: "no-store"}
}

// backTo adds to an address of an application's what it is told.
func backTo(address string, told url.Values, state string) string {
	if state != "" {
		told.Set("state", state)
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + told.Encode()
}

func (a *API) getAuthorization(ctx context.Context, _ *call, in *authorizationPath) (GetOAuthAuthorizationResponse, error) {
	request, app, decision, err := a.store.OpenOAuthRequest(ctx, in.ID)
	if err != nil {
		return GetOAuthAuthorizationResponse{}, problem.OrNotFound(err, noAuthorization)
	}
	if decision != nil && !decision.Approved {
		return GetOAuthAuthorizationResponse{}, problem.NotFound("This request was declined. Begin anew in the application.")
	}
	answer := GetOAuthAuthorizationResponse{
		Name: app.Name, Website: app.Website, Icon: app.Icon, Domain: domainOf(request.RedirectURI), Scopes: request.Scopes,
		ExpiresAt: request.ExpiresAt, RegistrationType: registrationType(app),
	}
	if decision != nil {
		answer.ApprovedAt, answer.ApprovedOrganizationSlug = &decision.DecidedAt, &decision.OrganizationSlug
	}
	return answer, nil
}

// domainOf is how people recognise where they are sent back to.
func domainOf(redirectURI string) string {
	parsed, err := url.Parse(redirectURI)
	if err != nil {
		return redirectURI
	}
	if parsed.Scheme != "http" && parsed.Scheme != "https" {
		return parsed.Scheme + "://" + parsed.Host
	}
	return parsed.Host
}

func (a *API) approveAuthorization(ctx context.Context, c *call, in *decideAuthorizationPath) (ApproveAuthorizationResponse, error) {
	request, app, _, err := a.store.OpenOAuthRequest(ctx, in.ID)
	if err != nil {
		return ApproveAuthorizationResponse{}, problem.OrNotFound(err, noAuthorization)
	}
	code, err := a.store.ApproveOAuthRequest(ctx, c.actor, c.membership.ID, request, app)
	if err != nil {
		return ApproveAuthorizationResponse{}, err
	}
	return ApproveAuthorizationResponse{backTo(request.RedirectURI, url.Values{"code": {code}}, request.State)}, nil
}

func (a *API) declineAuthorization(ctx context.Context, c *call, in *decideAuthorizationPath) (DeclineAuthorizationResponse, error) {
	request, app, _, err := a.store.OpenOAuthRequest(ctx, in.ID)
	if err != nil {
		return DeclineAuthorizationResponse{}, problem.OrNotFound(err, noAuthorization)
	}
	return DeclineAuthorizationResponse{request.ID.String()}, a.store.DeclineOAuthRequest(ctx, c.actor, c.membership.ID, request, app)
}
