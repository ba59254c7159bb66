package kongtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/plurabase/plurabase/kong/kongtest/internal/router"
)

// serviceMethods are kong.service and kong.service.request (kong/pdk/service.lua, service/request.lua).
var serviceMethods = map[string]method{
	"kong.service.set_upstream": tell(access, (*exchange).setUpstream),
	"kong.service.set_target":   tell(access, (*exchange).setTarget),

	"kong.service.request.set_scheme":    tell(changePhases, (*exchange).setScheme),
	"kong.service.request.set_path":      tell(changePhases, (*exchange).setPath),
	"kong.service.request.set_raw_query": tell(changePhases, (*exchange).setRawQuery),
	"kong.service.request.set_query":     tell(changePhases, (*exchange).setQuery),
	"kong.service.request.set_method":    tell(changePhases, (*exchange).setMethod),
	"kong.service.request.set_header":    tell(changePhases, (*exchange).setRequestHeader),
	"kong.service.request.add_header":    tell(changePhases, (*exchange).addRequestHeader),
	"kong.service.request.clear_header":  tell(changePhases, (*exchange).clearRequestHeader),
	"kong.service.request.set_headers":   tell(changePhases, (*exchange).setRequestHeaders),
	"kong.service.request.set_raw_body":  tell(changePhases, (*exchange).setRawBody),
}

// setUpstream finds no upstream, as there are none. Kong then returns nil, which a Go plugin can't tell from success.
func (x *exchange) setUpstream(name *kong_plugin_protocol.String) error {
	x.logger.Warn("could not find an Upstream", "name", name.V)
	return nil
}

func (x *exchange) setTarget(target *kong_plugin_protocol.Target) error {
	if target.Port < 0 || target.Port > 65535 {
		return fmt.Errorf("port must be an integer between 0 and 65535: given %d", target.Port)
	}
	x.upstream.host, x.upstream.port = target.Host, strconv.Itoa(int(target.Port))
	// So the Host header has no port, unlike that of a service's own target.
	x.upstream.hostHeader = target.Host
	return nil
}

func (x *exchange) setScheme(scheme *kong_plugin_protocol.String) error {
	if scheme.V != "http" && scheme.V != "https" {
		return fmt.Errorf("invalid scheme: %s", scheme.V)
	}
	x.upstream.scheme = scheme.V
	return nil
}

func (x *exchange) setPath(path *kong_plugin_protocol.String) error {
	if !strings.HasPrefix(path.V, "/") {
		return fmt.Errorf("path must start with /")
	}
	x.upstream.path = router.Escape(path.V)
	return nil
}

func (x *exchange) setRawQuery(query *kong_plugin_protocol.String) error {
	x.upstream.query, x.upstream.forceQuery = query.V, false
	return nil
}

// setQuery orders the arguments by name, as Kong does.
func (x *exchange) setQuery(given *structpb.Struct) error {
	query := url.Values{}
	for name, value := range given.GetFields() {
		values := []*structpb.Value{value}
		if list := value.GetListValue(); list != nil {
			values = list.Values
		}
		for _, v := range values {
			query.Add(name, luaText(v))
		}
	}
	// nginx escapes a space as %20.
	x.upstream.query = strings.ReplaceAll(query.Encode(), "+", "%20")
	x.upstream.forceQuery = false
	return nil
}

// settableMethods are those that nginx knows and Kong lets a plugin set.
var settableMethods = []string{
	"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "MKCOL", "COPY", "MOVE", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK",
	"PATCH", "TRACE",
}

func (x *exchange) setMethod(method *kong_plugin_protocol.String) error {
	if !slices.Contains(settableMethods, method.V) {
		return fmt.Errorf("invalid method: %s", method.V)
	}
	x.method = method.V
	return nil
}

func (x *exchange) setRequestHeader(given *kong_plugin_protocol.KV) error {
	value, err := headerOf(given)
	if err == nil {
		x.replaceRequestHeader(given.K, []string{value})
	}
	return err
}

func (x *exchange) addRequestHeader(given *kong_plugin_protocol.KV) error {
	value, err := headerOf(given)
	if err != nil {
		return err
	}
	if strings.EqualFold(given.K, "host") {
		x.replaceRequestHeader(given.K, []string{value})
		return nil
	}
	x.requestHeader.Add(given.K, value)
	return nil
}

func (x *exchange) clearRequestHeader(name *kong_plugin_protocol.String) error {
	x.requestHeader.Del(name.V)
	return nil
}

func (x *exchange) setRequestHeaders(given *structpb.Struct) error {
	headers, err := headersOf(given)
	if err != nil {
		return err
	}
	for name, values := range headers {
		x.replaceRequestHeader(name, values)
	}
	return nil
}

func (x *exchange) replaceRequestHeader(name string, values []string) {
	if strings.EqualFold(name, "host") && len(values) > 0 {
		x.upstream.hostHeader = values[len(values)-1]
		return
	}
	x.requestHeader[http.CanonicalHeaderKey(name)] = values
}

func (x *exchange) setRawBody(given *kong_plugin_protocol.ByteString) error {
	return x.replaceBody(given.V)
}
