package kongtest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/plurabase/plurabase/kong/kongtest/internal/router"
)

// exchange is one request and its answer on their way through the gateway.
type exchange struct {
	host    *Host
	gateway *gateway
	w       *countedWriter
	r       *http.Request
	logger  *slog.Logger
	started time.Time

	requestID     string // nginx's $request_id.
	kongRequestID string // Kong's own, which clients and upstreams get.
	target        string // The path and the query as they were sent.
	clientHost    string // The request's Host, with its port.
	method        string // Plugins may change it; so they may the headers.
	requestHeader http.Header
	phase         phase
	route         *route   // nil until one matched.
	plugins       []plugin // The route's, or the global ones.

	shared   map[string]*structpb.Value // kong.ctx.shared.
	nginxCtx map[string]*structpb.Value // ngx.ctx.
	skipCORS bool                       // The cors plugin's own note, that the preflight was left to the upstream.
	body     body
	upstream upstream
	proxied  bool // The answer is an upstream's.
	header   http.Header
	answer   *answer // Set when a plugin, or the gateway itself, has answered.
	status   int     // What was sent to the client.

	held []io.Closer // Connections of events that ended early.
}

// answer is what is sent in place of an upstream's response.
type answer struct {
	status int
	header http.Header // These replace what plugins have set before.
	body   []byte
}

func newExchange(h *Host, w http.ResponseWriter, r *http.Request) *exchange {
	id := newID()
	x := &exchange{
		host: h, gateway: h.gateway.Load(), w: &countedWriter{ResponseWriter: w}, r: r, started: time.Now(),
		requestID: newID(), kongRequestID: id, logger: h.logger.With("request_id", id),
		target: requestTarget(r), clientHost: r.Host, method: r.Method, requestHeader: r.Header.Clone(),
		shared: map[string]*structpb.Value{}, nginxCtx: map[string]*structpb.Value{}, header: http.Header{},
	}
	x.plugins = x.gateway.global
	x.upstream = upstream{query: r.URL.RawQuery, forceQuery: r.URL.ForceQuery}
	return x
}

// requestTarget is the path and query as sent. A proxy's request names the host too; nginx takes it away.
func requestTarget(r *http.Request) string {
	if r.URL.Host == "" {
		return r.RequestURI
	}
	_, behind, _ := strings.Cut(r.RequestURI, "://")
	start := strings.IndexAny(behind, "/?")
	if start < 0 {
		return "/"
	}
	return behind[start:]
}

// rawPath is the path as it was sent.
func (x *exchange) rawPath() string {
	path, _, _ := strings.Cut(x.target, "?")
	return path
}

// path is the path as routes see it.
func (x *exchange) path() string {
	return router.Normalize(x.rawPath())
}

// serve runs the request's phases.
func (x *exchange) serve() {
	if nginxRefuses(x.rawPath()) {
		x.fail(http.StatusBadRequest, "Bad request")
		x.send()
		return
	}
	if !x.runUntilAnswer(rewrite) && !x.match() && !x.runUntilAnswer(access) {
		x.proxy()
		return
	}
	x.send()
}

// runUntilAnswer runs a phase of the plugins, and says whether one of them has answered.
func (x *exchange) runUntilAnswer(p phase) bool {
	x.phase = p
	for _, plugin := range x.plugins {
		plugin.run(x, p)
		if x.answer != nil {
			return true
		}
	}
	return false
}

// match finds the route. It answers, and says so, when there is none that could go on.
func (x *exchange) match() (answered bool) {
	x.phase = access
	found, ok := x.gateway.router.Match(x.r.Method, x.clientHost, x.path())
	if !ok {
		x.fail(http.StatusNotFound, "no Route matched with those values")
		return true
	}
	x.route = x.gateway.routes[found.Route]
	x.plugins = x.route.plugins
	if len(x.route.unknown) > 0 {
		x.fail(http.StatusNotImplemented, fmt.Sprintf(
			"kongtest, a stand-in for Kong, does not have the plugins of this route: %s", strings.Join(x.route.unknown, ", "),
		))
		return true
	}
	if !slices.Contains(x.route.Protocols, "http") {
		x.fail(http.StatusUpgradeRequired, "Please use HTTPS protocol")
		x.answer.header.Set("Connection", "Upgrade")
		x.answer.header.Set("Upgrade", "TLS/1.2, HTTP/1.1")
		return true
	}
	x.aim(found.Matched)
	return false
}

// nginxRefuses says whether nginx answers 400 before Kong sees the request: a path that leaves the root, or a zero byte.
func nginxRefuses(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "%00") {
		return true
	}
	depth := 0
	for _, segment := range strings.Split(strings.ReplaceAll(strings.ReplaceAll(path, "%2e", "."), "%2E", "."), "/") {
		switch segment {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return true
		}
	}
	return false
}

// Hold keeps a plugin's connection open until the request has ended.
func (x *exchange) Hold(connection io.Closer) {
	x.held = append(x.held, connection)
}

// end lets go of what the request held, and runs the log phase. The client has its answer by now.
func (x *exchange) end() {
	x.release()
	if err := x.body.remove(); err != nil {
		x.logger.Error("request body's file not removed", "error", err)
	}
	x.host.underway.Add(1)
	go func() {
		defer x.host.underway.Done()
		x.phase = logging
		for _, plugin := range x.plugins {
			plugin.run(x, logging)
		}
		if x.host.accessLog != nil {
			x.host.accessLog.write(x)
		}
		x.release()
	}()
}

func (x *exchange) release() {
	for _, connection := range x.held {
		_ = connection.Close() // Whatever it says, the event is over.
	}
	x.held = nil
}

// clientIP is the address of the connection's other end.
func (x *exchange) clientIP() string {
	address, err := netip.ParseAddrPort(x.r.RemoteAddr)
	if err != nil {
		return x.r.RemoteAddr
	}
	return address.Addr().String()
}

// newID makes an id as nginx's $request_id: 32 hexadecimal digits.
func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// newUUID makes a random UUID (RFC 9562, version 4).
func newUUID() string {
	var id [16]byte
	rand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
