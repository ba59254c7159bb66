package stack

import "github.com/plurabase/plurabase/store"

// rest is PostgREST. Its image has no shell: it asks its own admin server, which listens inside the container alone
// (https://docs.postgrest.org/en/stable/references/cli.html, from version 13 on). The JWT secret is no setting of the
// database's (PGRST_APP_SETTINGS_JWT_SECRET in upstream's docker-compose.yml), for every role could read it.
func (b builder) rest() (Service, error) {
	env := Env{
		"PGRST_DB_URI":               b.databaseURL("postgresql", "authenticator", "postgres"),
		"PGRST_DB_SCHEMAS":           store.DefaultExposedSchemas,
		"PGRST_DB_EXTRA_SEARCH_PATH": "public,extensions",
		"PGRST_DB_MAX_ROWS":          "1000",
		"PGRST_DB_ANON_ROLE":         "anon",
		"PGRST_DB_USE_LEGACY_GUCS":   "false",
		"PGRST_JWT_SECRET":           b.verificationKeys(),
		"PGRST_ADMIN_SERVER_HOST":    "127.0.0.1",
		"PGRST_ADMIN_SERVER_PORT":    "3001",
	}
	apply(env, b.section(store.ConfigPostgrest), restSettings)
	return Service{Env: env, Health: healthy("postgrest", "--ready")}, nil
}

// verificationKeys is what a service verifies tokens with: a JWKS where the project has more than its JWT secret.
func (b builder) verificationKeys() string {
	if keys := b.secret(store.SecretJWKS); keys != "" {
		return keys
	}
	return b.secret(store.SecretJWT)
}
