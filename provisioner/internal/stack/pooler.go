package stack

import (
	_ "embed"

	"github.com/plurabase/plurabase/store"
)

// poolerTenant makes the project the pooler's one tenant, as its settings now are.
//
//go:embed pooler.exs
var poolerTenant string

// pooler is Supavisor.
func (b builder) pooler() (Service, error) {
	env := Env{
		"PORT":                   "4000",
		"PROXY_PORT_SESSION":     "5432",
		"PROXY_PORT_TRANSACTION": "6543",
		"DATABASE_URL":           b.databaseURL("ecto", "supabase_admin", internalDatabase),
		"CLUSTER_POSTGRES":       "true",
		"SECRET_KEY_BASE":        b.derive("pooler SECRET_KEY_BASE", 48), // 64 characters
		"VAULT_ENC_KEY":          b.derive("pooler VAULT_ENC_KEY", 24),   // 32 characters, an AES-256 key
		"API_JWT_SECRET":         b.secret(store.SecretJWT),
		"METRICS_JWT_SECRET":     b.secret(store.SecretJWT),
		"REGION":                 "local",
		"RUN_JANITOR":            "true",
		"ERL_AFLAGS":             "-proto_dist inet_tcp",
		"RLIMIT_NOFILE":          "",

		"POOLER_TENANT":            poolerTenant,
		"POOLER_TENANT_ID":         b.ref(),
		"POOLER_DATABASE_HOST":     store.ServiceDatabase,
		"POOLER_DATABASE_PASSWORD": b.secret(store.SecretDatabasePassword),
		"POOLER_POOL_MODE":         "transaction",
		"POOLER_DEFAULT_POOL_SIZE": "20",
		"POOLER_MAX_CLIENT_CONN":   "100",
	}
	apply(env, b.section(store.ConfigPooler), poolerSettings)
	return Service{
		Command: []string{"/bin/sh", "-c", `/app/bin/migrate && /app/bin/supavisor eval "$POOLER_TENANT" && exec /app/bin/server`},
		Env:     env,
		Health:  answersCurl("http://127.0.0.1:4000/api/health"),
	}, nil
}
