package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plurabase/plurabase/plugins/internal/problem"
	"github.com/plurabase/plurabase/store"
)

// An authSetting is one of Auth's settings, as the platform's API names it: GoTrue's own name without GOTRUE_. The section
// `auth` keeps those that were set. Times are seconds, where nothing else is said.
type authSetting struct {
	name string
	// fallback is what GoTrue does where nothing is set (internal/conf/configuration.go), and what its environment starts
	// with here. Its type is the setting's.
	fallback any
	min, max float64  // of a number
	choices  []string // of a text, where it has to be one of some
	long     bool     // of a text: it may have lines
	secret   bool     // written, and never read again
	fixed    bool     // of the platform: not to be set
	nullable bool     // null where it is not set, in place of its type's zero value
}

const anyNumber = math.MaxInt32

func flag(name string, fallback bool) authSetting { return authSetting{name: name, fallback: fallback} }

func text(name, fallback string) authSetting { return authSetting{name: name, fallback: fallback} }

func secretText(name string) authSetting { return authSetting{name: name, fallback: "", secret: true} }

func number(name string, fallback, least, most float64) authSetting {
	return authSetting{name: name, fallback: fallback, min: least, max: most}
}

func longText(name, fallback string) authSetting {
	return authSetting{name: name, fallback: fallback, long: true}
}

func choice(name, fallback string, choices ...string) authSetting {
	return authSetting{name: name, fallback: fallback, choices: choices}
}

func (s authSetting) orNull() authSetting { s.nullable = true; return s }
func (s authSetting) ofPlatform() authSetting {
	s.fixed = true
	return s
}

// The parts of the names of which there are many.
var (
	authProviders = []string{
		"APPLE", "AZURE", "BITBUCKET", "DISCORD", "FACEBOOK", "FIGMA", "GITHUB", "GITLAB", "GOOGLE", "KAKAO", "KEYCLOAK",
		"LINKEDIN_OIDC", "NOTION", "SLACK", "SLACK_OIDC", "SPOTIFY", "TWITCH", "TWITTER", "WORKOS", "X", "ZOOM",
	}
	authProvidersWithURL = []string{"AZURE", "GITLAB", "KEYCLOAK", "WORKOS"}
	authHooks            = []string{
		"AFTER_USER_CREATED", "BEFORE_USER_CREATED", "CUSTOM_ACCESS_TOKEN", "MFA_VERIFICATION_ATTEMPT",
		"PASSWORD_VERIFICATION_ATTEMPT", "SEND_EMAIL", "SEND_SMS",
	}
	// authMails are the mails that GoTrue sends, with the subjects of its own.
	authMails = []struct{ name, subject string }{
		{"CONFIRMATION", "Confirm Your Email"},
		{"EMAIL_CHANGE", "Confirm Email Change"},
		{"INVITE", "You have been invited"},
		{"MAGIC_LINK", "Your Magic Link"},
		{"REAUTHENTICATION", "Confirm reauthentication"},
		{"RECOVERY", "Reset Your Password"},
		{"EMAIL_CHANGED_NOTIFICATION", "Your email address has been changed"},
		{"IDENTITY_LINKED_NOTIFICATION", "A new identity has been linked"},
		{"IDENTITY_UNLINKED_NOTIFICATION", "An identity has been unlinked"},
		{"MFA_FACTOR_ENROLLED_NOTIFICATION", "A new MFA factor has been enrolled"},
		{"MFA_FACTOR_UNENROLLED_NOTIFICATION", "An MFA factor has been unenrolled"},
		{"PASSWORD_CHANGED_NOTIFICATION", "Your password has been changed"},
		{"PHONE_CHANGED_NOTIFICATION", "Your phone number has been changed"},
	}
)

// What passwords may have to contain, as GoTrue takes it: sets of characters, one of each.
const (
	lettersAndDigits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789"
	bothCasesDigits  = "abcdefghijklmnopqrstuvwxyz:ABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789"
	withSymbols      = bothCasesDigits + `:!@#$%^&*()_+-=[]{};'\\:"|<>?,./` + "`~"
)

// codeMessage is the text message that a code comes in.
const codeMessage = "Your code is {{ .Code }}"

var authSettings = slices.Concat([]authSetting{
	text("SITE_URL", "http://localhost:3000"),
	text("URI_ALLOW_LIST", ""),
	flag("DISABLE_SIGNUP", false),
	number("JWT_EXP", 3600, 1, 604800),
	number("API_MAX_REQUEST_DURATION", 10, 1, 300).orNull(),
	number("DB_MAX_POOL_SIZE", 0, 1, 1000).orNull(),
	choice("DB_MAX_POOL_SIZE_UNIT", "", "connections", "percent").orNull(),
	flag("AUDIT_LOG_DISABLE_POSTGRES", false),
	flag("INDEX_WORKER_ENSURE_USER_SEARCH_INDEXES_EXIST", false),
	flag("CUSTOM_OAUTH_ENABLED", true),
	number("CUSTOM_OAUTH_MAX_PROVIDERS", 0, 0, 0).ofPlatform(),
	text("NIMBUS_OAUTH_CLIENT_ID", "").orNull().ofPlatform(),
	text("NIMBUS_OAUTH_CLIENT_SECRET", "").orNull().ofPlatform(),
	flag("NIMBUS_OAUTH_EMAIL_OPTIONAL", false).ofPlatform(),

	flag("EXTERNAL_ANONYMOUS_USERS_ENABLED", false),
	flag("EXTERNAL_EMAIL_ENABLED", true),
	flag("EXTERNAL_PHONE_ENABLED", false),
	flag("EXTERNAL_WEB3_ETHEREUM_ENABLED", false),
	flag("EXTERNAL_WEB3_SOLANA_ENABLED", false),
	text("EXTERNAL_APPLE_ADDITIONAL_CLIENT_IDS", ""),
	text("EXTERNAL_GOOGLE_ADDITIONAL_CLIENT_IDS", ""),
	flag("EXTERNAL_GOOGLE_SKIP_NONCE_CHECK", false),

	flag("MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS", false),
	flag("MAILER_AUTOCONFIRM", false),
	flag("MAILER_SECURE_EMAIL_CHANGE_ENABLED", true),
	number("MAILER_OTP_EXP", 86400, 1, anyNumber),
	number("MAILER_OTP_LENGTH", 6, 6, 10),

	flag("MFA_ALLOW_LOW_AAL", false),
	number("MFA_MAX_ENROLLED_FACTORS", 10, 0, anyNumber),
	flag("MFA_TOTP_ENROLL_ENABLED", true),
	flag("MFA_TOTP_VERIFY_ENABLED", true),
	flag("MFA_PHONE_ENROLL_ENABLED", false),
	flag("MFA_PHONE_VERIFY_ENABLED", false),
	number("MFA_PHONE_MAX_FREQUENCY", 60, 0, 32767),
	number("MFA_PHONE_OTP_LENGTH", 6, 6, 10),
	longText("MFA_PHONE_TEMPLATE", codeMessage),
	flag("MFA_WEB_AUTHN_ENROLL_ENABLED", false),
	flag("MFA_WEB_AUTHN_VERIFY_ENABLED", false),
	flag("PASSKEY_ENABLED", false),
	text("WEBAUTHN_RP_DISPLAY_NAME", "").orNull(),
	text("WEBAUTHN_RP_ID", "").orNull(),
	text("WEBAUTHN_RP_ORIGINS", "").orNull(),

	flag("OAUTH_SERVER_ENABLED", false),
	flag("OAUTH_SERVER_ALLOW_DYNAMIC_REGISTRATION", false),
	text("OAUTH_SERVER_AUTHORIZATION_PATH", "").orNull(),

	flag("PASSWORD_HIBP_ENABLED", false),
	number("PASSWORD_MIN_LENGTH", 6, 6, 72),
	choice("PASSWORD_REQUIRED_CHARACTERS", "", lettersAndDigits, bothCasesDigits, withSymbols),

	number("RATE_LIMIT_ANONYMOUS_USERS", 30, 1, anyNumber),
	number("RATE_LIMIT_EMAIL_SENT", 30, 1, anyNumber),
	number("RATE_LIMIT_OTP", 30, 1, anyNumber),
	number("RATE_LIMIT_SMS_SENT", 30, 1, anyNumber),
	number("RATE_LIMIT_TOKEN_REFRESH", 150, 1, anyNumber),
	number("RATE_LIMIT_VERIFY", 30, 1, anyNumber),
	number("RATE_LIMIT_WEB3", 30, 1, anyNumber),

	flag("REFRESH_TOKEN_ROTATION_ENABLED", true),
	flag("SAML_ALLOW_ENCRYPTED_ASSERTIONS", false),
	flag("SAML_ENABLED", false),
	text("SAML_EXTERNAL_URL", ""),
	flag("SECURITY_CAPTCHA_ENABLED", false),
	choice("SECURITY_CAPTCHA_PROVIDER", "hcaptcha", "turnstile", "hcaptcha"),
	secretText("SECURITY_CAPTCHA_SECRET"),
	flag("SECURITY_MANUAL_LINKING_ENABLED", false),
	number("SECURITY_REFRESH_TOKEN_REUSE_INTERVAL", 10, 0, anyNumber),
	flag("SECURITY_SB_FORWARDED_FOR_ENABLED", false),
	flag("SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD", false),
	flag("SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION", false),
	number("SESSIONS_INACTIVITY_TIMEOUT", 0, 0, anyNumber), // hours; 0: none
	number("SESSIONS_TIMEBOX", 0, 0, anyNumber),            // hours; 0: none
	flag("SESSIONS_SINGLE_PER_USER", false),
	text("SESSIONS_TAGS", ""),

	flag("SMS_AUTOCONFIRM", false),
	number("SMS_MAX_FREQUENCY", 60, 0, 32767),
	number("SMS_OTP_EXP", 60, 1, anyNumber),
	number("SMS_OTP_LENGTH", 6, 6, 10),
	choice("SMS_PROVIDER", "", "messagebird", "textlocal", "twilio", "twilio_verify", "vonage"),
	longText("SMS_TEMPLATE", codeMessage),
	text("SMS_TEST_OTP", ""),
	text("SMS_TEST_OTP_VALID_UNTIL", ""),
	secretText("SMS_MESSAGEBIRD_ACCESS_KEY"),
	text("SMS_MESSAGEBIRD_ORIGINATOR", ""),
	secretText("SMS_TEXTLOCAL_API_KEY"),
	text("SMS_TEXTLOCAL_SENDER", ""),
	text("SMS_TWILIO_ACCOUNT_SID", ""),
	secretText("SMS_TWILIO_AUTH_TOKEN"),
	text("SMS_TWILIO_CONTENT_SID", ""),
	text("SMS_TWILIO_MESSAGE_SERVICE_SID", ""),
	text("SMS_TWILIO_VERIFY_ACCOUNT_SID", ""),
	secretText("SMS_TWILIO_VERIFY_AUTH_TOKEN"),
	text("SMS_TWILIO_VERIFY_MESSAGE_SERVICE_SID", ""),
	text("SMS_VONAGE_API_KEY", ""),
	secretText("SMS_VONAGE_API_SECRET"),
	text("SMS_VONAGE_FROM", ""),

	text("SMTP_ADMIN_EMAIL", ""),
	text("SMTP_HOST", ""),
	number("SMTP_MAX_FREQUENCY", 60, 0, 32767),
	secretText("SMTP_PASS"),
	text("SMTP_PORT", ""),
	text("SMTP_SENDER_NAME", ""),
	text("SMTP_USER", ""),
}, providerSettings(), hookSettings(), mailSettings())

func providerSettings() (settings []authSetting) {
	for _, provider := range authProviders {
		prefix := "EXTERNAL_" + provider
		settings = append(settings, flag(prefix+"_ENABLED", false), text(prefix+"_CLIENT_ID", ""), secretText(prefix+"_SECRET"))
		if provider != "WORKOS" {
			settings = append(settings, flag(prefix+"_EMAIL_OPTIONAL", false))
		}
		if slices.Contains(authProvidersWithURL, provider) {
			settings = append(settings, text(prefix+"_URL", ""))
		}
	}
	return settings
}

func hookSettings() (settings []authSetting) {
	for _, hook := range authHooks {
		settings = append(settings, flag("HOOK_"+hook+"_ENABLED", false), text("HOOK_"+hook+"_URI", ""), secretText("HOOK_"+hook+"_SECRETS"))
	}
	return settings
}

func mailSettings() (settings []authSetting) {
	for _, one := range authMails {
		settings = append(settings, text("MAILER_SUBJECTS_"+one.name, one.subject), longText("MAILER_TEMPLATES_"+one.name+"_CONTENT", ""))
		if notification, found := strings.CutSuffix(one.name, "_NOTIFICATION"); found {
			settings = append(settings, flag("MAILER_NOTIFICATIONS_"+notification+"_ENABLED", false))
		}
	}
	return settings
}

// authSettingsByName finds a setting by its name.
var authSettingsByName = func() map[string]authSetting {
	all := make(map[string]authSetting, len(authSettings))
	for _, one := range authSettings {
		all[one.name] = one
	}
	return all
}()

// maxLongText is more than a mail needs; the whole environment of a container is some 2 MB (Linux, MAX_ARG_STRLEN is 128 KiB).
const maxLongText, maxText = 100_000, 8192

// check says what is wrong with a value; empty where nothing is. null takes a setting back to its default.
func (s authSetting) check(value any) string {
	switch s.fallback.(type) {
	case bool:
		if _, ok := value.(bool); !ok {
			return "expected boolean"
		}
	case float64:
		n, ok := value.(float64)
		if !ok || n != math.Trunc(n) {
			return "expected a whole number"
		}
		if n < s.min || n > s.max {
			return fmt.Sprintf("expected a number from %.0f to %.0f", s.min, s.max)
		}
	case string:
		return s.checkText(value)
	}
	return ""
}

func (s authSetting) checkText(value any) string {
	t, ok := value.(string)
	limit := maxText
	if s.long {
		limit = maxLongText
	}
	switch {
	case !ok:
		return "expected string"
	case len(t) > limit:
		return fmt.Sprintf("expected at most %d characters", limit)
	case t != "" && len(s.choices) > 0 && !slices.Contains(s.choices, t):
		return "expected one of the values that it may have"
	case strings.ContainsFunc(t, func(r rune) bool { return r < ' ' && (!s.long || r != '\n' && r != '\r' && r != '\t') }):
		return "expected no control characters"
	case t == "":
		return ""
	}
	if further, ok := authTextChecks[s.name]; ok {
		return further(t)
	}
	if strings.HasPrefix(s.name, "HOOK_") && strings.HasSuffix(s.name, "_URI") {
		return checkHookURI(t)
	}
	return ""
}

// authTextChecks are for what GoTrue would refuse to start with.
var authTextChecks = map[string]func(string) string{
	"SITE_URL": func(t string) string {
		if u, err := url.Parse(t); err != nil || u.Scheme == "" {
			return "expected a URL"
		}
		return ""
	},
	"URI_ALLOW_LIST": func(t string) string {
		// gobwas/glob, by which GoTrue reads it, knows sets and alternatives.
		if strings.Count(t, "[") != strings.Count(t, "]") || strings.Count(t, "{") != strings.Count(t, "}") || strings.HasSuffix(t, `\`) {
			return "expected URLs or patterns of them, separated by commas"
		}
		return ""
	},
	"SAML_EXTERNAL_URL": func(t string) string {
		if u, err := url.Parse(t); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return "expected a URL"
		}
		return ""
	},
	"WEBAUTHN_RP_ORIGINS": func(t string) string {
		for origin := range strings.SplitSeq(t, ",") {
			u, err := url.Parse(origin)
			local := err == nil && u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1")
			if err != nil || u.Host == "" || u.Scheme != "https" && !local {
				return "expected origins by https, separated by commas"
			}
		}
		return ""
	},
	"SMTP_ADMIN_EMAIL": func(t string) string {
		if address, err := mail.ParseAddress(t); err != nil || address.Address != t {
			return "expected an e-mail address"
		}
		return ""
	},
	"SMTP_PORT": func(t string) string {
		if !regexp.MustCompile(`^[1-9][0-9]{0,4}$`).MatchString(t) {
			return "expected a port"
		}
		return ""
	},
	"SMS_TEST_OTP": func(t string) string {
		if !regexp.MustCompile(`^\+?[0-9]{1,20}=[0-9]{1,10}(,\+?[0-9]{1,20}=[0-9]{1,10})*$`).MatchString(t) {
			return "expected pairs such as 18005550123=789012, separated by commas"
		}
		return ""
	},
	"SMS_TEST_OTP_VALID_UNTIL": func(t string) string {
		if _, err := time.Parse(time.RFC3339, t); err != nil {
			return "expected a time by RFC 3339"
		}
		return ""
	},
}

// hookSecrets is what GoTrue takes as secrets of a hook (Standard Webhooks, symmetric or asymmetric), separated by `|`.
var (
	hookSecrets     = pattern(`^(v1,whsec_[A-Za-z0-9+/=]{32,88}|v1a,whpk_[A-Za-z0-9+/=]{32,88}:whsk_[A-Za-z0-9+/=]{32,128})(\|(v1,whsec_[A-Za-z0-9+/=]{32,88}|v1a,whpk_[A-Za-z0-9+/=]{32,88}:whsk_[A-Za-z0-9+/=]{32,128}))*$`)
	hookOfFunction  = pattern(`^pg-functions://[A-Za-z0-9_]+/[A-Za-z_][A-Za-z0-9_]{0,62}/[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	localHookHosts  = []string{"localhost", "127.0.0.1", "::1", "host.docker.internal"}
	wrongHookSecret = "expected secrets such as v1,whsec_ and Base64, separated by |"
)

func checkHookURI(t string) string {
	if hookOfFunction().MatchString(t) {
		return ""
	}
	u, err := url.Parse(t)
	if err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && slices.Contains(localHookHosts, u.Hostname())) {
		return ""
	}
	return "expected pg-functions://postgres/<schema>/<function>, or a URL by https"
}

// authPatch reads what a body names of the settings: only of those for which admitted holds, if it is given. What is unknown is
// passed over. A secret that comes back as it was shown is what it was.
func authPatch(body map[string]any, set store.SectionConfig, ref store.Ref, admitted func(name string) bool) (store.SectionConfig, error) {
	patch := store.SectionConfig{}
	for _, setting := range authSettings {
		value, named := body[setting.name]
		if !named || setting.fixed || admitted != nil && !admitted(setting.name) {
			continue
		}
		if value == nil {
			patch[setting.name] = nil
			continue
		}
		if wrong := setting.check(value); wrong != "" {
			return nil, problem.BadRequest(fmt.Sprintf("%s: %s.", setting.name, wrong))
		}
		if current, _ := set[setting.name].(string); setting.secret && current != "" && value == maskSecret(ref, current) {
			continue
		}
		patch[setting.name] = value
	}
	return patch, checkTogether(set, patch)
}

// checkTogether refuses what GoTrue would not start with, or what would do nothing.
func checkTogether(set, patch store.SectionConfig) error {
	after := func(name string) any {
		if value, named := patch[name]; named {
			return value
		}
		return set[name]
	}
	text := func(name string) string { t, _ := after(name).(string); return t }
	for _, provider := range authProviders {
		prefix := "EXTERNAL_" + provider
		if patch[prefix+"_ENABLED"] == true && text(prefix+"_CLIENT_ID")+text(prefix+"_ADDITIONAL_CLIENT_IDS") == "" {
			return problem.BadRequest(fmt.Sprintf("%s_CLIENT_ID: it is needed where %s_ENABLED is true.", prefix, prefix))
		}
	}
	for _, hook := range authHooks {
		prefix := "HOOK_" + hook
		uri, secrets := text(prefix+"_URI"), text(prefix+"_SECRETS")
		switch {
		case after(prefix+"_ENABLED") != true:
		case uri == "":
			return problem.BadRequest(fmt.Sprintf("%s_URI: it is needed where %s_ENABLED is true.", prefix, prefix))
		case strings.HasPrefix(uri, "http") && !hookSecrets().MatchString(secrets):
			return problem.BadRequest(fmt.Sprintf("%s_SECRETS: %s.", prefix, wrongHookSecret))
		}
	}
	if after("PASSKEY_ENABLED") == true {
		for _, name := range []string{"WEBAUTHN_RP_ID", "WEBAUTHN_RP_DISPLAY_NAME", "WEBAUTHN_RP_ORIGINS"} {
			if text(name) == "" {
				return problem.BadRequest(name + ": it is needed where PASSKEY_ENABLED is true.")
			}
		}
	}
	if after("MAILER_AUTOCONFIRM") == true && after("MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS") == true {
		return problem.BadRequest("MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS: it cannot be true where MAILER_AUTOCONFIRM is.")
	}
	if after("SECURITY_CAPTCHA_ENABLED") == true && text("SECURITY_CAPTCHA_SECRET") == "" {
		return problem.BadRequest("SECURITY_CAPTCHA_SECRET: it is needed where SECURITY_CAPTCHA_ENABLED is true.")
	}
	return nil
}

// maskSecret is what is shown of a secret: the supabase CLI tells by it whether its own is the same (pkg/config/secret.go).
func maskSecret(ref store.Ref, secret string) string {
	mac := hmac.New(sha256.New, []byte(ref))
	_, _ = mac.Write([]byte(secret)) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil))
}
