package render

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// identities are the fields that tell the entries of a list apart. An entry of the second file goes into the one of the
// first that has the same; lists that are not named here hold plain values, and the second file's takes the first's place.
var identities = map[string][]string{
	"services":              {"name"},
	"routes":                {"name"},
	"upstreams":             {"name"},
	"consumers":             {"username", "custom_id"},
	"consumer_groups":       {"name"},
	"plugins":               {"name", "instance_name", "service", "route", "consumer"},
	"acls":                  {"consumer", "group"},
	"keyauth_credentials":   {"consumer", "key"},
	"basicauth_credentials": {"consumer", "username"},
	"jwt_secrets":           {"consumer", "key"},
	"hmacauth_credentials":  {"consumer", "username"},
	"oauth2_credentials":    {"consumer", "client_id"},
	"certificates":          {"id"},
	"snis":                  {"name"},
	"targets":               {"target"},
}

// merge puts over onto base and returns base. Where both say something, over's counts. Merging the same once more changes
// nothing.
func merge(base, over *tree) *tree {
	if base == nil || base.kind != yaml.MappingNode || over.kind != yaml.MappingNode {
		return over.copied()
	}
	for name, field := range over.fields {
		if keys, ok := identities[name]; ok && ofMappings(field) && ofMappings(base.fields[name]) {
			base.fields[name] = mergeLists(base.fields[name], field, keys)
		} else {
			base.fields[name] = merge(base.fields[name], field)
		}
	}
	return base
}

// ofMappings tells whether t is a list whose entries can be told apart by their fields, or nothing yet.
func ofMappings(t *tree) bool {
	if t == nil || t.tag == "!!null" {
		return true
	}
	return t.kind == yaml.SequenceNode && !slices.ContainsFunc(t.items, func(item *tree) bool { return item.kind != yaml.MappingNode })
}

func mergeLists(base, over *tree, keys []string) *tree {
	if base == nil || base.kind != yaml.SequenceNode {
		base = &tree{kind: yaml.SequenceNode, file: over.file, line: over.line}
	}
	for _, item := range over.items {
		same := func(other *tree) bool { return identity(other, keys) == identity(item, keys) }
		if i := slices.IndexFunc(base.items, same); i >= 0 {
			base.items[i] = merge(base.items[i], item)
		} else {
			base.items = append(base.items, item.copied())
		}
	}
	return base
}

func identity(item *tree, keys []string) string {
	values := make([]string, len(keys))
	for i, key := range keys {
		values[i] = item.textOf(key)
	}
	return strings.Join(values, "\x00")
}
