package render

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tree is a file as a tree that can be changed and written again, with every field that it has, known here or not.
// Exactly one of its three forms is used; which, kind says.
type tree struct {
	kind   yaml.Kind // MappingNode, SequenceNode or ScalarNode
	fields map[string]*tree
	items  []*tree
	text   string
	tag    string
	secret bool // a variable's value is in the text: it is never shown
	block  bool // the file has the text as a literal block
	file   string
	line   int
}

// text makes a scalar of our own.
func textTree(text string) *tree { return &tree{kind: yaml.ScalarNode, tag: "!!str", text: text} }

// growing makes a tree of a file's nodes, and puts the variables into it on the way.
type growing struct {
	*problems
	syntax *regexp.Regexp
	lookup Lookup
}

// credentials are the lists whose entries may name variables that are not set: an entry with nothing in it is taken out.
// Upstream's file names keys that an installation may not have.
var credentials = []string{"keyauth_credentials", "basicauth_credentials"}

// emptyWhereUnset finds every variable.
func emptyWhereUnset(lookup Lookup) Lookup {
	return func(name string) (string, bool) {
		value, _ := lookup(name)
		return value, true
	}
}

func (g *growing) tree(node *yaml.Node) *tree {
	node = follow(node)
	grown := &tree{kind: node.Kind, tag: node.ShortTag(), text: node.Value, file: g.file, line: node.Line}
	switch node.Kind {
	case yaml.MappingNode:
		g.fields(grown, node)
	case yaml.SequenceNode:
		for _, item := range node.Content {
			grown.items = append(grown.items, g.tree(item))
		}
	default:
		g.scalar(grown, node)
	}
	return grown
}

func (g *growing) fields(grown *tree, node *yaml.Node) {
	grown.fields = make(map[string]*tree, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], follow(node.Content[i+1])
		switch {
		case key.Kind != yaml.ScalarNode:
			g.add(key.Line, "here must be a text before the \":\"")
		case key.Tag == "!!merge":
			g.add(key.Line, "\"<<\" is not supported; write the fields out, or use an alias for the whole value")
		case slices.Contains(credentials, key.Value):
			relaxed := &growing{g.problems, g.syntax, emptyWhereUnset(g.lookup)}
			grown.fields[key.Value] = relaxed.tree(value)
		default:
			grown.fields[key.Value] = g.tree(value)
		}
	}
}

func (g *growing) scalar(grown *tree, node *yaml.Node) {
	grown.block = node.Style&yaml.LiteralStyle != 0
	if grown.tag != "!!str" || !g.syntax.MatchString(node.Value) {
		return
	}
	grown.secret = true
	grown.text, _ = expand(node, g.syntax, g.lookup, g.problems)
}

// get is the field of that name; nil where there is none.
func (t *tree) get(name string) *tree {
	if t == nil {
		return nil
	}
	return t.fields[name]
}

// textOf is the text of that field; "" where there is none.
func (t *tree) textOf(name string) string {
	if field := t.get(name); field != nil && field.kind == yaml.ScalarNode && field.tag != "!!null" {
		return field.text
	}
	return ""
}

// list is the field's items; none where there is no list.
func (t *tree) list(name string) []*tree {
	if field := t.get(name); field != nil {
		return field.items
	}
	return nil
}

// copied shares nothing with t.
func (t *tree) copied() *tree {
	if t == nil {
		return nil
	}
	other := *t
	other.fields = maps.Clone(t.fields)
	for name, field := range other.fields {
		other.fields[name] = field.copied()
	}
	other.items = slices.Clone(t.items)
	for i, item := range other.items {
		other.items[i] = item.copied()
	}
	return &other
}

// first are the fields that a reader looks for first, in their order. All others follow by their names, so the order in a
// file makes no difference.
var first = []string{"_format_version", "_transform", "name", "username", "consumer", "group", "key", "url", "hosts", "paths"}

func fieldOrder(a, b string) int {
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

func rank(field string) int {
	if place := slices.Index(first, field); place >= 0 {
		return place
	}
	return len(first)
}

// node turns the tree back into YAML.
func (t *tree) node() *yaml.Node {
	out := &yaml.Node{Kind: t.kind}
	switch t.kind {
	case yaml.MappingNode:
		for _, name := range slices.SortedFunc(maps.Keys(t.fields), fieldOrder) {
			out.Content = append(out.Content, textTree(name).node(), t.fields[name].node())
		}
	case yaml.SequenceNode:
		for _, item := range t.items {
			out.Content = append(out.Content, item.node())
		}
	default:
		out.Tag, out.Value = t.tag, t.text
		if t.tag == "!!str" {
			out.Style = t.style()
		}
	}
	return out
}

// unquoted is what every YAML parser takes for the same text: Kong's own is one of version 1.1, where `yes` and `1:30` are
// none.
var unquoted = regexp.MustCompile(`^(?:[A-Za-z_/][A-Za-z0-9_./-]*|https?://[A-Za-z0-9_./:-]*[A-Za-z0-9_./-])$`)

// words are the texts that version 1.1 takes for booleans and nothing.
var words = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

func (t *tree) style() yaml.Style {
	switch {
	case t.block && strings.TrimSpace(t.text) != "" && !strings.ContainsAny(t.text[:1], " \t\n\r") && !strings.ContainsAny(t.text, "\r\t\u0085\u2028\u2029\ufeff") && strings.HasSuffix(t.text, "\n"):
		return yaml.LiteralStyle
	case unquoted.MatchString(t.text) && !slices.Contains(words, strings.ToLower(t.text)):
		return 0
	default:
		return yaml.DoubleQuotedStyle
	}
}
