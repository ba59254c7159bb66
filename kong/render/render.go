package render

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Options say what Kong's one configuration is made of.
type Options struct {
	// Base is the file that the platform's is merged into: upstream's kong.yml, of either generation, or our own of a
	// stand-alone platform. It may write its variables as ${NAME} and as $NAME.
	Base string
	// Platform are kong.platform.yml and what else is merged, one after the other. They write their variables as ${NAME}.
	Platform []string
	// Lookup finds variables; the process's own where it is nil.
	Lookup Lookup
	// SignIn lets Studio's sign-in through the key-auth of Base's auth routes: where people sign in to the platform at the
	// GoTrue that Base serves.
	SignIn bool
	// DashboardBasicAuth leaves the basic-auth before Studio in place.
	DashboardBasicAuth bool
}

// Rendered is a configuration for Kong.
type Rendered struct {
	YAML []byte
	// Changes says what differs from Base, line by line, without secrets.
	Changes []string
}

// Render merges the platform's file into the base. The same input gives the same bytes.
func Render(options Options) (*Rendered, error) {
	base, platform, err := options.read()
	if err != nil {
		return nil, err
	}
	before := base.copied()
	modernize(base)
	for _, file := range platform {
		base = merge(base, file)
	}
	if err := options.adapt(base); err != nil {
		return nil, err
	}
	if err := check(base); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("# Made by kong-render: edit what it was made of, not this.\n")
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(base.node()), encoder.Close()); err != nil {
		return nil, fmt.Errorf("write Kong's configuration: %w", err)
	}
	return &Rendered{YAML: out.Bytes(), Changes: diff(before, base)}, nil
}

func (o Options) read() (base *tree, platform []*tree, err error) {
	lookup := o.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	ofBase, err := withExpressions(lookup)
	if err != nil {
		return nil, nil, err
	}
	base, err = grow(o.Base, bare, ofBase, "1.1", "2.1", formatVersion)
	problems := []error{err}
	for _, path := range o.Platform {
		file, err := grow(path, braced, lookup, formatVersion)
		problems = append(problems, err)
		platform = append(platform, file)
	}
	return base, platform, errors.Join(problems...)
}

func (o Options) adapt(file *tree) error {
	dropEmptyCredentials(file)
	if !o.DashboardBasicAuth {
		openDashboard(file)
	}
	if o.SignIn {
		return openSignIn(file)
	}
	return nil
}

// grow reads a file of one of the versions as a tree.
func grow(path string, syntax *regexp.Regexp, lookup Lookup, versions ...string) (*tree, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read Kong's configuration: %w", err)
	}
	return growFrom(path, data, syntax, lookup, versions...)
}

func growFrom(name string, data []byte, syntax *regexp.Regexp, lookup Lookup, versions ...string) (*tree, error) {
	found := &problems{file: name}
	document := readDocument(data, found)
	if len(found.list) > 0 {
		return nil, found.err()
	}
	grown := (&growing{found, syntax, lookup}).tree(document.Content[0])
	checkShape(grown, found, versions)
	typed(grown)
	return grown, found.err()
}

// checkShape refuses what merging could not work with.
func checkShape(grown *tree, found *problems, versions []string) {
	if grown.kind != yaml.MappingNode {
		found.add(grown.line, "the file must be a mapping")
		return
	}
	if version := grown.textOf("_format_version"); !slices.Contains(versions, version) {
		found.add(grown.line, "_format_version must be \"%s\"", strings.Join(versions, "\", \""))
	}
	checkLists(grown, found)
}

// checkLists looks at the lists that are merged by name, at every depth where Kong has one.
func checkLists(grown *tree, found *problems) {
	for name, list := range grown.fields {
		if _, merged := identities[name]; !merged || list.tag == "!!null" {
			continue
		}
		if list.kind != yaml.SequenceNode {
			found.add(list.line, "%s must be a list", name)
			continue
		}
		for _, item := range list.items {
			if item.kind != yaml.MappingNode {
				found.add(item.line, "an entry of %s must be a mapping", name)
				continue
			}
			checkLists(item, found)
		}
	}
}

// Fields whose value Kong wants as a number or as a boolean, also where a variable gives it.
var (
	numbers  = []string{"connect_timeout", "write_timeout", "read_timeout", "retries", "port"}
	booleans = []string{"enabled", "strip_path", "preserve_host", "request_buffering", "response_buffering"}
)

// typed makes numbers and booleans of a service's and a route's fields that variables have filled.
func typed(file *tree) {
	for _, scope := range scopes(file) {
		for name, field := range scope.fields {
			switch {
			case !field.secret:
			case slices.Contains(numbers, name) && digits.MatchString(field.text):
				field.tag = "!!int"
			case slices.Contains(booleans, name) && (field.text == "true" || field.text == "false"):
				field.tag = "!!bool"
			}
		}
	}
}

var digits = regexp.MustCompile(`^(?:0|[1-9][0-9]{0,9})$`)
