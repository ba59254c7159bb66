package api

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// OAuthAppResponse is an application in one of an organization's lists: its own ones, or those that act for its members.
type OAuthAppResponse struct {
	ID               string     `json:"id"`
	AppID            string     `json:"app_id" doc:"The same."`
	ClientID         string     `json:"client_id"`
	Name             string     `json:"name"`
	Website          string     `json:"website"`
	Icon             *string    `json:"icon,omitempty"`
	RedirectURIs     []string   `json:"redirect_uris"`
	Scopes           []string   `json:"scopes" doc:"What it may ask for; of an authorized one, what it was granted last."`
	RegistrationType string     `json:"registration_type" enum:"manual,dynamic"`
	CreatedAt        time.Time  `json:"created_at"`
	CreatedBy        string     `json:"created_by,omitempty" doc:"Of an authorized one, the address of whoever approved it last."`
	AuthorizedAt     *time.Time `json:"authorized_at,omitempty"`
}

// CreateOAuthAppResponse is an application that was just made, with its client secret, which is shown this once.
type CreateOAuthAppResponse struct {
	ID                    string   `json:"id"`
	ClientID              string   `json:"client_id"`
	ClientSecret          string   `json:"client_secret" doc:"Empty for a public client."`
	ClientSecretExpiresAt int64    `json:"client_secret_expires_at" doc:"Always 0: it does not expire."`
	RedirectURIs          []string `json:"redirect_uris"`
}

// PutOAuthAppResponse is an application that was changed or deleted.
type PutOAuthAppResponse struct {
	ID           string    `json:"id"`
	ClientID     string    `json:"client_id"`
	Name         string    `json:"name"`
	Website      string    `json:"website"`
	Icon         *string   `json:"icon,omitempty"`
	RedirectURIs []string  `json:"redirect_uris"`
	CreatedAt    time.Time `json:"created_at"`
}

// RevokeAuthorizedOAuthAppResponse is an application that acts for nobody in the organization any more.
type RevokeAuthorizedOAuthAppResponse struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	Website      string    `json:"website"`
	Icon         *string   `json:"icon,omitempty"`
	AuthorizedAt time.Time `json:"authorized_at"`
}

// OAuthAppClientSecret is a client secret without the secret itself.
type OAuthAppClientSecret struct {
	ID                string     `json:"id"`
	OAuthAppID        string     `json:"oauth_app_id"`
	ClientSecretAlias string     `json:"client_secret_alias"`
	CreatedAt         time.Time  `json:"created_at"`
	CreatedBy         string     `json:"created_by" doc:"All zeros when the profile is gone."`
	LastUsedAt        *time.Time `json:"last_used_at"`
}

// ListOAuthAppClientSecretsResponse lists an application's client secrets.
type ListOAuthAppClientSecretsResponse struct {
	ClientSecrets []OAuthAppClientSecret `json:"client_secrets"`
}

// CreateOAuthAppClientSecretResponse is a client secret that was just made; it is shown this once.
type CreateOAuthAppClientSecretResponse struct {
	OAuthAppClientSecret
	ClientSecret string `json:"client_secret"`
}

// CreateOAuthAppBody is what is decided about an application.
type CreateOAuthAppBody struct {
	Name         string   `json:"name" minLength:"1" maxLength:"100"`
	Website      string   `json:"website" maxLength:"2048"`
	Icon         *string  `json:"icon,omitempty" maxLength:"2048"`
	RedirectURIs []string `json:"redirect_uris" minItems:"1" maxItems:"20"`
	Scopes       []string `json:"scopes,omitempty" maxItems:"100"`
}

type oauthAppsInput struct {
	SlugPath
	Type string `query:"type" required:"true" enum:"published,authorized"`
}

type createOAuthAppInput struct {
	SlugPath
	Body CreateOAuthAppBody
}

type oauthAppPath struct {
	Slug string `path:"slug"`
	ID   string `path:"id"`
}

type updateOAuthAppInput struct {
	Slug string `path:"slug"`
	ID   string `path:"id"`
	Body CreateOAuthAppBody
}

type oauthSecretsPath struct {
	Slug  string `path:"slug"`
	AppID string `path:"app_id"`
}

type oauthSecretPath struct {
	Slug     string `path:"slug"`
	AppID    string `path:"app_id"`
	SecretID string `path:"secret_id"`
}

const noOAuthApp = "OAuth app not found"

func (a *API) registerOAuthApps() {
	const apps = "/platform/organizations/{slug}/oauth/apps"
	handle(a, route{
		method: http.MethodGet, path: apps, permission: access.InOrganization(access.Read, "approved_oauth_apps"),
		kind: Real, summary: "The organization's OAuth apps, or those that act for its members",
	}, a.listOAuthApps)
	handle(a, route{
		method: http.MethodPost, path: apps, permission: access.InOrganization(access.Create, "approved_oauth_apps"),
		status: http.StatusCreated, kind: Real, summary: "Make an OAuth app",
	}, a.createOAuthApp)
	handle(a, route{
		method: http.MethodPut, path: apps + "/{id}", permission: access.InOrganization(access.Update, "approved_oauth_apps"),
		kind: Real, summary: "Change an OAuth app",
	}, a.updateOAuthApp)
	handle(a, route{
		method: http.MethodDelete, path: apps + "/{id}", permission: access.InOrganization(access.Delete, "approved_oauth_apps"),
		kind: Real, summary: "Delete an OAuth app, with all that it was granted",
	}, a.deleteOAuthApp)
	handle(a, route{
		method: http.MethodPost, path: apps + "/{id}/revoke", permission: access.InOrganization(access.Delete, "approved_oauth_apps"),
		status: http.StatusCreated, kind: Real, summary: "End all that an OAuth app was granted in the organization",
	}, a.revokeOAuthApp)
	handle(a, route{
		method: http.MethodGet, path: apps + "/{app_id}/client-secrets", permission: access.InOrganization(access.Read, "oauth_apps"),
		kind: Real, summary: "An OAuth app's client secrets, without the secrets",
	}, a.listOAuthSecrets)
	handle(a, route{
		method: http.MethodPost, path: apps + "/{app_id}/client-secrets", permission: access.InOrganization(access.Update, "oauth_apps"),
		status: http.StatusCreated, kind: Real, summary: "Make a client secret",
	}, a.createOAuthSecret)
	act(a, route{
		method: http.MethodDelete, path: apps + "/{app_id}/client-secrets/{secret_id}", permission: access.InOrganization(access.Update, "oauth_apps"),
		kind: Real, summary: "Delete a client secret, but never the last one",
	}, a.deleteOAuthSecret)
}

func (a *API) listOAuthApps(ctx context.Context, c *call, in *oauthAppsInput) ([]OAuthAppResponse, error) {
	list := []OAuthAppResponse{}
	if in.Type == "published" {
		apps, err := a.store.OAuthApps(ctx, c.membership.ID)
		for _, app := range apps {
			list = append(list, oauthAppOf(app))
		}
		return list, err
	}
	apps, err := a.store.AuthorizedApps(ctx, c.membership.ID)
	for _, app := range apps {
		one := oauthAppOf(app.OAuthApp)
		one.AuthorizedAt, one.CreatedBy, one.Scopes = &app.AuthorizedAt, app.AuthorizedBy, app.Granted
		list = append(list, one)
	}
	return list, err
}

func (a *API) createOAuthApp(ctx context.Context, c *call, in *createOAuthAppInput) (CreateOAuthAppResponse, error) {
	wanted, err := wantedOAuthApp(in.Body)
	if err != nil {
		return CreateOAuthAppResponse{}, err
	}
	made, err := a.store.CreateOAuthApp(ctx, c.actor, c.membership.ID, wanted)
	return createdOAuthApp(made), err
}

func (a *API) updateOAuthApp(ctx context.Context, c *call, in *updateOAuthAppInput) (PutOAuthAppResponse, error) {
	wanted, err := wantedOAuthApp(in.Body)
	if err != nil {
		return PutOAuthAppResponse{}, err
	}
	changed, err := a.store.UpdateOAuthApp(ctx, c.actor, c.membership.ID, idIn(in.ID), wanted)
	return changedOAuthApp(changed), problem.OrNotFound(err, noOAuthApp)
}

func (a *API) deleteOAuthApp(ctx context.Context, c *call, in *oauthAppPath) (PutOAuthAppResponse, error) {
	gone, err := a.store.DeleteOAuthApp(ctx, c.actor, c.membership.ID, idIn(in.ID))
	return changedOAuthApp(gone), problem.OrNotFound(err, noOAuthApp)
}

func (a *API) revokeOAuthApp(ctx context.Context, c *call, in *oauthAppPath) (RevokeAuthorizedOAuthAppResponse, error) {
	app, err := a.store.RevokeOAuthApp(ctx, c.actor, c.membership.ID, idIn(in.ID))
	return RevokeAuthorizedOAuthAppResponse{
		ID: app.ID.String(), Name: app.Name, Website: app.Website, Icon: app.Icon, AuthorizedAt: app.AuthorizedAt,
	}, problem.OrNotFound(err, noOAuthApp)
}

func (a *API) listOAuthSecrets(ctx context.Context, c *call, in *oauthSecretsPath) (ListOAuthAppClientSecretsResponse, error) {
	secrets, err := a.store.OAuthSecrets(ctx, c.membership.ID, idIn(in.AppID))
	list := make([]OAuthAppClientSecret, len(secrets))
	for i, secret := range secrets {
		list[i] = oauthSecretOf(secret)
	}
	return ListOAuthAppClientSecretsResponse{list}, problem.OrNotFound(err, noOAuthApp)
}

func (a *API) createOAuthSecret(ctx context.Context, c *call, in *oauthSecretsPath) (CreateOAuthAppClientSecretResponse, error) {
	made, err := a.store.CreateOAuthSecret(ctx, c.actor, c.membership.ID, idIn(in.AppID))
	return CreateOAuthAppClientSecretResponse{oauthSecretOf(made.OAuthSecret), made.Secret}, problem.OrNotFound(err, noOAuthApp)
}

func (a *API) deleteOAuthSecret(ctx context.Context, c *call, in *oauthSecretPath) error {
	err := a.store.DeleteOAuthSecret(ctx, c.actor, c.membership.ID, idIn(in.AppID), idIn(in.SecretID))
	return problem.OrNotFound(err, "Client secret not found")
}

// idIn reads an id in a path. What is none becomes the id that nothing has.
func idIn(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil
	}
	return id
}

func oauthAppOf(app store.OAuthApp) OAuthAppResponse {
	response := OAuthAppResponse{
		ID: app.ID.String(), AppID: app.ID.String(), ClientID: app.ClientID.String(), Name: app.Name, Website: app.Website, Icon: app.Icon,
		RedirectURIs: app.RedirectURIs, Scopes: app.Scopes, RegistrationType: registrationType(app), CreatedAt: app.CreatedAt,
	}
	if app.CreatedBy != nil {
		response.CreatedBy = *app.CreatedBy
	}
	return response
}

func registrationType(app store.OAuthApp) string {
	if app.Dynamic() {
		return "dynamic"
	}
	return "manual"
}

func createdOAuthApp(made store.NewOAuthApp) CreateOAuthAppResponse {
	return CreateOAuthAppResponse{
		ID: made.ID.String(), ClientID: made.ClientID.String(), ClientSecret: made.Secret, RedirectURIs: made.RedirectURIs,
	}
}

func changedOAuthApp(app store.OAuthApp) PutOAuthAppResponse {
	return PutOAuthAppResponse{
		ID: app.ID.String(), ClientID: app.ClientID.String(), Name: app.Name, Website: app.Website, Icon: app.Icon,
		RedirectURIs: app.RedirectURIs, CreatedAt: app.CreatedAt,
	}
}

func oauthSecretOf(secret store.OAuthSecret) OAuthAppClientSecret {
	by := uuid.Nil.String()
	if secret.CreatedBy != nil {
		by = *secret.CreatedBy
	}
	return OAuthAppClientSecret{
		ID: secret.ID.String(), OAuthAppID: secret.AppID.String(), ClientSecretAlias: secret.Alias,
		CreatedAt: secret.CreatedAt, CreatedBy: by, LastUsedAt: secret.LastUsedAt,
	}
}

// wantedOAuthApp checks what a member decides about an application.
func wantedOAuthApp(body CreateOAuthAppBody) (store.WantedOAuthApp, error) {
	if !isWebAddress(body.Website) {
		return store.WantedOAuthApp{}, problem.BadRequest("website: has to be an http or https address.")
	}
	if body.Icon != nil && *body.Icon == "" {
		body.Icon = nil
	}
	if body.Icon != nil && !isWebAddress(*body.Icon) {
		return store.WantedOAuthApp{}, problem.BadRequest("icon: has to be an http or https address.")
	}
	if unknown, found := access.UnknownOAuthScope(body.Scopes); found {
		return store.WantedOAuthApp{}, problem.BadRequest("There is no scope " + strconv.Quote(unknown) + ".")
	}
	for _, address := range body.RedirectURIs {
		if !isRedirectURI(address) {
			return store.WantedOAuthApp{}, problem.BadRequest(badRedirectURI)
		}
	}
	return store.WantedOAuthApp{
		Name: body.Name, Website: body.Website, Icon: body.Icon, RedirectURIs: unique(body.RedirectURIs), Scopes: unique(body.Scopes),
	}, nil
}

const badRedirectURI = "redirect_uris: each has to be an https address, an http address on localhost, or one with an application's own scheme, without a fragment."

// isWebAddress tells whether a text is an address that Studio may link to, or put into a style sheet.
func isWebAddress(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "" && parsed.User == nil &&
		!strings.ContainsAny(text, "\"'()<>\\ \t\r\n")
}

// ownScheme is a scheme that an application on somebody's own machine may have taken (RFC 8252, section 7.1).
var ownScheme = pattern(`^[a-z][a-z0-9+.-]{2,62}$`)

// notOwnSchemes are those that a browser, or the machine, gives a meaning of its own.
var notOwnSchemes = []string{
	"about", "blob", "chrome", "data", "file", "filesystem", "ftp", "http", "javascript", "mailto", "sms", "tel", "vbscript", "view-source", "ws", "wss",
}

// isRedirectURI tells whether an application may have people sent back to an address, with a code in it.
func isRedirectURI(text string) bool {
	parsed, err := url.Parse(text)
	if err != nil || len(text) > 1024 || parsed.Fragment != "" || strings.Contains(text, "#") || parsed.User != nil || strings.ContainsAny(text, " \t\r\n\\") {
		return false
	}
	switch parsed.Scheme {
	case "https":
		return parsed.Hostname() != ""
	case "http":
		return isLoopback(parsed.Hostname())
	default:
		return ownScheme().MatchString(parsed.Scheme) && !slices.Contains(notOwnSchemes, parsed.Scheme)
	}
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// allowsRedirect tells whether an application has said that people may be sent back to an address: to the very one, or to another
// port of the same machine as the browser (RFC 8252, section 7.3).
func allowsRedirect(app store.OAuthApp, address string) bool {
	return slices.ContainsFunc(app.RedirectURIs, func(registered string) bool {
		return registered == address || withoutPort(registered) != "" && withoutPort(registered) == withoutPort(address)
	})
}

// withoutPort returns an address on the browser's own machine without its port, and nothing for others.
func withoutPort(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "http" || !isLoopback(parsed.Hostname()) || !isRedirectURI(address) {
		return ""
	}
	parsed.Host = strings.TrimSuffix(parsed.Host, ":"+parsed.Port())
	return parsed.String()
}
