package kongtest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/types/known/structpb"
)

// Statuses that Kong lets a plugin set.
const (
	lowestStatus  = 100
	highestStatus = 599
	// lowestFinal is the lowest status that ends an exchange.
	lowestFinal = 200
)

// responseMethods are kong.response and kong.service.response (kong/pdk/response.lua, service/response.lua).
var responseMethods = map[string]method{
	"kong.response.get_status":   integer(answerPhases, func(x *exchange) int { return x.status }),
	"kong.response.get_header":   ask(answerPhases, (*exchange).askResponseHeader),
	"kong.response.get_headers":  ask(answerPhases, (*exchange).askResponseHeaders),
	"kong.response.get_source":   text(answerPhases, (*exchange).source),
	"kong.response.set_status":   tell(requestPhases, (*exchange).setStatus),
	"kong.response.set_header":   tell(requestPhases, (*exchange).setHeader),
	"kong.response.add_header":   tell(requestPhases, (*exchange).addHeader),
	"kong.response.clear_header": tell(requestPhases, (*exchange).clearHeader),
	"kong.response.set_headers":  tell(requestPhases, (*exchange).setHeaders),
	"kong.response.exit":         tell(requestPhases, (*exchange).exit),

	"kong.service.response.get_status":   integer(response, func(x *exchange) int { return x.upstream.response.StatusCode }),
	"kong.service.response.get_header":   ask(response, (*exchange).askUpstreamHeader),
	"kong.service.response.get_headers":  ask(response, (*exchange).askUpstreamHeaders),
	"kong.service.response.get_raw_body": text(response, func(x *exchange) string { return string(x.upstream.body) }),
}

func (x *exchange) askResponseHeader(name *kong_plugin_protocol.String) ([]byte, error) {
	return encodeText(x.header.Get(name.V)), nil
}

func (x *exchange) askResponseHeaders(most *kong_plugin_protocol.Int) ([]byte, error) {
	return encodeHeaders(x.header, most)
}

func (x *exchange) askUpstreamHeader(name *kong_plugin_protocol.String) ([]byte, error) {
	return encodeText(x.upstream.response.Header.Get(name.V)), nil
}

func (x *exchange) askUpstreamHeaders(most *kong_plugin_protocol.Int) ([]byte, error) {
	return encodeHeaders(x.upstream.response.Header, most)
}

func encodeHeaders(header http.Header, most *kong_plugin_protocol.Int) ([]byte, error) {
	if err := checkMost("max_headers", most); err != nil {
		return nil, err
	}
	return encodePairs(firstByName(headerPairs(header), int(most.V))), nil
}

// source says who made the response.
func (x *exchange) source() string {
	switch {
	case x.answer != nil:
		return "exit"
	case x.proxied:
		return "service"
	default:
		return "error"
	}
}

func checkStatus(status int32) error {
	if status < lowestStatus || status > highestStatus {
		return fmt.Errorf("code must be a number between %d and %d", lowestStatus, highestStatus)
	}
	return nil
}

func (x *exchange) setStatus(status *kong_plugin_protocol.Int) error {
	if err := checkStatus(status.V); err != nil {
		return err
	}
	x.status = int(status.V)
	return nil
}

func (x *exchange) setHeader(given *kong_plugin_protocol.KV) error {
	value, err := headerOf(given)
	if err == nil && !x.isTransferEncoding(given.K) {
		x.header.Set(given.K, value)
	}
	return err
}

func (x *exchange) addHeader(given *kong_plugin_protocol.KV) error {
	value, err := headerOf(given)
	if err == nil {
		x.header.Add(given.K, value)
	}
	return err
}

func (x *exchange) clearHeader(name *kong_plugin_protocol.String) error {
	x.header.Del(name.V)
	return nil
}

func (x *exchange) setHeaders(given *structpb.Struct) error {
	headers, err := headersOf(given)
	if err != nil {
		return err
	}
	for name, values := range headers {
		if !x.isTransferEncoding(name) {
			x.header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return nil
}

// isTransferEncoding refuses the one header that nginx sets itself.
func (x *exchange) isTransferEncoding(name string) bool {
	if !strings.EqualFold(strings.ReplaceAll(name, "_", "-"), "transfer-encoding") {
		return false
	}
	x.logger.Warn("manually setting Transfer-Encoding. Ignored.")
	return true
}

// exit answers the request. The plugin's call gets no answer: Kong ends the event there.
func (x *exchange) exit(given *kong_plugin_protocol.ExitArgs) error {
	if err := checkStatus(given.Status); err != nil {
		return err
	}
	if given.Status < lowestFinal {
		return errors.New("a status below 200 makes Kong hang")
	}
	headers, err := headersOf(given.Headers)
	if err != nil {
		return err
	}
	x.answer = &answer{status: int(given.Status), header: http.Header{}, body: given.Body}
	for name, values := range headers {
		if !x.isTransferEncoding(name) {
			x.answer.header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return errExited
}
