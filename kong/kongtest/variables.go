package kongtest

import (
	"net"
	"strconv"
	"strings"
	"time"
)

// variables are nginx's own, by their names without the "$". Those that begin with http_, arg_ or cookie_ are not here.
var variables = map[string]func(x *exchange) string{
	"request":         func(x *exchange) string { return x.r.Method + " " + x.r.RequestURI + " " + x.r.Proto },
	"request_method":  func(x *exchange) string { return x.method },
	"request_uri":     func(x *exchange) string { return x.target },
	"request_id":      func(x *exchange) string { return x.requestID },
	"kong_request_id": func(x *exchange) string { return x.kongRequestID },
	"args":            func(x *exchange) string { return x.upstream.query },
	"query_string":    func(x *exchange) string { return x.upstream.query },
	"is_args":         (*exchange).isArgs,
	"scheme":          func(*exchange) string { return "http" },
	"https":           func(*exchange) string { return "" },
	"host":            func(x *exchange) string { return hostOnly(x.clientHost) },
	"server_port":     func(x *exchange) string { return strconv.Itoa(x.host.port()) },
	"server_protocol": func(x *exchange) string { return x.r.Proto },
	"remote_addr":     (*exchange).clientIP,
	"remote_port":     func(x *exchange) string { return strconv.Itoa(x.clientPort()) },
	"content_type":    func(x *exchange) string { return x.headerValue("Content-Type") },
	"content_length":  func(x *exchange) string { return x.headerValue("Content-Length") },
	"upstream_scheme": func(x *exchange) string { return x.upstream.scheme },
	"upstream_uri":    func(x *exchange) string { return x.upstream.path },
	"upstream_host":   func(x *exchange) string { return x.upstream.hostHeader },

	// Those of an access log. The head of an answer is not in bytes_sent here, as it is in nginx.
	"msec":                   func(x *exchange) string { return seconds(time.Duration(time.Now().UnixNano())) },
	"status":                 func(x *exchange) string { return strconv.Itoa(x.status) },
	"bytes_sent":             func(x *exchange) string { return strconv.FormatInt(x.w.sent, 10) },
	"request_time":           func(x *exchange) string { return seconds(time.Since(x.started)) },
	"request_length":         func(x *exchange) string { return strconv.FormatInt(max(x.r.ContentLength, 0), 10) },
	"upstream_addr":          (*exchange).upstreamAddress,
	"upstream_response_time": (*exchange).upstreamTime,
}

// isVariable says whether nginx has such a variable.
func isVariable(name string) bool {
	if _, ok := variables[name]; ok {
		return true
	}
	for _, prefix := range []string{"http_", "arg_", "cookie_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// escapes are those of nginx's configuration, in a quoted text.
var escapes = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\"`, `"`, `\'`, `'`, `\\`, `\`)

// variable is the value of an nginx variable; it is empty when there is none.
func (x *exchange) variable(name string) string {
	if t, ok := x.host.proxySet[name]; ok {
		return t.expand(x.builtIn)
	}
	return x.builtIn(name)
}

// template is a quoted text of nginx's configuration: texts, and after each but the last the name of a variable.
type template struct{ texts, names []string }

func newTemplate(text string) template {
	text = escapes.Replace(text)
	var t template
	start := 0
	for _, found := range reference.FindAllStringIndex(text, -1) {
		t.texts = append(t.texts, text[start:found[0]])
		t.names = append(t.names, strings.Trim(text[found[0]:found[1]], "${}"))
		start = found[1]
	}
	t.texts = append(t.texts, text[start:])
	return t
}

func (t template) expand(value func(name string) string) string {
	var out strings.Builder
	for i, name := range t.names {
		out.WriteString(t.texts[i])
		out.WriteString(value(name))
	}
	out.WriteString(t.texts[len(t.texts)-1])
	return out.String()
}

// upstreamAddress is empty where nothing was proxied.
func (x *exchange) upstreamAddress() string {
	if x.upstream.sent.IsZero() {
		return ""
	}
	return net.JoinHostPort(x.upstream.host, x.upstream.port)
}

func (x *exchange) upstreamTime() string {
	if x.upstream.sent.IsZero() {
		return ""
	}
	return seconds(time.Since(x.upstream.sent))
}

func (x *exchange) builtIn(name string) string {
	if f, ok := variables[name]; ok {
		return f(x)
	}
	if header, ok := strings.CutPrefix(name, "http_"); ok {
		return x.headerVariable(strings.ReplaceAll(header, "_", "-"))
	}
	if argument, ok := strings.CutPrefix(name, "arg_"); ok {
		return rawArgument(x.upstream.query, argument)
	}
	if cookie, ok := strings.CutPrefix(name, "cookie_"); ok {
		if c, err := x.r.Cookie(cookie); err == nil {
			return c.Value
		}
	}
	return ""
}

// headerVariable joins the values of a header that came several times, as nginx does since 1.23.
func (x *exchange) headerVariable(name string) string {
	if strings.EqualFold(name, "host") {
		return x.clientHost
	}
	separator := ", "
	if strings.EqualFold(name, "cookie") {
		separator = "; "
	}
	return strings.Join(x.requestHeader.Values(name), separator)
}

// rawArgument finds a query argument and leaves it escaped; nginx compares names without regard to case.
func rawArgument(query, name string) string {
	for part := range strings.SplitSeq(query, "&") {
		key, value, found := strings.Cut(part, "=")
		if found && strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

func (x *exchange) isArgs() string {
	if x.upstream.query == "" {
		return ""
	}
	return "?"
}

// port is the port at which the host serves.
func (h *Host) port() int {
	return h.listener.Addr().(*net.TCPAddr).Port
}
