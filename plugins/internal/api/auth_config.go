package api

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/plurabase/plurabase/plugins/internal/access"
	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

const spamMissing = "This platform runs no spam filter that a mail's text could be tried on."

type updateAuthInput struct {
	Ref  string `path:"ref"`
	Body map[string]any
}

// ValidateSpamBody is a mail as it would be sent.
type ValidateSpamBody struct {
	Subject string `json:"subject" maxLength:"1000"`
	Content string `json:"content"`
}

type validateSpamInput struct {
	Ref  string `path:"ref"`
	Body ValidateSpamBody
}

// ValidateSpamResponse lists what a spam filter has against a mail.
type ValidateSpamResponse struct {
	Rules []never `json:"rules"`
}

type authTemplateInput struct {
	Ref      string `path:"ref"`
	Template string `path:"template" maxLength:"64"`
}

// AuthTemplate is the text of a mail, as GoTrue fetches it.
type AuthTemplate struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (a *API) registerAuthConfig() {
	const platform, v1 = "/platform/auth/{ref}", "/v1/projects/{ref}/config/auth"
	read, update := access.InProject(access.Read, "custom_config_gotrue"), access.InProject(access.Update, "custom_config_gotrue")
	handle(a, route{
		method: http.MethodGet, path: platform + "/config", permission: read, kind: Real, summary: "Auth's settings",
	}, a.getAuthConfig)
	handle(a, route{
		method: http.MethodPatch, path: platform + "/config", permission: update, kind: Real, summary: "Change Auth's settings",
	}, a.updateAuthConfig)
	handle(a, route{
		method: http.MethodPatch, path: platform + "/config/hooks", permission: access.InProject(access.AuthExecute, "*"),
		kind: Real, summary: "Change Auth's hooks",
	}, a.updateAuthHooks)
	handle(a, route{
		method: http.MethodPost, path: platform + "/validate/spam", permission: update,
		kind: Empty, because: spamMissing, summary: "What a spam filter has against a mail: nothing is known",
	}, func(context.Context, *call, *validateSpamInput) (ValidateSpamResponse, error) {
		return ValidateSpamResponse{[]never{}}, nil
	})
	handle(a, route{
		method: http.MethodGet, path: v1, permission: read, kind: Real, summary: "Auth's settings",
	}, a.v1GetAuthConfig)
	handle(a, route{
		method: http.MethodPatch, path: v1, permission: update, kind: Real, summary: "Change Auth's settings",
	}, a.v1UpdateAuthConfig)
	// GoTrue fetches its mails' texts without a token; whoever is sent such a mail can read them.
	register(a, route{
		method: http.MethodGet, path: platform + "/templates/{template}", permission: access.Anyone(),
		kind: Real, summary: "The text of a mail, for the project's Auth to fetch",
	}, a.getAuthTemplate)
}

// authConfig is the settings by name, as those may see them who may read them, or change them.
func (a *API) authConfig(c *call, set store.SectionConfig) map[string]any {
	shown := make(map[string]any, len(authSettings))
	for _, setting := range authSettings {
		value, known := set[setting.name]
		switch {
		case !known && setting.nullable:
			value = nil
		case !known:
			value = setting.fallback
		case setting.secret && !c.may(access.InProject(access.Update, "custom_config_gotrue")):
			value = "" // a short secret could be found by what is shown of it
		case setting.secret && value != "":
			value = maskSecret(c.project.Ref, fmt.Sprint(value))
		}
		shown[setting.name] = value
	}
	if shown["SMTP_ADMIN_EMAIL"] == "" && shown["SMTP_HOST"] == "" && a.mail != nil {
		shown["SMTP_ADMIN_EMAIL"] = a.mail.Address() // the project's mails go by the platform's server
	}
	return shown
}

func (a *API) authSection(ctx context.Context, p store.Project) (store.SectionConfig, error) {
	config, err := a.store.ProjectConfig(ctx, p.ID, p.Ref, store.ConfigAuth)
	return config[store.ConfigAuth], err
}

func (a *API) getAuthConfig(ctx context.Context, c *call, _ *refPath) (map[string]any, error) {
	set, err := a.authSection(ctx, c.project.Project)
	return a.authConfig(c, set), err
}

func (a *API) updateAuthConfig(ctx context.Context, c *call, in *updateAuthInput) (map[string]any, error) {
	set, err := a.changeAuth(ctx, c, in.Body, nil)
	return a.authConfig(c, set), err
}

func (a *API) updateAuthHooks(ctx context.Context, c *call, in *updateAuthInput) (map[string]any, error) {
	set, err := a.changeAuth(ctx, c, in.Body, func(name string) bool { return strings.HasPrefix(name, "HOOK_") })
	return a.authConfig(c, set), err
}

// v1GetAuthConfig has the same settings in lower case, and null for a text that is not set.
func (a *API) v1GetAuthConfig(ctx context.Context, c *call, _ *refPath) (map[string]any, error) {
	set, err := a.authSection(ctx, c.project.Project)
	return a.v1AuthConfig(c, set), err
}

func (a *API) v1UpdateAuthConfig(ctx context.Context, c *call, in *updateAuthInput) (map[string]any, error) {
	body := make(map[string]any, len(in.Body))
	for name, value := range in.Body {
		body[strings.ToUpper(name)] = value
	}
	set, err := a.changeAuth(ctx, c, body, nil)
	return a.v1AuthConfig(c, set), err
}

func (a *API) v1AuthConfig(c *call, set store.SectionConfig) map[string]any {
	shown := make(map[string]any, len(authSettings))
	for name, value := range a.authConfig(c, set) {
		if _, known := set[name]; value == "" || name == "SMTP_ADMIN_EMAIL" && !known {
			value = nil
		}
		shown[strings.ToLower(name)] = value
	}
	return shown
}

// changeAuth changes what the body names and returns the section as it is then.
func (a *API) changeAuth(ctx context.Context, c *call, body map[string]any, admitted func(string) bool) (store.SectionConfig, error) {
	set, err := a.authSection(ctx, c.project.Project)
	if err != nil {
		return nil, err
	}
	patch, err := authPatch(body, set, c.project.Ref, admitted)
	if err != nil || len(patch) == 0 {
		return set, err
	}
	if patch["SAML_ENABLED"] == true && set[samlKey] == nil {
		if patch[samlKey], err = newSAMLKey(); err != nil {
			return nil, err
		}
	}
	return a.store.UpdateProjectConfig(ctx, c.actor, c.project.Ref, store.ConfigAuth, patch)
}

// samlKey is what GoTrue signs its SAML requests with, and does not start without where SAML is on. It is no setting of the
// API's: it is made once, and never shown.
const samlKey = "SAML_PRIVATE_KEY"

// newSAMLKey makes one in the form that GoTrue reads: Base64 of a PKCS #1 RSA key (internal/conf/saml.go).
func newSAMLKey() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", fmt.Errorf("make a key for SAML: %w", err)
	}
	return base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(key)), nil
}

func (a *API) getAuthTemplate(ctx context.Context, _ *call, in *authTemplateInput) (*AuthTemplate, error) {
	ref, ok := store.ParseRef(in.Ref)
	if !ok {
		return nil, problem.NotFound("Template not found")
	}
	set, err := a.store.ProjectConfigByRef(ctx, ref, store.ConfigAuth)
	if err != nil {
		return nil, problem.OrNotFound(err, "Template not found")
	}
	setting := authSettingsByName["MAILER_TEMPLATES_"+strings.ToUpper(in.Template)+"_CONTENT"]
	content, _ := set[setting.name].(string)
	if content == "" {
		return nil, problem.NotFound("Template not found") // GoTrue falls back to its own
	}
	return &AuthTemplate{"text/html; charset=utf-8", []byte(content)}, nil
}
