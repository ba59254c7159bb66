package render

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// checking collects what Kong would refuse in a merged file, or take for something else than was meant.
type checking struct {
	problems []error
	taken    map[string]*tree // by what must be there once: "route auth", "key …"
}

// check looks at the merged file. Fields that are not known here are Kong's to judge.
func check(file *tree) error {
	c := &checking{taken: map[string]*tree{}}
	if len(file.list("routes")) > 0 {
		c.add(file.get("routes"), "write a route under its service")
	}
	for _, service := range file.list("services") {
		c.service(service)
	}
	c.plugins(file)
	c.consumers(file)
	return errors.Join(c.problems...)
}

func (c *checking) add(place *tree, format string, args ...any) {
	c.problems = append(c.problems, problemAt(place, format, args...))
}

func (c *checking) service(service *tree) {
	name := service.textOf("name")
	c.once(service, "service", name)
	c.address(service)
	c.plugins(service)
	for _, route := range service.list("routes") {
		c.once(route, "route", route.textOf("name"))
		c.plugins(route)
		if len(route.list("paths"))+len(route.list("hosts"))+len(route.list("methods"))+len(route.list("headers")) == 0 && route.textOf("expression") == "" {
			c.add(route, "the route %q needs hosts, paths or methods", route.textOf("name"))
		}
		for _, path := range route.list("paths") {
			if !strings.HasPrefix(path.text, "/") && !strings.HasPrefix(path.text, "~/") {
				c.add(path, "a path of the route %q must start with \"/\", or with \"~/\" if it is a regular expression", route.textOf("name"))
			}
		}
	}
}

// address never quotes the url: it may hold a variable's value.
func (c *checking) address(service *tree) {
	if service.textOf("host") != "" {
		return
	}
	address := service.get("url")
	if address == nil {
		c.add(service, "the service %q needs a url such as http://host:port", service.textOf("name"))
		return
	}
	parsed, err := url.Parse(address.text)
	if err != nil || parsed.Hostname() == "" || !slices.Contains([]string{"http", "https", "grpc", "grpcs", "tcp", "tls", "ws", "wss"}, parsed.Scheme) {
		c.add(address, "the url is not of the form http://host:port/path")
	}
}

func (c *checking) plugins(scope *tree) {
	for _, plugin := range scope.list("plugins") {
		if plugin.textOf("name") == "" {
			c.add(plugin, "a plugin needs a name")
		}
	}
}

func (c *checking) consumers(file *tree) {
	known := map[string]bool{}
	for _, consumer := range file.list("consumers") {
		name := consumer.textOf("username")
		c.once(consumer, "consumer", name+consumer.textOf("custom_id"))
		known[name], known[consumer.textOf("custom_id")], known[consumer.textOf("id")] = true, true, true
		c.keys(consumer)
	}
	c.keys(file)
	for _, list := range []string{"acls", "keyauth_credentials", "basicauth_credentials"} {
		for _, entry := range file.list(list) {
			if name := entry.textOf("consumer"); !known[name] {
				c.add(entry, "there is no consumer %q", name)
			}
		}
	}
	eachPlugin(file, func(plugin *tree) {
		if anonymous := plugin.get("config").textOf("anonymous"); anonymous != "" && !known[anonymous] {
			c.add(plugin, "the plugin %s names an anonymous consumer that is not there", plugin.textOf("name"))
		}
	})
}

// keys refuses a key that two have: Kong takes one of them for the other.
func (c *checking) keys(holder *tree) {
	for _, entry := range holder.list("keyauth_credentials") {
		key := "key " + entry.textOf("key")
		if _, there := c.taken[key]; there {
			c.add(entry, "this API key is there twice")
		}
		c.taken[key] = entry
	}
}

func (c *checking) once(entry *tree, kind, name string) {
	if entry.kind != yaml.MappingNode {
		c.add(entry, "a %s must be a mapping", kind)
		return
	}
	if name == "" {
		c.add(entry, "a %s needs a name", kind)
		return
	}
	if earlier, there := c.taken[kind+" "+name]; there {
		c.add(entry, "the %s %q is already on line %d of %s", kind, name, earlier.line, earlier.file)
		return
	}
	c.taken[kind+" "+name] = entry
}
