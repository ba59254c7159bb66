package dataplane

import (
	"crypto/sha256"
	"net/url"
	"strings"

	"github.com/plurabase/plurabase/store"
)

// realtimeHost is the host that Realtime is asked by: it takes the first label of it for the tenant.
const realtimeHost = store.RealtimeTenant + ".realtime"

const (
	// opaquePrefix is what the keys begin with that are made and revoked, and that no service knows.
	opaquePrefix = "sb_"
	// secretPrefix is what those of them begin with that nobody but the project's own servers has.
	secretPrefix = "sb_secret_"
)

// TemporaryPrefix makes an API key of a JWT that says KindTemporary. Studio knows by it what it has to ask for again.
const TemporaryPrefix = "sb_temp_"

// headers checks the API key and says what the service is sent: a JWT where the caller has an opaque key, and whatever else
// upstream's gateway adds.
func (g *Gateway) headers(p *project, w way, r Request, query string) (map[string]string, *Refusal) {
	headers := make(map[string]string, 4)
	if w.profile != "" {
		headers["content-profile"] = w.profile
	}
	if w.service == realtime {
		headers["host"] = realtimeHost
	}
	if w.admission == open {
		return headers, nil
	}
	key := r.APIKey
	if key == "" {
		key = queryKey(query)
	}
	bearer := bearerOf(r.Authorization)
	if key == "" && strings.HasPrefix(bearer, opaquePrefix) {
		key = bearer
	}
	if refusal := g.legacyBearer(p, bearer); refusal != nil {
		return nil, refusal
	}
	if w.service == functions {
		return g.functionHeaders(p, headers, key, r)
	}
	if key == "" {
		if w.admission == keyed {
			return nil, noKey
		}
		return withAuthorization(headers, r.Authorization), nil
	}
	token, refusal := g.open(p, key, r, w.service == realtime)
	if refusal != nil {
		return nil, refusal
	}
	if w.service == realtime {
		headers["x-api-key"] = token
	}
	if r.Authorization == "" || strings.HasPrefix(bearer, opaquePrefix) {
		return withAuthorization(headers, "Bearer "+token), nil
	}
	return withAuthorization(headers, r.Authorization), nil
}

// withAuthorization sets the header that was looked at, so that a second one of its name does not go on beside it.
func withAuthorization(headers map[string]string, value string) map[string]string {
	headers["authorization"] = value
	return headers
}

// functionHeaders leaves a function's caller as they are: functions have webhooks, and keys of their own making. A key of the
// project's is told to the function as a JWT, in a header that nobody else can set.
func (g *Gateway) functionHeaders(p *project, headers map[string]string, key string, r Request) (map[string]string, *Refusal) {
	headers["sb-api-key"] = ""
	if !strings.HasPrefix(key, opaquePrefix) {
		return headers, nil
	}
	token, refusal := g.open(p, key, r, false)
	headers["sb-api-key"] = token
	return headers, refusal
}

// open checks an API key and returns the JWT that it stands for.
func (g *Gateway) open(p *project, key string, r Request, lasting bool) (string, *Refusal) {
	if token, temporary := strings.CutPrefix(key, TemporaryPrefix); temporary {
		return g.openJWT(p, token, r)
	}
	if !strings.HasPrefix(key, opaquePrefix) {
		return g.openJWT(p, key, r)
	}
	digest := sha256.Sum256([]byte(key))
	for i := range p.keys {
		found := &p.keys[i]
		if found.digest != digest {
			continue
		}
		if found.secret && isBrowser(r.UserAgent) {
			return "", inBrowser
		}
		now := g.now()
		found.used.Store(now.Unix())
		token, err := p.mint(g.table.source, i, lasting, now)
		return token, g.broken(p, err)
	}
	if strings.HasPrefix(key, secretPrefix) {
		g.guesses.count(p, r.Client, key, g.now())
	}
	return "", wrongKey
}

// openJWT checks a key that is a JWT: a legacy one, or one that the platform has made for a while.
func (g *Gateway) openJWT(p *project, key string, r Request) (string, *Refusal) {
	found, err := p.tokens.verify(g.table.source, p.GatewayProject, key, g.now())
	switch {
	case err != nil:
		return "", g.broken(p, err)
	case found.kind == legacyKey && !p.LegacyKeys:
		return "", legacyOff
	case found.kind == legacyKey || found.kind == temporaryKey:
		if found.use != nil {
			found.use.at.Store(g.now().Unix())
		}
		return key, nil
	case found.kind == forgedSecret:
		g.guesses.count(p, r.Client, key, g.now())
	}
	return "", wrongKey
}

// legacyBearer refuses a legacy key in place of a session where the legacy keys are off: the services would take it.
func (g *Gateway) legacyBearer(p *project, bearer string) *Refusal {
	if p.LegacyKeys || bearer == "" || strings.HasPrefix(bearer, opaquePrefix) {
		return nil
	}
	found, err := p.tokens.verify(g.table.source, p.GatewayProject, bearer, g.now())
	if err != nil {
		return g.broken(p, err)
	}
	if found.kind == legacyKey {
		return legacyOff
	}
	return nil
}

// broken says nothing of why a project's secret cannot be opened but to the log.
func (g *Gateway) broken(p *project, err error) *Refusal {
	if err == nil {
		return nil
	}
	g.log.Error("a project's secret cannot be used", "project", p.Ref, "error", err.Error())
	return noSecret
}

// bearerOf is the token of an Authorization header; empty for other schemes, such as that of S3.
func bearerOf(authorization string) string {
	const scheme = "Bearer "
	if len(authorization) < len(scheme) || !strings.EqualFold(authorization[:len(scheme)], scheme) {
		return ""
	}
	return strings.TrimSpace(authorization[len(scheme):])
}

// queryKey finds the key where WebSockets of browsers have it, which cannot send headers.
func queryKey(query string) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if value, found := strings.CutPrefix(pair, "apikey="); found {
			if decoded, err := url.QueryUnescape(value); err == nil {
				return decoded
			}
		}
	}
	return ""
}

// serverMarks are in the User-Agent of programs that call themselves a browser, and are none.
var serverMarks = []string{"jsdom/", "PowerShell/"}

// isBrowser tells browsers, whose User-Agent begins with the name of the first of them.
func isBrowser(userAgent string) bool {
	if !strings.HasPrefix(userAgent, "Mozilla/") {
		return false
	}
	for _, mark := range serverMarks {
		if strings.Contains(userAgent, mark) {
			return false
		}
	}
	return true
}
