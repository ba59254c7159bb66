package stack

import "github.com/plurabase/plurabase/store"

// analytics is Logflare with Postgres behind it. Its own entrypoint sleeps for a quarter of a minute first.
func (b builder) analytics() (Service, error) {
	return Service{
		Entrypoint: []string{"sh", "-c", "./logflare eval Logflare.Release.migrate && exec ./logflare start --sname logflare"},
		Env: Env{
			"DB_DATABASE":                    internalDatabase,
			"DB_HOSTNAME":                    store.ServiceDatabase,
			"DB_PORT":                        "5432",
			"DB_SCHEMA":                      "_analytics",
			"DB_USERNAME":                    "supabase_admin",
			"DB_PASSWORD":                    b.secret(store.SecretDatabasePassword),
			"POSTGRES_BACKEND_URL":           b.databaseURL("postgresql", "supabase_admin", internalDatabase),
			"POSTGRES_BACKEND_SCHEMA":        "_analytics",
			"LOGFLARE_PUBLIC_ACCESS_TOKEN":   b.derive("analytics LOGFLARE_PUBLIC_ACCESS_TOKEN", 24),
			"LOGFLARE_PRIVATE_ACCESS_TOKEN":  b.derive("analytics LOGFLARE_PRIVATE_ACCESS_TOKEN", 24),
			"LOGFLARE_MIN_CLUSTER_SIZE":      "1",
			"LOGFLARE_SINGLE_TENANT":         "true",
			"LOGFLARE_SUPABASE_MODE":         "true",
			"LOGFLARE_LOG_LEVEL":             "warn",
			"LOGFLARE_NODE_HOST":             "127.0.0.1",
			"LOGFLARE_FEATURE_FLAG_OVERRIDE": "multibackend=true",
			"RELEASE_COOKIE":                 b.derive("analytics RELEASE_COOKIE", 24),
		},
		Health: answersCurl("http://127.0.0.1:4000/health"),
	}, nil
}
