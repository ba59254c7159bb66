package kongtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plurabase/plurabase/kong/kongtest/internal/router"
	"github.com/plurabase/plurabase/kong/render"
)

// service is an upstream and the way to it.
type service struct {
	render.Service
	transport *http.Transport
	proxy     *httputil.ReverseProxy
}

// upstream is the request that goes to the service. Plugins may change it until it is sent.
type upstream struct {
	scheme     string
	host       string // What to connect to: a name or an address.
	port       string
	hostHeader string // Empty until something has set it; then it is the one that is sent.
	path       string // Escaped, ready to be sent.
	query      string
	forceQuery bool   // The query is empty, but has its "?".
	prefix     string // What the route took away from the path.
	sent       time.Time
	response   *http.Response
	body       []byte // The response's, when a response phase runs.
}

// exchangeKey finds the exchange in the context of the request to the upstream.
type exchangeKey struct{}

func newService(config render.Service) *service {
	dialer := &timeoutDialer{
		connect: net.Dialer{Timeout: config.ConnectTimeout}, read: config.ReadTimeout, write: config.WriteTimeout,
	}
	s := &service{Service: config, transport: &http.Transport{
		DialContext: dialer.dial,
		// nginx asks for no compression of its own, keeps idle connections for 60 s, and passes on what it gets.
		DisableCompression: true,
		IdleConnTimeout:    60 * time.Second,
		// Kong's upstream_keepalive_pool_size.
		MaxIdleConnsPerHost: 512,
	}}
	s.proxy = &httputil.ReverseProxy{
		Transport:      &retrier{next: s.transport, retries: config.Retries},
		Rewrite:        func(r *httputil.ProxyRequest) { exchangeOf(r.Out.Context()).writeUpstream(r.Out) },
		ModifyResponse: func(r *http.Response) error { return exchangeOf(r.Request.Context()).readUpstream(r) },
		ErrorHandler:   func(_ http.ResponseWriter, r *http.Request, err error) { exchangeOf(r.Context()).proxyFailed(err) },
		FlushInterval:  -1,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	return s
}

func exchangeOf(ctx context.Context) *exchange {
	return ctx.Value(exchangeKey{}).(*exchange)
}

// aim points the upstream request at the route's service, as the router does before any plugin runs.
func (x *exchange) aim(matched string) {
	service, u := x.route.service, &x.upstream
	u.scheme, u.host, u.port = service.URL.Scheme, service.URL.Hostname(), service.URL.Port()
	if u.port == "" {
		u.port = map[string]string{"http": "80", "https": "443"}[u.scheme]
	}
	if x.route.PreserveHost {
		u.hostHeader = x.clientHost
	}
	if x.route.StripPath && matched != "/" {
		u.prefix = matched
	}
	u.path = router.Escape(router.UpstreamPath(service.URL.EscapedPath(), x.path(), matched, x.route.StripPath))
}

// proxy sends the request to the upstream, and its response to the client.
func (x *exchange) proxy() {
	if !x.canConnect() {
		x.fail(http.StatusInternalServerError, "An unexpected error occurred")
		x.send()
		return
	}
	x.upstream.sent = time.Now()
	request := x.r.WithContext(context.WithValue(x.r.Context(), exchangeKey{}, x))
	request.Header = x.requestHeader
	if !strings.EqualFold(request.Header.Get("Upgrade"), "websocket") {
		// Kong upgrades to nothing else.
		request.Header.Del("Upgrade")
	}
	if x.body.read {
		content, err := x.body.open()
		if err != nil {
			x.proxyFailed(err)
			return
		}
		defer func() { _ = content.Close() }()
		request.Body, request.ContentLength, request.TransferEncoding = content, x.body.size, nil
	}
	x.route.service.proxy.ServeHTTP(x.w, request)
}

// canConnect refuses what Kong's balancer can't do: when a service's url holds an address, Kong resolves no names for
// it, so a plugin may not set a target by name (balancer_data.type in kong/runloop/balancer/init.lua).
func (x *exchange) canConnect() bool {
	_, serviceErr := netip.ParseAddr(x.route.service.URL.Hostname())
	_, targetErr := netip.ParseAddr(x.upstream.host)
	if serviceErr == nil && targetErr != nil {
		x.logger.Error("a target was set by name, but the service's url holds an address: Kong resolves no name for it",
			"service", x.route.service.Name, "target", x.upstream.host)
		return false
	}
	return true
}

// writeUpstream writes the request that the upstream gets.
func (x *exchange) writeUpstream(out *http.Request) {
	u := &x.upstream
	out.URL = &url.URL{
		Scheme: u.scheme, Host: net.JoinHostPort(u.host, u.port),
		// Opaque is sent as it is; Path would be escaped once more.
		Opaque: u.path, RawQuery: u.query, ForceQuery: u.forceQuery,
	}
	out.Method = x.method
	out.Host = u.hostHeader
	if out.Host == "" {
		out.Host = defaultHostHeader(u)
	}

	header := out.Header // The request's, without what concerns only the connection to the client.
	if forwarded, ok := x.requestHeader["Forwarded"]; ok {
		header["Forwarded"] = forwarded // Go's proxy drops it, nginx does not.
	}
	x.setForwarded(header)
}

// defaultHostHeader is the target with its port, unless that is the scheme's (set_host_header in balancer/init.lua).
func defaultHostHeader(u *upstream) string {
	if (u.scheme == "http" && u.port == "80") || (u.scheme == "https" && u.port == "443") {
		return u.host
	}
	return net.JoinHostPort(u.host, u.port)
}

// setForwarded sets the headers that tell the upstream of the client. No proxy in front is trusted, so what the client
// sent counts only for X-Forwarded-For, to which Kong always adds.
func (x *exchange) setForwarded(header http.Header) {
	ip := x.clientIP()
	forwardedFor := ip
	if before := x.requestHeader.Get("X-Forwarded-For"); before != "" {
		forwardedFor = before + ", " + ip
	}
	header.Set("X-Forwarded-For", forwardedFor)
	header.Set("X-Forwarded-Proto", "http")
	header.Set("X-Forwarded-Host", hostOnly(x.clientHost))
	header.Set("X-Forwarded-Port", strconv.Itoa(x.host.port()))
	header.Set("X-Forwarded-Path", x.rawPath())
	header.Del("X-Forwarded-Prefix")
	if x.upstream.prefix != "" {
		header.Set("X-Forwarded-Prefix", x.upstream.prefix)
	}
	header.Set("X-Real-Ip", ip)
	header.Set("Via", joinVia(x.requestHeader.Get("Via")))
	header.Set("X-Kong-Request-Id", x.kongRequestID)
}

// singleHeaders are those of which the upstream's replaces a plugin's; of others, both are sent.
var singleHeaders = []string{"Content-Type", "Content-Length", "Content-Encoding", "Date", "Etag", "Last-Modified", "Location", "Server"}

// readUpstream takes the upstream's response over, runs the response phase, and makes the headers that the client gets.
func (x *exchange) readUpstream(r *http.Response) error {
	x.proxied = true
	x.upstream.response = r
	for name, values := range r.Header {
		if slices.Contains(singleHeaders, name) {
			x.header[name] = values
		} else {
			x.header[name] = append(x.header[name], values...)
		}
	}
	x.status = r.StatusCode
	if x.hasResponsePhase() && r.StatusCode != http.StatusSwitchingProtocols {
		if err := x.runResponsePhase(r); err != nil {
			return err
		}
	}
	if x.answer != nil {
		return errExited
	}
	x.filterHeaders()
	if x.header.Get("Content-Type") == "" {
		x.w.Header()["Content-Type"] = nil // Go would guess one.
	}
	r.Header, r.StatusCode = x.header, x.status
	return nil
}

func (x *exchange) hasResponsePhase() bool {
	return slices.ContainsFunc(x.plugins, func(p plugin) bool {
		g, ok := p.handler.(*goPlugin)
		return ok && slices.Contains(g.server.Info.Phases, response.String())
	})
}

// runResponsePhase reads the whole response first: a plugin that has this phase makes Kong buffer it.
func (x *exchange) runResponsePhase(r *http.Response) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read the upstream's response: %w", err)
	}
	_ = r.Body.Close()
	x.upstream.body = data
	restored := body{data: data}
	if r.Body, err = restored.open(); err != nil {
		return err
	}
	x.runUntilAnswer(response)
	return nil
}

// proxyFailed answers for an upstream that did not.
func (x *exchange) proxyFailed(err error) {
	var dns *net.DNSError
	switch {
	case errors.Is(err, errExited):
		// A plugin answered in the response phase, with a body of its own length.
		x.header.Del("Content-Length")
		x.send()
		return
	case errors.Is(err, context.Canceled):
		x.logger.Debug("client has gone", "error", err)
		return
	case errors.As(err, &dns):
		x.fail(http.StatusServiceUnavailable, "name resolution failed")
	case errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err):
		x.fail(http.StatusGatewayTimeout, "The upstream server is timing out")
	default:
		x.fail(http.StatusBadGateway, "An invalid response was received from the upstream server")
	}
	x.logger.Warn("upstream failed", "service", x.route.service.Name, "error", err)
	x.send()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// hostOnly is a host without its port, in lower case, as nginx's $host.
func hostOnly(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return strings.ToLower(host)
}
