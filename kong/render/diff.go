package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// diff says line by line what differs between two trees: "+" what came, "-" what went, "~" what changed. It names entries
// of a list as identities do. Values of variables and of credentials are not shown.
func diff(before, after *tree) []string {
	d := &differing{}
	d.compare("", before, after, false)
	return d.lines
}

type differing struct{ lines []string }

func (d *differing) compare(path string, before, after *tree, hidden bool) {
	switch {
	case before == nil:
		d.lines = append(d.lines, "+ "+path+after.shown(hidden))
	case after == nil:
		d.lines = append(d.lines, "- "+path)
	case before.kind != after.kind:
		d.lines = append(d.lines, "~ "+path+after.shown(hidden))
	case after.kind == yaml.MappingNode:
		d.fields(path, before.fields, after.fields, hidden)
	case after.kind == yaml.SequenceNode:
		d.fields(path, entries(path, before), entries(path, after), hidden)
	case before.text != after.text || before.tag != after.tag:
		d.lines = append(d.lines, "~ "+path+before.shown(hidden)+" →"+strings.TrimPrefix(after.shown(hidden), ":"))
	}
}

func (d *differing) fields(path string, before, after map[string]*tree, hidden bool) {
	all := maps.Clone(before)
	if all == nil {
		all = map[string]*tree{}
	}
	maps.Copy(all, after)
	for _, name := range slices.SortedFunc(maps.Keys(all), fieldOrder) {
		below := strings.TrimPrefix(path+"."+name, ".")
		d.compare(below, before[name], after[name], hidden || slices.Contains(credentials, name))
	}
}

// entries gives each entry of a list a name of its own.
func entries(path string, list *tree) map[string]*tree {
	keys := identities[path[strings.LastIndexByte(path, '.')+1:]]
	named := make(map[string]*tree, len(list.items))
	for i, item := range list.items {
		name := ""
		for _, key := range keys {
			if value := item.get(key); value != nil && key != "key" && !value.secret {
				name = strings.Trim(name+" "+value.text, " ")
			}
		}
		if _, there := named[name]; there || name == "" {
			name = strings.TrimSpace(name + " #" + strconv.Itoa(i+1))
		}
		named[name] = item
	}
	return named
}

// shown is a scalar's text, behind a colon. Of what is larger, its place is enough.
func (t *tree) shown(hidden bool) string {
	switch {
	case t.kind != yaml.ScalarNode:
		return ""
	case hidden || t.secret:
		return ": (not shown)"
	default:
		return ": " + strconv.Quote(t.text)
	}
}
