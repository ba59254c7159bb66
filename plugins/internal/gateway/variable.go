package gateway

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/Kong/go-pdk"
)

// Variable is the nginx variable that holds the head of a request, so that one call reads all of it. The gateway defines
// it by the directive `set` with VariableText, which Kong takes from KONG_NGINX_PROXY_SET.
const Variable = "plurabase"

// The variable's fields, and what nginx calls them. A line feed parts them: nginx refuses it in a request line and in
// a header's value, of HTTP/1 and HTTP/2, so that no client can make one field into two. Whatever has another number of
// fields is not believed, and the request is read by single calls.
const (
	fieldMethod    = iota // as it came
	fieldTarget           // path and query, as they came
	fieldAddress          // the client's, behind the proxies that Kong trusts
	fieldRequestID        // the gateway's own id
	fieldHeaders          // from here on: headers
)

var variableFields = append([]string{"request_method", "request_uri", "remote_addr", "request_id"}, headerVariables()...)

// readHeadersOnly are the headers that a request that only reads needs, by their names in http.Header.
var readHeadersOnly = []string{
	"Host", "X-Request-Id", "Accept", "Content-Type", "Apikey", "User-Agent", "X-Connection-Encrypted", "Authorization",
}

func headerVariables() []string {
	names := make([]string, len(readHeadersOnly))
	for i, name := range readHeadersOnly {
		names[i] = "http_" + strings.ReplaceAll(strings.ToLower(name), "-", "_")
	}
	return names
}

// VariableText is the variable's text, in nginx's notation.
func VariableText() string { return "$" + strings.Join(variableFields, `\n$`) }

// fields are the values in the variable.
type fields []string

// readVariable reads the variable. It tells false where the gateway does not define it.
func readVariable(kong *pdk.PDK) (fields, bool) {
	text, err := kong.Nginx.GetVar(Variable)
	if err != nil || text == "" { // an error is one of decoding: the call was made, and others can be
		return nil, false
	}
	read := fields(strings.Split(text, "\n"))
	return read, len(read) == len(variableFields)
}

// header returns the value of one of readHeadersOnly.
func (f fields) header(name string) string {
	return f[fieldHeaders+slices.Index(readHeadersOnly, name)]
}

func (f fields) request() (*http.Request, error) {
	headers := make(http.Header, len(readHeadersOnly))
	for i, name := range readHeadersOnly {
		if value := f[fieldHeaders+i]; value != "" {
			headers[name] = []string{value}
		}
	}
	if headers["X-Request-Id"] == nil {
		headers["X-Request-Id"] = []string{f[fieldRequestID]}
	}
	request, err := newRequest(f[fieldMethod], f[fieldTarget], headers)
	if err != nil {
		return nil, err
	}
	request.RemoteAddr = net.JoinHostPort(f[fieldAddress], "0")
	return request, nil
}
