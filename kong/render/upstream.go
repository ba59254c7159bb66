package render

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// modernize brings a file of the format 1.1 or 2.1 to 3.0, as Kong itself would do with such a file alone: in 3.0 a regular
// expression in a path starts with "~" (kong/db/migrations/migrate_path_280_300.lua).
func modernize(file *tree) {
	if version := file.textOf("_format_version"); version != "1.1" && version != "2.1" {
		return
	}
	file.fields["_format_version"] = textTree(formatVersion)
	migratePaths(file.list("routes"))
	for _, service := range file.list("services") {
		migratePaths(service.list("routes"))
		if service.textOf("url") != "" {
			delete(service.fields, "protocol") // a service's url says it too, and counts
		}
	}
	eachPlugin(file, renameLists)
}

// plainPath is what Kong 2 took for no regular expression.
var plainPath = regexp.MustCompile(`^[a-zA-Z0-9._~/%-]*$`)

func migratePaths(routes []*tree) {
	for _, route := range routes {
		for _, path := range route.list("paths") {
			if plainPath.MatchString(path.text) {
				path.text = decodeUnreserved(path.text, "")
			} else {
				path.text = "~" + decodeUnreserved(path.text, `\`)
			}
		}
	}
}

var escaped = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// decodeUnreserved decodes what need not have been encoded (RFC 3986, 2.3), which Kong 3 no longer does for itself. In a
// regular expression, where quote is a backslash, a character with a meaning there is quoted.
func decodeUnreserved(path, quote string) string {
	return escaped.ReplaceAllStringFunc(path, func(triplet string) string {
		code, _ := strconv.ParseUint(triplet[1:], 16, 8)
		c := string(rune(code))
		switch {
		case code >= 0x80 || !plainPath.MatchString(c) || c == "/" || c == "%":
			return strings.ToUpper(triplet)
		case quote != "" && strings.Contains(".-", c):
			return quote + c
		default:
			return c
		}
	})
}

// renameLists gives a plugin's lists the names that Kong 3 knows alone.
func renameLists(plugin *tree) {
	if !slices.Contains([]string{"acl", "ip-restriction", "bot-detection"}, plugin.textOf("name")) {
		return
	}
	config := plugin.get("config")
	for old, current := range map[string]string{"whitelist": "allow", "blacklist": "deny"} {
		if list := config.get(old); list != nil && config.get(current) == nil {
			config.fields[current] = list
			delete(config.fields, old)
		}
	}
}

// eachPlugin calls do for every plugin of the file, wherever it stands.
func eachPlugin(file *tree, do func(plugin *tree)) {
	for _, where := range append(scopes(file), file) {
		for _, plugin := range where.list("plugins") {
			do(plugin)
		}
	}
}

// scopes are the services and routes of a file.
func scopes(file *tree) []*tree {
	all := slices.Clone(file.list("routes"))
	for _, service := range file.list("services") {
		all = append(all, service)
		all = append(all, service.list("routes")...)
	}
	return all
}

// SignInConsumer is whom Kong takes a request without an API key for, on the auth routes alone. It has no credential, and
// is in the one group that the auth routes let in.
const SignInConsumer = "studio-sign-in"

// authPath is where upstream's gateway has GoTrue.
const authPath = "/auth/v1"

// openSignIn lets Studio's sign-in, which sends no API key, through key-auth on the auth routes. GoTrue checks every
// request itself; key-auth's anonymous consumer passes a missing and a wrong key alike, so no other route may have it.
func openSignIn(file *tree) error {
	opened := false
	for _, service := range file.list("services") {
		routes := service.list("routes")
		ours := slices.DeleteFunc(slices.Clone(routes), func(route *tree) bool { return !isAuthRoute(route) })
		if len(ours) == 0 {
			continue
		}
		scopes := ours
		if keyAuth := pluginOf(service, "key-auth"); keyAuth != nil {
			if len(ours) != len(routes) {
				return problemAt(keyAuth, "key-auth guards routes of %q that are not under %s: give them a service of their own", service.textOf("name"), authPath)
			}
			scopes = append(scopes, service)
		}
		for _, scope := range scopes {
			if keyAuth := pluginOf(scope, "key-auth"); keyAuth != nil {
				configOf(keyAuth).fields["anonymous"] = textTree(SignInConsumer)
				opened = true
			}
		}
	}
	if !opened {
		return nil
	}
	file.fields["consumers"] = mergeLists(file.get("consumers"), listOf(map[string]string{"username": SignInConsumer}), identities["consumers"])
	file.fields["acls"] = mergeLists(file.get("acls"), listOf(map[string]string{"consumer": SignInConsumer, "group": "anon"}), identities["acls"])
	return nil
}

func isAuthRoute(route *tree) bool {
	paths := route.list("paths")
	return len(paths) > 0 && !slices.ContainsFunc(paths, func(path *tree) bool {
		return path.text != authPath && !strings.HasPrefix(path.text, authPath+"/")
	})
}

func pluginOf(scope *tree, name string) *tree {
	for _, plugin := range scope.list("plugins") {
		if plugin.textOf("name") == name {
			return plugin
		}
	}
	return nil
}

func configOf(plugin *tree) *tree {
	if config := plugin.get("config"); config == nil || config.kind != yaml.MappingNode {
		plugin.fields["config"] = &tree{kind: yaml.MappingNode, fields: map[string]*tree{}}
	}
	return plugin.get("config")
}

func listOf(entry map[string]string) *tree {
	item := &tree{kind: yaml.MappingNode, fields: map[string]*tree{}}
	for name, text := range entry {
		item.fields[name] = textTree(text)
	}
	return &tree{kind: yaml.SequenceNode, items: []*tree{item}}
}

// openDashboard takes basic-auth away from what serves "/": Studio in platform mode has a sign-in of its own.
func openDashboard(file *tree) {
	for _, service := range file.list("services") {
		for _, route := range service.list("routes") {
			if slices.ContainsFunc(route.list("paths"), func(path *tree) bool { return path.text == "/" }) {
				withoutPlugin(service, "basic-auth")
				withoutPlugin(route, "basic-auth")
			}
		}
	}
}

func withoutPlugin(scope *tree, name string) {
	if plugins := scope.get("plugins"); plugins != nil {
		plugins.items = slices.DeleteFunc(plugins.items, func(plugin *tree) bool { return plugin.textOf("name") == name })
	}
}

// secretFields are what a credential is nothing without.
var secretFields = map[string][]string{
	"keyauth_credentials":   {"key"},
	"basicauth_credentials": {"username", "password"},
}

// dropEmptyCredentials takes out what an installation has no value for: an empty key would be one that everybody knows.
func dropEmptyCredentials(file *tree) {
	for _, holder := range append(slices.Clone(file.list("consumers")), file) {
		for name, needed := range secretFields {
			list := holder.get(name)
			if list == nil {
				continue
			}
			list.items = slices.DeleteFunc(list.items, func(entry *tree) bool {
				return slices.ContainsFunc(needed, func(field string) bool { return strings.TrimSpace(entry.textOf(field)) == "" })
			})
			if len(list.items) == 0 {
				delete(holder.fields, name)
			}
		}
	}
}

// The variables that upstream's own entrypoint sets before it puts them into kong.yml.
const (
	authorizationVariable = "LUA_AUTH_EXPR"
	realtimeVariable      = "LUA_RT_WS_EXPR"
	functionsVariable     = "LUA_FUNCTIONS_EXPR"
)

// keyText is what API keys and JWTs consist of. Nothing of it ends a text in Lua.
var keyText = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]*$`)

// withExpressions adds the variables that upstream's entrypoint makes: expressions by which request-transformer replaces an
// opaque key (sb_…) by the JWT that the services know. What the environment has already, stays.
func withExpressions(lookup Lookup) (Lookup, error) {
	translations := map[string]string{}
	for _, pair := range [][2]string{
		{"SUPABASE_SECRET_KEY", "SERVICE_ROLE_KEY_ASYMMETRIC"},
		{"SUPABASE_PUBLISHABLE_KEY", "ANON_KEY_ASYMMETRIC"},
	} {
		key, token := pair[0], pair[1]
		opaque, _ := lookup(key)
		signed, _ := lookup(token)
		if !keyText.MatchString(opaque) || !keyText.MatchString(signed) {
			return nil, fmt.Errorf("%s and %s may have letters, digits and ._~+/=- alone", key, token)
		}
		if opaque != "" && signed != "" {
			translations[opaque] = signed
		}
	}
	expressions := map[string]string{
		authorizationVariable: "$((headers.authorization and headers.authorization:sub(1, 10) ~= 'Bearer sb_' and headers.authorization) or " +
			luaTable(translations, "", "Bearer ") + "[headers.apikey or ''] or headers.apikey)",
		realtimeVariable: "$(" + luaTable(translations, "", "") + "[query_params.apikey or ''] or query_params.apikey)",
		functionsVariable: "$(" + luaTable(translations, "", "") + "[headers.apikey or ''] or " +
			luaTable(translations, "Bearer ", "") + "[headers.authorization or ''])",
	}
	return func(name string) (string, bool) {
		if value, ok := lookup(name); ok {
			return value, true
		}
		value, ok := expressions[name]
		return value, ok
	}, nil
}

func luaTable(translations map[string]string, keyPrefix, valuePrefix string) string {
	var entries []string
	for key, value := range translations {
		entries = append(entries, fmt.Sprintf("['%s%s'] = '%s%s'", keyPrefix, key, valuePrefix, value))
	}
	slices.Sort(entries)
	return "({" + strings.Join(entries, ", ") + "})"
}
