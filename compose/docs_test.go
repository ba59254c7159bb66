package compose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sources are the repository's files of an ending, without tests.
func sources(t *testing.T, endings ...string) []string {
	t.Helper()
	listed, err := exec.Command("git", "-C", "..", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	require.NoError(t, err)
	var paths []string
	for path := range strings.FieldsSeq(string(listed)) {
		if strings.Contains(path, "testdata") || strings.Contains(path, "/standin/") || strings.HasSuffix(path, "_test.go") {
			continue
		}
		if slices.ContainsFunc(endings, func(ending string) bool { return strings.HasSuffix(path, ending) }) {
			paths = append(paths, filepath.Join("..", path))
		}
	}
	require.NotEmpty(t, paths)
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// notSettings are variables that no operator sets: those of make and of the tests, and a word of the documentation.
var notSettings = []string{
	"CI", "PATH", "NAME", "HOME", "XDG_CACHE_HOME", "KONG_IMAGE", "KONG_DECLARATIVE_CONFIG", "DRY_RUN", "STUDIO_FOLDER", "PLURABASE_LISTEN",
	"PLURABASE_PROOF",
}

// settingInGo finds where Go code reads an environment variable.
var settingInGo = regexp.MustCompile(`(?:env:"|os\.(?:Getenv|LookupEnv)\(")([A-Z][A-Z0-9_]+)`)

// settings are the environment variables that the code and the compose files read, by where they are read.
func settings(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for ending, pattern := range map[string]string{
		".go": settingInGo.String(), ".yml": `\$\{([A-Z][A-Z0-9_]+)`, ".sh": `\$\{(PLURABASE_[A-Z0-9_]+)`,
	} {
		for _, path := range sources(t, ending) {
			for _, name := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, path), -1) {
				if !slices.Contains(notSettings, name[1]) {
					found[name[1]] = path
				}
			}
		}
	}
	return found
}

func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	document := read(t, "../docs/operate.md")
	_, table, _ := strings.Cut(document, "| variable | who | meaning |")
	table, _, _ = strings.Cut(table, "\n## ")
	for name, path := range settings(t) {
		if strings.HasSuffix(name, "_IMAGE") && strings.HasPrefix(path, "../provisioner/images") {
			continue // `provisioner -h` lists them
		}
		require.Contains(t, table, "`"+name+"`", "%s is read in %s, and docs/operate.md does not say what it means", name, path)
	}
}

// TestNoSettingIsDocumentedThatNothingReads looks for each name in all that is not documentation.
func TestNoSettingIsDocumentedThatNothingReads(t *testing.T) {
	t.Parallel()
	var everything strings.Builder
	for _, path := range sources(t, ".go", ".yml", ".sh", "Dockerfile", "Makefile", "go.mod") {
		everything.WriteString(read(t, path))
	}
	for _, name := range regexp.MustCompile("`(PLURABASE_[A-Z0-9_]+|OTEL_[A-Z_]+)`").FindAllStringSubmatch(read(t, "../docs/operate.md"), -1) {
		if name[1] != "PLURABASE_AUTH_IMAGE" { // made of the service's name
			require.Contains(t, everything.String(), name[1])
		}
	}
}

// TestLinksBetweenTheDocumentsLeadSomewhere follows every relative link.
func TestLinksBetweenTheDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]+))?\)`)
	for _, path := range sources(t, ".md") {
		for _, found := range link.FindAllStringSubmatch(read(t, path), -1) {
			target := path
			if found[1] != "" {
				target = filepath.Join(filepath.Dir(path), found[1])
			}
			require.FileExists(t, target, "in %s", path)
			if found[2] != "" {
				require.Contains(t, anchors(read(t, target)), found[2], "%s links to %s", path, found[0])
			}
		}
	}
}

// anchors are those that GitHub gives the headings.
func anchors(document string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(document, -1) {
		anchor := strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")
		all = append(all, regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(anchor, ""))
	}
	return all
}
