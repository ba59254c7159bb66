package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// OAuthTokenResponse are the tokens that an OAuth app gets.
type OAuthTokenResponse struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token" doc:"Good once: the next one comes with the next access token."`
	ExpiresIn    int    `json:"expires_in" doc:"Of the access token, in seconds."`
	TokenType    string `json:"token_type" enum:"Bearer"`
	Scope        string `json:"scope" doc:"What was granted."`
}

// OAuthTokenBody is what an OAuth app asks for tokens with.
type OAuthTokenBody struct {
	GrantType    string `json:"grant_type,omitempty" maxLength:"64" doc:"authorization_code or refresh_token."`
	ClientID     string `json:"client_id,omitempty" maxLength:"64" doc:"Here, or in the Authorization header."`
	ClientSecret string `json:"client_secret,omitempty" maxLength:"256"`
	Code         string `json:"code,omitempty" maxLength:"256"`
	CodeVerifier string `json:"code_verifier,omitempty" maxLength:"256"`
	RedirectURI  string `json:"redirect_uri,omitempty" maxLength:"1024"`
	RefreshToken string `json:"refresh_token,omitempty" maxLength:"256"`
}

type tokenInput struct {
	visitorAddress
	Authorization string         `header:"Authorization" doc:"Basic, with the client's id and secret."`
	Body          OAuthTokenBody `contentType:"application/x-www-form-urlencoded"`
}

type tokenOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         OAuthTokenResponse
}

type revokeTokenInput struct {
	visitorAddress
	Authorization string `header:"Authorization" doc:"Basic, with the client's id and secret."`
	Body          struct {
		ClientID     string `json:"client_id,omitempty" maxLength:"64" doc:"Here, or in the Authorization header."`
		ClientSecret string `json:"client_secret,omitempty" maxLength:"256"`
		RefreshToken string `json:"refresh_token,omitempty" maxLength:"256"`
		Token        string `json:"token,omitempty" maxLength:"256" doc:"The refresh token as RFC 7009 names it."`
	}
}

// DynamicRegisterOAuthAppBody is what an OAuth app says of itself that registers itself (RFC 7591).
type DynamicRegisterOAuthAppBody struct {
	ClientName              string   `json:"client_name" minLength:"1" maxLength:"100"`
	ClientURI               string   `json:"client_uri,omitempty" maxLength:"2048"`
	LogoURI                 string   `json:"logo_uri,omitempty" maxLength:"2048"`
	RedirectURIs            []string `json:"redirect_uris" minItems:"1" maxItems:"20"`
	GrantTypes              []string `json:"grant_types,omitempty" maxItems:"10"`
	ResponseTypes           []string `json:"response_types,omitempty" maxItems:"10"`
	Scope                   string   `json:"scope,omitempty" maxLength:"2048"`
	TokenEndpointAuthMethod string   `json:"token_endpoint_auth_method,omitempty" maxLength:"64"`
}

// RegisteredOAuthApp is an OAuth app that has just registered itself, with its client secret, which is shown this once.
type RegisteredOAuthApp struct {
	CreateOAuthAppResponse
	ClientName              string   `json:"client_name"`
	ClientIDIssuedAt        int64    `json:"client_id_issued_at"`
	GrantTypes              []string `json:"grant_types"`
	ResponseTypes           []string `json:"response_types"`
	Scope                   string   `json:"scope"`
	TokenEndpointAuthMethod string   `json:"token_endpoint_auth_method"`
}

type registerOAuthAppInput struct {
	visitorAddress
	Body DynamicRegisterOAuthAppBody
}

const (
	// registrationsAtOnce is how many OAuth apps may register themselves from one address at once, and registrationsPerSecond how
	// many from then on.
	registrationsAtOnce    = 20
	registrationsPerSecond = 1.0 / 60
)

// registeredScopes are what an OAuth app may ask for that registered itself without a word of it: upstream's default.
const registeredScopes = "organizations:read projects:read projects:write database:write database:read analytics:read secrets:read " +
	"edge_functions:read edge_functions:write environment:read environment:write storage:read"

var oauthGrantTypes = []string{"authorization_code", "refresh_token"}

func (a *API) registerOAuthToken() {
	register(a, route{
		method: http.MethodPost, path: "/v1/oauth/token", permission: access.Anyone(), status: http.StatusCreated,
		kind: Real, summary: "Give an OAuth app its tokens",
	}, a.oauthToken)
	act(a, route{
		method: http.MethodPost, path: "/v1/oauth/revoke", permission: access.Anyone(), status: http.StatusNoContent,
		kind: Real, summary: "End what an OAuth app was granted, by its own wish",
	}, a.oauthRevoke)
	handle(a, route{
		method: http.MethodPost, path: "/platform/oauth/apps/register", permission: access.Anyone(), status: http.StatusCreated,
		kind: Real, summary: "Register an OAuth app by its own wish",
	}, a.registerOAuthApp)
}

// formFormat reads what OAuth's clients send. It is written as JSON: nothing answers with a form.
func formFormat() huma.Format {
	return huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: func(data []byte, into any) error {
		values, err := url.ParseQuery(string(data))
		if err != nil {
			return errors.New("not a form")
		}
		fields := make(map[string]string, len(values))
		for name, list := range values {
			if len(list) != 1 {
				return fmt.Errorf("%s is there more than once", strconv.Quote(name))
			}
			fields[name] = list[0]
		}
		encoded, err := json.Marshal(fields)
		if err != nil {
			return fmt.Errorf("encode the form: %w", err)
		}
		return json.Unmarshal(encoded, into)
	}}
}

func (a *API) oauthToken(ctx context.Context, _ *call, in *tokenInput) (*tokenOutput, error) {
	app, err := a.oauthClient(ctx, in.Authorization, in.Body.ClientID, in.Body.ClientSecret)
	if err != nil {
		return nil, err
	}
	switch in.Body.GrantType {
	case "authorization_code":
		return a.exchangeCode(ctx, app, in)
	case "refresh_token":
		return a.refreshTokens(ctx, app, in)
	default:
		return nil, problem.OAuth(http.StatusBadRequest, "unsupported_grant_type", "grant_type has to be authorization_code or refresh_token.")
	}
}

// oauthClient finds out which application asks: by its id and secret in the header or in the body, or by its id alone where it is a
// public one.
func (a *API) oauthClient(ctx context.Context, authorization, clientID, secret string) (store.OAuthApp, error) {
	header := http.Request{Header: http.Header{"Authorization": {authorization}}}
	if id, password, ok := header.BasicAuth(); ok {
		if secret != "" {
			return store.OAuthApp{}, problem.OAuth(http.StatusBadRequest, "invalid_request", "The client's secret is in the header and in the body.")
		}
		clientID, secret = unescaped(id), unescaped(password)
	}
	if clientID == "" {
		return store.OAuthApp{}, problem.OAuth(http.StatusBadRequest, "invalid_request", "client_id is missing.")
	}
	app, err := a.oauthApp(ctx, clientID)
	if errors.Is(err, store.ErrNotFound) {
		return store.OAuthApp{}, errInvalidClient
	}
	if err != nil || app.Public && secret == "" {
		return app, err
	}
	good, err := a.store.OAuthSecretIsGood(ctx, app.ID, secret)
	if err != nil {
		return store.OAuthApp{}, err
	}
	if !good {
		return store.OAuthApp{}, errInvalidClient
	}
	return app, nil
}

var (
	errInvalidClient = problem.OAuth(http.StatusUnauthorized, "invalid_client", "There is no OAuth app with this client_id and secret.")
	errInvalidGrant  = problem.OAuth(http.StatusBadRequest, "invalid_grant", "The code or refresh token is not good, or not any more.")
)

// unescaped undoes what RFC 6749, section 2.3.1, does to ids and secrets in the header. Ours look the same either way.
func unescaped(text string) string {
	plain, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return plain
}

func (a *API) exchangeCode(ctx context.Context, app store.OAuthApp, in *tokenInput) (*tokenOutput, error) {
	grant, err := a.store.OAuthGrantByCode(ctx, app.ID, in.Body.Code)
	if err != nil {
		return nil, orInvalidGrant(err)
	}
	if in.Body.RedirectURI != grant.RedirectURI || !provesCode(grant.CodeChallenge, in.Body.CodeVerifier) {
		return nil, errInvalidGrant
	}
	tokens, err := a.store.ExchangeOAuthCode(ctx, issueOf(ctx, app, grant, in.text, "code", in.Body.Code), in.Body.Code)
	return tokensOf(tokens, grant, err)
}

func (a *API) refreshTokens(ctx context.Context, app store.OAuthApp, in *tokenInput) (*tokenOutput, error) {
	grant, err := a.store.OAuthGrantByRefreshToken(ctx, app.ID, in.Body.RefreshToken)
	if err != nil {
		return nil, orInvalidGrant(err)
	}
	tokens, err := a.store.RefreshOAuth(ctx, issueOf(ctx, app, grant, in.text, "refresh", in.Body.RefreshToken), in.Body.RefreshToken)
	return tokensOf(tokens, grant, err)
}

func orInvalidGrant(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return errInvalidGrant
	}
	return err
}

// verifierPattern is RFC 7636's, section 4.1.
var verifierPattern = pattern(`^[A-Za-z0-9._~-]{43,128}$`)

// provesCode tells whether a verifier is the one that a challenge was made of. Where there was no challenge, none may come:
// somebody may have taken it out on the way (RFC 9700, section 2.1.1).
func provesCode(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	digest := sha256.Sum256([]byte(verifier))
	made := base64.RawURLEncoding.EncodeToString(digest[:])
	return verifierPattern().MatchString(verifier) && subtle.ConstantTimeCompare([]byte(made), []byte(challenge)) == 1
}

// issueOf says what is issued to whom. The gateway may run the request again: it is known by its id and what was presented.
func issueOf(ctx context.Context, app store.OAuthApp, grant store.OAuthGrant, address, what, presented string) store.OAuthIssue {
	actor := store.Actor{
		ProfileID: grant.ProfileID, RequestID: requestID(ctx),
		Fingerprint: sha256.Sum256([]byte("oauth " + what + "\n" + app.ID.String() + "\n" + presented)),
	}
	if client, err := netip.ParseAddr(address); err == nil {
		actor.Address = client
	}
	return store.OAuthIssue{Grant: grant, Actor: actor, AppName: app.Name, TokenScopes: access.TokenScopes(grant.Scopes)}
}

func tokensOf(tokens store.OAuthTokens, grant store.OAuthGrant, err error) (*tokenOutput, error) {
	if err != nil {
		return nil, orInvalidGrant(err)
	}
	if tokens.Refused {
		return nil, errInvalidGrant
	}
	return &tokenOutput{CacheControl: "no-store", Body: OAuthTokenResponse{
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, TokenType: "Bearer",
		ExpiresIn: int(store.OAuthTokenLifetime / time.Second), Scope: strings.Join(grant.Scopes, " "),
	}}, nil
}

// oauthRevoke tells nothing of tokens that are not known (RFC 7009, section 2.2).
func (a *API) oauthRevoke(ctx context.Context, _ *call, in *revokeTokenInput) error {
	app, err := a.oauthClient(ctx, in.Authorization, in.Body.ClientID, in.Body.ClientSecret)
	if err != nil {
		return err
	}
	token := in.Body.RefreshToken
	if token == "" {
		token = in.Body.Token
	}
	grant, err := a.store.OAuthGrantByRefreshToken(ctx, app.ID, token)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.store.EndOAuthGrant(ctx, issueOf(ctx, app, grant, in.text, "revoke", token))
}

func (a *API) registerOAuthApp(ctx context.Context, _ *call, in *registerOAuthAppInput) (RegisteredOAuthApp, error) {
	wanted, err := in.Body.wanted()
	if err != nil {
		return RegisteredOAuthApp{}, err
	}
	if client, err := netip.ParseAddr(in.text); err == nil {
		if wait := a.registrations.Count(client); wait > 0 {
			return RegisteredOAuthApp{}, problem.New(http.StatusTooManyRequests,
				fmt.Sprintf("Too many OAuth apps register themselves from here. Try again in %.0f seconds.", math.Ceil(wait.Seconds())))
		}
	}
	made, err := a.store.RegisterOAuthApp(ctx, wanted)
	method := "client_secret_basic"
	if wanted.Public {
		method = "none"
	} else if in.Body.TokenEndpointAuthMethod != "" {
		method = in.Body.TokenEndpointAuthMethod
	}
	return RegisteredOAuthApp{
		CreateOAuthAppResponse: createdOAuthApp(made), ClientName: made.Name, ClientIDIssuedAt: made.CreatedAt.Unix(),
		GrantTypes: oauthGrantTypes, ResponseTypes: []string{"code"}, Scope: strings.Join(made.Scopes, " "), TokenEndpointAuthMethod: method,
	}, err
}

// wanted checks what an OAuth app says of itself. Scopes that are not known are left out, as RFC 7591, section 2, lets a server do.
func (b DynamicRegisterOAuthAppBody) wanted() (store.WantedOAuthApp, error) {
	refuse := func(message string) (store.WantedOAuthApp, error) {
		return store.WantedOAuthApp{}, problem.OAuth(http.StatusBadRequest, "invalid_client_metadata", message)
	}
	for _, address := range b.RedirectURIs {
		if !isRedirectURI(address) {
			return store.WantedOAuthApp{}, problem.OAuth(http.StatusBadRequest, "invalid_redirect_uri", badRedirectURI)
		}
	}
	for _, one := range b.GrantTypes {
		if !slices.Contains(oauthGrantTypes, one) {
			return refuse("grant_types can be authorization_code and refresh_token.")
		}
	}
	for _, one := range b.ResponseTypes {
		if one != "code" {
			return refuse("response_types can be code alone.")
		}
	}
	if !slices.Contains([]string{"", "none", "client_secret_basic", "client_secret_post"}, b.TokenEndpointAuthMethod) {
		return refuse("token_endpoint_auth_method can be none, client_secret_basic or client_secret_post.")
	}
	if b.ClientURI != "" && !isWebAddress(b.ClientURI) {
		return refuse("client_uri has to be an http or https address.")
	}
	wanted := store.WantedOAuthApp{
		Name: b.ClientName, Website: b.ClientURI, RedirectURIs: unique(b.RedirectURIs), Public: b.TokenEndpointAuthMethod == "none",
	}
	if isWebAddress(b.LogoURI) {
		wanted.Icon = &b.LogoURI
	}
	scope := b.Scope
	if scope == "" {
		scope = registeredScopes
	}
	known := access.OAuthScopeNames()
	wanted.Scopes = slices.DeleteFunc(unique(strings.Fields(scope)), func(name string) bool { return !slices.Contains(known, name) })
	return wanted, nil
}
