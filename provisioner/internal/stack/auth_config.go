package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/store"
)

// authRules are the settings of Auth that are not simply GOTRUE_ and their name (supabase/auth, internal/conf). Times are
// numbers in the API and durations in GoTrue.
var authRules = []setting{
	{"API_MAX_REQUEST_DURATION", "GOTRUE_API_MAX_REQUEST_DURATION", seconds},
	{"MFA_PHONE_MAX_FREQUENCY", "GOTRUE_MFA_PHONE_MAX_FREQUENCY", frequency},
	{"SMS_MAX_FREQUENCY", "GOTRUE_SMS_MAX_FREQUENCY", frequency},
	{"SMTP_MAX_FREQUENCY", "GOTRUE_SMTP_MAX_FREQUENCY", frequency},
	{"SESSIONS_TIMEBOX", "GOTRUE_SESSIONS_TIMEBOX", hours},
	{"SESSIONS_INACTIVITY_TIMEOUT", "GOTRUE_SESSIONS_INACTIVITY_TIMEOUT", hours},
	{"REFRESH_TOKEN_ROTATION_ENABLED", "GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED", nil},
	{"MFA_ALLOW_LOW_AAL", "GOTRUE_SESSIONS_ALLOW_LOW_AAL", lowAAL},
	{"SMS_TEST_OTP", "GOTRUE_SMS_TEST_OTP", func(v any) string { return strings.ReplaceAll(plain(v), "=", ":") }},
}

// authElsewhere are settings that are no variable of their own.
var authElsewhere = map[string]bool{
	"DB_MAX_POOL_SIZE": true, "DB_MAX_POOL_SIZE_UNIT": true, // together: authPool
	"CUSTOM_OAUTH_MAX_PROVIDERS": true, "NIMBUS_OAUTH_CLIENT_ID": true, "NIMBUS_OAUTH_CLIENT_SECRET": true,
	"NIMBUS_OAUTH_EMAIL_OPTIONAL": true, // of the hosted service
}

// authName is a name that GoTrue may have. Whatever a section held, it names none of the variables that tie Auth to its
// database, its keys and its address.
var (
	authName     = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	authReserved = regexp.MustCompile(`^(API_(HOST|PORT|EXTERNAL_URL)|DB_(DRIVER|DATABASE_URL|NAMESPACE)|DATABASE_URL|JWT_(SECRET|KEYS|AUD|ISSUER|ADMIN_.*|DEFAULT_.*|VALID.*)|OPERATOR_TOKEN)$`)
)

// frequency is how often something may be asked for; 0: as often as one likes.
func frequency(value any) string { return plain(value) + "s" }

// lowAAL ends sessions after a quarter of an hour that lack a second factor which their user has, where that is wanted: as
// long as Studio says.
func lowAAL(value any) string {
	if value == false {
		return "15m"
	}
	return ""
}

// configureAuth makes the section `auth` GoTrue's environment: its names are GoTrue's own, without GOTRUE_.
func (b builder) configureAuth(env Env, external string) {
	section := b.section(store.ConfigAuth)
	if host, _ := section["SMTP_HOST"].(string); host != "" {
		// A server of the project's own is never shown the platform's password.
		maps.DeleteFunc(env, func(name, _ string) bool { return strings.HasPrefix(name, "GOTRUE_SMTP_") })
	} else {
		section = maps.Clone(section)
		for _, name := range []string{"SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_PASS"} {
			delete(section, name)
		}
	}
	for name, value := range section {
		special := authElsewhere[name] || slices.ContainsFunc(authRules, func(s setting) bool { return s.field == name })
		switch text := plain(value); {
		case special || text == "" || !authName.MatchString(name) || authReserved.MatchString(name):
		case strings.HasPrefix(name, "MAILER_TEMPLATES_"):
			b.authTemplate(env, name, text)
		case strings.HasSuffix(name, "_ADDITIONAL_CLIENT_IDS"):
		default:
			env["GOTRUE_"+name] = text
		}
	}
	apply(env, section, authRules)
	authPool(env, section)
	authProviders(env, section, external)
}

// authTemplate lets GoTrue fetch a mail's text, which it takes from a URL alone, from the gateway. The digest is there for a
// changed text to be fetched at once. Where the gateway cannot be reached, GoTrue goes on with its own.
func (b builder) authTemplate(env Env, name, content string) {
	name, ok := strings.CutSuffix(name, "_CONTENT")
	if !ok {
		return
	}
	gateway := b.settings.GatewayURL
	if gateway == "" {
		gateway = b.settings.PublicURL
	}
	template := strings.ToLower(strings.TrimPrefix(name, "MAILER_TEMPLATES_"))
	digest := sha256.Sum256([]byte(content))
	env["GOTRUE_"+name] = gateway + "/api/platform/auth/" + b.ref() + "/templates/" + template + "?v=" + hex.EncodeToString(digest[:8])
}

// authPool is how many connections GoTrue may have: a number, or a part of the database's.
func authPool(env Env, section store.SectionConfig) {
	size, set := lookUp(section, "DB_MAX_POOL_SIZE")
	switch {
	case !set || plain(size) == "0":
	case section["DB_MAX_POOL_SIZE_UNIT"] == "percent":
		env["GOTRUE_DB_CONN_PERCENTAGE"] = plain(size)
	default:
		env["GOTRUE_DB_MAX_POOL_SIZE"] = plain(size)
	}
}

// authProviders completes the providers: where each comes back to, and under which names it knows the project besides.
func authProviders(env Env, section store.SectionConfig, external string) {
	for name, value := range section {
		provider, found := strings.CutSuffix(name, "_ADDITIONAL_CLIENT_IDS")
		if more := plain(value); found && more != "" && authName.MatchString(name) {
			variable := "GOTRUE_" + provider + "_CLIENT_ID"
			env[variable] = strings.Trim(env[variable]+","+more, ",")
		}
		provider, found = strings.CutSuffix(name, "_ENABLED")
		if found && value == true && section[provider+"_CLIENT_ID"] != nil && authName.MatchString(name) {
			env["GOTRUE_"+provider+"_REDIRECT_URI"] = external + "/callback"
		}
	}
}
