package kong_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// startEntrypoint runs entrypoint.sh beside a program that says it is Kong of a version, the real renderer, and an entrypoint
// of the image that only tells that it was reached.
func startEntrypoint(t *testing.T, version string) (output, rendered string, err error) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"kong":     "#!/bin/sh\necho " + version + "\n",
		"reached":  "#!/bin/sh\necho reached: \"$@\"\n",
		"base.yml": "_format_version: '2.1'\nservices: [{name: s, url: http://s, routes: [{name: s, paths: [/]}]}]\n",
		"ours.yml": "_format_version: '3.0'\nservices: [{name: ours, url: 'http://${HOST}', routes: [{name: o, paths: [/o]}]}]\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755))
	}
	result := filepath.Join(folder, "kong.yml")
	command := exec.Command("./entrypoint.sh")
	command.Env = []string{
		"PATH=" + folder + ":" + binaries + ":/usr/bin:/bin", "HOST=there",
		"PLURABASE_KONG_BASE=" + filepath.Join(folder, "base.yml"), "PLURABASE_KONG_PLATFORM=" + filepath.Join(folder, "ours.yml"),
		"KONG_DECLARATIVE_CONFIG=" + result, "PLURABASE_KONG_ENTRYPOINT=" + filepath.Join(folder, "reached"),
	}
	out, err := command.CombinedOutput()
	made, _ := os.ReadFile(result)
	return string(out), string(made), err
}

func TestTheEntrypointTellsWhatItMakesAndStartsKong(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"Kong Enterprise 3.8.0.0", "3.9.3", "3.10.0"} {
		output, rendered, err := startEntrypoint(t, version)
		require.NoError(t, err, output)
		require.Contains(t, output, "+ services.ours")
		require.Contains(t, output, "reached: kong docker-start")
		require.Contains(t, rendered, "url: http://there")
	}
}

func TestTheEntrypointRefusesAKongThatFailsOpen(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2.8.1", "3.7.1", "3.0.0", "4.0.0", "38.0"} {
		output, rendered, err := startEntrypoint(t, version)
		require.Error(t, err)
		require.Equal(t, fmt.Sprintf("Kong is %s, and has to be 3.8 or a newer 3.x: older ones let requests through when a plugin has died.\n", version), output)
		require.Empty(t, rendered)
	}
}
