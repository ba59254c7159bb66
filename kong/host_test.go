package kong_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/kongtest"
	"github.com/plurabase/plurabase/kong/render"
)

// image is what the image sets for the plugins.
func image(t *testing.T) kongtest.Image {
	t.Helper()
	read, err := kongtest.ReadImage("Dockerfile")
	require.NoError(t, err)
	return read
}

// startGateway runs kong.platform.yml with an environment: in the Kong of KONG_IMAGE where that is set, else in kongtest's
// host.
func startGateway(t *testing.T, environment map[string]string, change ...func(*kongtest.Options)) gateway {
	t.Helper()
	if kongImage := os.Getenv("KONG_IMAGE"); kongImage != "" {
		if len(change) > 0 {
			t.Skip("it changes what only kongtest's host can be told")
		}
		return startKong(t, kongImage, environment)
	}
	lookup := func(name string) (string, bool) { value, ok := environment[name]; return value, ok }
	config, err := render.Load("kong.platform.yml", lookup)
	require.NoError(t, err)
	options := kongtest.Options{
		Config:      config,
		Lookup:      lookup,
		Environment: image(t).Environment,
		ProxySet:    image(t).ProxySet,
		LogFormat:   image(t).LogFormat,
		AccessLog:   image(t).AccessLog,
		Plugins: map[string]string{
			"platform-api":    filepath.Join(binaries, "platform-api"),
			"pg-meta-crypto":  filepath.Join(binaries, "pg-meta-crypto"),
			"project-gateway": filepath.Join(binaries, "project-gateway"),
		},
	}
	for _, f := range change {
		f(&options)
	}
	host, err := kongtest.New(options)
	require.NoError(t, err)
	require.NoError(t, host.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, host.Close()) })
	require.Empty(t, host.Unserved())
	return host
}
