package studio_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	featuresFile = "packages/common/enabled-features/enabled-features.json"
	contentFile  = "apps/studio/hooks/custom-content/custom-content.json"
)

// TestWhatStudioHasCompiledInIsConfigured runs on files of the form of upstream's.
func TestWhatStudioHasCompiledInIsConfigured(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node, which builds Studio, is not installed here")
	}
	configure := func(variables ...string) (features, content, output string, err error) {
		t.Helper()
		source := t.TempDir()
		for name, text := range map[string]string{
			featuresFile: `{"$schema":"x","billing:all":true,"dashboard_auth:sign_up":true}`, contentFile: `{"app:title":null,"logs:default_query":null}`,
		} {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(source, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(source, name), []byte(text), 0o644))
		}
		command := exec.Command("node", "configure.mjs", source)
		command.Env = append([]string{"PATH=" + os.Getenv("PATH")}, variables...)
		printed, err := command.CombinedOutput()
		return read(t, source, featuresFile), read(t, source, contentFile), string(printed), err
	}
	features, content, output, err := configure("STUDIO_DISABLED_FEATURES=", "STUDIO_TITLE=")
	require.NoError(t, err, output)
	require.JSONEq(t, `{"$schema":"x","billing:all":true,"dashboard_auth:sign_up":true}`, features)
	require.JSONEq(t, `{"app:title":null,"logs:default_query":null}`, content)

	features, content, output, err = configure("STUDIO_DISABLED_FEATURES=dashboard_auth:sign_up, billing:all", "STUDIO_TITLE=Acme \"Cloud\"")
	require.NoError(t, err, output)
	require.JSONEq(t, `{"$schema":"x","billing:all":false,"dashboard_auth:sign_up":false}`, features)
	require.JSONEq(t, `{"app:title":"Acme \"Cloud\"","logs:default_query":null}`, content)

	for _, wrong := range []string{"dashboard_auth:sign_upp", "$schema"} {
		features, _, output, err = configure("STUDIO_DISABLED_FEATURES=billing:all," + wrong)
		require.Error(t, err)
		require.Contains(t, output, "has no setting "+wrong)
		require.Contains(t, features, `"billing:all":true`, "nothing was changed")
	}
}
