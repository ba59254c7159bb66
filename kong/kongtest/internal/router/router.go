// Package router finds the route of a request as Kong 3.9 does.
//
// What it knows of a route are hosts, paths and methods. Of all that match, the one with most of these three kinds wins;
// then plain hosts, then any hosts, then a regular expression, then the longest path, then the one that stands first.
package router

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/plurabase/plurabase/kong/render"
)

// Router finds routes.
type Router struct {
	rules []rule // The one that wins comes first.
}

// rule is a route with one of its paths: Kong too weighs every path for itself.
type rule struct {
	route      int // Its place among the routes that New was given.
	methods    []string
	hosts      []string
	path       string         // A prefix; empty when any path will do.
	expression *regexp.Regexp // In place of path.

	kinds      int // How many of hosts, paths and methods the route has.
	plainHosts bool
}

// Match is the route of a request.
type Match struct {
	Route   int    // Its place among the routes that New was given.
	Matched string // The start of the path that the route's path matched.
}

// New makes a router. It refuses what it would not match as Kong does.
func New(routes []render.Route) (*Router, error) {
	r := &Router{}
	for i, route := range routes {
		rules, err := rulesOf(i, route)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", route.Name, err)
		}
		r.rules = append(r.rules, rules...)
	}
	slices.SortStableFunc(r.rules, compare)
	return r, nil
}

func rulesOf(index int, route render.Route) ([]rule, error) {
	base := rule{route: index, methods: route.Methods, hosts: route.Hosts, plainHosts: len(route.Hosts) > 0}
	for _, host := range route.Hosts {
		if strings.Contains(host, ":") {
			return nil, fmt.Errorf("the host %q has a port, which is not supported", host)
		}
		if strings.Contains(host, "*") {
			base.plainHosts = false
		}
	}
	for _, list := range [][]string{route.Hosts, route.Paths, route.Methods} {
		if len(list) > 0 {
			base.kinds++
		}
	}
	if len(route.Paths) == 0 {
		return []rule{base}, nil
	}

	var rules []rule
	for _, path := range route.Paths {
		one := base
		one.path = path
		if pattern, ok := strings.CutPrefix(path, "~"); ok {
			expression, err := regexp.Compile("^" + pattern)
			if err != nil {
				return nil, fmt.Errorf("compile a path: %w", err)
			}
			one.path, one.expression = "", expression
		}
		rules = append(rules, one)
	}
	return rules, nil
}

// compare orders rules by what wins (get_priority in kong/router/transform.lua). That hosts with a "*" beat a path is not
// what that function says, but what a real Kong 3.9.1 was seen to do.
func compare(a, b rule) int {
	return cmp.Or(
		cmp.Compare(b.kinds, a.kinds),
		trueFirst(a.plainHosts, b.plainHosts),
		trueFirst(len(a.hosts) > 0, len(b.hosts) > 0),
		trueFirst(a.expression != nil, b.expression != nil),
		cmp.Compare(len(b.path), len(a.path)),
	)
}

func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// Match finds the route. The host is the request's, with or without a port; the path is normalised.
func (r *Router) Match(method, host, path string) (Match, bool) {
	host, _, _ = strings.Cut(host, ":")
	for _, rule := range r.rules {
		if !rule.allows(method, host) {
			continue
		}
		if matched, ok := rule.matchPath(path); ok {
			return Match{Route: rule.route, Matched: matched}, true
		}
	}
	return Match{}, false
}

func (r rule) allows(method, host string) bool {
	if len(r.methods) > 0 && !slices.Contains(r.methods, method) {
		return false
	}
	return len(r.hosts) == 0 || slices.ContainsFunc(r.hosts, func(pattern string) bool {
		return matchHost(pattern, host)
	})
}

func matchHost(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, suffix)
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(host, prefix)
	}
	return host == pattern
}

func (r rule) matchPath(path string) (matched string, ok bool) {
	if r.expression == nil {
		return r.path, strings.HasPrefix(path, r.path)
	}
	place := r.expression.FindStringIndex(path)
	if place == nil {
		return "", false
	}
	return path[:place[1]], true
}
