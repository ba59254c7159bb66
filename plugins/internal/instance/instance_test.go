package instance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "instance.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestWithoutAFileEverythingIsAsByDefault(t *testing.T) {
	t.Parallel()
	none, err := Load("")
	require.NoError(t, err)
	require.Equal(t, Instance{Plan: "Self-hosted"}, none)
	empty, err := Load(write(t, "# nothing\n")) // what compose mounts where the operator has no file
	require.NoError(t, err)
	require.Equal(t, none, empty)
	require.Equal(t, Region{Target: "local", Name: "local"}, none.RegionOf("local"))
}

func TestTheExampleSaysEverythingThatMayBeSaid(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../../compose/instance.example.yaml")
	require.NoError(t, err)
	asShipped, err := parse(example)
	require.NoError(t, err)
	require.Equal(t, Default(), asShipped, "a copy of the example changes nothing")

	// Without the marks of comments, all of it is in force.
	var opened []string
	for line := range strings.Lines(string(example)) {
		opened = append(opened, strings.TrimPrefix(line, "#: "))
	}
	read, err := parse([]byte(strings.Join(opened, "")))
	require.NoError(t, err)
	require.Equal(t, "Acme Cloud", read.Plan)
	require.Equal(t, []string{"billing:all", "integrations:vercel"}, read.DisabledFeatures)
	require.Equal(t, "Welcome. Questions go to **#databases**.", read.Welcome)
	require.Equal(t, "databases@example.com", read.Feedback)
	require.Equal(t, []Region{
		{Target: "local", Name: "Basement", Code: "eu-central-1", Projects: 40},
		{Target: "attic", Name: "attic"},
	}, read.Regions)
	require.Equal(t, "Basement", read.RegionOf("local").Name)
}

func TestWhatIsWrongIsSaidWithItsLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ file, said string }{
		"no such setting":  {"plan: A\nplans: B\n", "line 2: field plans not found"},
		"not YAML":         {"plan: A\nregions: [\n", "line 2"},
		"a setting twice":  {"plan: A\nplan: B\n", "line 2: mapping key \"plan\" already defined at line 1"},
		"not a text":       {"plan:\n  name: A\n", "line 2: a text has to stand here"},
		"not a list":       {"plan: A\nregions: local\n", "line 2: cannot unmarshal"},
		"not a number":     {"regions:\n- target: a\n  projects: many\n", "line 3: cannot unmarshal"},
		"no such feature":  {"disabled_features:\n- billing:all\n- billing:none\n", `line 3: Studio has no feature "billing:none"`},
		"feature twice":    {"disabled_features:\n- billing:all\n- billing:all\n", `line 3: disabled_features names "billing:all" twice`},
		"compiled in":      {"disabled_features: [dashboard_auth:sign_up]\n", "line 1: Studio's sign-in page"},
		"long plan":        {"plan: " + strings.Repeat("a", 65) + "\n", "line 1: plan has to be one line"},
		"long welcome":     {"welcome: " + strings.Repeat("a", 501) + "\n", "line 1: welcome has to have at most 500 letters"},
		"no address":       {"feedback: Ada <ada@example.com>\n", "line 1: feedback has to be an e-mail address"},
		"no target":        {"regions:\n- name: A\n", "each needs a target"},
		"no such region":   {"regions:\n- target: a\n  code: eu-1\n", `line 3: Studio has no region "eu-1"`},
		"target twice":     {"regions:\n- target: a\n- target: a\n", `line 3: target "a" is another region's already`},
		"name is a target": {"regions:\n- target: a\n- target: b\n  name: A\n", `line 4: name "A" is another region's already`},
		"code twice":       {"regions:\n- {target: a, code: eu-west-1}\n- {target: b, code: eu-west-1}\n", `line 3: code "eu-west-1" is another region's already`},
		"fewer than none":  {"regions:\n- target: a\n  projects: -1\n", `line 2: the number of projects of "a"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(write(t, test.file))
			require.ErrorContains(t, err, test.said)
			require.ErrorContains(t, err, "PLURABASE_INSTANCE_FILE: ")
			require.NotRegexp(t, `instance\.[a-zA-Z]+\b.* type|struct \{`, err.Error(), "Go's names say nothing to who wrote the file")
		})
	}
	_, err := Load(filepath.Join(t.TempDir(), "gone.yaml"))
	require.ErrorContains(t, err, "no such file")
}

func TestStudiosRegionsAreKnownByWhatItSends(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		"Southeast Asia (Singapore)": "ap-southeast-1", "us-east-1": "us-east-1", "Europe": "emea", "apac": "apac", "Singapore": "sin",
	} {
		found, known := StudioRegion(text)
		require.True(t, known, text)
		require.Equal(t, code, found)
	}
	_, known := StudioRegion("local")
	require.False(t, known)
}
