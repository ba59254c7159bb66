package stack

import "github.com/plurabase/plurabase/store"

// realtime is upstream's Realtime, which makes its tenant anew at each start (SEED_SELF_HOST).
func (b builder) realtime() (Service, error) {
	env := Env{
		"PORT":                        "4000",
		"DB_HOST":                     store.ServiceDatabase,
		"DB_PORT":                     "5432",
		"DB_USER":                     "supabase_admin",
		"DB_PASSWORD":                 b.secret(store.SecretDatabasePassword),
		"DB_NAME":                     "postgres",
		"DB_AFTER_CONNECT_QUERY":      "SET search_path TO _realtime",
		"DB_ENC_KEY":                  b.derive("realtime DB_ENC_KEY", 12), // 16 characters, an AES-128 key
		"API_JWT_SECRET":              b.secret(store.SecretJWT),
		"METRICS_JWT_SECRET":          b.secret(store.SecretJWT),
		"SECRET_KEY_BASE":             b.derive("realtime SECRET_KEY_BASE", 48), // 64 characters
		"APP_NAME":                    "realtime",
		"SELF_HOST_TENANT_NAME":       store.RealtimeTenant,
		"SEED_SELF_HOST":              "true",
		"RUN_JANITOR":                 "true",
		"ERL_AFLAGS":                  "-proto_dist inet_tcp",
		"DNS_NODES":                   "''",
		"RLIMIT_NOFILE":               "10000",
		"MAX_HEADER_LENGTH":           "4096",
		"DISABLE_HEALTHCHECK_LOGGING": "true",
	}
	if keys := b.secret(store.SecretJWKS); keys != "" {
		env["API_JWT_JWKS"] = keys
	}
	apply(env, b.section(store.ConfigRealtime), realtimeSettings)
	return Service{Env: env, Health: answersCurl("http://127.0.0.1:4000/api/ping", "-H", "Host:"+store.RealtimeTenant)}, nil
}
