package kongtest

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// corsPriority makes cors run before authentication (PRIORITY in its handler.lua).
const corsPriority = 2000

// Headers of the Fetch standard.
const (
	allowOrigin      = "Access-Control-Allow-Origin"
	allowCredentials = "Access-Control-Allow-Credentials"
	allowHeaders     = "Access-Control-Allow-Headers"
)

// cors is Kong's plugin of that name (kong/plugins/cors).
type cors struct {
	Origins           []string `json:"origins"`
	Headers           []string `json:"headers"`
	ExposedHeaders    []string `json:"exposed_headers"`
	Methods           []string `json:"methods"`
	MaxAge            *float64 `json:"max_age"` // In seconds.
	Credentials       bool     `json:"credentials"`
	PrivateNetwork    bool     `json:"private_network"`
	PreflightContinue bool     `json:"preflight_continue"`

	origins []origin
}

// origin is one of the allowed origins. One that is written without a scheme or port is compared with the host alone if
// it is an expression.
type origin struct {
	exact      string
	expression *regexp.Regexp
	hostOnly   bool
}

// plainOrigin is what Kong takes for an origin and not for an expression.
var plainOrigin = regexp.MustCompile(`^[A-Za-z0-9.:/-]+$`)

func newCORS(config map[string]any) (*cors, error) {
	c := &cors{Methods: []string{"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"}}
	if err := decodeConfig(config, c); err != nil {
		return nil, err
	}
	for _, text := range c.Origins {
		if text == "*" {
			continue
		}
		o := origin{hostOnly: !strings.Contains(text, ":")}
		if plainOrigin.MatchString(text) {
			o.exact, _ = normalizeOrigin(text)
		} else {
			expression, err := regexp.Compile("^(?:" + strings.TrimSuffix(strings.TrimPrefix(text, "^"), "$") + ")$")
			if err != nil {
				return nil, fmt.Errorf("read an origin: %w", err)
			}
			o.expression = expression
		}
		c.origins = append(c.origins, o)
	}
	return c, nil
}

func (c *cors) run(x *exchange, p phase) {
	switch {
	case p == access && isPreflight(x):
		x.skipCORS = true
		if !c.PreflightContinue {
			c.answerPreflight(x)
		}
	case p == headerFilter && !x.skipCORS:
		c.allow(x, true)
		if len(c.ExposedHeaders) > 0 {
			x.header.Set("Access-Control-Expose-Headers", strings.Join(c.ExposedHeaders, ","))
		}
	}
}

func isPreflight(x *exchange) bool {
	return x.method == http.MethodOptions && x.requestHeader.Get("Origin") != "" &&
		x.requestHeader.Get("Access-Control-Request-Method") != ""
}

func (c *cors) answerPreflight(x *exchange) {
	c.allow(x, false)
	if len(c.Headers) > 0 {
		x.header.Set(allowHeaders, strings.Join(c.Headers, ","))
	} else if asked := x.requestHeader.Get("Access-Control-Request-Headers"); asked != "" {
		x.header.Set(allowHeaders, asked)
	}
	x.header.Set("Access-Control-Allow-Methods", strings.Join(c.Methods, ","))
	if c.MaxAge != nil {
		x.header.Set("Access-Control-Max-Age", strconv.FormatFloat(*c.MaxAge, 'g', -1, 64))
	}
	if c.PrivateNetwork && x.requestHeader.Get("Access-Control-Request-Private-Network") == "true" {
		x.header.Set("Access-Control-Allow-Private-Network", "true")
	}
	x.answer = &answer{status: http.StatusOK}
}

// allow sets the headers that say who may read the answer. Before others may have set a Vary header, it replaces it.
func (c *cors) allow(x *exchange, addVary bool) {
	anyone := c.allowOrigin(x, addVary)
	if !c.Credentials {
		return
	}
	if anyone {
		asking := x.requestHeader.Get("Origin")
		if asking == "" {
			return
		}
		// "*" does not go with credentials.
		vary(x, addVary)
		x.header.Set(allowOrigin, asking)
	}
	x.header.Set(allowCredentials, "true")
}

// allowOrigin sets the origin, and says whether it is everyone's.
func (c *cors) allowOrigin(x *exchange, addVary bool) (anyone bool) {
	if len(c.Origins) == 0 || (len(c.Origins) == 1 && c.Origins[0] == "*") {
		x.header.Set(allowOrigin, "*")
		return true
	}
	vary(x, addVary)
	if len(c.Origins) == 1 && plainOrigin.MatchString(c.Origins[0]) {
		// A single origin is named to everyone; the browser compares.
		x.header.Set(allowOrigin, c.Origins[0])
		return false
	}
	if asking := x.requestHeader.Get("Origin"); asking != "" {
		if len(c.origins) < len(c.Origins) {
			x.header.Set(allowOrigin, "*")
			return true
		}
		domain, host := normalizeOrigin(asking)
		for _, o := range c.origins {
			if o.matches(domain, host) {
				x.header.Set(allowOrigin, domain)
				return false
			}
		}
	}
	x.header.Del(allowOrigin)
	return false
}

func (o origin) matches(domain, host string) bool {
	switch {
	case o.expression == nil:
		return o.exact == domain
	case o.hostOnly:
		return o.expression.MatchString(host)
	default:
		return o.expression.MatchString(domain)
	}
}

func vary(x *exchange, add bool) {
	if add {
		x.header.Add("Vary", "Origin")
	} else {
		x.header.Set("Vary", "Origin")
	}
}

// normalizeOrigin leaves out the scheme's own port.
func normalizeOrigin(text string) (domain, host string) {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Hostname() == "" {
		return text, text
	}
	port := parsed.Port()
	if (parsed.Scheme == "http" && port == "80") || (parsed.Scheme == "https" && port == "443") {
		port = ""
	}
	domain = parsed.Hostname()
	if parsed.Scheme != "" {
		domain = parsed.Scheme + "://" + domain
	}
	if port != "" {
		domain += ":" + port
	}
	return domain, parsed.Hostname()
}
