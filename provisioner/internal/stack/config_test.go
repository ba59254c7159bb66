package stack_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/provisioner/internal/stack"
	"github.com/plurabase/plurabase/store"
)

// configured is what the settings of one section make of a service's environment.
func configured(t *testing.T, service string, section store.ConfigSection, settings store.SectionConfig) stack.Env {
	t.Helper()
	one := whole()
	one.Config = map[store.ConfigSection]store.SectionConfig{section: settings}
	return build(t, one).Service(service).Env
}

func TestAuthsSettingsBecomeGoTruesEnvironment(t *testing.T) {
	t.Parallel()
	callback := "https://abcdefghijklmnopqrst.example.com/auth/v1/callback"
	for name, test := range map[string]struct {
		set  store.SectionConfig
		want map[string]string // an empty value: the variable is absent
	}{
		"names are GoTrue's own": {
			store.SectionConfig{"SITE_URL": "https://shop.example", "DISABLE_SIGNUP": true, "JWT_EXP": 60.0},
			map[string]string{"GOTRUE_SITE_URL": "https://shop.example", "GOTRUE_DISABLE_SIGNUP": "true", "GOTRUE_JWT_EXP": "60"},
		},
		"one name is shorter in the API": {
			store.SectionConfig{"REFRESH_TOKEN_ROTATION_ENABLED": false},
			map[string]string{"GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED": "false", "GOTRUE_REFRESH_TOKEN_ROTATION_ENABLED": ""},
		},
		"numbers become durations": {
			store.SectionConfig{"SESSIONS_TIMEBOX": 24.0, "SESSIONS_INACTIVITY_TIMEOUT": 0.0, "SMTP_MAX_FREQUENCY": 60.0, "SMS_MAX_FREQUENCY": 0.0, "API_MAX_REQUEST_DURATION": 1000000.0},
			map[string]string{
				"GOTRUE_SESSIONS_TIMEBOX": "24h", "GOTRUE_SESSIONS_INACTIVITY_TIMEOUT": "", "GOTRUE_SMTP_MAX_FREQUENCY": "60s",
				"GOTRUE_SMS_MAX_FREQUENCY": "0s", "GOTRUE_API_MAX_REQUEST_DURATION": "1000000s",
			},
		},
		"a limit of sessions with one factor": {
			store.SectionConfig{"MFA_ALLOW_LOW_AAL": false},
			map[string]string{"GOTRUE_SESSIONS_ALLOW_LOW_AAL": "15m", "GOTRUE_MFA_ALLOW_LOW_AAL": ""},
		},
		"no limit of sessions with one factor": {
			store.SectionConfig{"MFA_ALLOW_LOW_AAL": true}, map[string]string{"GOTRUE_SESSIONS_ALLOW_LOW_AAL": ""},
		},
		"codes for tests": {
			store.SectionConfig{"SMS_TEST_OTP": "18005550123=789012,18005550124=1"},
			map[string]string{"GOTRUE_SMS_TEST_OTP": "18005550123:789012,18005550124:1"},
		},
		"a provider comes back to the project": {
			store.SectionConfig{
				"EXTERNAL_GOOGLE_ENABLED": true, "EXTERNAL_GOOGLE_CLIENT_ID": "web", "EXTERNAL_GOOGLE_ADDITIONAL_CLIENT_IDS": "ios,android",
				"EXTERNAL_GITHUB_ENABLED": false, "EXTERNAL_EMAIL_ENABLED": true,
			},
			map[string]string{
				"GOTRUE_EXTERNAL_GOOGLE_ENABLED": "true", "GOTRUE_EXTERNAL_GOOGLE_CLIENT_ID": "web,ios,android",
				"GOTRUE_EXTERNAL_GOOGLE_REDIRECT_URI": callback, "GOTRUE_EXTERNAL_GOOGLE_ADDITIONAL_CLIENT_IDS": "",
				"GOTRUE_EXTERNAL_GITHUB_REDIRECT_URI": "", "GOTRUE_EXTERNAL_EMAIL_REDIRECT_URI": "",
			},
		},
		"connections by number": {
			store.SectionConfig{"DB_MAX_POOL_SIZE": 7.0}, map[string]string{"GOTRUE_DB_MAX_POOL_SIZE": "7", "GOTRUE_DB_CONN_PERCENTAGE": ""},
		},
		"connections by part": {
			store.SectionConfig{"DB_MAX_POOL_SIZE": 7.0, "DB_MAX_POOL_SIZE_UNIT": "percent"},
			map[string]string{"GOTRUE_DB_MAX_POOL_SIZE": "", "GOTRUE_DB_CONN_PERCENTAGE": "7"},
		},
		"a mail's text is fetched": {
			store.SectionConfig{"MAILER_TEMPLATES_MAGIC_LINK_CONTENT": "<p>Hello</p>", "MAILER_SUBJECTS_MAGIC_LINK": "Your link"},
			map[string]string{
				"GOTRUE_MAILER_TEMPLATES_MAGIC_LINK":         "https://studio.example.com/api/platform/auth/abcdefghijklmnopqrst/templates/magic_link?v=d0a26d23e9d8e053",
				"GOTRUE_MAILER_TEMPLATES_MAGIC_LINK_CONTENT": "", "GOTRUE_MAILER_SUBJECTS_MAGIC_LINK": "Your link",
			},
		},
		"what ties Auth to its project is no setting": {
			store.SectionConfig{"DB_DATABASE_URL": "postgres://elsewhere", "JWT_SECRET": "mine", "JWT_KEYS": "mine", "API_PORT": 1.0, "lower": "case"},
			map[string]string{"GOTRUE_JWT_SECRET": jwtSecret, "GOTRUE_JWT_KEYS": "", "GOTRUE_API_PORT": "9999", "GOTRUE_lower": ""},
		},
	} {
		env := configured(t, "auth", store.ConfigAuth, test.set)
		for variable, value := range test.want {
			got, set := env[variable]
			require.Equal(t, value, got, "%s: %s", name, variable)
			require.Equal(t, value != "", set, "%s: %s", name, variable)
		}
		require.Contains(t, env["GOTRUE_DB_DATABASE_URL"], "@db:5432/postgres", name)
	}
}

func TestAProjectsOwnMailServerIsNeverShownThePlatformsPassword(t *testing.T) {
	t.Parallel()
	with := settings()
	with.Mail = stack.Mail{Host: "mail.example.com", Port: 587, User: "platform", Password: "s3cret-mail", Sender: "Shop <noreply@example.com>"}
	auth := func(set store.SectionConfig) stack.Env {
		one := whole()
		one.Config = map[store.ConfigSection]store.SectionConfig{store.ConfigAuth: set}
		built, err := stack.Build(one, with)
		require.NoError(t, err)
		return built.Service("auth").Env
	}
	platform := auth(store.SectionConfig{"SMTP_SENDER_NAME": "My shop", "SMTP_PORT": "25"})
	require.Equal(t, "mail.example.com", platform["GOTRUE_SMTP_HOST"])
	require.Equal(t, "587", platform["GOTRUE_SMTP_PORT"])
	require.Equal(t, "s3cret-mail", platform["GOTRUE_SMTP_PASS"])
	require.Equal(t, "noreply@example.com", platform["GOTRUE_SMTP_ADMIN_EMAIL"])
	require.Equal(t, "My shop", platform["GOTRUE_SMTP_SENDER_NAME"])

	own := auth(store.SectionConfig{"SMTP_HOST": "mail.tenant.example", "SMTP_PORT": "25"})
	require.Equal(t, "mail.tenant.example", own["GOTRUE_SMTP_HOST"])
	require.NotContains(t, strings.Join(own.List(), "\n"), "s3cret-mail")
	require.NotContains(t, own, "GOTRUE_SMTP_USER")
}

func TestTheOtherSettingsBecomeTheirServicesEnvironment(t *testing.T) {
	t.Parallel()
	rest := configured(t, "rest", store.ConfigPostgrest, store.SectionConfig{"db_schema": "api", "max_rows": 5.0, "db_pool": nil, "db_pool_max_idletime": 9.0})
	require.Equal(t, "api", rest["PGRST_DB_SCHEMAS"])
	require.Equal(t, "5", rest["PGRST_DB_MAX_ROWS"])
	require.NotContains(t, rest, "PGRST_DB_POOL")
	require.Equal(t, "9", rest["PGRST_DB_POOL_MAX_IDLETIME"])
	require.Equal(t, "_realtime", configured(t, "rest", store.ConfigPostgrest, store.SectionConfig{"db_schema": ""})["PGRST_DB_SCHEMAS"])

	require.Equal(t, "500", configured(t, "realtime", store.ConfigRealtime, store.SectionConfig{"max_concurrent_users": 500.0})["TENANT_MAX_CONCURRENT_USERS"])
	storage := configured(t, "storage", store.ConfigStorage, store.SectionConfig{
		"fileSizeLimit": 5368709120.0,
		"features":      map[string]any{"imageTransformation": map[string]any{"enabled": false}, "s3Protocol": map[string]any{"enabled": false}},
	})
	require.Equal(t, "5368709120", storage["FILE_SIZE_LIMIT"])
	require.Equal(t, "false", storage["ENABLE_IMAGE_TRANSFORMATION"])
	require.Equal(t, "false", storage["S3_PROTOCOL_ENABLED"])
	require.Equal(t, "session", configured(t, "pooler", store.ConfigPooler, store.SectionConfig{"pool_mode": "session"})["POOLER_POOL_MODE"])

	functions := configured(t, "functions", store.ConfigFunctionSecrets, store.SectionConfig{"STRIPE_KEY": "sk", "SUPABASE_URL": "https://evil.example"})
	require.Equal(t, "sk", functions["PLURABASE_SECRET_STRIPE_KEY"])
	require.Equal(t, "https://abcdefghijklmnopqrst.example.com", functions["SUPABASE_URL"], "the platform's own names win")
}

func TestPostgresSettingsAreOptionsOfItsCommand(t *testing.T) {
	t.Parallel()
	command := func(set store.SectionConfig) []string {
		one := wanted()
		one.Config = map[store.ConfigSection]store.SectionConfig{store.ConfigPostgres: set}
		return build(t, one).Service("db").Command
	}
	require.Nil(t, command(nil), "the image's own command")
	require.Equal(t, []string{"postgres", "-D", "/etc/postgresql", "-c", "max_connections=50", "-c", "statement_timeout=1min"},
		command(store.SectionConfig{"statement_timeout": "1min", "max_connections": 50.0}))
	require.Nil(t, command(store.SectionConfig{"restart_database": true, "-c": "x", "work_mem": "4MB\n-c fsync=off"}))
}
