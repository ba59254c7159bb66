package kongtest

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
)

// Kong's limits of how many headers or query arguments a plugin may ask for, and what it gets without a number
// (kong/pdk/request.lua; 100 is lua-nginx-module's own).
const (
	mostPairs    = 1000
	defaultPairs = 100
)

// requestMethods are kong.request, kong.client and kong.router (kong/pdk/request.lua, client.lua, router.lua).
var requestMethods = map[string]method{
	"kong.request.get_scheme":           text(requestPhases, func(*exchange) string { return "http" }),
	"kong.request.get_host":             text(requestPhases, func(x *exchange) string { return hostOnly(x.clientHost) }),
	"kong.request.get_port":             integer(requestPhases, func(x *exchange) int { return x.host.port() }),
	"kong.request.get_forwarded_scheme": text(requestPhases, func(*exchange) string { return "http" }),
	"kong.request.get_forwarded_host":   text(requestPhases, func(x *exchange) string { return hostOnly(x.clientHost) }),
	"kong.request.get_forwarded_port":   integer(requestPhases, func(x *exchange) int { return x.host.port() }),
	"kong.request.get_http_version":     get(requestPhases, (*exchange).askHTTPVersion),
	"kong.request.get_method":           text(requestPhases, func(x *exchange) string { return x.method }),
	"kong.request.get_path":             text(requestPhases, (*exchange).path),
	"kong.request.get_path_with_query":  text(requestPhases, func(x *exchange) string { return x.target }),
	"kong.request.get_raw_query":        text(requestPhases, func(x *exchange) string { return x.upstream.query }),
	"kong.request.get_query_arg":        ask(requestPhases, (*exchange).askQueryArgument),
	"kong.request.get_query":            ask(requestPhases, (*exchange).askQuery),
	"kong.request.get_header":           ask(anyPhase, (*exchange).askHeader),
	"kong.request.get_headers":          ask(anyPhase, (*exchange).askHeaders),
	"kong.request.get_raw_body":         get(requestPhases, (*exchange).askBody),
	"kong.request.get_uri_captures":     get(anyPhase, (*exchange).askNothing),

	"kong.client.get_ip":             text(requestPhases, (*exchange).clientIP),
	"kong.client.get_forwarded_ip":   text(requestPhases, (*exchange).clientIP),
	"kong.client.get_port":           integer(requestPhases, (*exchange).clientPort),
	"kong.client.get_forwarded_port": integer(requestPhases, (*exchange).clientPort),

	"kong.router.get_route":   get(routedPhases, (*exchange).askRoute),
	"kong.router.get_service": get(routedPhases, (*exchange).askService),
}

// askNothing answers with an empty message.
func (x *exchange) askNothing() ([]byte, error) { return nil, nil }

func (x *exchange) askHTTPVersion() ([]byte, error) {
	return encodeNumber(float64(x.r.ProtoMajor) + float64(x.r.ProtoMinor)/10), nil
}

// clientPort is the port of the connection's other end.
func (x *exchange) clientPort() int {
	address, err := netip.ParseAddrPort(x.r.RemoteAddr)
	if err != nil {
		return 0
	}
	return int(address.Port())
}

func (x *exchange) askQueryArgument(name *kong_plugin_protocol.String) ([]byte, error) {
	for _, p := range parseQuery(x.upstream.query, defaultPairs) {
		if p.name != name.V {
			continue
		}
		if p.flag {
			// Lua's true can't be encoded as a String.
			return nil, errors.New("the argument has no value")
		}
		return encodeText(p.value), nil
	}
	return nil, nil
}

func (x *exchange) askQuery(most *kong_plugin_protocol.Int) ([]byte, error) {
	if err := checkMost("max_args", most); err != nil {
		return nil, err
	}
	return encodePairs(parseQuery(x.upstream.query, int(most.V))), nil
}

func checkMost(name string, most *kong_plugin_protocol.Int) error {
	if most.V < 1 {
		return fmt.Errorf("%s must be >= 1", name)
	}
	if most.V > mostPairs {
		return fmt.Errorf("%s must be <= %d", name, mostPairs)
	}
	return nil
}

// parseQuery reads a query as lua-nginx-module does: broken escapes stay as they are, and names may not be empty.
func parseQuery(query string, most int) []pair {
	var pairs []pair
	for part := range strings.SplitSeq(query, "&") {
		if len(pairs) == most {
			break
		}
		name, value, found := strings.Cut(part, "=")
		if name == "" {
			continue
		}
		pairs = append(pairs, pair{unescapeArgument(name), unescapeArgument(value), !found})
	}
	return pairs
}

func unescapeArgument(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '+' {
			out.WriteByte(' ')
			continue
		}
		if text[i] == '%' && i+2 < len(text) {
			if char, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(char))
				i += 2
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

func (x *exchange) askHeader(name *kong_plugin_protocol.String) ([]byte, error) {
	return encodeText(x.headerValue(strings.ReplaceAll(name.V, "_", "-"))), nil
}

// headerValue is the first value of a header.
func (x *exchange) headerValue(name string) string {
	if strings.EqualFold(name, "host") {
		return x.clientHost
	}
	return x.requestHeader.Get(name)
}

func (x *exchange) askHeaders(most *kong_plugin_protocol.Int) ([]byte, error) {
	if err := checkMost("max_headers", most); err != nil {
		return nil, err
	}
	pairs := headerPairs(x.requestHeader)
	pairs = append(pairs, pair{name: "host", value: x.clientHost})
	for _, coding := range x.r.TransferEncoding {
		pairs = append(pairs, pair{name: "transfer-encoding", value: coding})
	}
	return encodePairs(firstByName(pairs, int(most.V))), nil
}

// headerPairs lists headers under names in lower case.
func headerPairs(header map[string][]string) []pair {
	var pairs []pair
	for name, values := range maps.All(header) {
		for _, value := range values {
			pairs = append(pairs, pair{name: strings.ToLower(name), value: value})
		}
	}
	return pairs
}

// firstByName orders pairs by name and keeps the first.
func firstByName(pairs []pair, most int) []pair {
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	return pairs[:min(len(pairs), most)]
}

// askBody gives a body that is too large for memory as a file's path, which the plugin reads itself.
func (x *exchange) askBody() ([]byte, error) {
	if err := x.readBody(); err != nil {
		return nil, err
	}
	if x.body.path != "" {
		return encodeMessage(&kong_plugin_protocol.RawBodyResult{
			Kind: &kong_plugin_protocol.RawBodyResult_BodyFilepath{BodyFilepath: x.body.path},
		})
	}
	return encodeMessage(&kong_plugin_protocol.RawBodyResult{
		Kind: &kong_plugin_protocol.RawBodyResult_Content{Content: x.body.data},
	})
}

func (x *exchange) askRoute() ([]byte, error) {
	if x.route == nil {
		return nil, nil
	}
	r := x.route
	return encodeMessage(&kong_plugin_protocol.Route{
		Id: "routes:" + r.Name, Name: r.Name, Protocols: r.Protocols, Methods: r.Methods, Hosts: r.Hosts, Paths: r.Paths,
		StripPath: r.StripPath, PreserveHost: r.PreserveHost, HttpsRedirectStatusCode: 426,
		Service: &kong_plugin_protocol.ServiceKey{Id: "services:" + r.service.Name},
	})
}

func (x *exchange) askService() ([]byte, error) {
	if x.route == nil {
		return nil, nil
	}
	s := x.route.service
	port, err := strconv.Atoi(s.URL.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[s.URL.Scheme]
	}
	//nolint:gosec // the configuration's reader keeps all of these below 2^31
	return encodeMessage(&kong_plugin_protocol.Service{
		Id: "services:" + s.Name, Name: s.Name, Retries: int32(s.Retries), Protocol: s.URL.Scheme,
		Host: s.URL.Hostname(), Port: int32(port), Path: s.URL.EscapedPath(),
		ConnectTimeout: int32(s.ConnectTimeout.Milliseconds()), WriteTimeout: int32(s.WriteTimeout.Milliseconds()),
		ReadTimeout: int32(s.ReadTimeout.Milliseconds()),
	})
}
