package kong_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
)

// pluginEnvironment is what KONG_NGINX_MAIN_ENV lets through to the plugins.
var pluginEnvironment = []string{
	"DATABASE_URL", "PLURABASE_MASTER_KEY", "PLURABASE_JWT_SECRET", "PLURABASE_PUBLIC_URL", "PLURABASE_PROJECT_DOMAIN",
	"PLURABASE_DATABASE_HOST", "PLURABASE_GOTRUE_URL", "PLURABASE_JWT_ISSUER", "PLURABASE_SIGNUP", "PG_META_CRYPTO_KEY",
}

// startGateway runs kong.platform.yml with an environment: in the Kong of KONG_IMAGE where that is set, else in kongtest's
// host.
func startGateway(t *testing.T, environment map[string]string) gateway {
	t.Helper()
	if image := os.Getenv("KONG_IMAGE"); image != "" {
		return startKong(t, image, environment)
	}
	host, err := kongtest.New(kongtest.Options{
		ConfigFile:  "kong.platform.yml",
		Lookup:      func(name string) (string, bool) { value, ok := environment[name]; return value, ok },
		Environment: pluginEnvironment,
		Plugins: map[string]string{
			"platform-api":   filepath.Join(binaries, "platform-api"),
			"pg-meta-crypto": filepath.Join(binaries, "pg-meta-crypto"),
		},
	})
	require.NoError(t, err)
	require.NoError(t, host.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, host.Close()) })
	require.Empty(t, host.Unserved())
	return host
}
