package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/plugins/internal/mail"
	"github.com/plurabase/plurabase/store"
)

const anSSOProvider = "/v1/projects/{ref}/config/auth/sso/providers/{provider_id}"

var authExamples = map[string]example{
	"GET /platform/auth/{ref}/config":                   {prepare: aSender},
	"PATCH /platform/auth/{ref}/config":                 {body: `{"SMTP_ADMIN_EMAIL":"us@example.com"}`},
	"PATCH /platform/auth/{ref}/config/hooks":           {prepare: aSender, body: `{"HOOK_SEND_SMS_ENABLED":false}`},
	"PATCH /v1/projects/{ref}/config/auth":              {body: `{"site_url":"https://example.com"}`},
	"POST /platform/auth/{ref}/validate/spam":           {body: `{"subject":"a","content":"b"}`},
	"GET /platform/auth/{ref}/templates/{template}":     {prepare: aMailTemplate},
	"GET /v1/projects/{ref}/config/auth/sso/providers":  {prepare: ssoAnswers},
	"POST /v1/projects/{ref}/config/auth/sso/providers": {prepare: ssoAnswers, body: `{"type":"saml","metadata_url":"https://idp.example.com"}`},
	"GET " + anSSOProvider:                              {prepare: ssoAnswers},
	"PUT " + anSSOProvider:                              {prepare: ssoAnswers, body: `{"domains":["example.com"]}`},
	"DELETE " + anSSOProvider:                           {prepare: ssoAnswers},
}

// aSender gives the mails a sender, without which the contract's e-mail address is an empty text.
func aSender(w *world, p place) map[string]string {
	w.succeed(w.as(store.RoleOwner), http.MethodPatch, p.authConfig(), `{"SMTP_ADMIN_EMAIL":"us@example.com"}`)
	return nil
}

func aMailTemplate(w *world, p place) map[string]string {
	w.succeed(w.as(store.RoleOwner), http.MethodPatch, p.authConfig(), `{"MAILER_TEMPLATES_INVITE_CONTENT":"<p>Come in</p>"}`)
	return map[string]string{"template": "invite"}
}

func ssoAnswers(w *world, p place) map[string]string {
	w.withServices(p)
	return map[string]string{"provider_id": "77777777-7777-4777-8777-777777777777"}
}

func (p place) authConfig() string { return "/platform/auth/" + p.ref + "/config" }

func TestAuthsSettingsAreTheDefaultsUntilTheyAreChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	v1 := "/v1/projects/" + p.ref + "/config/auth"
	before := w.object(owner, http.MethodGet, p.authConfig(), "")
	require.InEpsilon(t, 3600, before["JWT_EXP"], 0)
	require.Empty(t, before["SMTP_ADMIN_EMAIL"], "no mail is sent")
	require.Equal(t, "hcaptcha", before["SECURITY_CAPTCHA_PROVIDER"])
	require.Equal(t, "Your code is {{ .Code }}", before["SMS_TEMPLATE"])
	changed := w.object(owner, http.MethodPatch, p.authConfig(),
		`{"JWT_EXP":600,"DISABLE_SIGNUP":true,"MAILER_SUBJECTS_INVITE":"Join us","SMTP_ADMIN_EMAIL":"us@example.com","UNKNOWN":1,"CUSTOM_OAUTH_MAX_PROVIDERS":5}`)
	require.Equal(t, changed, w.object(owner, http.MethodGet, p.authConfig(), ""))
	for name, value := range map[string]any{"JWT_EXP": 600., "DISABLE_SIGNUP": true, "MAILER_SUBJECTS_INVITE": "Join us", "SMTP_ADMIN_EMAIL": "us@example.com"} {
		require.Equal(t, value, changed[name])
		changed[name] = before[name]
	}
	require.Equal(t, before, changed, "the rest stays as it was")

	lower := w.object(owner, http.MethodGet, v1, "")
	require.InEpsilon(t, 600, lower["jwt_exp"], 0)
	require.Nil(t, lower["uri_allow_list"])
	require.InEpsilon(t, 3600, w.object(owner, http.MethodPatch, v1, `{"jwt_exp":null}`)["jwt_exp"], 0, "null is the default")
	require.InEpsilon(t, 3600, w.object(owner, http.MethodGet, p.authConfig(), "")["JWT_EXP"], 0)
	require.Equal(t, map[string]any{"DISABLE_SIGNUP": true, "MAILER_SUBJECTS_INVITE": "Join us", "SMTP_ADMIN_EMAIL": "us@example.com"}, w.authSection(p))
}

func TestMailsComeFromThePlatformsSenderUntilAProjectHasAServerOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	sender, err := mail.New(mail.Settings{Host: "mail.example.com", Port: 587, Sender: "Platform <platform@example.com>"})
	require.NoError(t, err)
	w.mail = sender
	require.Equal(t, "platform@example.com", w.object(owner, http.MethodGet, p.authConfig(), "")["SMTP_ADMIN_EMAIL"])
	require.Nil(t, w.object(owner, http.MethodGet, "/v1/projects/"+p.ref+"/config/auth", "")["smtp_admin_email"], "it is not the project's own")
	w.succeed(owner, http.MethodPatch, p.authConfig(), `{"SMTP_HOST":"mail.example.org"}`)
	require.Empty(t, w.object(owner, http.MethodGet, p.authConfig(), "")["SMTP_ADMIN_EMAIL"])
}

// authSection is what the provisioner is given.
func (w *world) authSection(p place) map[string]any {
	w.t.Helper()
	set, err := w.store.ProjectConfigByRef(w.t.Context(), store.Ref(p.ref), store.ConfigAuth)
	require.NoError(w.t, err)
	return set
}

func TestAuthsSecretsAreWrittenAndNeverRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner, reader := w.place(), w.as(store.RoleOwner), w.as(store.RoleReadOnly)
	answer := w.succeed(owner, http.MethodPatch, p.authConfig(),
		`{"EXTERNAL_GITHUB_ENABLED":true,"EXTERNAL_GITHUB_CLIENT_ID":"id","EXTERNAL_GITHUB_SECRET":"correct horse"}`)
	require.NotContains(t, answer.Body.String(), "correct horse")
	shown := w.object(owner, http.MethodGet, p.authConfig(), "")["EXTERNAL_GITHUB_SECRET"]
	require.Equal(t, maskSecret(store.Ref(p.ref), "correct horse"), shown)
	require.Equal(t, shown, w.object(owner, http.MethodGet, "/v1/projects/"+p.ref+"/config/auth", "")["external_github_secret"])
	require.Empty(t, w.object(reader, http.MethodGet, p.authConfig(), "")["EXTERNAL_GITHUB_SECRET"])
	require.NotContains(t, w.logged.String(), "correct horse")

	w.succeed(owner, http.MethodPatch, p.authConfig(), `{"EXTERNAL_GITHUB_SECRET":"`+shown.(string)+`","SITE_URL":"https://example.com"}`)
	require.Equal(t, "correct horse", w.authSection(p)["EXTERNAL_GITHUB_SECRET"], "a form sends back what it was shown")
	w.succeed(owner, http.MethodPatch, p.authConfig(), `{"EXTERNAL_GITHUB_SECRET":"battery staple"}`)
	require.Equal(t, "battery staple", w.authSection(p)["EXTERNAL_GITHUB_SECRET"])
}

func TestHooksAreChangedByThoseWhoRunAuth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, developer := w.place(), w.as(store.RoleDeveloper)
	require.Equal(t, http.StatusForbidden, w.raw(developer, http.MethodPatch, p.authConfig(), `{"SITE_URL":"https://example.com"}`).Code)
	changed := w.object(developer, http.MethodPatch, p.authConfig()+"/hooks",
		`{"HOOK_SEND_SMS_ENABLED":true,"HOOK_SEND_SMS_URI":"pg-functions://postgres/public/send_sms","SITE_URL":"https://example.com"}`)
	require.Equal(t, true, changed["HOOK_SEND_SMS_ENABLED"])
	require.Equal(t, "http://localhost:3000", changed["SITE_URL"], "hooks alone")
}

func TestWhatAuthWouldNotStartWithIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	tests := []struct{ body, message string }{
		{`{"JWT_EXP":"soon"}`, "JWT_EXP: expected a whole number."},
		{`{"JWT_EXP":1.5}`, "JWT_EXP: expected a whole number."},
		{`{"PASSWORD_MIN_LENGTH":3}`, "PASSWORD_MIN_LENGTH: expected a number from 6 to 72."},
		{`{"DISABLE_SIGNUP":"yes"}`, "DISABLE_SIGNUP: expected boolean."},
		{`{"SITE_URL":"nowhere"}`, "SITE_URL: expected a URL."},
		{`{"SITE_URL":"https://a\nGOTRUE_X=1"}`, "SITE_URL: expected no control characters."},
		{`{"URI_ALLOW_LIST":"https://[a"}`, "URI_ALLOW_LIST: expected URLs or patterns of them, separated by commas."},
		{`{"SECURITY_CAPTCHA_PROVIDER":"none"}`, "SECURITY_CAPTCHA_PROVIDER: expected one of the values that it may have."},
		{`{"SECURITY_CAPTCHA_ENABLED":true}`, "SECURITY_CAPTCHA_SECRET: it is needed where SECURITY_CAPTCHA_ENABLED is true."},
		{`{"EXTERNAL_GITHUB_ENABLED":true}`, "EXTERNAL_GITHUB_CLIENT_ID: it is needed where EXTERNAL_GITHUB_ENABLED is true."},
		{`{"HOOK_SEND_SMS_ENABLED":true}`, "HOOK_SEND_SMS_URI: it is needed where HOOK_SEND_SMS_ENABLED is true."},
		{`{"HOOK_SEND_SMS_URI":"http://10.0.0.1/"}`, "HOOK_SEND_SMS_URI: expected pg-functions://postgres/<schema>/<function>, or a URL by https."},
		{`{"HOOK_SEND_SMS_ENABLED":true,"HOOK_SEND_SMS_URI":"https://example.com","HOOK_SEND_SMS_SECRETS":"x"}`, "HOOK_SEND_SMS_SECRETS: " + wrongHookSecret + "."},
		{`{"PASSKEY_ENABLED":true,"WEBAUTHN_RP_ID":"example.com","WEBAUTHN_RP_DISPLAY_NAME":"Shop"}`, "WEBAUTHN_RP_ORIGINS: it is needed where PASSKEY_ENABLED is true."},
		{`{"WEBAUTHN_RP_ORIGINS":"https://example.com,http://example.com"}`, "WEBAUTHN_RP_ORIGINS: expected origins by https, separated by commas."},
		{`{"MAILER_AUTOCONFIRM":true,"MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS":true}`, "MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS: it cannot be true where MAILER_AUTOCONFIRM is."},
		{`{"SMTP_PORT":"25a"}`, "SMTP_PORT: expected a port."},
		{`{"SMTP_ADMIN_EMAIL":"nobody"}`, "SMTP_ADMIN_EMAIL: expected an e-mail address."},
	}
	for _, test := range tests {
		status, refusal := w.send(owner, http.MethodPatch, p.authConfig(), test.body)
		require.Equal(t, http.StatusBadRequest, status, test.body)
		require.Equal(t, test.message, refusal["message"])
	}
	require.Empty(t, w.authSection(p))
}

func TestSAMLIsTurnedOnWithAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	answer := w.succeed(owner, http.MethodPatch, p.authConfig(), `{"SAML_ENABLED":true}`)
	key := w.authSection(p)[samlKey].(string)
	require.NotEmpty(t, key)
	require.NotContains(t, answer.Body.String(), samlKey)
	w.succeed(owner, http.MethodPatch, p.authConfig(), `{"SAML_ENABLED":false}`)
	w.succeed(owner, http.MethodPatch, p.authConfig(), `{"SAML_ENABLED":true}`)
	require.Equal(t, key, w.authSection(p)[samlKey], "whoever trusts it goes on to")
}

func TestAuthFetchesAMailsTextWithoutAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.place()
	path := "/platform/auth/" + p.ref + "/templates/"
	require.Equal(t, http.StatusNotFound, w.raw("", http.MethodGet, path+"invite", "").Code)
	aMailTemplate(w, p)
	answer := w.succeed("", http.MethodGet, path+"invite", "")
	require.Equal(t, "<p>Come in</p>", answer.Body.String())
	require.Equal(t, "text/html; charset=utf-8", answer.Header().Get("Content-Type"))
	for _, name := range []string{"recovery", "nothing", "..%2Fconfig"} {
		require.Equal(t, http.StatusNotFound, w.raw("", http.MethodGet, path+name, "").Code, name)
	}
}

func TestIdentityProvidersAreAuthsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, owner := w.place(), w.as(store.RoleOwner)
	playing := w.withServices(p)
	path := "/v1/projects/" + p.ref + "/config/auth/sso/providers"
	made := w.object(owner, http.MethodPost, path, `{"type":"saml","metadata_url":"https://idp.example.com","domains":["example.com"]}`)
	require.Equal(t, `POST /admin/sso/providers {"type":"saml","metadata_url":"https://idp.example.com","domains":["example.com"]}`, playing.asked[0])
	require.Equal(t, "https://idp.example.com/entity", made["saml"].(map[string]any)["entity_id"])
	w.succeed(owner, http.MethodDelete, path+"/77777777-7777-4777-8777-777777777777", "")
	require.Equal(t, "DELETE /admin/sso/providers/77777777-7777-4777-8777-777777777777", playing.asked[1])
}
