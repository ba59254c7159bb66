package stack

import (
	"net/mail"
	"strconv"

	"github.com/plurabase/plurabase/store"
)

// auth is GoTrue, as the supabase CLI starts it (internal/start/start.go).
func (b builder) auth() (Service, error) {
	external := b.projectURL() + "/auth/v1"
	env := Env{
		"API_EXTERNAL_URL": external,

		"GOTRUE_API_HOST":        "0.0.0.0",
		"GOTRUE_API_PORT":        "9999",
		"GOTRUE_DB_DRIVER":       "postgres",
		"GOTRUE_DB_DATABASE_URL": b.databaseURL("postgresql", "supabase_auth_admin", "postgres"),

		"GOTRUE_SITE_URL": "http://localhost:3000", // what a new project has on the hosted service

		"GOTRUE_JWT_ADMIN_ROLES":        "service_role",
		"GOTRUE_JWT_AUD":                "authenticated",
		"GOTRUE_JWT_DEFAULT_GROUP_NAME": "authenticated",
		"GOTRUE_JWT_EXP":                "3600",
		"GOTRUE_JWT_SECRET":             b.secret(store.SecretJWT),
		"GOTRUE_JWT_ISSUER":             external,

		"GOTRUE_EXTERNAL_EMAIL_ENABLED":                  "true",
		"GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED":      "true",
		"GOTRUE_MAILER_URLPATHS_INVITE":                  external + "/verify",
		"GOTRUE_MAILER_URLPATHS_CONFIRMATION":            external + "/verify",
		"GOTRUE_MAILER_URLPATHS_RECOVERY":                external + "/verify",
		"GOTRUE_MAILER_URLPATHS_EMAIL_CHANGE":            external + "/verify",
		"GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED": "true",
		"GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL":   "10",
		"GOTRUE_MAILER_TEMPLATE_RELOADING_ENABLED":       "true",
		"GOTRUE_MFA_TOTP_ENROLL_ENABLED":                 "true",
		"GOTRUE_MFA_TOTP_VERIFY_ENABLED":                 "true",
	}
	if keys := b.secret(store.SecretJWTKeys); keys != "" {
		env["GOTRUE_JWT_KEYS"] = keys
		env["GOTRUE_JWT_VALIDMETHODS"] = "HS256,RS256,ES256,EdDSA"
		env["GOTRUE_JWT_VALID_METHODS"] = "HS256,RS256,ES256,EdDSA"
	}
	b.settings.Mail.addTo(env)
	b.configureAuth(env, external)
	return Service{Env: env, Health: answersWget("http://127.0.0.1:9999/health")}, nil
}

// addTo lets GoTrue send through the platform's server.
func (m Mail) addTo(env Env) {
	if m.Host == "" {
		return
	}
	env["GOTRUE_SMTP_HOST"], env["GOTRUE_SMTP_PORT"] = m.Host, strconv.Itoa(m.Port)
	env["GOTRUE_SMTP_USER"], env["GOTRUE_SMTP_PASS"] = m.User, m.Password
	if sender, err := mail.ParseAddress(m.Sender); err == nil {
		env["GOTRUE_SMTP_ADMIN_EMAIL"], env["GOTRUE_SMTP_SENDER_NAME"] = sender.Address, sender.Name
	}
}
