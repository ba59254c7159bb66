package kong_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/plurabase/plurabase/store"
)

// admission is what a path asks of a key.
type admission int

const (
	keyed    admission = iota
	storage            // without a key it goes on as it is
	function           // only what looks like a key of the platform's has to be one
	open
)

// paths are those of a project, with what their service is to be asked.
var paths = []struct {
	path, service, upstream string
	admission               admission
}{
	{"/auth/v1/token?grant_type=password", store.ServiceAuth, "/token?grant_type=password", keyed},
	{"/auth/v1/signup", store.ServiceAuth, "/signup", keyed},
	{"/auth/v1/admin/users", store.ServiceAuth, "/admin/users", keyed},
	{"/auth/v1/verify?token=a&type=signup", store.ServiceAuth, "/verify?token=a&type=signup", open},
	{"/auth/v1/callback?code=1", store.ServiceAuth, "/callback?code=1", open},
	{"/auth/v1/authorize?provider=github", store.ServiceAuth, "/authorize?provider=github", open},
	{"/auth/v1/.well-known/jwks.json", store.ServiceAuth, "/.well-known/jwks.json", open},
	{"/sso/saml/acs", store.ServiceAuth, "/sso/saml/acs", open},
	{"/sso/saml/metadata", store.ServiceAuth, "/sso/saml/metadata", open},
	{"/.well-known/oauth-authorization-server", store.ServiceAuth, "/.well-known/oauth-authorization-server", open},
	{"/rest/v1/", store.ServiceRest, "/", keyed},
	{"/rest/v1/todos?select=*&name=eq.a%2Fb", store.ServiceRest, "/todos?select=*&name=eq.a%2Fb", keyed},
	{"/graphql/v1", store.ServiceRest, "/rpc/graphql", keyed},
	{"/realtime/v1/websocket?vsn=1.0.0", store.ServiceRealtime, "/socket/websocket?vsn=1.0.0", keyed},
	{"/realtime/v1/api/broadcast", store.ServiceRealtime, "/api/broadcast", keyed},
	{"/storage/v1/bucket", store.ServiceStorage, "/bucket", storage},
	{"/storage/v1/object/public/b/a%20b%2Fc.png", store.ServiceStorage, "/object/public/b/a%20b%2Fc.png", storage},
	{"/storage/v1/object/sign/b/c.png?token=x", store.ServiceStorage, "/object/sign/b/c.png?token=x", storage},
	{"/storage/v1/s3/b/c?X-Amz-Signature=0", store.ServiceStorage, "/s3/b/c?X-Amz-Signature=0", storage},
	{"/functions/v1/hello/world?x=1", store.ServiceFunctions, "/hello/world?x=1", function},
}

// key is what a request may bring, and the role that it stands for; none where it is not good.
type key struct {
	name, value, role string
	opaque            bool
	userAgent         string
}

// proof counts what was asked and what was not as it should be.
type proof struct {
	t               *testing.T
	requests, wrong int
}

func (p *proof) check(right bool, format string, arguments ...any) {
	p.requests++
	if !right {
		p.wrong++
		p.t.Errorf(format, arguments...)
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	w := setupProjects(t)
	proof := &proof{t: t}
	shop, other := w.project(services...), w.project(services...)
	keys := w.keys(shop, other)
	w.becomes(http.StatusOK, shop.host(), "/auth/v1/verify")
	w.becomes(http.StatusOK, other.host(), "/auth/v1/verify")
	w.becomes(http.StatusOK, shop.host(), "/rest/v1/", "apikey", keyNamed(keys, "a key with claims of its own").value)
	w.becomes(http.StatusUnauthorized, shop.host(), "/rest/v1/", "apikey", keyNamed(keys, "a revoked key").value)

	w.proveKeys(proof, shop, keys)
	w.proveStates(proof, other)
	w.proveNothingElseIsReached(proof, shop, other)
	require.Zero(t, w.asked.Load(), "nothing goes to postgres-meta")
	third := w.project(services...)
	w.proveDatabase(proof, third, w.keys(third, shop))
	fmt.Printf("routing: %d requests, %d wrong\n", proof.requests, proof.wrong)
}

func keyNamed(keys []key, name string) key {
	for _, one := range keys {
		if one.name == name {
			return one
		}
	}
	return key{}
}

func (w *projectWorld) keys(shop, other project) []key {
	w.t.Helper()
	worker, err := w.store.CreateAPIKey(w.t.Context(), w.actor(), shop.Ref, store.WantedAPIKey{
		Type: store.SecretKey, Name: "worker", Claims: map[string]any{"role": "worker"},
	})
	require.NoError(w.t, err)
	revoked, err := w.store.CreateAPIKey(w.t.Context(), w.actor(), shop.Ref, store.WantedAPIKey{Type: store.SecretKey, Name: "revoked"})
	require.NoError(w.t, err)
	_, err = w.store.DeleteAPIKey(w.t.Context(), w.actor(), shop.Ref, revoked.ID, "", false)
	require.NoError(w.t, err)
	expired := jwt.MapClaims{"role": "service_role", "exp": time.Now().Add(-time.Minute).Unix()}
	const browser = "Mozilla/5.0 (X11; Linux x86_64)"
	return []key{
		{name: "no key"},
		{name: "the publishable key", value: shop.publishable.Key, role: "anon", opaque: true},
		{name: "the publishable key in a browser", value: shop.publishable.Key, role: "anon", opaque: true, userAgent: browser},
		{name: "the secret key", value: shop.secret.Key, role: "service_role", opaque: true},
		{name: "the secret key in a browser", value: shop.secret.Key, opaque: true, userAgent: browser},
		{name: "a key with claims of its own", value: worker.Key, role: "worker", opaque: true},
		{name: "a revoked key", value: revoked.Key, opaque: true},
		{name: "another project's publishable key", value: other.publishable.Key, opaque: true},
		{name: "another project's secret key", value: other.secret.Key, opaque: true},
		{name: "the anon key", value: shop.secrets[store.SecretAnonKey], role: "anon"},
		{name: "the service key", value: shop.secrets[store.SecretServiceKey], role: "service_role"},
		{name: "another project's service key", value: other.secrets[store.SecretServiceKey]},
		{name: "an expired service key", value: shop.sign(w.t, expired)},
		{name: "a user's session", value: shop.sign(w.t, jwt.MapClaims{"role": "authenticated", "sub": ada})},
		{name: "nonsense", value: "nonsense"},
	}
}

// proveKeys asks every path with every key, by the host and by the path, with the key in the header and in the query.
func (w *projectWorld) proveKeys(p *proof, shop project, keys []key) {
	for _, path := range paths {
		for _, key := range keys {
			for _, form := range []struct{ host, prefix string }{{shop.host(), ""}, {"localhost", "/p/" + string(shop.Ref)}} {
				headers := []string{"User-Agent", key.userAgent}
				if key.value != "" {
					headers = append(headers, "apikey", key.value)
				}
				got := w.ask(form.host, form.prefix+path.path, headers...)
				problem := wrongOf(shop, path.service, path.upstream, path.admission, key, got)
				p.check(problem == "", "%s%s with %s: %s\n%d %s", form.host, form.prefix+path.path, key.name, problem, got.status, got.body)
			}
		}
	}
}

// wrongOf says what is wrong about an answer; nothing where it is as it should be.
func wrongOf(shop project, service, upstream string, a admission, k key, got answer) string {
	good := k.role != "" || k.value == "" && a != keyed || a == open || a == function && !k.opaque
	if !good {
		var said struct{ Message string }
		if got.status != http.StatusUnauthorized || json.Unmarshal(got.body, &said) != nil || said.Message == "" {
			return "it is not refused"
		}
		return ""
	}
	var said asked
	if got.status != http.StatusOK || json.Unmarshal(got.body, &said) != nil {
		return "it does not go through"
	}
	authorization, toFunction, toRealtime := said.Headers.Get("Authorization"), said.Headers.Get("Sb-Api-Key"), said.Headers.Get("X-Api-Key")
	role := k.role
	if a == open || a == function {
		role = ""
	}
	switch {
	case said.Project != shop.Ref || said.Service != service || said.Path != upstream:
		return fmt.Sprintf("it goes to %s of %s as %s", said.Service, said.Project, said.Path)
	case role == "" && authorization != "" || role != "" && shop.role(authorization) != role:
		return "the service is told " + authorization
	case strings.HasPrefix(authorization, "Bearer sb_"):
		return "the service is given a key that it does not know"
	case a == function && k.opaque && shop.role(toFunction) != k.role || (a != function || !k.opaque) && toFunction != "":
		return "the function is told " + toFunction
	case service == store.ServiceRealtime && (shop.role(toRealtime) != k.role || said.Host != "realtime-dev.realtime"):
		return "Realtime is told " + toRealtime + " by " + said.Host
	case upstream == "/rpc/graphql" && said.Headers.Get("Content-Profile") != "graphql_public":
		return "PostgREST is not told the schema"
	default:
		return ""
	}
}

// proveDatabase asks for the database with every key, by the host and by the path, with headers that would lead postgres-meta elsewhere.
func (w *projectWorld) proveDatabase(p *proof, shop project, keys []key) {
	w.run(`update platform.projects set db_host = '127.0.0.1', db_port = 54400 where id = $1`, shop.ID)
	w.becomes(http.StatusOK, shop.host(), "/pg/tables", "apikey", shop.secret.Key)
	w.becomes(http.StatusForbidden, shop.host(), "/pg/tables", "apikey", keyNamed(keys, "a key with claims of its own").value)
	w.becomes(http.StatusUnauthorized, shop.host(), "/pg/tables", "apikey", keyNamed(keys, "a revoked key").value)
	const elsewhere = "postgresql://postgres@10.0.0.1/postgres"
	lead := []string{
		"pg", elsewhere, "X-Connection-Encrypted", elsewhere, "X-Pg-Application-Name", "studio", "Cookie", "a=b", "X-Supabase-Info", "x",
	}
	for _, form := range []struct{ host, prefix string }{{shop.host(), ""}, {"localhost", "/p/" + string(shop.Ref)}} {
		for _, key := range keys {
			before := w.asked.Load()
			got := w.ask(form.host, form.prefix+"/pg//tables?limit=1", append([]string{"apikey", key.value, "User-Agent", key.userAgent}, lead...)...)
			status := http.StatusUnauthorized
			switch {
			case key.role == "service_role":
				status = http.StatusOK
			case key.role != "":
				status = http.StatusForbidden
			}
			right := got.status == status
			if status == http.StatusOK {
				right = right && w.asksOwnDatabase(got)
			} else {
				right = right && w.asked.Load() == before
			}
			p.check(right, "%s%s/pg with %s: %d %s", form.host, form.prefix, key.name, got.status, got.body)
		}
		for path, status := range map[string]int{
			"/pg": http.StatusNotFound, "/pg/": http.StatusNotFound, "/pg/health": http.StatusNotFound, "/pg/../health": 0, "/pg/tables/%2e%2e/health": 0,
			"/pg/tables%2f..%2fhealth": 0, "/pg/%68ealth": 0, "/pg/tables?apikey=" + shop.secret.Key: http.StatusUnauthorized,
		} {
			before := w.asked.Load()
			headers := []string{"apikey", shop.secret.Key}
			if status == http.StatusUnauthorized {
				headers = nil
			}
			got := w.ask(form.host, form.prefix+path, headers...)
			p.check((got.status == status || status == 0 && got.status >= 400 && got.status < 500) && w.asked.Load() == before, "%s: %d %s", path, got.status, got.body)
		}
	}
}

// asksOwnDatabase tells whether postgres-meta was asked for tables in the project's own database, and was told nothing of the caller.
func (w *projectWorld) asksOwnDatabase(got answer) bool {
	var said struct {
		Path    string
		Headers http.Header
	}
	if json.Unmarshal(got.body, &said) != nil || said.Path != "/tables?limit=1" || len(said.Headers["X-Connection-Encrypted"]) != 1 {
		return false
	}
	for _, name := range []string{"Pg", "X-Pg-Application-Name", "Cookie", "Authorization", "Apikey", "X-Supabase-Info"} {
		if said.Headers[name] != nil {
			return false
		}
	}
	return decrypt(w.t, said.Headers.Get("X-Connection-Encrypted")) == "postgresql://postgres:correct%20horse@127.0.0.1:54400/postgres"
}

// proveStates asks every path of a project that does not let anybody in, whatever they have.
func (w *projectWorld) proveStates(p *proof, shop project) {
	refused := func(name string, status int, retry bool) {
		w.becomes(status, shop.host(), "/auth/v1/verify")
		for _, path := range paths {
			got := w.ask(shop.host(), path.path, "apikey", shop.secret.Key)
			var said struct{ Message string }
			right := got.status == status && json.Unmarshal(got.body, &said) == nil && said.Message != "" && retry == (got.header.Get("Retry-After") != "")
			p.check(right, "%s: %s: %d %s", name, path.path, got.status, got.body)
		}
	}
	for _, status := range []store.Status{
		store.StatusComingUp, store.StatusPausing, store.StatusInactive, store.StatusRestoring, store.StatusRestarting, store.StatusResizing,
		store.StatusUpgrading, store.StatusInitFailed,
	} {
		w.status(shop, status)
		refused(string(status), http.StatusServiceUnavailable, true)
	}
	w.status(shop, store.StatusGoingDown)
	refused("going down", http.StatusNotFound, false)
	w.status(shop, store.StatusActiveHealthy)
	w.becomes(http.StatusOK, shop.host(), "/auth/v1/verify")

	only := func(allowed ...string) {
		_, err := w.store.RestrictNetwork(w.t.Context(), w.actor(), shop.Ref, func([]netip.Prefix) []netip.Prefix {
			prefixes := []netip.Prefix{}
			for _, one := range allowed {
				prefixes = append(prefixes, netip.MustParsePrefix(one))
			}
			return prefixes
		})
		require.NoError(w.t, err)
	}
	only("192.0.2.0/24")
	refused("restricted", http.StatusForbidden, false)
	only("127.0.0.0/8", "::/0")
	w.becomes(http.StatusOK, shop.host(), "/auth/v1/verify")
	_, err := w.store.BanFromProject(w.t.Context(), shop.ID, netip.MustParseAddr("127.0.0.1"), time.Now().Add(time.Hour))
	require.NoError(w.t, err)
	refused("banned", http.StatusForbidden, false)
	require.NoError(w.t, w.store.Unban(w.t.Context(), w.actor(), shop.Ref, []netip.Addr{netip.MustParseAddr("127.0.0.1")}))
	w.becomes(http.StatusOK, shop.host(), "/auth/v1/verify")

	w.run(`update platform.projects set services = '{db}' where id = $1`, shop.ID)
	refused("services left out", http.StatusNotFound, false)
	w.run(`delete from platform.projects where id = $1`, shop.ID)
	refused("deleted", http.StatusNotFound, false)
}

// proveNothingElseIsReached sends what is made to lead elsewhere. What goes through has to have gone to the project's own.
func (w *projectWorld) proveNothingElseIsReached(p *proof, shop, other project) {
	host, key := shop.host(), shop.secret.Key
	request := func(line, host string) string {
		return line + " HTTP/1.1\r\nHost: " + host + "\r\napikey: " + key + "\r\nConnection: close\r\n\r\n"
	}
	var texts []string
	for _, path := range []string{
		"/rest/v1/../../auth/v1/admin", "/rest/v1/%2e%2e/%2e%2e/x", "/rest/v1/..%2f..%2fx", "/p/" + string(other.Ref) + "/rest/v1/",
		"/auth/v1/verify/../admin", "/realtime/v1/api/tenants", "/realtime/v1/x/../api/tenants", "/realtime/v1//api//tenants",
		"/api/platform/profile", "/api/platform/pg-meta/x/query", "/rest/v1/%00", "//evil.example.com/rest/v1/", "/\\evil.example.com/rest/v1",
		"/rest/v1@evil.example.com/", "http://" + other.host() + "/rest/v1/", "http://127.0.0.1:9/rest/v1/", "http://user:pass@" + host + "/rest/v1/",
	} {
		texts = append(texts, request("GET "+path, host))
	}
	for _, name := range []string{
		other.host() + "@" + host, host + "@" + other.host(), host + ".evil.example.com", "x." + host, host + "..", host + ":x", "127.1.1.2",
		host + "%00", host + "/..", strings.Replace(host, ".", "%2e", 1), "localhost", "evil.localhost", ".localhost",
	} {
		texts = append(texts, request("GET /rest/v1/todos", name))
	}
	for _, text := range texts {
		got := w.raw(text)
		var said asked
		own := got.status == http.StatusOK && json.Unmarshal(got.body, &said) == nil && said.Project == shop.Ref && !strings.HasPrefix(said.Path, "/api/tenants")
		p.check(own || got.status >= 400 && got.status < 500 || got.status == 0, "%q: %d %s", text, got.status, got.body)
	}
}
