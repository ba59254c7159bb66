package render

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Kong's defaults for a service.
const (
	defaultTimeout = 60 * time.Second
	defaultRetries = 5
)

// formatVersion is the one that is understood. Older versions find regular expressions in paths by themselves, so their
// routes mean something else.
const formatVersion = "3.0"

// decoder turns the nodes of one file into types.
type decoder struct {
	*problems
	services map[string]int // Names and the lines that took them: Kong wants them unique.
	routes   map[string]int
}

func decodeConfig(node *yaml.Node, found *problems) *Config {
	d := &decoder{problems: found, services: map[string]int{}, routes: map[string]int{}}
	config := &Config{Entities: map[string]any{}}

	version := ""
	d.mapping(node, "the file", fields{
		"_format_version": d.textInto(&version),
		"_transform":      ignore,
		"services":        listInto(d, &config.Services, d.service),
		"plugins":         listInto(d, &config.Plugins, d.plugin),
		"consumers":       listInto(d, &config.Consumers, d.consumer),
		"routes":          d.refuse("write a route under its service"),
		"upstreams":       d.refuse("upstreams are not supported; name the target in the service's url"),
	}, func(key string, value *yaml.Node) { config.Entities[key] = d.anything(value) })

	if version != formatVersion {
		d.add(node.Line, "_format_version must be %q", formatVersion)
	}
	return config
}

func (d *decoder) service(node *yaml.Node) Service {
	s := Service{
		ConnectTimeout: defaultTimeout, WriteTimeout: defaultTimeout, ReadTimeout: defaultTimeout,
		Retries: defaultRetries, Enabled: true, Line: node.Line,
	}
	d.mapping(node, "a service", fields{
		"name":            d.textInto(&s.Name),
		"url":             func(value *yaml.Node) { s.URL = d.upstream(value) },
		"connect_timeout": d.millisecondsInto(&s.ConnectTimeout),
		"write_timeout":   d.millisecondsInto(&s.WriteTimeout),
		"read_timeout":    d.millisecondsInto(&s.ReadTimeout),
		"retries":         d.integerInto(&s.Retries, 0, 32767),
		"enabled":         d.booleanInto(&s.Enabled),
		"routes":          listInto(d, &s.Routes, d.route),
		"plugins":         listInto(d, &s.Plugins, d.plugin),
	}, nil)

	d.unique(d.services, "service", s.Name, s.Line)
	if s.URL == nil {
		d.add(s.Line, "the service %q needs a url such as http://host:port", s.Name)
		s.URL = &url.URL{}
	}
	return s
}

func (d *decoder) route(node *yaml.Node) Route {
	r := Route{
		Protocols: []string{"http", "https"},
		StripPath: true, RequestBuffering: true, ResponseBuffering: true, Line: node.Line,
	}
	d.mapping(node, "a route", fields{
		"name":               d.textInto(&r.Name),
		"hosts":              d.textsInto(&r.Hosts),
		"paths":              d.textsInto(&r.Paths),
		"methods":            d.textsInto(&r.Methods),
		"protocols":          d.textsInto(&r.Protocols),
		"strip_path":         d.booleanInto(&r.StripPath),
		"preserve_host":      d.booleanInto(&r.PreserveHost),
		"request_buffering":  d.booleanInto(&r.RequestBuffering),
		"response_buffering": d.booleanInto(&r.ResponseBuffering),
		"plugins":            listInto(d, &r.Plugins, d.plugin),
	}, nil)

	d.unique(d.routes, "route", r.Name, r.Line)
	if len(r.Hosts)+len(r.Paths)+len(r.Methods) == 0 {
		d.add(r.Line, "the route %q needs hosts, paths or methods", r.Name)
	}
	for _, path := range r.Paths {
		if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "~/") {
			d.add(r.Line, "a path of the route %q must start with \"/\", or with \"~/\" if it is a regular expression", r.Name)
		}
	}
	return r
}

func (d *decoder) plugin(node *yaml.Node) Plugin {
	p := Plugin{Enabled: true, Config: map[string]any{}, Line: node.Line}
	scope := d.refuse("write the plugin under its service or route")
	d.mapping(node, "a plugin", fields{
		"name":          d.textInto(&p.Name),
		"instance_name": ignore,
		"enabled":       d.booleanInto(&p.Enabled),
		"config":        func(value *yaml.Node) { p.Config = d.object(value) },
		"service":       scope,
		"route":         scope,
		"consumer":      scope,
	}, nil)

	if p.Name == "" {
		d.add(p.Line, "a plugin needs a name")
	}
	return p
}

func (d *decoder) consumer(node *yaml.Node) Consumer {
	c := Consumer{Credentials: map[string]any{}, Line: node.Line}
	d.mapping(node, "a consumer", fields{
		"username":  d.textInto(&c.Username),
		"custom_id": d.textInto(&c.CustomID),
	}, func(key string, value *yaml.Node) { c.Credentials[key] = d.anything(value) })

	if c.Username == "" && c.CustomID == "" {
		d.add(c.Line, "a consumer needs a username or a custom_id")
	}
	return c
}

// unique refuses a name that is missing or taken.
func (d *decoder) unique(taken map[string]int, kind, name string, line int) {
	if name == "" {
		d.add(line, "a %s needs a name", kind)
		return
	}
	if first, ok := taken[name]; ok {
		d.add(line, "the %s %q is already on line %d", kind, name, first)
		return
	}
	taken[name] = line
}

// upstream reads a service's url. A url may hold a variable's value, so problems do not quote it.
func (d *decoder) upstream(node *yaml.Node) *url.URL {
	text := ""
	d.textInto(&text)(node)
	parsed, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"http", "https"}, parsed.Scheme) || parsed.Hostname() == "" {
		d.add(node.Line, "the url is not of the form http://host:port/path")
		return &url.URL{}
	}
	return parsed
}
