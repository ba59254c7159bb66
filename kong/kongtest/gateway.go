package kongtest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/plurabase/plurabase/kong/kongtest/internal/pluginserver"
	"github.com/plurabase/plurabase/kong/kongtest/internal/router"
	"github.com/plurabase/plurabase/kong/render"
)

// gateway is one configuration, ready to serve.
type gateway struct {
	router *router.Router
	routes []*route
	global []plugin // The plugins for requests without a route, and those of the rewrite phase.
}

// route is a route with all that its requests need.
type route struct {
	render.Route
	service *service
	plugins []plugin // In the order in which they run.
	unknown []string // Plugins that the stand-in does not have.
}

// plugin is one configured plugin.
type plugin struct {
	name     string
	priority int
	handler
}

// handler runs a plugin's phases. It does nothing in a phase that it has no interest in.
type handler interface {
	run(x *exchange, p phase)
}

// lastSeq numbers the configurations of plugins, over all reloads and all hosts.
var lastSeq atomic.Int64

// errUnknownPlugin says that a plugin is neither built in nor given as an executable.
var errUnknownPlugin = errors.New("unknown plugin")

// builder makes a gateway. It keeps what is made once for several routes.
type builder struct {
	servers map[string]*pluginserver.Server
	made    map[string]plugin // By where the plugin stands.
}

func (h *Host) newGateway(config *render.Config, servers map[string]*pluginserver.Server) (*gateway, error) {
	b := &builder{servers: servers, made: map[string]plugin{}}
	g := &gateway{}
	var problems []error
	var routes []render.Route

	for _, s := range config.Services {
		if !s.Enabled {
			continue
		}
		upstream := newService(s)
		for _, r := range s.Routes {
			built, err := b.route(r, s, config.Plugins)
			problems = append(problems, err)
			built.service = upstream
			g.routes = append(g.routes, built)
			routes = append(routes, r)
		}
	}
	global, _, err := b.chain(scope{"", config.Plugins})
	problems = append(problems, err)
	g.global = global

	matcher, err := router.New(routes)
	problems = append(problems, err)
	g.router = matcher
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("configure the gateway: %w", err)
	}
	return g, nil
}

func (b *builder) route(r render.Route, s render.Service, global []render.Plugin) (*route, error) {
	if !slices.Contains(r.Protocols, "http") && !slices.Contains(r.Protocols, "https") {
		return &route{}, fmt.Errorf("route %s: only the protocols http and https are supported", r.Name)
	}
	plugins, unknown, err := b.chain(
		scope{"route:" + r.Name, r.Plugins}, scope{"service:" + s.Name, s.Plugins}, scope{"", global},
	)
	if err != nil {
		return &route{}, fmt.Errorf("route %s: %w", r.Name, err)
	}
	return &route{Route: r, plugins: plugins, unknown: unknown}, nil
}

// scope is a place where plugins stand.
type scope struct {
	name    string
	plugins []render.Plugin
}

// chain makes the plugins of the scopes, the most specific of which comes first: of several configurations of one
// plugin it alone is used. The result is in the order in which plugins run.
func (b *builder) chain(scopes ...scope) (chain []plugin, unknown []string, err error) {
	seen := map[string]bool{}
	var problems []error
	for _, s := range scopes {
		for _, p := range s.plugins {
			if !p.Enabled || seen[p.Name] {
				continue
			}
			seen[p.Name] = true
			made, err := b.plugin(s.name, p)
			switch {
			case errors.Is(err, errUnknownPlugin):
				unknown = append(unknown, p.Name)
			case err != nil:
				problems = append(problems, fmt.Errorf("plugin %s, line %d: %w", p.Name, p.Line, err))
			default:
				chain = append(chain, made)
			}
		}
	}
	slices.SortFunc(chain, comparePlugins)
	slices.Sort(unknown)
	return chain, unknown, errors.Join(problems...)
}

// comparePlugins orders by priority, the highest first, and then by name, the last first (sort_by_handler_priority in
// kong/db/dao/plugins.lua).
func comparePlugins(a, b plugin) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(b.name, a.name))
}

// plugin makes one configured plugin, once for all routes that it stands for.
func (b *builder) plugin(scope string, p render.Plugin) (plugin, error) {
	key := "plugins:" + p.Name + ":" + scope
	if made, ok := b.made[key]; ok {
		return made, nil
	}
	made, err := b.newPlugin(key, p)
	if err != nil {
		return plugin{}, err
	}
	b.made[key] = made
	return made, nil
}

func (b *builder) newPlugin(key string, p render.Plugin) (plugin, error) {
	switch p.Name {
	case "cors":
		handler, err := newCORS(p.Config)
		return plugin{p.Name, corsPriority, handler}, err
	case "request-termination":
		handler, err := newTermination(p.Config)
		return plugin{p.Name, terminationPriority, handler}, err
	case "post-function":
		handler, err := newPostFunction(p.Config)
		return plugin{p.Name, postFunctionPriority, handler}, err
	}
	server, ok := b.servers[p.Name]
	if !ok {
		return plugin{}, errUnknownPlugin
	}
	instance, err := newInstance(server.Info.Schema, key, p.Config)
	if err != nil {
		return plugin{}, err
	}
	return plugin{p.Name, server.Info.Priority, &goPlugin{name: p.Name, server: server, instance: instance}}, nil
}

// newInstance checks a plugin's configuration and adds what Kong adds (get_plugin_config in plugins_iterator.lua).
func newInstance(schema pluginserver.Schema, key string, config map[string]any) (pluginserver.Instance, error) {
	full, err := schema.Config(config)
	if err != nil {
		return pluginserver.Instance{}, err
	}
	seq := int(lastSeq.Add(1))
	full["__key__"] = key
	full["__seq__"] = seq
	full["__plugin_id"] = key
	data, err := json.Marshal(full)
	if err != nil {
		return pluginserver.Instance{}, fmt.Errorf("encode the configuration: %w", err)
	}
	return pluginserver.Instance{Key: key, Seq: seq, Config: data}, nil
}

func (g *gateway) unserved() []UnservedRoute {
	var routes []UnservedRoute
	for _, r := range g.routes {
		if len(r.unknown) > 0 {
			routes = append(routes, UnservedRoute{Route: r.Name, Plugins: r.unknown})
		}
	}
	return routes
}

// close drops the idle connections to upstreams.
func (g *gateway) close() {
	for _, r := range g.routes {
		r.service.transport.CloseIdleConnections()
	}
}
