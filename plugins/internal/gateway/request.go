// Package gateway stands between Kong's plugin development kit and net/http: it reads a request with as few calls to Kong as
// it can, for each is a round trip between two processes, and answers once. Where Kong is set up for it (kong/Dockerfile,
// kong/kong.platform.yml), that is one call to read (variable.go) and one to answer (handover.go).
package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/Kong/go-pdk"

	"github.com/plurabase/plurabase/plugins/internal/problem"
)

// maxHeaders is the most that Kong gives: above it GetHeaders fails.
const maxHeaders = 1000

// Prefix is what the gateway's routes have before the API's own paths.
const Prefix = "/api"

// head is the beginning of a request. A request that was read by one call has the headers of variable.go alone.
type head struct {
	*http.Request
	whole bool // all headers are there
}

// readHead reads method, path and headers, and checks the path. It reads no body.
func readHead(kong *pdk.PDK) (head, error) {
	if fields, ok := readVariable(kong); ok {
		request, err := fields.request()
		return head{request, false}, err
	}
	request, err := readSingly(kong)
	return head{request, true}, err
}

// readSingly asks for one thing after the other.
func readSingly(kong *pdk.PDK) (*http.Request, error) {
	method, err := kong.Request.GetMethod()
	if err != nil {
		return nil, fmt.Errorf("read the method: %w", err)
	}
	raw, err := kong.Request.GetPathWithQuery()
	if err != nil {
		return nil, fmt.Errorf("read the path: %w", err)
	}
	headers, err := readHeaders(kong)
	if err != nil {
		return nil, err
	}
	return newRequest(method, raw, headers)
}

func readHeaders(kong *pdk.PDK) (http.Header, error) {
	given, err := kong.Request.GetHeaders(maxHeaders)
	if err != nil {
		return nil, fmt.Errorf("read the headers: %w", err)
	}
	headers := make(http.Header, len(given))
	for name, values := range given {
		headers[http.CanonicalHeaderKey(name)] = values
	}
	return headers, nil
}

func newRequest(method, raw string, headers http.Header) (*http.Request, error) {
	target, err := cleanURL(raw)
	if err != nil {
		return nil, err
	}
	return &http.Request{
		Method: method, URL: target, Header: headers, Host: headers.Get("Host"), Body: http.NoBody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// cleanURL decodes a path once and refuses what is not clean then. Kong routes by the path that it normalised itself: where
// the two readings could differ, a check could be made on a path that the router never saw.
func cleanURL(raw string) (*url.URL, error) {
	target, err := url.ParseRequestURI(raw)
	if err != nil || target.Path == "" || target.IsAbs() || target.Host != "" {
		return nil, problem.BadRequest("The path is not a valid one.")
	}
	withoutSlash := strings.TrimSuffix(target.Path, "/")
	encodedSlash := strings.Contains(strings.ToLower(target.RawPath), "%2f")
	if withoutSlash != "" && path.Clean(target.Path) != withoutSlash || encodedSlash || strings.ContainsAny(target.Path, "\\\x00") {
		return nil, problem.BadRequest("The path has dots, doubled or encoded slashes in it.")
	}
	return target, nil
}

// readWrite adds what only a request that changes something needs: all headers, its body, who sends it, and an id that
// stays the same when the gateway runs the request again.
func readWrite(kong *pdk.PDK, request head) error {
	body, err := kong.Request.GetRawBody()
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	request.ContentLength = int64(len(body))
	if request.whole {
		return readSender(kong, request)
	}
	id := request.Header.Get("X-Request-Id") // the gateway's own where the client sent none
	if request.Header, err = readHeaders(kong); err != nil {
		return err
	}
	request.Header.Set("X-Request-Id", id)
	return nil
}

// readSender asks for what the variable has in it.
func readSender(kong *pdk.PDK, request head) error {
	address, err := kong.Client.GetForwardedIp()
	if err != nil {
		return fmt.Errorf("read the client's address: %w", err)
	}
	request.RemoteAddr = net.JoinHostPort(address, "0")
	if request.Header.Get("X-Request-Id") != "" {
		return nil
	}
	id, err := kong.Nginx.GetVar("request_id")
	if err != nil {
		return fmt.Errorf("read the request's id: %w", err)
	}
	request.Header.Set("X-Request-Id", id)
	return nil
}

func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// asProblem returns the problem in err, if there is one: what the client did wrong, not what Kong did.
func asProblem(err error) (*problem.Problem, bool) {
	var known *problem.Problem
	ok := errors.As(err, &known)
	return known, ok
}
