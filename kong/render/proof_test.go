package render_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/kong/render"
)

// What the tests have rendered, and what of it came out wrong.
var inputs, wrong atomic.Int64

var proof = flag.Bool("proof", false, "print how many inputs were rendered")

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *proof {
		fmt.Printf("render: %d inputs, %d wrong\n", inputs.Load(), wrong.Load())
	}
	os.Exit(code)
}

// counted counts one input, and whether its test fails.
func counted(t *testing.T) {
	t.Helper()
	inputs.Add(1)
	t.Cleanup(func() {
		if t.Failed() {
			wrong.Add(1)
		}
	})
}

// TestKongTakesWhatIsRendered asks the real Kong, where its image is present: nothing is pulled.
func TestKongTakesWhatIsRendered(t *testing.T) {
	t.Parallel()
	image := os.Getenv("KONG_IMAGE")
	if image == "" {
		image = "kong/kong:3.9.3"
	}
	if err := exec.Command("docker", "image", "inspect", image).Run(); err != nil {
		t.Skipf("the image %s is not here: `make test-kong` pulls it where it can be had", image)
	}
	for _, base := range []string{"testdata/upstream-2021.yml", "testdata/upstream-2026.yml"} {
		counted(t)
		options := testOptions(base)
		options.SignIn = true
		options.Platform = []string{temporary(t, "platform.yml", "_format_version: '3.0'\n")} // real Kong has no plugins of ours
		rendered, err := render.Render(options)
		require.NoError(t, err)
		file := temporary(t, "kong.yml", string(rendered.YAML))
		require.NoError(t, os.Chmod(file, 0o644)) // Kong runs as another user
		output, err := exec.Command("docker", "run", "--rm", "--env", "KONG_DATABASE=off", "--volume", file+":/kong.yml:ro", image,
			"kong", "config", "parse", "/kong.yml").CombinedOutput()
		require.NoError(t, err, string(output))
	}
}
