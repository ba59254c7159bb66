package render

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Lookup finds a variable by its name, as [os.LookupEnv] does. A variable may be set and empty.
type Lookup func(name string) (value string, ok bool)

// variableName is what POSIX lets a shell variable be called.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// substitute puts variables into every scalar value below the node. Each node is visited once: an alias shares its
// anchor's node, and a second visit would replace what a variable brought in.
func substitute(node *yaml.Node, lookup Lookup, found *problems) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			substitute(node.Content[i], lookup, found)
		}
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, child := range node.Content {
			substitute(child, lookup, found)
		}
	case yaml.ScalarNode:
		substituteScalar(node, lookup, found)
	}
}

func substituteScalar(node *yaml.Node, lookup Lookup, found *problems) {
	if !strings.Contains(node.Value, "${") {
		return
	}
	value, ok := expand(node, braced, lookup, found)
	if !ok {
		return
	}
	node.Value = value
	// A quoted scalar is always a string, whatever it looks like.
	node.Tag, node.Style = "!!str", yaml.DoubleQuotedStyle
}

// How a file writes its variables.
var (
	// braced is ours: ${NAME}, and a "$" before anything else is a "$".
	braced = regexp.MustCompile(`\$\{[^}]*\}?`)
	// bare is upstream's, whose shell and awk have taken ${NAME} and $NAME.
	bare = regexp.MustCompile(`\$\{[^}]*\}?|\$[A-Za-z_][A-Za-z0-9_]*`)
)

// expand puts variables into a scalar's text. It says what is wrong and returns false where it cannot; a variable that is
// not set leaves nothing behind, and is told too.
func expand(node *yaml.Node, syntax *regexp.Regexp, lookup Lookup, found *problems) (string, bool) {
	var out strings.Builder
	end := 0
	for _, match := range syntax.FindAllStringIndex(node.Value, -1) {
		out.WriteString(node.Value[end:match[0]])
		end = match[1]
		line := lineOf(node, match[0])
		name := strings.TrimPrefix(node.Value[match[0]:match[1]], "$")
		if inner, hasBrace := strings.CutPrefix(name, "{"); hasBrace {
			closed := strings.HasSuffix(inner, "}")
			name = strings.TrimSuffix(inner, "}")
			if !closed || !variableName.MatchString(name) {
				found.add(line, "after \"${\" there must be a variable's name and \"}\"")
				return "", false
			}
		}
		value, set := lookup(name)
		if !set {
			found.add(line, "the environment variable %s is not set", name)
		}
		out.WriteString(value)
	}
	out.WriteString(node.Value[end:])
	return out.String(), true
}

// lineOf is the line of a place inside a scalar. Only a literal block keeps its lines; in the other styles a value of
// several lines has been folded, and its first line has to do.
func lineOf(node *yaml.Node, offset int) int {
	if node.Style&yaml.LiteralStyle == 0 {
		return node.Line
	}
	return node.Line + 1 + strings.Count(node.Value[:offset], "\n")
}
