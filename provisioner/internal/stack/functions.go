package stack

import (
	_ "embed"
	"strconv"

	"github.com/plurabase/plurabase/store"
)

const (
	functionsPath = "/home/deno/functions"
	functionsPort = 9000
)

// mainService is what answers in a project's functions container, and starts the function that is asked for.
//
//go:embed functions.ts
var mainService string

// functions is upstream's edge runtime. The image has a shell and nothing to ask a URL with.
func (b builder) functions() (Service, error) {
	gateway := b.projectURL()
	if b.settings.GatewayURL != "" {
		gateway = b.settings.GatewayURL + "/p/" + b.ref()
	}
	env := Env{
		"JWT_SECRET":                b.secret(store.SecretJWT),
		"SUPABASE_URL":              gateway,
		"SUPABASE_PUBLIC_URL":       b.projectURL(),
		"SUPABASE_ANON_KEY":         b.secret(store.SecretAnonKey),
		"SUPABASE_SERVICE_ROLE_KEY": b.secret(store.SecretServiceKey),
		"SUPABASE_DB_URL":           b.databaseURL("postgresql", "postgres", "postgres"),
		"PLURABASE_MAIN_SERVICE":    mainService,
	}
	if keys := b.secret(store.SecretJWKS); keys != "" {
		env["SUPABASE_JWKS"] = keys
	}
	b.functionSecrets(env)
	start := `mkdir -p /home/deno/main && printf '%s' "$PLURABASE_MAIN_SERVICE" >/home/deno/main/index.ts && ` +
		`unset PLURABASE_MAIN_SERVICE && exec edge-runtime start --main-service /home/deno/main --port ` + strconv.Itoa(functionsPort)
	ask := `exec 3<>/dev/tcp/127.0.0.1/` + strconv.Itoa(functionsPort) + ` && ` +
		`printf 'GET /_internal/health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 '`
	return Service{
		Entrypoint: []string{"sh", "-c", start},
		Env:        env,
		Mounts: []Mount{
			{Volume: Name(b.ref(), store.ServiceFunctions), Path: functionsPath},
			{Volume: Name(b.ref(), store.ServiceFunctions, "cache"), Path: "/root/.cache/deno"},
		},
		Health: healthy("bash", "-c", ask),
	}, nil
}
