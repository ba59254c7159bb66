package kong_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The faults of a predecessor that must not come back, as far as they are the gateway's.

// CORS allowed any origin with credentials.
func TestCORSNamesItsOriginsWhereverCredentialsAreAllowed(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"kong.platform.yml", "kong.standalone.yml", "kong.beside.yml"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var configuration struct {
			Plugins  []plugin
			Services []struct {
				Name    string
				Plugins []plugin
				Routes  []struct{ Plugins []plugin }
			}
		}
		require.NoError(t, yaml.Unmarshal(text, &configuration), file)
		found := checkOrigins(t, file, configuration.Plugins)
		for _, service := range configuration.Services {
			found += checkOrigins(t, service.Name, service.Plugins)
			for _, route := range service.Routes {
				found += checkOrigins(t, service.Name, route.Plugins)
			}
		}
		require.NotZero(t, found, "%s: nothing was looked at", file)
	}
}

// plugin is a plugin of Kong's, as far as it is cors.
type plugin struct {
	Name   string
	Config struct {
		Origins     []string
		Credentials bool
	}
}

// checkOrigins counts the cors plugins among some.
func checkOrigins(t *testing.T, where string, plugins []plugin) (found int) {
	t.Helper()
	for _, one := range plugins {
		if one.Name != "cors" {
			continue
		}
		found++
		if one.Config.Credentials {
			require.Equal(t, []string{"${PLURABASE_STUDIO_URL}"}, one.Config.Origins, where)
		}
	}
	return found
}
