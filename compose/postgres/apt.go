package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// debianRelease reads the codename of this machine's Debian.
func debianRelease() (string, error) {
	content, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", fmt.Errorf("the image is made from Debian's packages, and this is no Debian: %w", err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(value, `"`)
	}
	if values["ID"] != "debian" {
		return "", fmt.Errorf("the image is made from Debian's packages, and this is %s", values["PRETTY_NAME"])
	}
	return values["VERSION_CODENAME"], nil
}

// candidate returns the version of a package that apt would install.
func candidate(ctx context.Context, name string) (string, error) {
	output, err := run(ctx, "apt-cache", "policy", name)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(output) {
		version, found := strings.CutPrefix(strings.TrimSpace(line), "Candidate: ")
		if found && version != "(none)" {
			return version, nil
		}
	}
	return "", fmt.Errorf("apt knows no package %s: run `apt-get update`", name)
}

// debianSources returns the mirrors of Debian itself that this machine uses, in apt's one-line format. Those of others
// would need keys that the new system doesn't have.
func debianSources(ctx context.Context) ([]string, error) {
	output, err := run(
		ctx, "apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
		"Created-By: Packages", "Origin: Debian",
	)
	if err != nil {
		return nil, err
	}
	var sources []string
	for scanner := bufio.NewScanner(strings.NewReader(output)); scanner.Scan(); {
		sources = append(sources, scanner.Text())
	}
	if len(sources) == 0 {
		return nil, errors.New("apt knows no mirror of Debian: run `apt-get update`")
	}
	slices.Sort(sources)
	return slices.Compact(sources), nil // apt lists each architecture
}

func run(ctx context.Context, name string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // apt translates what we read
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, arguments[0], err)
	}
	return string(output), nil
}
